//! A change waits while the service wants a pause, and is compared again before it is sent again: the service need not
//! heed `If-Match` (trap 20), and speaks of conflicts where there are none.

use std::fs;

use contactfs::sandbox::{FaultAction, Options};
use rustix::io::Errno;
use serde_json::json;

use super::book::{Book, FILE, SOON, errno};
use super::picture::{jpeg, line, unfolded};
use super::{REJECTED, read, save};
use crate::support::eventually;

/// A book whose service is seldom asked for its changes.
fn book() -> Option<Book> {
    Book::with(&["--poll-interval", "1h"], Options::default())
}

/// The next request of this method for what has this id is refused, with a pause of two seconds.
fn refuse_once(book: &Book, method: &str, id: &str, code: u16) {
    let action = FaultAction::Status {
        code,
        error_code: "ApplicationThrottled".to_owned(),
        retry_after: Some(2),
        empty_body: false,
    };
    book.world.fail(Some(method), id, 1, action);
}

/// Waits until a request of this method was refused.
#[track_caller]
fn is_refused(book: &Book, method: &str, code: u16) {
    eventually(SOON, "the first request is refused", || {
        let log = book.world.log();
        log.iter()
            .any(|entry| entry.method == method && entry.status == code)
    });
}

/// 3.7 "Before a PATCH the current changeKey is compared with the base", also when it is sent again.
#[test]
fn a_change_made_elsewhere_during_a_pause_is_not_overwritten() {
    for code in [429, 503] {
        let Some(book) = book() else { return };
        let ours = book.text().replace("NOTE:first line", "NOTE:ours");
        refuse_once(&book, "PATCH", &book.id, code);
        let done = std::thread::scope(|scope| {
            let saving = scope.spawn(|| save(&book, &ours));
            is_refused(&book, "PATCH", code);
            book.world
                .api()
                .patch(&book.id, json!({"personalNotes": "theirs"}));
            saving.join().unwrap()
        });
        assert_eq!(errno(done), Errno::BUSY.raw_os_error(), "{code}");
        assert_eq!(book.contact()["personalNotes"], "theirs");
        assert_eq!(read(&book, REJECTED), ours);
    }
}

/// 6.4 "Deleted here, edited there: the edit wins", also when the edit comes during a pause.
#[test]
fn a_contact_edited_elsewhere_during_a_pause_is_not_deleted() {
    let Some(book) = book() else { return };
    refuse_once(&book, "DELETE", &book.id, 429);
    fs::remove_file(book.path()).unwrap();
    is_refused(&book, "DELETE", 429);
    book.world
        .api()
        .patch(&book.id, json!({"personalNotes": "theirs"}));
    book.lists(&[".Ada Byron.vcf.error", FILE]);
    assert_eq!(book.contact()["personalNotes"], "theirs");
}

/// Trap 20: 409 and 412 also come when nobody changed anything.
#[test]
fn a_conflict_without_a_change_is_none() {
    for code in [409, 412] {
        let Some(book) = book() else { return };
        let conflict = |method| {
            book.world
                .fail_with(Some(method), &book.id, 1, code, "ErrorIrresolvableConflict");
        };
        conflict("PATCH");
        save(&book, &book.with_phone("+44 2")).unwrap();
        assert_eq!(book.contact()["mobilePhone"], "+44 2");
        conflict("DELETE");
        fs::remove_file(book.path()).unwrap();
        book.settled();
        assert!(book.names().is_empty(), "{:?}", book.names());
        assert_eq!(book.world.api().count(), 0);
    }
}

/// 2 "status: ... throttled until": also while the only sign of it is that nothing is sent.
#[test]
fn the_status_tells_of_a_pause() {
    let Some(book) = Book::with(&["--poll-interval", "1s"], Options::default()) else {
        return;
    };
    let action = FaultAction::Status {
        code: 429,
        error_code: "ApplicationThrottled".to_owned(),
        retry_after: Some(5),
        empty_body: false,
    };
    book.world.fail(Some("GET"), "deltatoken", 1, action);
    eventually(SOON, "the status says throttled", || {
        book.mount.status()["mounts"][0]["connection"]["state"] == "throttled"
    });
    eventually(SOON, "the pause is over", || {
        book.mount.status()["mounts"][0]["connection"]["state"] == "online"
    });
}

/// 4.11 "rmdir deletes an empty one": the service deletes what is in it as well.
#[test]
fn a_folder_that_is_filled_elsewhere_during_a_pause_is_not_deleted() {
    let Some(book) = book() else { return };
    let folder = book.world.api().create_folder("Old");
    book.calm();
    eventually(SOON, "the folder is shown", || {
        fs::read_dir(book.mount.path("Old")).is_ok()
    });
    refuse_once(&book, "DELETE", &folder, 429);
    fs::remove_dir(book.mount.path("Old")).unwrap();
    is_refused(&book, "DELETE", 429);
    book.world
        .api()
        .create_in(&folder, json!({"givenName": "Bo", "displayName": "Bo"}));
    eventually(SOON, "the folder is back", || {
        book.mount.path("Old/Bo.vcf").exists()
    });
}

/// 3.7 for a picture.
#[test]
fn a_picture_made_elsewhere_during_a_pause_is_not_overwritten() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let ours = unfolded(&book.text()).replace(&line(&jpeg(1)), &line(&jpeg(2)));
    refuse_once(&book, "PUT", &book.id, 429);
    let done = std::thread::scope(|scope| {
        let saving = scope.spawn(|| save(&book, &ours));
        is_refused(&book, "PUT", 429);
        book.world.api().put_photo(&book.id, &jpeg(3));
        saving.join().unwrap()
    });
    assert_eq!(errno(done), Errno::BUSY.raw_os_error());
    assert_eq!(book.world.api().photo(&book.id), Some(jpeg(3)));
}
