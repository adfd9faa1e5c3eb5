//! Directories are contact folders, and contacts move between them.

use std::fs;

use rustix::io::Errno;
use serde_json::json;

use super::book::{ADA, Book, FILE, SOON, card, errno};
use crate::support::{eventually, id, need, residue, sh};

/// 4.11 "mkdir creates a contact folder".
#[test]
fn mkdir_makes_a_folder_and_a_card_in_it() {
    let Some(book) = Book::open() else { return };
    fs::create_dir_all(book.mount.path("Work/Inner")).unwrap();
    fs::write(book.mount.path("Work/Inner/Bo.vcf"), card("Bo")).unwrap();
    book.mount.in_step();
    let api = book.world.api();
    let (work, inner) = (api.folder("Work").unwrap(), api.folder("Inner").unwrap());
    let folders = api.folders();
    let parent = folders.iter().find(|folder| id(folder) == inner).unwrap();
    assert_eq!(parent["parentFolderId"], json!(work));
    assert_eq!(api.contacts_in(&inner)[0]["displayName"], "Bo");
    assert_eq!(book.world.writes().len(), 3, "two folders and a contact");
    let book = book.remount();
    assert_eq!(book.mount.list(""), ["Contacts", "Work"]);
    assert_eq!(book.mount.read("Work/Inner/Bo.vcf"), card("Bo"));
}

/// 4.11 "Names already taken: EEXIST."
#[test]
fn mkdir_of_a_taken_name_fails() {
    let Some(book) = Book::open() else { return };
    let taken = Errno::EXIST.raw_os_error();
    assert_eq!(errno(fs::create_dir(book.mount.path("Contacts"))), taken);
    assert_eq!(errno(fs::create_dir(book.path())), taken);
    book.nothing_sent();
}

/// 4.11 "rmdir deletes an empty one (ENOTEMPTY otherwise)".
#[test]
fn rmdir_deletes_an_empty_folder_only() {
    let Some(book) = Book::open() else { return };
    let (work, bo) = (book.mount.path("Work"), book.mount.path("Work/Bo.vcf"));
    fs::create_dir(&work).unwrap();
    fs::write(&bo, card("Bo")).unwrap();
    book.calm();
    assert_eq!(errno(fs::remove_dir(&work)), Errno::NOTEMPTY.raw_os_error());
    book.nothing_sent();
    fs::remove_file(&bo).unwrap();
    fs::remove_dir(&work).unwrap();
    assert_eq!(book.mount.list(""), ["Contacts"]);
    book.mount.in_step();
    let methods: Vec<_> = book
        .world
        .writes()
        .into_iter()
        .map(|write| write.method)
        .collect();
    assert_eq!(methods, ["DELETE", "DELETE"]);
    assert_eq!(
        (book.world.api().folder("Work"), book.world.api().count()),
        (None, 1)
    );
    let book = book.remount();
    assert_eq!(book.mount.list(""), ["Contacts"]);
}

/// 4.11 "rename of a directory renames it".
#[test]
fn renaming_a_directory_is_one_patch() {
    let Some(book) = Book::open() else { return };
    fs::create_dir(book.mount.path("Work")).unwrap();
    fs::write(book.mount.path("Work/Bo.vcf"), card("Bo")).unwrap();
    book.calm();
    let work = book.world.api().folder("Work").unwrap();
    fs::rename(book.mount.path("Work"), book.mount.path("Büro")).unwrap();
    book.one_patch(&json!({"displayName": "Büro"}));
    assert_eq!(book.world.api().folder("Büro"), Some(work));
    assert_eq!(book.mount.list(""), ["Büro", "Contacts"]);
    let book = book.remount();
    assert_eq!(book.mount.list(""), ["Büro", "Contacts"]);
    assert_eq!(book.mount.read("Büro/Bo.vcf"), card("Bo"));
}

/// 4.11 "The default folder: EBUSY."
#[test]
fn the_default_folder_stays() {
    let Some(book) = Book::open() else { return };
    let (busy, folder) = (Errno::BUSY.raw_os_error(), book.folder());
    assert_eq!(errno(fs::rename(&folder, book.mount.path("Other"))), busy);
    fs::remove_file(book.path()).unwrap();
    assert_eq!(errno(fs::remove_dir(&folder)), busy);
    book.one_write("DELETE");
}

/// 4.11 "moving a directory below another is tried and, if the service does not do it, fails with EXDEV so that mv falls
/// back to copying."
#[test]
fn mv_of_a_directory_below_another_copies() {
    let Some(book) = Book::open() else { return };
    fs::create_dir(book.mount.path("Work")).unwrap();
    fs::create_dir(book.mount.path("Old")).unwrap();
    fs::write(book.mount.path("Work/Bo.vcf"), card("Bo")).unwrap();
    book.calm();
    let renamed = fs::rename(book.mount.path("Work"), book.mount.path("Old/Work"));
    assert_eq!(errno(renamed), Errno::XDEV.raw_os_error());
    sh(book.mount.dir(), "mv Work Old/").ok();
    assert_eq!(book.mount.read("Old/Work/Bo.vcf"), card("Bo"));
    book.mount.in_step();
    assert_eq!(book.world.api().count(), 2);
    let work = book.world.api().folder("Work").unwrap();
    assert_eq!(book.world.api().contacts_in(&work).len(), 1);
    let book = book.remount();
    assert_eq!(
        (book.mount.list(""), book.mount.list("Old")),
        (
            vec!["Contacts".to_owned(), "Old".to_owned()],
            vec!["Work".to_owned()]
        )
    );
}

