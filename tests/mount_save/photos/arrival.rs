//! Pictures that come: read in the background, shown at the end of the card.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use contactfs::sandbox::FaultAction;
use rustix::process::Signal;
use serde_json::json;

use super::book::{Book, FILE, SOON};
use super::picture::{jpeg, line, unfolded, with, without_photo};
use crate::support::{World, eventually, fuse_or_skip};

/// "A contact's picture is the last property of its card"
#[test]
fn a_picture_made_elsewhere_ends_the_card() {
    let Some(book) = Book::open() else { return };
    let before = (book.text(), fs::metadata(book.path()).unwrap().ino());
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.calm();
    book.shows(&jpeg(1));
    let text = book.text();
    assert_eq!(unfolded(&text), with(&before.0, &line(&jpeg(1))));
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    assert_ne!(
        fs::metadata(book.path()).unwrap().ino(),
        before.1,
        "a new version is a new inode"
    );
    book.world.api().put_photo(&book.id, &jpeg(2));
    book.calm();
    book.shows(&jpeg(2));
    fs::write(book.path(), book.text()).unwrap();
    book.nothing_sent();
    let book = book.remount();
    book.shows(&jpeg(2));
}

/// "Pictures are read in the background; a listing never waits for them", in batches of those that have one.
#[test]
fn pictures_come_after_the_listing_in_batches() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    for number in 0..30 {
        let name = format!("P{number:02}");
        let made = world
            .api()
            .create(json!({"givenName": name, "displayName": name}));
        if number < 25 {
            world
                .api()
                .put_photo(made["id"].as_str().unwrap(), &jpeg(number));
        }
    }
    world.fail_with(None, "/photo/", u32::MAX, 503, "ServiceUnavailable");
    let mount = world.mount(&[]);
    assert_eq!(mount.list("Contacts").len(), 30);
    assert!(!mount.read("Contacts/P07.vcf").contains("PHOTO"));
    world.clear_faults();
    world.clear_log();
    mount.in_step();
    for number in 0..30 {
        let shows = || {
            let text = unfolded(&mount.read(&format!("Contacts/P{number:02}.vcf")));
            let expected = if number < 25 {
                line(&jpeg(number))
            } else {
                "END".to_owned()
            };
            text.contains(&expected) && text.contains("PHOTO") == (number < 25)
        };
        eventually(SOON, "pictures are shown of those that have one", shows);
    }
    let mut reads = world.log();
    reads.retain(|entry| entry.path.contains("/photo") && entry.status == 200);
    assert_eq!(reads.len(), 25, "one each, and none for those without");
    assert!(
        reads.iter().all(|entry| entry.batch.is_some()),
        "{reads:#?}"
    );
    world.clear_log();
    mount.in_step();
    let again = world.log();
    assert!(
        again.iter().all(|entry| !entry.path.contains("/photo")),
        "{again:#?}"
    );
    assert_eq!(world.writes(), []);
}

/// "Only saving a card without the picture that its file showed removes the picture": an editor that had the card open when the picture
/// arrived saves it without.
#[test]
fn a_card_saved_without_a_picture_that_had_not_arrived_keeps_it() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(book.path())
        .unwrap();
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.calm();
    book.shows(&jpeg(1));
    let mut seen = String::new();
    file.read_to_string(&mut seen).unwrap();
    assert!(!seen.contains("PHOTO"), "never under an open handle");
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_len(text.len() as u64).unwrap();
    drop(file);
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!(book.photo(), Some(jpeg(1)));
    eventually(SOON, "the picture is shown with the new phone", || {
        let text = unfolded(&book.text());
        text.contains(&line(&jpeg(1))) && text.contains("+44 2")
    });
    assert_eq!(book.names(), [FILE]);
}

