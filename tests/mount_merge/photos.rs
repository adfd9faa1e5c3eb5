//! Pictures that are changed here and elsewhere, and those of earlier versions.

use std::fs::{self, File};
use std::io::Write;
use std::time::Duration;

use contactfs::sandbox::FaultAction;
use serde_json::json;

use super::book::{Book, FILE, OUTAGE, SOON};
use super::picture::{jpeg, line, unfolded, with};
use super::state;
use crate::support::eventually;

impl Book {
    /// Saves the card with another picture, and lets something happen before the service is asked anything.
    #[track_caller]
    fn save_picture_while(&self, number: u8, meanwhile: impl FnOnce()) -> String {
        let text = unfolded(&self.text()).replace(&line(&jpeg(1)), &line(&jpeg(number)));
        self.world.fail_with(
            Some("GET"),
            "changeKey",
            u32::MAX,
            503,
            "ServiceUnavailable",
        );
        fs::write(self.path(), &text).unwrap();
        meanwhile();
        self.world.reconnect();
        text
    }

    /// The picture made elsewhere stands, and it is said.
    #[track_caller]
    fn stands(&self, picture: &[u8]) {
        eventually(OUTAGE, "the other picture is not taken", || {
            self.mount.sync().out.contains("PHOTO: changed elsewhere")
        });
        assert_eq!(self.photo().as_deref(), Some(picture));
        assert_eq!(self.on_photo("PUT"), []);
        self.refused("PHOTO: changed elsewhere");
        self.shows(picture);
        assert_eq!(state(self), "conflict");
    }
}

/// 6.1 "A conflict is the same property changed here and there to different values."
#[test]
fn a_picture_changed_here_and_there_is_a_conflict() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = book.save_picture_while(2, || book.world.api().put_photo(&book.id, &jpeg(3)));
    book.stands(&jpeg(3));
    assert_eq!(book.mount.read(&format!("Contacts/.{FILE}.rejected")), text);
    // Saved once more, it is the answer to the picture that stands.
    let again = unfolded(&book.text()).replace(&line(&jpeg(3)), &line(&jpeg(2)));
    fs::write(book.path(), again).unwrap();
    book.mount.in_step();
    assert_eq!(
        (book.photo(), state(&book)),
        (Some(jpeg(2)), "synced".to_owned())
    );
    assert_eq!(book.names(), [FILE]);
}

/// 6.2 "Policy --conflict: theirs ... or ours"; 6.3 "or runs contactfs conflicts resolve FILE --ours|--theirs": of a picture
/// as of any property.
#[test]
fn a_conflict_of_pictures_is_resolved_for_either_side_under_either_policy() {
    for policy in ["theirs", "ours"] {
        for (side, number) in [("--ours", 2), ("--theirs", 3)] {
            let Some(book) = Book::pictured_with(1, &["--conflict", policy]) else {
                return;
            };
            book.save_picture_while(2, || book.world.api().put_photo(&book.id, &jpeg(3)));
            let (stands, lost) = if policy == "ours" { (2, 3) } else { (3, 2) };
            eventually(OUTAGE, "the picture that stands is there", || {
                book.mount.sync().out.contains("PHOTO: changed elsewhere")
                    && book.photo() == Some(jpeg(stands))
            });
            book.shows(&jpeg(stands));
            let rejected = book.mount.read(&format!("Contacts/.{FILE}.rejected"));
            assert!(unfolded(&rejected).contains(&line(&jpeg(lost))));
            book.mount.sync();
            assert_eq!(state(&book), "conflict");
            let path = book.path();
            let conflicts = |command: &[&str]| {
                let arguments = [&["conflicts"], command, &[path.to_str().unwrap()]].concat();
                book.world.run(&arguments).ok()
            };
            let shown = conflicts(&["show"]);
            assert!(shown.contains("PHOTO") && shown.len() < 1000, "{shown}");

            book.world.clear_log();
            conflicts(&["resolve", side]);
            book.mount.in_step();
            assert_eq!(state(&book), "synced", "{policy} {side}");
            assert_eq!(book.names(), [FILE]);
            assert_eq!(book.photo(), Some(jpeg(number)), "{policy} {side}");
            book.shows(&jpeg(number));
            let sent = usize::from(number != stands);
            assert_eq!(book.world.writes().len(), sent, "{policy} {side}");
        }
    }
}

/// 6.2 as above: `fsync` of a save whose picture stands succeeds.
#[test]
fn a_picture_that_stands_is_sent_once() {
    let Some(book) = Book::pictured_with(1, &["--conflict", "ours"]) else {
        return;
    };
    let text = unfolded(&book.text()).replace(&line(&jpeg(1)), &line(&jpeg(2)));
    book.world.api().put_photo(&book.id, &jpeg(3));
    book.world.clear_log();
    let mut file = File::create(book.path()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
    drop(file);
    book.mount.sync();
    assert_eq!((book.photo(), book.taken()), (Some(jpeg(2)), 1));
    assert_eq!((book.text(), state(&book)), (text, "conflict".to_owned()));
}

/// "A picture that was changed elsewhere and is not the one that the saved text was made from is in conflict ..., and so is
/// one that was not read yet"
#[test]
fn a_picture_that_was_not_read_yet_is_not_overwritten() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let failing = "ServiceUnavailable";
    book.world
        .fail_with(Some("GET"), "/photo/", u32::MAX, 503, failing);
    book.world.api().put_photo(&book.id, &jpeg(3));
    drop(book.mount.sync());
    book.shows(&jpeg(1));
    book.world.clear_log();
    let text = unfolded(&book.text()).replace(&line(&jpeg(1)), &line(&jpeg(2)));
    fs::write(book.path(), text).unwrap();
    book.world.clear_faults();
    book.stands(&jpeg(3));
}