/// 4.9 "Moving a contact to another folder makes one contact there and none here, with photo and all extended data carried
/// along".
#[test]
fn mv_to_another_folder_moves_the_contact_whole() {
    let Some(book) = Book::open() else { return };
    let api = book.world.api();
    api.put_photo(&book.id, b"\xff\xd8\xff\xe0 small \xff\xd9");
    let photo = api.photo(&book.id).unwrap();
    book.calm();
    eventually(SOON, "the card shows its photo", || {
        book.text().contains("PHOTO")
    });
    fs::create_dir(book.mount.path("Work")).unwrap();
    let text = book.text().replace("TITLE:", "X-PET:Möhre\r\nTITLE:");
    fs::write(book.path(), &text).unwrap();
    book.calm();
    sh(book.mount.dir(), &format!("mv '{ADA}' Work/")).ok();
    let moved = format!("Work/{FILE}");
    assert_eq!(
        (book.mount.read(&moved), book.names()),
        (text.clone(), vec![])
    );
    book.mount.in_step();
    let contact = api.contact("Ada Byron").unwrap();
    assert_eq!(
        contact["parentFolderId"],
        json!(api.folder("Work").unwrap())
    );
    assert_eq!(contact["mobilePhone"], "+44 1");
    assert!(residue(&contact).contains("X-PET:Möhre"));
    assert_eq!((api.photo(&id(&contact)), api.count()), (Some(photo), 1));
    assert_eq!(
        (book.mount.read(&moved), book.names()),
        (text.clone(), vec![])
    );
    let book = book.remount();
    book.mount.in_step();
    assert_eq!((book.mount.read(&moved), book.names()), (text, vec![]));
}

/// 4.9 "never zero and never two after any crash".
#[test]
fn a_move_survives_a_kill() {
    let Some(book) = Book::open() else { return };
    fs::create_dir(book.mount.path("Work")).unwrap();
    book.calm();
    let text = book.text();
    book.world.disconnect();
    fs::rename(book.path(), book.mount.path(&format!("Work/{FILE}"))).unwrap();
    let book = book.killed(crate::support::World::reconnect);
    book.settled();
    assert_eq!(book.world.api().count(), 1);
    assert_eq!(
        (book.mount.list("Work"), book.names()),
        (vec![FILE.to_owned()], vec![])
    );
    assert_eq!(book.mount.read(&format!("Work/{FILE}")), text);
}

/// 4.9 as above, with the reply lost to the creation there and to the deletion here.
#[test]
fn a_move_survives_lost_replies() {
    let Some(book) = Book::open() else { return };
    fs::create_dir(book.mount.path("Work")).unwrap();
    book.calm();
    let text = book.text();
    for method in ["POST", "DELETE"] {
        let lost = contactfs::sandbox::FaultAction::DropAfter;
        book.world.fail(Some(method), "/contacts", 1, lost);
    }
    fs::rename(book.path(), book.mount.path(&format!("Work/{FILE}"))).unwrap();
    book.await_writes(2);
    book.settled();
    assert_eq!(book.world.api().count(), 1);
    assert_eq!(
        (book.mount.list("Work"), book.names()),
        (vec![FILE.to_owned()], vec![])
    );
    assert_eq!(book.mount.read(&format!("Work/{FILE}")), text);
}

/// 4.9 and 3.5: an edit and a move right after it arrive both.
#[test]
fn an_edit_and_a_move_arrive_both() {
    let Some(book) = Book::open() else { return };
    fs::create_dir(book.mount.path("Work")).unwrap();
    book.calm();
    let text = book.save_phone("+44 2");
    fs::rename(book.path(), book.mount.path(&format!("Work/{FILE}"))).unwrap();
    book.mount.in_step();
    let contact = book.world.api().contact("Ada Byron").unwrap();
    assert_eq!(contact["mobilePhone"], "+44 2");
    assert_eq!(
        contact["parentFolderId"],
        json!(book.world.api().folder("Work").unwrap())
    );
    assert_eq!(book.mount.read(&format!("Work/{FILE}")), text);
}

/// P5 "It behaves like a directory.": a directory that is copied in is a folder of contacts.
#[test]
fn cp_r_makes_a_folder_of_contacts() {
    if !need("cp") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let outside = book.world.dir().join("Friends");
    fs::create_dir(&outside).unwrap();
    for name in ["Bo", "Cy"] {
        fs::write(outside.join(format!("{name}.vcf")), card(name)).unwrap();
    }
    sh(book.mount.dir(), "cp -r ../Friends .").ok();
    book.mount.in_step();
    let friends = book.world.api().folder("Friends").unwrap();
    assert_eq!(book.world.api().contacts_in(&friends).len(), 2);
    assert_eq!(book.world.writes().len(), 3);
    sh(book.mount.dir(), "diff -r ../Friends Friends").ok();
}
