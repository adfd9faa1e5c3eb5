//! Outlook / Microsoft 365 contacts as a directory of vCard files.

pub mod cli;
pub mod fs;
pub mod model;
pub mod names;
pub mod store;
pub mod tree;
pub mod vcard;
