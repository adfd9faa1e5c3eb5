//! Ending conflicts by command.

use std::fs;

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use super::book::{ADA, Book, FILE, SOON};
use super::{ERROR, REJECTED, read, save, state};
use crate::support::{Run, eventually};

/// A book with a conflict about the phone, and the text that was saved here.
fn open(policy: &str) -> Option<(Book, String)> {
    let book = Book::with(&["--conflict", policy], Options::default())?;
    let text = book
        .with_phone("+44 2")
        .replace("NOTE:first line", "NOTE:ours");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    let done = save(&book, &text);
    assert_eq!(done.is_err(), policy == "theirs");
    book.lists(&[ERROR, REJECTED, FILE]);
    book.mount.sync();
    book.world.clear_log();
    Some((book, text))
}

#[track_caller]
fn conflicts(book: &Book, arguments: &[&str]) -> Run {
    let path = book.path();
    let mut all = vec!["conflicts"];
    all.extend(arguments);
    all.push(path.to_str().unwrap());
    book.world.run(&all)
}

#[track_caller]
fn is_resolved(book: &Book, phone: &str) {
    assert_eq!(state(book), "synced");
    let line = format!("TEL;TYPE=cell:{phone}\r\n");
    eventually(SOON, &line, || book.text().contains(&line));
    assert!(book.text().contains("NOTE:ours\r\n"), "{}", book.text());
    book.lists(&[FILE]);
    book.mount.in_step();
    assert_eq!(book.contact()["mobilePhone"], phone);
    assert_eq!(book.contact()["personalNotes"], "ours");
}

/// 6.3 "or runs contactfs conflicts resolve FILE --ours|--theirs": whichever stands so far.
#[test]
fn a_conflict_is_resolved_for_either_side_under_either_policy() {
    for policy in ["theirs", "ours"] {
        for (side, phone) in [("--ours", "+44 2"), ("--theirs", "+44 9")] {
            let Some((book, _)) = open(policy) else {
                return;
            };
            let run = conflicts(&book, &["resolve", side]);
            assert_eq!(run.code, 0, "{policy} {side}: {run:?}");
            is_resolved(&book, phone);
            let stood = (policy == "ours") == (side == "--ours");
            assert_eq!(
                book.world.writes().len(),
                usize::from(!stood),
                "{policy} {side}"
            );
        }
    }
}

#[test]
fn conflicts_are_listed_and_shown() {
    let Some((book, _)) = open("theirs") else {
        return;
    };
    let dir = book.mount.path("");
    let list = |json: bool| {
        let mut arguments = vec!["conflicts", "list", dir.to_str().unwrap()];
        arguments.extend(json.then_some("--json"));
        book.world.run(&arguments)
    };
    let run = list(false);
    assert_eq!(
        (run.code, run.out),
        (2, format!("{}: TEL cell\n", book.path().display()))
    );
    let found: Value = serde_json::from_str(&list(true).out).unwrap();
    assert_eq!(found[0]["path"], ADA);
    assert_eq!(found[0]["properties"], json!(["TEL cell"]));
    let shown = conflicts(&book, &["show"]);
    let expected = format!(
        "{}: TEL cell\nhere:\n  TEL;TYPE=cell:+44 2\nelsewhere:\n  TEL;TYPE=cell:+44 9\n",
        book.path().display()
    );
    assert_eq!((shown.code, shown.out), (0, expected));
    let shown: Value = serde_json::from_str(&conflicts(&book, &["show", "--json"]).out).unwrap();
    assert_eq!(shown, found[0]);
    conflicts(&book, &["resolve", "--theirs"]);
    let run = list(false);
    assert_eq!((run.code, run.out.as_str()), (0, ""));
    assert_eq!(conflicts(&book, &["show"]).code, 1);
}

/// 6.3 "or --edit".
#[test]
fn a_conflict_is_resolved_by_an_editor() {
    let Some((book, text)) = open("theirs") else {
        return;
    };
    let path = book.path();
    let edit = |editor: &str| {
        let arguments = ["conflicts", "resolve", "--edit", path.to_str().unwrap()];
        let mut command = book.world.command(&arguments);
        Run::of(command.env("EDITOR", editor))
    };
    let run = edit(&format!("cp -t {} --", book.world.dir().display()));
    assert_eq!(run.code, 1, "it was not saved: {run:?}");
    assert_eq!(
        fs::read_to_string(book.world.dir().join(REJECTED)).unwrap(),
        text
    );
    let run = edit(r#"sh -c 'sed -i "s/+44 9/+44 5/" "$1"' edit"#);
    assert_eq!(run.code, 0, "{run:?}");
    book.mount.in_step();
    is_resolved(&book, "+44 5");
}

/// What else was changed since the conflict stays.
#[test]
fn a_resolution_keeps_what_changed_since() {
    let Some((book, _)) = open("theirs") else {
        return;
    };
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    book.mount.sync();
    assert_eq!(state(&book), "conflict");
    let run = conflicts(&book, &["resolve", "--ours"]);
    assert_eq!(run.code, 0, "{run:?}");
    is_resolved(&book, "+44 2");
    assert_eq!(book.contact()["jobTitle"], "Poet");
}

/// 6.4 "Deleted here, edited there: the edit wins and the file comes back (state conflict, sentence in .error)."
#[test]
fn a_deletion_that_was_taken_back_is_resolved() {
    for side in ["--theirs", "--ours"] {
        let Some(book) = Book::open() else { return };
        book.world
            .api()
            .patch(&book.id, json!({"mobilePhone": "+44 9"}));
        fs::remove_file(book.path()).unwrap();
        book.mount.sync();
        book.lists(&[ERROR, FILE]);
        let shown = conflicts(&book, &["show"]);
        assert!(shown.out.contains("since you deleted it"), "{shown:?}");
        let run = conflicts(&book, &["resolve", side]);
        assert_eq!(run.code, 0, "{run:?}");
        if side == "--theirs" {
            assert_eq!(state(&book), "synced");
            book.lists(&[FILE]);
        } else {
            book.mount.in_step();
            assert!(book.names().is_empty());
            assert_eq!(book.world.api().count(), 0);
        }
    }
}

/// A save through the command is one like any other: it can be refused.
#[test]
fn a_resolution_that_is_refused_says_so() {
    let Some((book, _)) = open("theirs") else {
        return;
    };
    book.world
        .fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    let run = conflicts(&book, &["resolve", "--ours"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains(".error"), "{run:?}");
    assert!(read(&book, ERROR).contains("ErrorInvalidRequest"));
    let again = conflicts(&book, &["resolve"]);
    assert_eq!(again.code, 64, "a side must be named: {again:?}");
}
