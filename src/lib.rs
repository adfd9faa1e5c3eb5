//! Outlook / Microsoft 365 contacts as a directory of vCard files.

pub mod cli;
pub mod config;
pub mod daemon;
pub mod model;
pub mod observe;
pub mod sandbox;
