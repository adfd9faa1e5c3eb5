//! What the service says to a save reaches who waits for it, and loses nothing of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::time::Duration;

use contactfs::sandbox::{FaultAction, Options};
use rustix::io::Errno;
use serde_json::json;

use super::book::{ADA, Book, FILE, card, errno};

const REJECTED: &str = ".Ada Byron.vcf.rejected";
const ERROR: &str = ".Ada Byron.vcf.error";

/// Saves as a careful program does; the result is that of `fsync`.
fn save_durably(book: &Book, path: &str, text: &str) -> io::Result<()> {
    let path = book.mount.path(path);
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[track_caller]
fn rejected(book: &Book) -> (String, String) {
    book.lists(&[ERROR, REJECTED, FILE]);
    let read = |name: &str| book.mount.read(&format!("Contacts/{name}"));
    (read(REJECTED), read(ERROR))
}

#[track_caller]
fn file_state(book: &Book) -> String {
    let path = book.path();
    let run = book
        .world
        .run(&["status", "--json", path.to_str().unwrap()]);
    let item: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    item["state"].as_str().unwrap().to_owned()
}

/// 3.4 "fsync additionally waits for the server's verdict ... Success if accepted".
#[test]
fn fsync_returns_when_the_service_has_the_save() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    save_durably(&book, ADA, &text).unwrap();
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!(file_state(&book), "synced");
    book.saved(&text);
}

/// vcard-mapping 9: what the service refuses says why by its errno, for a change and for a new contact.
#[test]
fn a_refusal_says_why() {
    let Some(book) = Book::open() else { return };
    for (status, code, wanted) in [
        (400, "ErrorInvalidProperty", Errno::INVAL),
        (403, "ErrorAccessDenied", Errno::ACCESS),
        (507, "ErrorQuotaExceeded", Errno::NOSPC),
        (413, "ErrorMessageSizeExceeded", Errno::FBIG),
    ] {
        let changed = book.text().replace("NOTE:first line", "NOTE:mine");
        let new = format!("Contacts/{code}.vcf");
        for (method, path, text) in [("PATCH", ADA, changed), ("POST", &new, card("Bo"))] {
            book.world
                .fail_with(Some(method), "/contacts", 1, status, code);
            let done = save_durably(&book, path, &text);
            assert_eq!(errno(done), wanted.raw_os_error(), "{method} {code}");
        }
    }
}

/// 3.4 as above, for a new contact.
#[test]
fn fsync_returns_when_the_service_has_the_new_contact() {
    let Some(book) = Book::open() else { return };
    save_durably(&book, "Contacts/Bo.vcf", &card("Bo")).unwrap();
    assert!(book.world.api().contact("Bo").is_some());
    book.one_write("POST");
}

/// 3.4 "the errno and .error file if refused".
#[test]
fn fsync_says_that_the_service_refused() {
    let Some(book) = Book::open() else { return };
    let (good, text) = (book.text(), book.with_phone("+44 2"));
    book.world
        .fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    let refused = save_durably(&book, ADA, &text);
    assert_eq!(errno(refused), Errno::INVAL.raw_os_error());
    let (kept, error) = rejected(&book);
    assert_eq!(kept, text);
    assert!(error.contains("ErrorInvalidRequest"), "{error}");
    assert_eq!(book.text(), good);
    assert_eq!(file_state(&book), "rejected");
    assert_eq!(book.contact()["mobilePhone"], "+44 1");
    let book = book.remount();
    assert_eq!((rejected(&book).0, book.text()), (text.clone(), good));
    book.world.clear_log();
    // 3.2 "Both vanish at the next good save".
    save_durably(&book, ADA, &text).unwrap();
    book.saved(&text);
}

/// 3.4 as above: a refused new contact is a draft again (4.1).
#[test]
fn fsync_says_that_the_service_refused_a_new_contact() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail_with(Some("POST"), "/contacts", 1, 400, "ErrorInvalidRequest");
    let refused = save_durably(&book, "Contacts/Bo.vcf", &card("Bo"));
    assert_eq!(errno(refused), Errno::INVAL.raw_os_error());
    assert_eq!(book.mount.read("Contacts/Bo.vcf"), card("Bo"));
    book.lists(&[".Bo.vcf.error", FILE, "Bo.vcf"]);
    assert_eq!(book.world.api().count(), 1);
    let book = book.remount();
    assert_eq!(book.mount.read("Contacts/Bo.vcf"), card("Bo"));
    save_durably(&book, "Contacts/Bo.vcf", &card("Bo")).unwrap();
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
    assert_eq!(book.world.api().count(), 2);
}

