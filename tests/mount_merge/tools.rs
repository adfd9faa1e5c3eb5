//! How programs save, with a change made elsewhere between their reading and the end of their save.

use std::fs;

use contactfs::sandbox::Options;
use serde_json::json;

use super::book::{Book, FILE, SOON};
use super::shows;
use crate::support::eventually;

/// A mount that looks at the service each second and holds deletions back long enough.
fn open() -> Option<Book> {
    let arguments = ["--poll-interval", "1s", "--delete-grace", "30s"];
    Book::with(&arguments, Options::default())
}

/// Changes the contact's title elsewhere, and waits until the mount has heard of it.
fn news(book: &Book) {
    let before = pulls(book);
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    eventually(SOON, "the change is fetched", || pulls(book) > before + 2);
}

fn pulls(book: &Book) -> usize {
    let log = book.world.log();
    log.iter()
        .filter(|entry| entry.path.contains("/delta"))
        .count()
}

#[track_caller]
fn is_merged(book: &Book, text: &str) {
    book.mount.in_step();
    shows(book, &text.replace("TITLE:Analyst", "TITLE:Poet"));
    let contact = book.contact();
    assert_eq!(contact["mobilePhone"], "+44 2");
    assert_eq!(contact["jobTitle"], "Poet");
    let patches: Vec<_> = book
        .world
        .writes()
        .into_iter()
        .map(|entry| entry.request)
        .collect();
    assert_eq!(patches, [Some(json!({"mobilePhone": "+44 2"}))]);
    let mut names = book.names();
    names.retain(|name| name != "F~");
    assert_eq!(names, [FILE]);
}

/// A scratch file renamed over the contact's (sed, perl, GLib, Qt, rsync, khard): edited from what was shown when the
/// scratch file was made.
#[test]
fn a_rename_over_is_merged_with_what_came_since_the_scratch_file_was_made() {
    for scratch in [
        "sedAbCdEf",
        ".Ada Byron.vcf.Xy12Ab",
        ".goutputstream-1A2B3C",
        "tmp1234",
    ] {
        let Some(book) = open() else { return };
        let text = book.with_phone("+44 2");
        let scratch = book.folder().join(scratch);
        fs::write(&scratch, &text).unwrap();
        news(&book);
        fs::rename(&scratch, book.path()).unwrap();
        is_merged(&book, &text);
    }
}

/// The contact's file renamed away and made anew (vim, emacs, cp -b): edited from what it showed then.
#[test]
fn a_rename_away_is_merged_with_what_came_until_the_new_file_was_written() {
    let Some(book) = open() else { return };
    let text = book.with_phone("+44 2");
    fs::rename(book.path(), book.folder().join("F~")).unwrap();
    news(&book);
    fs::write(book.path(), &text).unwrap();
    is_merged(&book, &text);
}

/// Unlinked and made anew (git, tar, cp --remove-destination): likewise.
#[test]
fn an_unlink_is_merged_with_what_came_until_the_new_file_was_written() {
    let Some(book) = open() else { return };
    let text = book.with_phone("+44 2");
    fs::remove_file(book.path()).unwrap();
    news(&book);
    fs::write(book.path(), &text).unwrap();
    is_merged(&book, &text);
}

/// Written in place after the news came: the program was shown them, and what it wrote is what it wants.
#[test]
fn a_text_written_over_the_newest_card_is_what_the_contact_says() {
    let Some(book) = open() else { return };
    let text = book.with_phone("+44 2");
    news(&book);
    eventually(SOON, "the news are shown", || book.text().contains("Poet"));
    fs::write(book.path(), &text).unwrap();
    book.mount.in_step();
    shows(&book, &text);
    assert_eq!(book.contact()["jobTitle"], "Analyst");
    assert_eq!(book.names(), [FILE]);
}