/// 6.1 as above, when the picture there was shown already, but not through the handle that the other is written by.
#[test]
fn a_picture_that_arrived_under_an_open_handle_is_not_overwritten() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = unfolded(&book.text()).replace(&line(&jpeg(1)), &line(&jpeg(2)));
    let mut file = File::options().write(true).open(book.path()).unwrap();
    book.world.api().put_photo(&book.id, &jpeg(3));
    book.calm();
    book.shows(&jpeg(3));
    file.write_all(text.as_bytes()).unwrap();
    file.set_len(text.len() as u64).unwrap();
    drop(file);
    book.stands(&jpeg(3));
}

/// 6.1 as above: to the same value is none.
#[test]
fn the_same_picture_here_and_there_is_no_conflict() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = book.save_picture_while(2, || book.world.api().put_photo(&book.id, &jpeg(2)));
    book.settled();
    assert_eq!(book.on_photo("PUT"), []);
    assert_eq!(
        (book.photo(), state(&book)),
        (Some(jpeg(2)), "synced".to_owned())
    );
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 3.7 "No overlap: the merged card is sent and the file shows it": a picture here, a property there.
#[test]
fn a_picture_changed_here_and_a_property_there_are_both_kept() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    book.save_picture_while(2, || {
        book.world
            .api()
            .patch(&book.id, json!({"jobTitle": "Poet"}));
    });
    book.settled();
    assert_eq!(book.photo(), Some(jpeg(2)));
    assert_eq!(book.contact()["jobTitle"], "Poet");
    book.shows(&jpeg(2));
    eventually(SOON, "the job is shown", || {
        book.text().contains("TITLE:Poet")
    });
    assert_eq!(
        (state(&book), book.names()),
        ("synced".to_owned(), vec![FILE.to_owned()])
    );
}

/// 3.7 as above: a property here, a picture there.
#[test]
fn a_property_changed_here_and_a_picture_there_are_both_kept() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    book.world.disconnect();
    book.save_phone("+44 2");
    book.world.reconnect();
    book.world.api().put_photo(&book.id, &jpeg(3));
    book.settled();
    assert_eq!(book.photo(), Some(jpeg(3)));
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    book.shows(&jpeg(3));
    assert!(book.text().contains("+44 2"));
    assert_eq!(
        (state(&book), book.names()),
        ("synced".to_owned(), vec![FILE.to_owned()])
    );
}

/// 2.2 "A change seen by delta is visible": also of a picture put there between our look at the version and our change, by a
/// service that does not compare them (trap 20).
#[test]
fn a_picture_made_elsewhere_while_a_change_is_under_way_is_shown() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let held = FaultAction::Delay(Duration::from_secs(2));
    book.world.fail(Some("PATCH"), "/contacts/", 1, held);
    book.save_phone("+44 2");
    std::thread::sleep(Duration::from_secs(1));
    book.world.api().put_photo(&book.id, &jpeg(3));
    book.settled();
    book.shows(&jpeg(3));
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert!(book.text().contains("+44 2"));
    assert_eq!(
        (book.photo(), state(&book)),
        (Some(jpeg(3)), "synced".to_owned())
    );
}

/// 4.13 "contactfs restore FILE[@VERSION]": the picture of that version comes back too.
#[test]
fn an_earlier_version_comes_back_with_its_picture() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let first = book.text();
    let second = unfolded(&first).replace(&line(&jpeg(1)), &line(&jpeg(2)));
    fs::write(book.path(), &second).unwrap();
    book.mount.in_step();
    assert_eq!(book.photo(), Some(jpeg(2)));
    book.world.clear_log();
    let path = book.path();
    book.world.run(&["restore", path.to_str().unwrap()]).ok();
    assert_eq!(book.text(), first);
    assert_eq!(book.one_write("PUT"), json!(null));
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), first));
}

/// 4.13 "(also for a deleted file)".
#[test]
fn a_deleted_contact_comes_back_with_its_picture() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = book.text();
    fs::remove_file(book.path()).unwrap();
    book.mount.in_step();
    assert_eq!(book.world.api().count(), 0);
    let path = book.path();
    book.world.run(&["restore", path.to_str().unwrap()]).ok();
    book.mount.in_step();
    let ada = book.world.api().contact("Ada Byron").unwrap();
    let there = book.world.api().photo(&crate::support::id(&ada));
    assert_eq!((there, book.text()), (Some(jpeg(1)), text));
}

/// An earlier version without a picture takes away the one that is there.
#[test]
fn an_earlier_version_without_a_picture_comes_back_without() {
    let Some(book) = Book::open() else { return };
    book.world
        .api()
        .control("POST", "settings", &json!({"removes_photos": true}));
    let first = book.text();
    fs::write(book.path(), with(&first, &line(&jpeg(1)))).unwrap();
    book.mount.in_step();
    assert_eq!(book.photo(), Some(jpeg(1)));
    let path = book.path();
    book.world.run(&["restore", path.to_str().unwrap()]).ok();
    book.mount.in_step();
    assert_eq!((book.photo(), book.text()), (None, first));
}
