//! Deletions that look like an accident wait for a person.

use std::fs;

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use super::book::{Book, FILE};
use crate::support::{Run, eventually};

/// A mount with so many contacts beside Ada, in a folder of their own.
fn open(arguments: &[&str], count: usize) -> Option<Book> {
    let book = Book::with(arguments, Options::default())?;
    let folder = book.world.api().create_folder("Many");
    for number in 0..count {
        let name = format!("P{number:02}");
        let body = json!({"givenName": name, "displayName": name});
        book.world.api().create_in(&folder, body);
    }
    book.calm();
    eventually(super::book::SOON, "the folder is shown", || {
        fs::read_dir(book.mount.path("Many")).is_ok_and(|names| names.count() == count)
    });
    Some(book)
}

fn file(book: &Book, number: usize) -> std::path::PathBuf {
    book.mount.path(&format!("Many/P{number:02}.vcf"))
}

#[track_caller]
fn delete(book: &Book, numbers: std::ops::Range<usize>) {
    for number in numbers {
        fs::remove_file(file(book, number)).unwrap();
    }
}

#[track_caller]
fn deletes(book: &Book, command: &str) -> Run {
    let dir = book.mount.path("");
    book.world.run(&["deletes", command, dir.to_str().unwrap()])
}

fn held(book: &Book) -> Vec<Value> {
    book.mount.status()["mounts"][0]["held"]
        .as_array()
        .unwrap()
        .clone()
}

/// 4.12 "Deleting more than 20 contacts and more than half of a folder within one minute holds those deletions (state shown
/// by status) until contactfs deletes confirm or restore".
#[test]
fn many_deletions_wait_until_they_are_confirmed() {
    let Some(book) = open(&["--delete-grace", "20s"], 30) else {
        return;
    };
    delete(&book, 0..25);
    assert_eq!(held(&book).len(), 25);
    assert_eq!(book.mount.sync().code, 1, "something is left");
    assert_eq!(book.world.writes(), []);
    let run = book
        .world
        .run(&["status", book.mount.path("").to_str().unwrap()]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("held Many/P00.vcf"), "{run:?}");
    // Across a remount and a kill.
    let book = book.remount().killed(|_| {});
    assert_eq!(held(&book).len(), 25);
    let list = deletes(&book, "list");
    assert_eq!((list.code, list.out.lines().count()), (2, 25));
    deletes(&book, "confirm").ok();
    book.mount.in_step();
    assert_eq!(held(&book), [] as [Value; 0]);
    assert_eq!(book.world.api().count(), 6);
    assert_eq!(deletes(&book, "list").code, 0);
}

/// 4.12 as above.
#[test]
fn many_deletions_are_taken_back_with_what_the_files_said() {
    let Some(book) = open(&["--delete-grace", "20s"], 25) else {
        return;
    };
    let texts = |book: &Book| -> Vec<String> {
        (0..25)
            .map(|number| fs::read_to_string(file(book, number)).unwrap())
            .collect()
    };
    // A save that is not sent yet is not forgotten.
    let slow = contactfs::sandbox::FaultAction::DropBefore;
    book.world.fail(Some("PATCH"), "", u32::MAX, slow);
    let edited = fs::read_to_string(file(&book, 3))
        .unwrap()
        .replace("END:", "NOTE:mine\r\nEND:");
    fs::write(file(&book, 3), edited).unwrap();
    let before = texts(&book);
    delete(&book, 0..25);
    book.world.reconnect();
    assert_eq!(held(&book).len(), 25);
    deletes(&book, "restore").ok();
    eventually(super::book::SOON, "the files are back", || {
        fs::read_dir(book.mount.path("Many")).unwrap().count() == 25
    });
    assert_eq!(texts(&book), before);
    book.settled();
    assert_eq!(book.world.api().count(), 26);
    assert_eq!(
        book.world.api().contact("P03").unwrap()["personalNotes"],
        "mine"
    );
    assert_eq!(held(&book), [] as [Value; 0]);
    // Deleting them once more is held once more.
    delete(&book, 0..25);
    assert_eq!(held(&book).len(), 25);
}

/// 4.12 "more than 20 contacts and more than half of a folder"; "--no-delete-guard switches it off".
#[test]
fn few_deletions_and_those_of_a_mount_without_a_guard_are_sent() {
    for (arguments, count, deleted) in [
        (&["--delete-grace", "20s"] as &[&str], 22, 20),
        (&["--delete-grace", "20s"], 50, 24),
        (&["--delete-grace", "20s", "--no-delete-guard"], 25, 25),
    ] {
        let Some(book) = open(arguments, count) else {
            return;
        };
        delete(&book, 0..deleted);
        assert_eq!(held(&book), [] as [Value; 0], "{deleted} of {count}");
        book.mount.in_step();
        assert_eq!(book.world.api().count(), 1 + count - deleted);
    }
}

/// 4.12 as above: the folder that held them stays as well.
#[test]
fn a_folder_removed_with_many_contacts_waits_with_them() {
    let Some(book) = open(&["--delete-grace", "20s"], 30) else {
        return;
    };
    let remove = || fs::remove_dir_all(book.mount.path("Many")).unwrap();
    remove();
    assert_eq!(book.mount.sync().code, 1);
    assert_eq!(book.world.writes(), []);
    // Other folders are not held up.
    fs::create_dir(book.mount.path("New")).unwrap();
    book.mount.sync();
    assert!(book.world.api().folder("New").is_some());
    deletes(&book, "restore").ok();
    eventually(super::book::SOON, "the folder is back", || {
        fs::read_dir(book.mount.path("Many")).is_ok_and(|names| names.count() == 30)
    });
    book.mount.in_step();
    assert_eq!(book.world.api().count(), 31);
    remove();
    deletes(&book, "confirm").ok();
    book.mount.in_step();
    assert_eq!(
        (book.world.api().count(), book.world.api().folder("Many")),
        (1, None)
    );
}

/// 4.5 "If within the grace a file of the same name ... appears in the same folder, the two are one update": however many
/// they are, and held or not.
#[test]
fn files_that_come_back_are_no_deletions() {
    let Some(book) = open(&["--delete-grace", "20s"], 30) else {
        return;
    };
    let mut texts = Vec::new();
    for number in 0..30 {
        texts.push(fs::read_to_string(file(&book, number)).unwrap());
        fs::remove_file(file(&book, number)).unwrap();
        fs::write(file(&book, number), &texts[number]).unwrap();
    }
    assert_eq!(held(&book), [] as [Value; 0]);
    delete(&book, 0..30);
    assert_eq!(held(&book).len(), 30);
    for (number, text) in texts.iter().enumerate() {
        fs::write(file(&book, number), text).unwrap();
    }
    assert_eq!(held(&book), [] as [Value; 0]);
    book.nothing_sent();
    assert_eq!(book.names(), [FILE]);
}
