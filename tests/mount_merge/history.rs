//! Earlier versions, and deleted contacts, come back.

use std::fs;

use rustix::io::Errno;
use serde_json::{Value, json};

use super::book::{Book, FILE, errno};
use super::{REJECTED, save, shows, state};
use crate::support::Run;

fn at(book: &Book, version: i64) -> String {
    format!("{}@{version}", book.path().display())
}

/// The versions kept of the contact's file, the newest first: number, fate and text.
#[track_caller]
fn history(book: &Book) -> Vec<(i64, String, String)> {
    let path = book.path();
    let run = book
        .world
        .run(&["history", "--json", path.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    let versions: Value = serde_json::from_str(&run.out).unwrap();
    let version = |version: &Value| {
        let number = version["version"].as_i64().unwrap();
        let text = book.world.run(&["history", &at(book, number)]);
        assert_eq!(text.out.len() as u64, version["size"].as_u64().unwrap());
        (
            number,
            version["fate"].as_str().unwrap().to_owned(),
            text.out,
        )
    };
    versions.as_array().unwrap().iter().map(version).collect()
}

#[track_caller]
fn fates(book: &Book, expected: &[(&str, &str)]) {
    let found = history(book);
    let found: Vec<_> = found
        .iter()
        .map(|(_, fate, text)| (fate.as_str(), text.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[track_caller]
fn restore(book: &Book, version: Option<i64>) -> Run {
    let file = version.map_or(book.path().display().to_string(), |version| {
        at(book, version)
    });
    book.world.run(&["restore", &file])
}

/// 4.13 "Every version of a card that was overwritten or deleted from this mount or by sync is kept in a local history".
#[test]
fn every_version_is_kept_with_what_became_of_it() {
    let Some(book) = Book::open() else { return };
    let first = book.text();
    fates(&book, &[]);
    let second = book.save_phone("+44 2");
    book.mount.in_step();
    fates(&book, &[("saved", &first)]);
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 3"}));
    book.mount.in_step();
    shows(&book, &second.replace("+44 2", "+44 3"));
    let third = book.text();
    fates(&book, &[("changed", &second), ("saved", &first)]);
    let lost = third.replace("+44 3", "+44 4");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 5"}));
    assert_eq!(errno(save(&book, &lost)), Errno::BUSY.raw_os_error());
    fates(
        &book,
        &[
            ("conflict", &lost),
            ("saved", &third),
            ("changed", &second),
            ("saved", &first),
        ],
    );
    let refused = book.text().replace("+44 5", "+44 6");
    book.world
        .fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    assert_eq!(errno(save(&book, &refused)), Errno::INVAL.raw_os_error());
    // The second refusal took the place of the first text beside the contact; both are here.
    assert_eq!(super::read(&book, REJECTED), refused);
    let kept = history(&book);
    let kept: Vec<_> = kept
        .iter()
        .map(|(_, fate, _)| fate.as_str())
        .take(3)
        .collect();
    assert_eq!(kept, ["rejected", "saved", "conflict"]);
    let book = book.remount();
    assert_eq!(history(&book).len(), 6);
}

/// 4.13 "contactfs restore FILE[@VERSION]".
#[test]
fn an_earlier_version_is_saved_again() {
    let Some(book) = Book::open() else { return };
    let first = book.text();
    let second = book.save_phone("+44 2");
    book.mount.in_step();
    let third = second.replace("NOTE:first line", "NOTE:changed");
    save(&book, &third).unwrap();
    let oldest = history(&book).last().unwrap().0;
    book.world.clear_log();
    restore(&book, Some(oldest)).ok();
    assert_eq!((book.text(), book.names()), (first, vec![FILE.to_owned()]));
    book.one_patch(&json!({"mobilePhone": "+44 1", "personalNotes": "first line"}));
    // Without a version: what it showed last.
    restore(&book, None).ok();
    shows(&book, &third);
    book.mount.in_step();
    assert_eq!(book.contact()["personalNotes"], "changed");
    let run = restore(&book, Some(oldest + 1000));
    assert!(
        run.code == 1 && run.err.contains("there is no version"),
        "{run:?}"
    );
    assert_eq!(state(&book), "synced");
}

/// 4.13 "(also for a deleted file)".
#[test]
fn a_contact_deleted_here_or_elsewhere_is_made_again() {
    for is_here in [true, false] {
        let Some(book) = Book::open() else { return };
        let text = book.text();
        if is_here {
            fs::remove_file(book.path()).unwrap();
        } else {
            book.world.api().delete(&book.id);
        }
        book.mount.in_step();
        book.lists(&[]); // The kernel is told in a moment.
        assert_eq!(book.world.api().count(), 0);
        let fate = if is_here { "deleted" } else { "vanished" };
        fates(&book, &[(fate, &text)]);
        let book = book.remount();
        restore(&book, None).ok();
        shows(&book, &text); // With the UID it had.
        assert_eq!(book.names(), [FILE]);
        book.mount.in_step();
        let ada = book.world.api().contact("Ada Byron").unwrap();
        assert_eq!(
            (&ada["mobilePhone"], &ada["jobTitle"]),
            (&json!("+44 1"), &json!("Analyst"))
        );
    }
}

/// A version of another contact is none of this file's.
#[test]
fn a_version_of_another_contact_is_refused() {
    let Some(book) = Book::open() else { return };
    book.save_phone("+44 2");
    fs::write(book.mount.path("Contacts/Bo.vcf"), super::book::card("Bo")).unwrap();
    book.mount.in_step();
    let number = history(&book)[0].0;
    let bo = book.mount.path("Contacts/Bo.vcf");
    let run = book
        .world
        .run(&["restore", &format!("{}@{number}", bo.display())]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(book.mount.read("Contacts/Bo.vcf"), super::book::card("Bo"));
    let run = book.world.run(&["history", bo.to_str().unwrap()]);
    assert!(run.err.contains("nothing is kept"), "{run:?}");
}

/// 5.3 "They survive remounts, never leave the machine, and are removed with contactfs scratch clean."
#[test]
fn scratch_files_are_listed_and_removed_and_contacts_are_not() {
    let Some(book) = Book::open() else { return };
    fs::write(book.folder().join("Ada Byron.vcf~"), "12345").unwrap();
    fs::create_dir(book.mount.path(".git")).unwrap();
    fs::write(book.mount.path(".git/config"), "123").unwrap();
    let book = book.remount();
    let dir = book.mount.path("");
    let scratch = |arguments: &[&str]| {
        let mut all = vec!["scratch"];
        all.extend(arguments);
        all.push(dir.to_str().unwrap());
        book.world.run(&all)
    };
    let found: Value = serde_json::from_str(&scratch(&["list", "--json"]).out).unwrap();
    let sizes: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["size"].clone())
        .collect();
    assert_eq!(sizes, [json!(3), json!(5)]);
    scratch(&["clean"]).ok();
    assert_eq!(book.names(), [FILE]);
    assert_eq!(book.mount.read(".git/config"), "123");
    scratch(&["clean", "--all"]).ok();
    assert_eq!(scratch(&["list"]).out, "");
    book.nothing_sent();
}
