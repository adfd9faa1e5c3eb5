//! Every way in which programs save a file is one change of the contact.

use serde_json::json;

use super::book::{ADA, Book, FILE};
use crate::support::need;
use std::fs;

/// Saves the card with the phone `+44 2` by a line of shell in its folder, in which `$F` is the file and `$NEW` a file
/// outside with the new text; shows that it is one PATCH.
#[track_caller]
fn saved_by(programs: &[&str], line: &str) {
    if !programs.iter().all(|program| need(program)) {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let outside = book.world.dir().join("new");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join(FILE), &text).unwrap();
    let new = format!("'{}'", outside.join(FILE).display());
    let line = line
        .replace("$NEW", &new)
        .replace("$DIR", outside.to_str().unwrap())
        .replace("$F", &format!("'{FILE}'"));
    book.sh(&line).ok();
    book.saved(&text);
}

/// P5 "It behaves like a directory."; 4.6 "Renaming a scratch file over a contact's file is an update of that contact
/// (one PATCH)."
#[test]
fn sed_i_is_one_patch() {
    saved_by(&["sed"], "sed -i 's/+44 1/+44 2/' $F");
}

/// P2 "What you wrote is what you read."; 3.5 "Only properties whose value changed are sent (PATCH)".
#[test]
fn cp_is_one_patch() {
    saved_by(&[], "cp $NEW $F");
}

/// P2 "What you wrote is what you read."
#[test]
fn cp_with_times_and_modes_is_one_patch() {
    saved_by(
        &[],
        "cp -p $NEW $F; test \"$(stat -c %Y $F)\" = \"$(stat -c %Y $NEW)\"",
    );
}

/// P5 "It behaves like a directory."
#[test]
fn mv_from_outside_is_one_patch() {
    saved_by(&[], "mv $NEW $F");
}

/// 4.6 "Renaming a scratch file over a contact's file is an update of that contact (one PATCH)."
#[test]
fn mv_of_a_scratch_file_is_one_patch() {
    saved_by(&[], "cp $NEW .tmp; mv .tmp $F");
}

/// 3.2 "Empty, or not yet complete: held. close succeeds (a shell closes the empty file before the first byte ...)".
#[test]
fn echo_in_pieces_is_one_patch() {
    saved_by(
        &[],
        "head -n -1 $NEW > $F; printf 'END:' >> $F; printf 'VCARD\\r' >> $F; echo >> $F",
    );
}

/// P2 "What you wrote is what you read."
#[test]
fn tee_is_one_patch() {
    saved_by(&["tee"], "tee $F < $NEW > /dev/null");
}

/// 3.1 "A save is committed ... at close (FLUSH) by a process that wrote since the last commit".
#[test]
fn dd_without_truncation_is_one_patch() {
    saved_by(
        &["dd", "grep"],
        "at=$(grep -abo -- '+44 1' $F | cut -d: -f1); printf 2 | dd of=$F bs=1 seek=$((at + 4)) conv=notrunc status=none",
    );
}

/// 4.5 "This is how git checkout, vim backupcopy=no, cp --remove-destination, perl -i, tar x save."
#[test]
fn perl_i_is_one_patch() {
    saved_by(&["perl"], "perl -i -pe 's/\\+44 1/+44 2/' $F");
}

/// 4.5 as above.
#[test]
fn cp_remove_destination_is_one_patch() {
    saved_by(&[], "cp --remove-destination $NEW $F");
}

/// 4.5 "If within the grace a file of the same name ... appears in the same folder, the two are one update".
#[test]
fn install_is_one_patch() {
    saved_by(&["install"], "install -m 600 $NEW $F");
}

/// 4.5 as above.
#[test]
fn tar_x_is_one_patch() {
    saved_by(&["tar"], "tar c -C '$DIR' $F | tar x");
}

/// P5 "It behaves like a directory. vim, nano, emacs, sed -i, cp, mv, tar, rsync, git ... work unchanged."
#[test]
fn rsync_is_one_patch() {
    saved_by(&["rsync"], "rsync -a --checksum '$DIR/' ./");
}

/// P5 as above.
#[test]
fn rsync_in_place_is_one_patch() {
    saved_by(&["rsync"], "rsync -a --checksum --inplace '$DIR/' ./");
}

/// 4.5 "If within the grace a file of the same name ... appears in the same folder, the two are one update: one PATCH,
/// same contact id."
#[test]
fn unlink_and_create_within_the_grace_is_one_patch() {
    saved_by(&[], "rm $F; cat $NEW > $F");
}

/// 4.5 "... or a card with the same UID, appears in the same folder".
#[test]
fn unlink_and_create_under_another_name_is_one_patch() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    fs::remove_file(book.path()).unwrap();
    fs::write(book.mount.path("Contacts/Countess.vcf"), &text).unwrap();
    let body = book.one_write("PATCH");
    assert_eq!(body["mobilePhone"], "+44 2", "{body}");
    assert!(body.get("displayName").is_none(), "{body}");
    assert_eq!(book.names(), ["Countess.vcf"]);
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    let book = book.remount();
    assert_eq!(book.mount.read("Contacts/Countess.vcf"), text);
}

/// P2 "What you wrote is what you read."
#[test]
fn python_writes_one_patch() {
    saved_by(
        &["python3"],
        "python3 -c 'import sys; new = open(sys.argv[1], newline=\"\").read(); open(sys.argv[2], \"w\", newline=\"\").write(new)' $NEW $F",
    );
}

const MAPPED: &str = "python3 -c 'import mmap, sys
f = open(sys.argv[1], \"r+b\")
m = mmap.mmap(f.fileno(), 0)
at = m.find(b\"+44 1\") + 4
m[at:at + 1] = b\"2\"
";

/// P5 "It behaves like a directory."
#[test]
fn python_writes_one_patch_through_shared_memory() {
    saved_by(&["python3"], &format!("{MAPPED}m.flush()\nm.close()' $F"));
}

/// P1 "Nothing a user wrote is lost.": memory that is never synced reaches the contact as well.
#[test]
fn shared_memory_that_is_not_synced_is_saved_too() {
    if !need("python3") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.sh(&format!("{MAPPED}f.close()\nm.close()' '{FILE}'"))
        .ok();
    assert_eq!(book.text(), text);
    book.await_writes(1);
    book.saved(&text);
}

/// 4.5 "This is how git checkout ... save."
#[test]
fn git_checkout_of_an_older_version_is_one_patch() {
    if !need("git") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let git = "git -c user.name=A -c user.email=a@b.example -c core.autocrlf=false";
    let first = book.text();
    book.sh(&format!(
        "git init -q . && git add -A && {git} commit -qm one"
    ))
    .ok();
    book.save_phone("+44 2");
    book.sh(&format!("{git} commit -qam two")).ok();
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    book.world.clear_log();
    book.sh("git checkout -q HEAD~1").ok();
    assert_eq!(book.text(), first);
    book.one_patch(&json!({"mobilePhone": "+44 1"}));
    assert_eq!(book.names(), [".git", FILE]);
    let book = book.remount();
    assert_eq!(book.mount.read(ADA), first);
    assert_eq!(book.sh("git status --porcelain").ok(), "");
}
