//! New contacts, copies, and identity.

use std::fs::{self, File};
use std::io::Write;

use super::book::{Book, FILE, card, errno};
use crate::support::{need, residue};
use rustix::io::Errno;

const BO: &str = "Contacts/Bo.vcf";

/// 4.1 "A new NAME.vcf with an acceptable card becomes a POST in the directory's folder."
#[test]
fn a_new_file_is_one_post() {
    let Some(book) = Book::open() else { return };
    fs::write(book.mount.path(BO), card("Bo")).unwrap();
    assert_eq!(book.mount.read(BO), card("Bo"));
    let body = book.one_write("POST");
    assert_eq!(
        (&body["displayName"], &body["givenName"]),
        (&"Bo".into(), &"Bo".into())
    );
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
    let book = book.remount();
    assert_eq!(book.mount.read(BO), card("Bo"));
    assert_eq!(book.world.api().count(), 2);
}

/// 4.10 "link(2) from a scratch file to a new .vcf name is a create (vdirsyncer, khard and pimsync write so)."
#[test]
fn linking_a_temporary_file_is_one_post() {
    let Some(book) = Book::open() else { return };
    let temporary = book.mount.path("Contacts/.bo-tmp");
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(&temporary)
        .unwrap();
    file.write_all(card("Bo").as_bytes()).unwrap();
    file.sync_all().unwrap();
    drop(file);
    fs::hard_link(&temporary, book.mount.path(BO)).unwrap();
    fs::remove_file(&temporary).unwrap();
    assert_eq!(book.mount.read(BO), card("Bo"));
    book.one_write("POST");
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
    let book = book.remount();
    assert_eq!(book.mount.read(BO), card("Bo"));
}

/// 4.10 as above: the name must be free.
#[test]
fn linking_over_a_contact_fails() {
    let Some(book) = Book::open() else { return };
    let temporary = book.mount.path("Contacts/.tmp");
    fs::write(&temporary, card("Bo")).unwrap();
    let linked = fs::hard_link(&temporary, book.path());
    assert_eq!(errno(linked), Errno::EXIST.raw_os_error());
    book.nothing_sent();
}

/// 4.1: a temporary file renamed to a new name is a create, too.
#[test]
fn renaming_a_temporary_file_is_one_post() {
    let Some(book) = Book::open() else { return };
    let temporary = book.mount.path("Contacts/Bo.vcf.tmp");
    fs::write(&temporary, card("Bo")).unwrap();
    fs::rename(&temporary, book.mount.path(BO)).unwrap();
    assert_eq!(book.mount.read(BO), card("Bo"));
    book.one_write("POST");
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
}

/// 1.6 "A name chosen by the user (by creating or renaming a file) is remembered locally and, in the residue property on
/// the contact, for every other mount."
#[test]
fn the_name_of_a_new_file_is_kept_on_every_machine() {
    let Some(book) = Book::open() else { return };
    fs::write(book.mount.path("Contacts/friend.vcf"), card("Bo")).unwrap();
    book.one_write("POST");
    assert_eq!(book.names(), [FILE, "friend.vcf"]);
    let Book { mount, world, .. } = book;
    mount.unmount();
    let other = world.mounting().at("other").state("other-state").start();
    assert_eq!(other.list("Contacts"), [FILE, "friend.vcf"]);
}

/// 4.3 "The UID in the file is kept."
#[test]
fn the_uid_of_a_new_file_is_kept_on_every_machine() {
    let Some(book) = Book::open() else { return };
    let text = card("Bo").replace("FN:", "UID:bo-1@example.org\r\nFN:");
    fs::write(book.mount.path(BO), &text).unwrap();
    book.one_write("POST");
    let bo = book.world.api().contact("Bo").unwrap();
    assert!(
        residue(&bo).contains("UID:bo-1@example.org"),
        "{}",
        residue(&bo)
    );
    let Book { mount, world, .. } = book;
    mount.unmount();
    let other = world.mounting().at("other").state("other-state").start();
    assert!(
        other.read(BO).contains("UID:bo-1@example.org\r\n"),
        "{}",
        other.read(BO)
    );
}

/// 4.3 as above, for a line that the service has no field for.
#[test]
fn lines_without_a_field_are_sent_in_the_same_patch() {
    let Some(book) = Book::open() else { return };
    let text = book
        .with_phone("+44 2")
        .replace("TITLE:", "X-PET;X-KIND=cat:Möhre\r\nTITLE:");
    fs::write(book.path(), &text).unwrap();
    let body = book.one_write("PATCH");
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        members,
        ["mobilePhone", "singleValueExtendedProperties"],
        "{body}"
    );
    assert!(residue(&book.contact()).contains("X-PET;X-KIND=cat:Möhre"));
    assert_eq!(book.text(), text);
}

#[track_caller]
fn uid(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("UID:"));
    line.unwrap_or_else(|| panic!("no UID: {text}")).to_owned()
}

/// 4.3 "A copy of a file within the mount (same UID as another contact of the folder) is a new contact with a UID of its
/// own at its next read."
#[test]
fn a_copy_is_a_contact_of_its_own() {
    let Some(book) = Book::open() else { return };
    book.sh(&format!("cp '{FILE}' Copy.vcf")).ok();
    book.one_write("POST");
    assert_eq!(book.names(), [FILE, "Copy.vcf"]);
    let (ada, copy) = (book.text(), book.mount.read("Contacts/Copy.vcf"));
    assert_ne!(uid(&copy), uid(&ada));
    assert_eq!(copy.replace(&uid(&copy), &uid(&ada)), ada);
    let book = book.remount();
    assert_eq!(book.mount.read("Contacts/Copy.vcf"), copy);
    book.save_phone("+44 2");
    book.mount.in_step();
    assert!(
        book.mount.read("Contacts/Copy.vcf").contains("+44 1"),
        "the copy is another contact"
    );
    assert_eq!(book.world.api().count(), 2);
}

