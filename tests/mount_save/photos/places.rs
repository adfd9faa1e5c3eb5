//! Pictures elsewhere than in the card, on request.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt as _};

use contactfs::sandbox::Options;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use serde_json::json;

use super::book::{Book, FILE, errno};
use super::picture::{jpeg, line, with};

/// `--photo none`: not shown, never removed, and sent all the same.
#[test]
fn pictures_are_hidden_on_request() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let Book { mount, world, id } = book;
    mount.unmount();
    world.clear_log();
    let mount = world.mount(&["--photo", "none"]);
    let book = Book { mount, world, id };
    assert!(!book.text().contains("PHOTO"), "{}", book.text());
    let saved = book.save_phone("+44 2");
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), saved));
    assert_eq!(book.on_photo("GET"), []);
    book.world.clear_log();
    let text = with(&book.text(), &line(&jpeg(2)));
    fs::write(book.path(), &text).unwrap();
    book.one_write("PUT");
    assert_eq!((book.photo(), book.text()), (Some(jpeg(2)), text));
    let book = book.remount();
    book.calm();
    book.shows(&jpeg(2));
}

/// `--photo sidecar`: a file beside the card that follows it.
#[test]
fn pictures_are_files_beside_their_cards_on_request() {
    let Some(book) = Book::with(&["--photo", "sidecar"], Options::default()) else {
        return;
    };
    let api = book.world.api();
    api.put_photo(&book.id, &jpeg(1));
    book.calm();
    book.lists(&["Ada Byron.jpg", FILE]);
    let picture = book.mount.path("Contacts/Ada Byron.jpg");
    assert_eq!(fs::read(&picture).unwrap(), jpeg(1));
    assert_eq!(fs::metadata(&picture).unwrap().mode() & 0o777, 0o400);
    assert!(!book.text().contains("PHOTO"));
    let saved = book.save_phone("+44 2");
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), saved));

    book.sh(&format!("mv '{FILE}' Countess.vcf")).ok();
    book.calm();
    book.lists(&["Countess.jpg", "Countess.vcf"]);
    let png = b"\x89PNG\r\n\x1A\n tiny".to_vec();
    api.put_photo(&book.id, &png);
    book.calm();
    book.lists(&["Countess.png", "Countess.vcf"]);
    fs::remove_file(book.mount.path("Contacts/Countess.png")).unwrap();
    fs::write(book.mount.path("Contacts/Countess.jpg"), "mine").unwrap();
    book.calm();
    assert_eq!(book.names(), ["Countess.jpg", "Countess.vcf"]);
    api.put_photo(&book.id, &jpeg(2));
    book.calm();
    assert_eq!(
        book.mount.read("Contacts/Countess.jpg"),
        "mine",
        "a file of one's own is never replaced"
    );
    fs::remove_file(book.mount.path("Contacts/Countess.jpg")).unwrap();
    book.calm();
    book.lists(&["Countess.jpg", "Countess.vcf"]);
    api.delete(&book.id);
    book.calm();
    book.lists(&[]);
}

/// Its mode does not keep root from writing to it, nor does another mode make it one's own.
#[test]
fn nobody_writes_to_a_picture_beside_its_card() {
    let Some(book) = Book::with(&["--photo", "sidecar"], Options::default()) else {
        return;
    };
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.calm();
    let picture = book.mount.path("Contacts/Ada Byron.jpg");
    fs::set_permissions(&picture, fs::Permissions::from_mode(0o600)).unwrap();
    let mut open = OpenOptions::new().write(true).open(&picture).unwrap();
    for refused in [
        open.write_all(b"mine"),
        open.set_len(1),
        rustix::fs::fallocate(&open, FallocateFlags::empty(), 0, 1 << 16).map_err(Into::into),
        fs::write(&picture, "mine"),
    ] {
        assert_eq!(errno(refused), Errno::PERM.raw_os_error());
    }
    drop(open);
    assert_eq!(fs::read(&picture).unwrap(), jpeg(1));
    // It still follows its card.
    book.sh(&format!("mv '{FILE}' Countess.vcf")).ok();
    book.calm();
    book.lists(&["Countess.jpg", "Countess.vcf"]);
}

/// Another name of the card, as `ln` gives one, is no card: the file beside the card stays where it is.
#[test]
fn a_second_name_of_a_card_moves_no_picture() {
    let Some(book) = Book::with(&["--photo", "sidecar"], Options::default()) else {
        return;
    };
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.calm();
    book.lists(&["Ada Byron.jpg", FILE]);
    let inode = || {
        let picture = book.mount.path("Contacts/Ada Byron.jpg");
        fs::metadata(picture).unwrap().ino()
    };
    let before = inode();
    book.sh(&format!("ln '{FILE}' 'Ada Byron.vcf~'")).ok();
    book.calm();
    book.lists(&["Ada Byron.jpg", FILE, "Ada Byron.vcf~"]);
    assert_eq!(inode(), before);
}
