//! What a person writes through a mount arrives at the service once, reads back as written, and is never lost.
//!
//! Each test quotes the sentence of the contract (`man/contactfs.7`, numbered there as here) that it shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "mount_save/bad.rs"]
mod bad;
#[path = "mount_save/book.rs"]
mod book;
#[path = "mount_save/create.rs"]
mod create;
#[path = "mount_save/editors.rs"]
mod editors;
#[path = "mount_save/end.rs"]
mod end;
#[path = "mount_save/folders.rs"]
mod folders;
#[path = "mount_save/full.rs"]
mod full;
#[path = "mount_save/lost.rs"]
mod lost;
#[path = "mount_save/offline.rs"]
mod offline;
#[path = "mount_save/photos/arrival.rs"]
mod photo_arrival;
#[path = "mount_save/photos/kills.rs"]
mod photo_kills;
#[path = "mount_save/photos/places.rs"]
mod photo_places;
#[path = "mount_save/photos/sending.rs"]
mod photo_sending;
#[path = "mount_save/picture.rs"]
mod picture;
#[path = "mount_save/posix.rs"]
mod posix;
#[path = "mount_save/quiet.rs"]
mod quiet;
#[path = "mount_save/renames.rs"]
mod renames;
#[path = "mount_save/scratch.rs"]
mod scratch;
mod support;
#[path = "mount_save/tools.rs"]
mod tools;
#[path = "mount_save/verdict.rs"]
mod verdict;
