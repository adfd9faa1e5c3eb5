//! Libraries and commands that save in ways of their own. P5 "It behaves like a directory."

use std::fs;

use crate::book::{Book, FILE};
use crate::support::need;

/// Saves the card with the phone `+44 2` by a line of shell in its folder, in which `$F` is the file and `$DIR` a directory
/// outside that holds the new one; shows that it is one PATCH and that only `left` stays beside it.
#[track_caller]
fn saved_by(programs: &[&str], line: &str, left: &[&str]) {
    if !programs.iter().all(|program| need(program)) {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let outside = book.world.dir().join("new");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join(FILE), &text).unwrap();
    let line = line
        .replace("$DIR", outside.to_str().unwrap())
        .replace("$F", &format!("'{FILE}'"));
    book.sh(&line).ok();
    book.saved_beside(&text, left);
}

/// 4.6 "Renaming a scratch file over a contact's file is an update of that contact (one PATCH)."
#[test]
fn glib() {
    saved_by(&["gio"], "gio save \"$PWD/\"$F < '$DIR/'$F", &[]);
}

/// It keeps a hard link to the old file before it renames the new one over it.
#[test]
fn glib_with_a_backup() {
    saved_by(
        &["gio"],
        "gio save -b \"$PWD/\"$F < '$DIR/'$F",
        &["Ada Byron.vcf~"],
    );
}

/// What `QSaveFile` does: a temporary file beside the card, synced, renamed over it.
#[test]
fn qt() {
    let save = "python3 -c 'import os, sys
text = open(sys.argv[2], \"rb\").read()
name = sys.argv[1] + \".aBcDeF\"
file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
os.write(file, text)
os.fdatasync(file)
os.close(file)
os.rename(name, sys.argv[1])' $F '$DIR/'$F";
    saved_by(&["python3"], save, &[]);
}

/// What VS Code does: it writes in place and syncs.
#[test]
fn in_place_with_fdatasync() {
    let save = "python3 -c 'import os, sys
text = open(sys.argv[2], \"rb\").read()
file = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
os.write(file, text)
os.fdatasync(file)
os.close(file)' $F '$DIR/'$F";
    saved_by(&["python3"], save, &[]);
}

#[test]
fn sed_with_a_backup() {
    saved_by(
        &["sed"],
        "sed -i.bak 's/+44 1/+44 2/' $F",
        &["Ada Byron.vcf.bak"],
    );
}

#[test]
fn perl_with_a_backup() {
    saved_by(
        &["perl"],
        "perl -i.orig -pe 's/\\+44 1/+44 2/' $F",
        &["Ada Byron.vcf.orig"],
    );
}

#[test]
fn cp_a() {
    saved_by(&[], "cp -a '$DIR/'$F $F", &[]);
}

#[test]
fn cp_with_a_backup() {
    saved_by(&[], "cp --backup '$DIR/'$F $F", &["Ada Byron.vcf~"]);
}

#[test]
fn cp_with_a_numbered_backup() {
    saved_by(
        &[],
        "cp --backup=numbered '$DIR/'$F $F",
        &["Ada Byron.vcf.~1~"],
    );
}

/// 5.1 "A directory whose name begins with . is scratch, and so is all below it."
#[test]
fn rsync_that_renames_at_the_end() {
    saved_by(
        &["rsync"],
        "rsync -a --checksum --delay-updates '$DIR/' ./",
        &[],
    );
}

/// 1.8 "Extended attributes are answered ENOSYS by default".
#[test]
fn rsync_with_attributes() {
    saved_by(&["rsync"], "rsync -aX --checksum '$DIR/' ./", &[]);
}

#[test]
fn rsync_plain() {
    saved_by(&["rsync"], "rsync -a --ignore-times '$DIR/' ./", &[]);
}

/// 4.4 "unlink removes the file at once, ... and becomes DELETE".
#[test]
fn rsync_that_deletes() {
    if !need("rsync") {
        return;
    }
    let Some(book) = Book::with(&["--delete-grace", "100ms"], Default::default()) else {
        return;
    };
    let empty = book.world.dir().join("empty");
    fs::create_dir(&empty).unwrap();
    book.sh(&format!("rsync -a --delete '{}/' ./", empty.display()))
        .ok();
    assert_eq!(book.names(), Vec::<String>::new());
    book.one_write("DELETE");
}

/// 2 "... with nothing changed since the last commit, nothing happens."
#[test]
fn what_changes_nothing_sends_nothing() {
    if !need("rsync") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.text();
    let outside = book.world.dir().join("same");
    fs::create_dir(&outside).unwrap();
    let outside = outside.display();
    for line in [
        format!("rsync -a ./ '{outside}/' && rsync -a --ignore-times '{outside}/' ./"),
        format!("rsync -a --inplace --ignore-times '{outside}/' ./"),
        format!("cp -a '{outside}/'* ."),
        format!("cp --remove-destination -p '{outside}/'* ."),
        format!("tar c -C '{outside}' . | tar x"),
        "touch *.vcf && chmod 600 *.vcf".to_owned(),
        "sed -i 's/none of this//' *.vcf".to_owned(),
    ] {
        book.sh(&line).ok();
    }
    book.nothing_sent();
    assert_eq!(book.text(), text);
    assert_eq!(book.names(), [FILE]);
}
