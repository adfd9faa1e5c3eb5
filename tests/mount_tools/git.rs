//! git with its repository inside the mount. 5.4 "So git init && git add -A && git commit works inside the mount".

use std::fs;

use serde_json::json;

use crate::book::{Book, FILE};
use crate::support::need;

const GIT: &str = "git -c user.name=A -c user.email=a@b.example -c core.autocrlf=false";

/// A book whose folder is a repository with one commit.
#[track_caller]
fn repository() -> Option<Book> {
    if !need("git") {
        return None;
    }
    let book = Book::open()?;
    book.sh(&format!(
        "git init -q . && git add -A && {GIT} commit -qm one"
    ))
    .ok();
    Some(book)
}

/// 4.5 "This is how git checkout, ... save."
#[test]
fn stash_and_pop_are_a_patch_each() {
    let Some(book) = repository() else { return };
    let first = book.text();
    let second = book.save_phone("+44 2");
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    book.world.clear_log();
    book.sh(&format!("{GIT} stash -q")).ok();
    assert_eq!(book.text(), first);
    book.one_patch(&json!({"mobilePhone": "+44 1"}));
    book.world.clear_log();
    book.sh(&format!("{GIT} stash pop -q")).ok();
    assert_eq!(book.text(), second);
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!(book.names(), [".git", FILE]);
}

/// A rebase that puts two edits one upon the other leaves the contact with both.
#[test]
fn a_rebase_ends_with_both_edits() {
    let Some(book) = repository() else { return };
    let lines = "X-A:a\r\nX-B:b\r\nX-C:c\r\nEND:";
    fs::write(book.path(), book.text().replace("END:", lines)).unwrap();
    book.sh(&format!(
        "{GIT} commit -qam lines && git checkout -q -b phone"
    ))
    .ok();
    book.save_phone("+44 2");
    let line = format!(
        "{GIT} commit -qam phone && git checkout -q master && sed -i 's/X-C:c/X-C:d/' '{FILE}' \
         && {GIT} commit -qam other && git checkout -q phone && {GIT} rebase -q master"
    );
    book.sh(&line).ok();
    book.mount.in_step();
    let text = book.text();
    assert!(text.contains("+44 2") && text.contains("X-C:d"), "{text}");
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!(book.sh("git status --porcelain").ok(), "");
    assert_eq!(book.names(), [".git", FILE]);
    let writes = book.world.writes();
    assert!(
        writes.iter().all(|write| write.method == "PATCH"),
        "{writes:?}"
    );
}