/// 3.4 "on a mount with --sync, close does too."
#[test]
fn close_says_it_on_a_mount_with_sync() {
    let Some(book) = Book::with(&["--sync"], Options::default()) else {
        return;
    };
    let outside = book.world.dir().join("new.vcf");
    fs::write(&outside, book.with_phone("+44 2")).unwrap();
    let copy = format!("cp '{}' '{FILE}'", outside.display());
    book.world
        .fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    let run = book.sh(&copy);
    assert!(
        run.code != 0 && run.err.contains("Invalid argument"),
        "{run:?}"
    );
    book.sh(&copy).ok();
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
}

/// 6.3 "fsync then fails with EBUSY under theirs"; 6.2 "the complete losing card is kept ... as .NAME.vcf.rejected with
/// .error."
#[test]
fn fsync_says_that_the_contact_changed_elsewhere() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    let clashed = save_durably(&book, ADA, &text);
    assert_eq!(errno(clashed), Errno::BUSY.raw_os_error());
    let (kept, error) = rejected(&book);
    assert_eq!(kept, text);
    assert!(error.contains("changed elsewhere"), "{error}");
    assert_eq!(book.text(), text.replace("+44 2", "+44 9"));
    assert_eq!(file_state(&book), "conflict");
    assert_eq!(book.contact()["mobilePhone"], "+44 9");
    assert_eq!(book.world.writes(), [], "nothing was sent");
    let book = book.remount();
    assert_eq!(rejected(&book).0, text);
    // 6.3 "until the user saves again".
    save_durably(&book, ADA, &text).unwrap();
    book.saved(&text);
}

/// 2.3 "a write through such a handle is merged (3.7), not lost": where it clashes, it is kept.
#[test]
fn a_save_through_an_old_handle_after_the_news_came_is_kept() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let mut file = File::options().write(true).open(book.path()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    book.mount.sync();
    assert_eq!(errno(file.sync_all()), Errno::BUSY.raw_os_error());
    drop(file);
    assert_eq!(rejected(&book).0, text);
    assert!(book.text().contains("+44 9"), "{}", book.text());
    assert_eq!(book.contact()["mobilePhone"], "+44 9");
}

/// 3.7 "If the contact changed meanwhile": to what is saved here is no clash.
#[test]
fn the_same_change_here_and_there_is_no_clash() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 2"}));
    save_durably(&book, ADA, &text).unwrap();
    book.nothing_sent();
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 3.4 "success with state pending if the server cannot be reached (the bytes are durable locally)."
#[test]
fn fsync_succeeds_when_nobody_answers() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world.disconnect();
    save_durably(&book, ADA, &text).unwrap();
    assert_eq!(file_state(&book), "pending");
    let book = book.killed(|world| {
        world.reconnect();
        world.clear_log();
    });
    book.await_writes(1);
    book.saved(&text);
}

/// 3.4 "the errno and .error file if refused": also of a save that was behind the refused one.
#[test]
fn fsync_of_a_later_save_says_that_an_earlier_one_was_refused() {
    let Some(book) = Book::open() else { return };
    let (good, text) = (book.text(), book.with_phone("+44 3"));
    let slow = FaultAction::Delay(Duration::from_millis(500));
    book.world.fail(Some("GET"), "changeKey", 1, slow);
    book.world
        .fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    book.save_phone("+44 2");
    let refused = save_durably(&book, ADA, &text);
    assert_eq!(errno(refused), Errno::INVAL.raw_os_error());
    assert_eq!((rejected(&book).0, book.text()), (text, good));
    assert_eq!(book.contact()["mobilePhone"], "+44 1");
}

/// 6.4 "Edited here, deleted there: the edit wins and the contact is created again."
#[test]
fn an_edit_of_a_contact_deleted_elsewhere_makes_it_again() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world.api().delete(&book.id);
    fs::write(book.path(), &text).unwrap();
    let body = book.one_write("POST");
    assert_eq!(
        (&body["mobilePhone"], &body["jobTitle"]),
        (&json!("+44 2"), &json!("Analyst"))
    );
    assert_eq!(
        (book.text(), book.names()),
        (text.clone(), vec![FILE.to_owned()])
    );
    assert_eq!(book.world.api().count(), 1);
    let book = book.remount();
    book.mount.in_step();
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
    assert_eq!(book.world.api().count(), 1);
}

/// 6.4 "Deleted here, edited there: the edit wins and the file comes back (state conflict, sentence in .error)."
#[test]
fn a_deletion_of_a_contact_edited_elsewhere_is_taken_back() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 9");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    fs::remove_file(book.path()).unwrap();
    book.mount.sync();
    book.lists(&[ERROR, FILE]);
    assert_eq!(book.text(), text);
    assert_eq!(book.contact()["mobilePhone"], "+44 9");
    assert_eq!(book.world.writes(), []);
    assert_eq!(file_state(&book), "conflict");
    let error = book.mount.read(&format!("Contacts/{ERROR}"));
    assert!(error.contains("elsewhere"), "{error}");
    assert_eq!(book.names(), [ERROR, FILE]);
    let book = book.remount();
    assert_eq!(book.text(), text);
}
