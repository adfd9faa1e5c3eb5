//! Renames: a contact's identity follows its name, the file's follows the inode.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::book::{Book, FILE, card};

const COUNTESS: &str = "Contacts/Countess.vcf";

fn rename(book: &Book, from: &str, to: &str, flags: RenameFlags) -> rustix::io::Result<()> {
    renameat_with(CWD, book.mount.path(from), CWD, book.mount.path(to), flags)
}

/// Two contacts, Ada and Bo.
fn two() -> Option<Book> {
    let book = Book::open()?;
    fs::write(book.mount.path("Contacts/Bo.vcf"), card("Bo")).unwrap();
    book.calm();
    Some(book)
}

/// 4.8 "Renaming a contact within its folder changes the file's name only (remembered, 1.6), not the person's name."
#[test]
fn a_new_name_is_not_a_new_display_name() {
    let Some(book) = Book::open() else { return };
    let (text, before) = (book.text(), fs::metadata(book.path()).unwrap());
    book.sh(&format!("mv '{FILE}' Countess.vcf")).ok();
    let body = book.one_write("PATCH");
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["singleValueExtendedProperties"], "{body}");
    assert_eq!(book.contact()["displayName"], "Ada Byron");
    assert_eq!(
        (book.names(), book.mount.read(COUNTESS)),
        (vec!["Countess.vcf".to_owned()], text.clone())
    );
    let after = fs::metadata(book.mount.path(COUNTESS)).unwrap();
    assert_eq!(
        (after.ino(), after.modified().unwrap()),
        (before.ino(), before.modified().unwrap())
    );
    let Book { mount, world, .. } = book.remount();
    assert_eq!(
        (mount.list("Contacts"), mount.read(COUNTESS)),
        (vec!["Countess.vcf".to_owned()], text)
    );
    mount.unmount();
    let other = world.mounting().at("other").state("other-state").start();
    assert_eq!(
        other.list("Contacts"),
        ["Countess.vcf"],
        "1.6: for every other mount"
    );
}

/// 4.8 as above: there and back again is nothing.
#[test]
fn a_name_changed_back_is_forgotten() {
    let Some(book) = Book::open() else { return };
    let text = book.text();
    book.sh(&format!(
        "mv '{FILE}' Countess.vcf; mv Countess.vcf '{FILE}'"
    ))
    .ok();
    book.mount.in_step();
    assert_eq!((book.names(), book.text()), (vec![FILE.to_owned()], text));
    assert_eq!(
        crate::support::residue(&book.contact())
            .matches("Countess")
            .count(),
        0
    );
}

/// 4.8 "Renaming it over another contact deletes that other one."
#[test]
fn renaming_over_another_contact_deletes_that_one() {
    let Some(book) = two() else { return };
    let text = book.text();
    fs::rename(book.path(), book.mount.path("Contacts/Bo.vcf")).unwrap();
    assert_eq!(
        (book.names(), book.mount.read("Contacts/Bo.vcf")),
        (vec!["Bo.vcf".to_owned()], text.clone())
    );
    book.mount.in_step();
    assert_eq!(book.world.api().count(), 1);
    assert_eq!(
        book.contact()["mobilePhone"],
        "+44 1",
        "it is Ada who stays"
    );
    let book = book.remount();
    book.mount.in_step();
    assert_eq!(
        (book.names(), book.mount.read("Contacts/Bo.vcf")),
        (vec!["Bo.vcf".to_owned()], text)
    );
}

/// 4.6 "The name then shows the inode and mtime of the scratch file, as on any filesystem".
#[test]
fn the_inode_comes_with_the_scratch_file() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let temporary = book.mount.path("Contacts/.tmp");
    fs::write(&temporary, &text).unwrap();
    let before = fs::metadata(&temporary).unwrap();
    fs::rename(&temporary, book.path()).unwrap();
    let ino = |book: &Book| fs::metadata(book.path()).unwrap().ino();
    assert_eq!(ino(&book), before.ino());
    assert_eq!(
        fs::metadata(book.path()).unwrap().modified().unwrap(),
        before.modified().unwrap()
    );
    let book = book.saved(&text);
    assert_eq!(ino(&book), before.ino());
}

