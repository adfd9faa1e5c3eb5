//! Outlook / Microsoft 365 contacts as a directory of vCard files.

pub mod auth;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod fs;
pub mod graph;
pub mod model;
pub mod names;
pub mod observe;
pub mod sandbox;
pub mod store;
pub mod sync;
pub mod tree;
pub mod vcard;
