//! Every editor and tool saves in its own way, and each way is exactly one change of the contact.
//!
//! `mount_save` shows what the commands of a bare system do; here are the editors, savers and contact managers that people
//! install. Each test quotes the sentence of the contract (`man/contactfs.7`, numbered there as here) that it shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "tests fail by panicking, and use a part of the book"
)]

#[path = "mount_save/book.rs"]
mod book;
#[path = "mount_tools/editors.rs"]
mod editors;
#[path = "mount_tools/errors.rs"]
mod errors;
#[path = "mount_tools/git.rs"]
mod git;
#[path = "mount_tools/pim.rs"]
mod pim;
#[path = "mount_tools/savers.rs"]
mod savers;
mod support;
