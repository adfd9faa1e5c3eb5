//! Pictures and the end of the process: each is sent once.

use std::fs;

use contactfs::sandbox::{FaultAction, Options};

use super::book::{Book, SOON, card};
use super::picture::{jpeg, line, with};
use crate::support::{World, eventually, id};

/// 7.3 "Killing the process at any instant loses nothing that close/fsync acknowledged and sends nothing twice."
#[test]
fn a_kill_between_fields_and_picture_sends_each_once() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail_with(Some("PUT"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    let text = with(&book.with_phone("+44 2"), &line(&jpeg(1)));
    fs::write(book.path(), &text).unwrap();
    book.world
        .api()
        .await_contact("Ada Byron", |ada| ada["mobilePhone"] == "+44 2");
    let book = book.killed(World::clear_faults);
    book.settled();
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), text));
    assert_eq!(book.world.patches().len(), 1);
    assert_eq!(book.taken(), 1);
    assert_eq!(book.world.api().count(), 1);
}

/// The same with a picture that arrived and whose reply did not.
#[test]
fn a_picture_whose_reply_was_lost_is_not_sent_again() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail(Some("PUT"), "/photo/", 1, FaultAction::DropAfter);
    // The client tries by itself again, which arrives nowhere before the end.
    book.world
        .fail_with(Some("PUT"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    fs::write(book.path(), with(&book.text(), &line(&jpeg(1)))).unwrap();
    eventually(SOON, "the picture is there", || {
        book.photo() == Some(jpeg(1))
    });
    let book = book.killed(|world| {
        world.clear_faults();
        world.clear_log();
    });
    book.settled();
    book.shows(&jpeg(1));
    assert_eq!(book.on_photo("PUT"), []);
    assert_eq!(book.world.api().count(), 1);
}

/// 4.2 "a create never makes two contacts": with a picture behind it.
#[test]
fn a_new_contact_with_a_picture_is_made_once() {
    let Some(book) = Book::with(&[], Options::default()) else {
        return;
    };
    book.world
        .fail_with(Some("PUT"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    let text = with(&card("Zoe"), &line(&jpeg(1)));
    fs::write(book.mount.path("Contacts/Zoe.vcf"), &text).unwrap();
    book.world.api().await_contact("Zoe", |_| true);
    let book = book.killed(World::clear_faults);
    book.settled();
    assert_eq!(book.world.api().count(), 2);
    let zoe = book.world.api().contact("Zoe").unwrap();
    assert_eq!(
        book.world.api().photo(zoe["id"].as_str().unwrap()),
        Some(jpeg(1))
    );
    assert_eq!(book.mount.read("Contacts/Zoe.vcf"), text);
}

/// 6.4 "Edited here, deleted there: the edit wins and the contact is created again", with its picture.
#[test]
fn a_contact_made_again_takes_its_picture_along() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    book.world.disconnect();
    fs::write(book.path(), book.text().replace("+44 1", "+44 2")).unwrap();
    book.world.reconnect();
    let deleted = book
        .world
        .api()
        .request("DELETE", &format!("/contacts/{}", book.id), None);
    assert_eq!(deleted.0, 204);
    book.settled();
    let ada = book.world.api().contact("Ada Byron").unwrap();
    assert_ne!(id(&ada), book.id);
    assert_eq!(ada["mobilePhone"], "+44 2");
    assert_eq!(book.world.api().photo(&id(&ada)), Some(jpeg(1)));
    assert_eq!(book.world.api().count(), 1);
    book.shows(&jpeg(1));
}
