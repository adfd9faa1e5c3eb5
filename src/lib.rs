//! Outlook / Microsoft 365 contacts as a directory of vCard files.

pub mod auth;
pub mod cli;
pub mod graph;
pub mod model;