/// 4.3 as above, when the UID is one that the user wrote.
#[test]
fn a_copy_of_a_file_with_a_chosen_uid_gets_its_own() {
    let Some(book) = Book::open() else { return };
    let text = card("Bo").replace("FN:", "UID:bo-1@example.org\r\nFN:");
    fs::write(book.mount.path(BO), &text).unwrap();
    book.sh("cp Bo.vcf Copy.vcf").ok();
    book.mount.in_step();
    assert_eq!(uid(&book.mount.read(BO)), "UID:bo-1@example.org");
    assert_ne!(
        uid(&book.mount.read("Contacts/Copy.vcf")),
        "UID:bo-1@example.org"
    );
    assert_eq!(book.mount.read(BO), text);
    assert_eq!(book.world.api().count(), 3);
}

/// 4.1 "An empty or unacceptable new file stays as a local draft (readable, editable, listed, kept across remounts, never
/// uploaded) until it becomes acceptable or is deleted; closing an empty one is not an error."
#[test]
fn a_draft_stays_here_until_it_is_a_card() {
    let Some(book) = Book::open() else { return };
    let half = "BEGIN:VCARD\nVERSION:4.0\nFN:Bo\n";
    File::create(book.mount.path("Contacts/Empty.vcf")).unwrap();
    fs::write(book.mount.path(BO), half).unwrap();
    book.mount.in_step();
    let book = book.remount();
    assert_eq!(book.mount.read(BO), half);
    assert_eq!(book.mount.read("Contacts/Empty.vcf"), "");
    let drafts = book.mount.status()["mounts"][0]["drafts"].to_string();
    assert!(
        drafts.contains(BO) && drafts.contains("Contacts/Empty.vcf"),
        "{drafts}"
    );
    assert_eq!(book.world.writes(), [], "a draft was uploaded");
    fs::remove_file(book.mount.path("Contacts/Empty.vcf")).unwrap();
    book.sh("echo END:VCARD >> Bo.vcf").ok();
    book.one_write("POST");
    assert_eq!(book.mount.read(BO), format!("{half}END:VCARD\n"));
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
}

/// 3.1 "A reader's close commits nothing and never fails.": nor does it offer a draft once more.
#[test]
fn reading_a_draft_is_no_save() {
    if !need("python3") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let bad = card("Bo").replace("END:", "KIND:group\r\nEND:");
    book.sh(&format!(
        "printf '{}' > Bo.vcf || true",
        bad.replace("\r\n", "\\r\\n")
    ))
    .ok();
    let run = book.sh(
        "python3 -c 'import os; f = os.open(\"Bo.vcf\", os.O_RDONLY); os.read(f, 9); os.close(f)'",
    );
    assert_eq!(run.code, 0, "{run:?}");
    let book = book.remount();
    let run = book.sh(
        "python3 -c 'import os; f = os.open(\"Bo.vcf\", os.O_RDONLY); os.read(f, 9); os.close(f)'",
    );
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(book.mount.read(BO), bad);
    book.nothing_sent();
}

/// 4.1 "never uploaded ... or is deleted".
#[test]
fn a_new_file_that_goes_again_is_never_sent() {
    let Some(book) = Book::open() else { return };
    book.world.disconnect();
    fs::write(book.mount.path(BO), card("Bo")).unwrap();
    fs::remove_file(book.mount.path(BO)).unwrap();
    book.world.reconnect();
    book.mount.in_step();
    assert_eq!(book.world.api().count(), 1);
    assert_eq!(book.names(), [FILE]);
}

/// 4.1 "A new NAME.vcf ...": a contact is a regular file in a folder; 4.10 "symlinks and device nodes with .vcf names:
/// EPERM"; "Hard links between contacts".
#[test]
fn contacts_have_one_name_and_live_in_folders() {
    let Some(book) = Book::open() else { return };
    let eperm = Errno::PERM.raw_os_error();
    let other = book.mount.path("Contacts/Other.vcf");
    assert_eq!(
        errno(fs::write(book.mount.path("Root.vcf"), card("Bo"))),
        eperm
    );
    assert_eq!(
        errno(fs::rename(book.path(), book.mount.path("Root.vcf"))),
        eperm
    );
    assert_eq!(errno(fs::hard_link(book.path(), &other)), eperm);
    assert_eq!(errno(std::os::unix::fs::symlink(FILE, &other)), eperm);
    let fifo = rustix::fs::mknodat(
        rustix::fs::CWD,
        &other,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    );
    assert_eq!(fifo, Err(Errno::PERM));
    book.nothing_sent();
    assert_eq!(book.names(), [FILE]);
}

/// 4.4 "unlink removes the file at once, writes an outbox row, and becomes DELETE (to Deleted Items) after a grace".
#[test]
fn removing_a_file_is_one_delete() {
    let Some(book) = Book::open() else { return };
    fs::remove_file(book.path()).unwrap();
    assert!(book.names().is_empty());
    assert_eq!(book.world.writes(), [], "not before the grace is over");
    let writes = book.await_writes(1);
    assert_eq!(
        (writes[0].method.as_str(), writes[0].status),
        ("DELETE", 204)
    );
    book.mount.in_step();
    assert_eq!(
        (book.world.writes().len(), book.world.api().count()),
        (1, 0)
    );
    let book = book.remount();
    assert!(book.names().is_empty());
}
