//! Outlook / Microsoft 365 contacts as a directory of vCard files.

pub mod cli;
pub mod model;
pub mod sandbox;