/// The same with a card that was never shown with its picture.
#[test]
fn a_card_saved_before_its_picture_was_read_keeps_it() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail_with(Some("GET"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    book.world.api().control("DELETE", "faults", &json!(null));
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.world
        .fail_with(Some("GET"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    book.save_phone("+44 2");
    book.world
        .api()
        .await_contact("Ada Byron", |ada| ada["mobilePhone"] == "+44 2");
    book.world.clear_faults();
    book.mount.in_step();
    assert_eq!(book.photo(), Some(jpeg(1)));
    book.shows(&jpeg(1));
}

/// A picture is asked for, one is saved here and sent, and then the answer comes: it tells of the one before.
#[test]
fn a_picture_read_before_ours_was_sent_is_not_shown() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let late = FaultAction::Late(Duration::from_secs(3));
    book.world.fail(Some("GET"), "/photo/", 1, late);
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    let asked = || {
        let log = book.world.api().control("GET", "faults", &json!(null));
        log.as_array()
            .unwrap()
            .iter()
            .all(|fault| fault["times"] == 0)
    };
    book.mount.signal(Signal::USR1);
    eventually(SOON, "the picture is asked for", asked);
    let text = with(&without_photo(&book.text()), &line(&jpeg(2)));
    fs::write(book.path(), &text).unwrap();
    let saved = fs::metadata(book.path()).unwrap().ino();
    eventually(SOON, "ours is sent", || book.photo() == Some(jpeg(2)));
    book.mount.in_step();
    assert_eq!(book.text(), text);
    let now = fs::metadata(book.path()).unwrap().ino();
    assert_eq!(now, saved, "nothing else was shown meanwhile");
}

/// A picture taken away elsewhere leaves the card.
#[test]
fn a_picture_removed_elsewhere_goes() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let api = book.world.api();
    api.control("POST", "settings", &json!({"removes_photos": true}));
    let (status, _) = api.request(
        "DELETE",
        &format!("/contacts/{}/photo/$value", book.id),
        None,
    );
    assert_eq!(status, 204);
    book.calm();
    book.shows_none();
    assert!(book.world.api().get(&book.id).is_some());
    book.nothing_sent();
}

/// "Afterwards the file shows the picture as the service returns it."
#[test]
fn a_picture_that_the_service_encodes_anew_is_shown_so() {
    let Some(book) = Book::open() else { return };
    book.world
        .api()
        .control("POST", "settings", &json!({"encodes_photos": true}));
    fs::write(book.path(), with(&book.text(), &line(&jpeg(1)))).unwrap();
    book.one_write("PUT");
    let anew = [jpeg(1), b"encoded anew".to_vec()].concat();
    assert_eq!(book.photo(), Some(anew.clone()));
    book.shows(&anew);
    book.calm();
    fs::write(book.path(), book.text()).unwrap();
    book.nothing_sent();
}

/// "Only saving a card without a picture that a program has read in its file removes the picture": an editor that had read
/// the card before the picture arrived saves its text in each of the usual ways.
#[test]
fn a_picture_that_arrived_while_the_text_was_edited_stays() {
    for way in [
        "cat > '{FILE}' < new",
        "mv new '{FILE}'",
        "mv '{FILE}' '{FILE}~'; cat new > '{FILE}'",
        "rm '{FILE}'; cp new '{FILE}'",
        "ln '{FILE}' '{FILE}~'; mv new '{FILE}'",
    ] {
        let Some(book) = Book::open() else { return };
        book.world
            .api()
            .control("POST", "settings", &json!({"removes_photos": true}));
        let text = book.with_phone("+44 2");
        let before = fs::metadata(book.path()).unwrap().ino();
        book.world.api().put_photo(&book.id, &jpeg(1));
        book.calm();
        // Without reading it.
        eventually(SOON, "the picture is in the file", || {
            fs::metadata(book.path()).unwrap().ino() != before
        });
        fs::write(book.folder().join("new"), &text).unwrap();
        book.sh(&way.replace("{FILE}", FILE)).ok();
        book.one_patch(&json!({"mobilePhone": "+44 2"}));
        assert_eq!(book.photo(), Some(jpeg(1)), "{way}");
        book.shows(&jpeg(1));
        assert!(book.text().contains("+44 2"), "{way}");
        // Now it was read, and to leave it out is to take it away.
        book.world.clear_log();
        fs::write(book.folder().join("new"), without_photo(&book.text())).unwrap();
        book.sh(&format!("mv new '{FILE}'")).ok();
        book.one_write("DELETE");
        assert_eq!(book.photo(), None, "{way}");
    }
}

/// The same when something else changed after the picture was read: it is known all the same.
#[test]
fn a_picture_read_before_a_change_elsewhere_can_be_taken_away() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let api = book.world.api();
    api.control("POST", "settings", &json!({"removes_photos": true}));
    let text = without_photo(&book.text());
    let before = fs::metadata(book.path()).unwrap().ino();
    api.patch(&book.id, json!({"jobTitle": "Poet"}));
    book.calm();
    eventually(SOON, "the change is in the file", || {
        fs::metadata(book.path()).unwrap().ino() != before
    });
    fs::write(book.path(), text.replace("Analyst", "Poet")).unwrap();
    book.one_write("DELETE");
    assert_eq!(book.photo(), None);
}