/// 4.7 "Renaming a contact's file to a scratch name keeps the bytes as a scratch file and counts as an unlink".
#[test]
fn a_contact_renamed_to_a_scratch_name_is_deleted_and_its_text_kept() {
    let Some(book) = Book::open() else { return };
    let text = book.text();
    book.sh(&format!("mv '{FILE}' '{FILE}.bak'")).ok();
    book.one_write("DELETE");
    assert_eq!(book.world.api().count(), 0);
    let book = book.remount();
    assert_eq!(book.names(), ["Ada Byron.vcf.bak"]);
    assert_eq!(book.mount.read("Contacts/Ada Byron.vcf.bak"), text);
}

/// 4.7 and 4.5: away and back within the grace is nothing at all.
#[test]
fn a_contact_renamed_away_and_back_is_untouched() {
    let Some(book) = Book::open() else { return };
    let text = book.text();
    book.sh(&format!("mv '{FILE}' '{FILE}~'; mv '{FILE}~' '{FILE}'"))
        .ok();
    book.nothing_sent();
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
    assert_eq!(book.contact()["displayName"], "Ada Byron");
}

/// 4.8 "Exchange (RENAME_EXCHANGE) and NOREPLACE work."
#[test]
fn noreplace_does_not_replace() {
    let Some(book) = two() else { return };
    let (ada, bo) = ("Contacts/Ada Byron.vcf", "Contacts/Bo.vcf");
    let flags = RenameFlags::NOREPLACE;
    assert_eq!(rename(&book, ada, bo, flags), Err(Errno::EXIST));
    book.nothing_sent();
    assert_eq!(rename(&book, ada, COUNTESS, flags), Ok(()));
    assert_eq!(book.names(), ["Bo.vcf", "Countess.vcf"]);
    fs::write(book.mount.path("Contacts/.tmp"), card("Cy")).unwrap();
    assert_eq!(rename(&book, "Contacts/.tmp", bo, flags), Err(Errno::EXIST));
    assert_eq!(
        rename(&book, "Contacts/.tmp", "Contacts/Cy.vcf", flags),
        Ok(())
    );
    book.mount.in_step();
    assert_eq!(book.world.api().count(), 3);
}

/// 4.8 as above, between two contacts: they swap names.
#[test]
fn exchange_swaps_the_names_of_two_contacts() {
    let Some(book) = two() else { return };
    let (ada, bo) = (book.text(), card("Bo"));
    rename(
        &book,
        "Contacts/Ada Byron.vcf",
        "Contacts/Bo.vcf",
        RenameFlags::EXCHANGE,
    )
    .unwrap();
    let texts = |book: &Book| (book.text(), book.mount.read("Contacts/Bo.vcf"));
    assert_eq!(texts(&book), (bo.clone(), ada.clone()));
    book.mount.in_step();
    assert!(
        book.world
            .writes()
            .iter()
            .all(|write| write.method == "PATCH")
    );
    assert_eq!(book.contact()["displayName"], "Ada Byron");
    let book = book.remount();
    assert_eq!(texts(&book), (bo, ada));
    assert_eq!(book.world.api().count(), 2);
}

/// 4.8 and 4.6: a contact and a scratch file swap texts, which is an update.
#[test]
fn exchange_with_a_scratch_file_is_one_patch() {
    let Some(book) = Book::open() else { return };
    let (old, new) = (book.text(), book.with_phone("+44 2"));
    fs::write(book.mount.path("Contacts/.new"), &new).unwrap();
    rename(
        &book,
        "Contacts/.new",
        "Contacts/Ada Byron.vcf",
        RenameFlags::EXCHANGE,
    )
    .unwrap();
    assert_eq!(
        (book.text(), book.mount.read("Contacts/.new")),
        (new.clone(), old)
    );
    book.one_patch(&serde_json::json!({"mobilePhone": "+44 2"}));
    fs::remove_file(book.mount.path("Contacts/.new")).unwrap();
    book.saved(&new);
}

/// 4.8 as above: both names must be there.
#[test]
fn exchange_needs_two_files() {
    let Some(book) = Book::open() else { return };
    let missing = rename(
        &book,
        "Contacts/Ada Byron.vcf",
        COUNTESS,
        RenameFlags::EXCHANGE,
    );
    assert_eq!(missing, Err(Errno::NOENT));
    book.nothing_sent();
}
