//! A contact that is changed here and elsewhere holds both changes, and where they clash nothing is lost.
//!
//! Each test quotes the sentence of the contract (`man/contactfs.7`, numbered there as here) that it shows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "tests fail by panicking, and use a part of what others use"
)]

#[path = "mount_save/book.rs"]
mod book;
#[path = "mount_merge/both.rs"]
mod both;
#[path = "mount_merge/clash.rs"]
mod clash;
#[path = "mount_merge/deletes.rs"]
mod deletes;
#[path = "mount_merge/end.rs"]
mod end;
#[path = "mount_merge/history.rs"]
mod history;
#[path = "mount_merge/pauses.rs"]
mod pauses;
#[path = "mount_merge/photos.rs"]
mod photos;
#[path = "mount_save/picture.rs"]
mod picture;
#[path = "mount_merge/resolve.rs"]
mod resolve;
mod support;
#[path = "mount_merge/tools.rs"]
mod tools;

use std::fs::File;
use std::io::{self, Write};

use book::{Book, SOON};
use support::eventually;

const REJECTED: &str = ".Ada Byron.vcf.rejected";
const ERROR: &str = ".Ada Byron.vcf.error";

/// Saves as a careful program does; the result is that of `fsync`.
fn save(book: &Book, text: &str) -> io::Result<()> {
    let mut file = File::create(book.path())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Waits until the contact's file has this text: the kernel is told in a moment of what was merged.
#[track_caller]
fn shows(book: &Book, text: &str) {
    eventually(SOON, &format!("the file shows\n{text}"), || {
        book.text() == text
    });
}

/// The card's text with one line replaced.
#[track_caller]
fn with(book: &Book, old: &str, new: &str) -> String {
    let text = book.text();
    assert!(text.contains(old), "{old} in\n{text}");
    text.replace(old, new)
}

/// The state of the contact's file, as `contactfs status` has it.
#[track_caller]
fn state(book: &Book) -> String {
    let path = book.path();
    let run = book
        .world
        .run(&["status", "--json", path.to_str().unwrap()]);
    let item: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    item["state"].as_str().unwrap().to_owned()
}

/// A file of the default folder.
#[track_caller]
fn read(book: &Book, name: &str) -> String {
    book.mount.read(&format!("Contacts/{name}"))
}
