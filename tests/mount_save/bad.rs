//! Texts that are no cards: said to who waits, kept beside the contact, never sent.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::book::{ADA, Book, FILE, OUTAGE, card, errno};
use crate::support::eventually;

const REJECTED: &str = "Contacts/.Ada Byron.vcf.rejected";
const ERROR: &str = "Contacts/.Ada Byron.vcf.error";
const GROUP: &str =
    "BEGIN:VCARD\nVERSION:4.0\nKIND:group\nFN:Friends\nMEMBER:urn:uuid:1\nEND:VCARD\n";

/// Copies a text over the contact: `cp` fails with `said` (or succeeds when it is empty), the contact is as it was, and
/// after an unmount the text is kept aside with a reason that begins with `reason`, until the next good save.
#[track_caller]
fn copied(text: &[u8], said: &str, reason: &str) {
    let Some(book) = Book::open() else { return };
    let (good, contact) = (book.text(), book.contact());
    let outside = book.world.dir().join("bad.vcf");
    fs::write(&outside, text).unwrap();
    let run = book.sh(&format!("cp '{}' '{FILE}'", outside.display()));
    assert_eq!(run.code != 0, !said.is_empty(), "{run:?}");
    assert!(run.err.contains(said), "{run:?}");
    assert_eq!(
        fs::read(book.path()).unwrap(),
        text,
        "readable until it is put aside"
    );
    let book = book.remount();
    assert_eq!(book.text(), good);
    assert_eq!(fs::read(book.mount.path(REJECTED)).unwrap(), text);
    let error = book.mount.read(ERROR);
    assert!(error.starts_with(reason), "{error}");
    book.mount.sync();
    assert_eq!((book.world.writes(), book.contact()), (vec![], contact));
    let text = book.save_phone("+44 2");
    book.saved(&text);
}

/// 3.2 "Empty, or not yet complete ...: held. close succeeds".
#[test]
fn an_empty_text_is_held_and_put_aside() {
    copied(b"", "", "the file is empty");
}

/// 3.2 as above; `.error` has "the reason, line and property".
#[test]
fn garbage_is_held_and_put_aside() {
    copied(
        b"hello\nworld\n",
        "",
        "line 1: \"hello\" is not \"NAME:value\"",
    );
}

/// 3.2 as above.
#[test]
fn a_card_without_its_end_is_held_and_put_aside() {
    copied(
        b"BEGIN:VCARD\nVERSION:4.0\nFN:Ada\n",
        "",
        "line 3: END:VCARD is missing",
    );
}

/// 3.2 "Complete but not acceptable: the call fails (EINVAL, EILSEQ, EFBIG, EOPNOTSUPP ...). Nothing is sent."
#[test]
fn a_line_without_a_colon_is_refused() {
    copied(
        b"BEGIN:VCARD\nVERSION:4.0\nFN:Ada\nnonsense\nEND:VCARD\n",
        "Invalid argument",
        "line 4: \"nonsense\" is not \"NAME:value\"",
    );
}

/// 3.2 as above.
#[test]
fn bytes_that_are_no_utf_8_are_refused() {
    copied(
        b"BEGIN:VCARD\nVERSION:4.0\nFN:Ad\xe4\nEND:VCARD\n",
        "Invalid or incomplete multibyte or wide character",
        "line 3, column 6: FN: not UTF-8",
    );
}

/// 3.2 as above.
#[test]
fn two_cards_are_refused() {
    let two = [card("Ada"), card("Bo")].concat();
    copied(
        two.as_bytes(),
        "Invalid argument",
        "line 6: a second BEGIN:VCARD",
    );
}

/// 3.2 as above.
#[test]
fn ten_megabytes_are_refused() {
    let note = "a".repeat(10 << 20);
    let text = card("Ada").replace("END:", &format!("NOTE:{note}\r\nEND:"));
    copied(text.as_bytes(), "File too large", "");
}

/// 3.2 as above.
#[test]
fn a_contact_group_is_refused() {
    copied(
        GROUP.as_bytes(),
        "Operation not supported",
        "line 3: KIND:group",
    );
}

/// 3.2 "fsync fails with EINVAL" for what is held, and says the same as close for what is complete.
#[test]
fn fsync_says_what_is_wrong() {
    let Some(book) = Book::open() else { return };
    let cases: [(&[u8], Errno); 4] = [
        (b"", Errno::INVAL),
        (b"BEGIN:VCARD\n", Errno::INVAL),
        (
            b"BEGIN:VCARD\nVERSION:4.0\nFN:\xff\nEND:VCARD\n",
            Errno::ILSEQ,
        ),
        (GROUP.as_bytes(), Errno::OPNOTSUPP),
    ];
    for (text, wanted) in cases {
        let mut file = File::create(book.path()).unwrap();
        file.write_all(text).unwrap();
        assert_eq!(errno(file.sync_all()), wanted.raw_os_error());
    }
    let text = card("Ada Byron");
    fs::write(book.path(), &text).unwrap();
    book.one_write("PATCH");
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 3.2 "If no further write comes for 10 s ..., a held or refused text of an existing contact is moved to
/// .NAME.vcf.rejected ... and the file shows the last good card again."
#[test]
fn a_held_text_is_put_aside_when_it_has_been_quiet() {
    let Some(book) = Book::open() else { return };
    let good = book.text();
    fs::write(book.path(), "BEGIN:VCARD\n").unwrap();
    let start = Instant::now();
    eventually(OUTAGE, "the text is put aside", || book.names().len() > 1);
    assert!(
        start.elapsed() > Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(
        (book.text(), book.mount.read(REJECTED)),
        (good, "BEGIN:VCARD\n".to_owned())
    );
    assert!(book.mount.read(ERROR).contains("END:VCARD is missing"));
    // 3.2 "... or when the user deletes them": they are files like others.
    fs::remove_file(book.mount.path(REJECTED)).unwrap();
    fs::remove_file(book.mount.path(ERROR)).unwrap();
    assert_eq!(book.names(), [FILE]);
    assert_eq!(book.world.writes(), []);
}

/// 3.2 as above, when the program that wrote it is killed with the mount.
#[test]
fn a_held_text_survives_a_kill() {
    let Some(book) = Book::open() else { return };
    let good = book.text();
    fs::write(book.path(), "BEGIN:VCARD\n").unwrap();
    let book = book.killed(|_| {});
    assert_eq!(book.text(), "BEGIN:VCARD\n");
    let book = book.remount();
    assert_eq!(
        (book.text(), book.mount.read(REJECTED)),
        (good, "BEGIN:VCARD\n".to_owned())
    );
}

/// 3.2: what becomes whole in time is a save like any other.
#[test]
fn a_text_that_becomes_whole_leaves_nothing_behind() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    fs::write(book.path(), &text[..text.len() - 5]).unwrap();
    book.nothing_sent();
    let mut file = File::options().append(true).open(book.path()).unwrap();
    file.write_all(&text.as_bytes()[text.len() - 5..]).unwrap();
    drop(file);
    book.saved(&text);
}

/// 4.6 with a text that is refused: "the call fails", and both files stay.
#[test]
fn renaming_a_bad_card_over_a_contact_fails() {
    let Some(book) = Book::open() else { return };
    let good = book.text();
    let temporary = book.mount.path("Contacts/.tmp");
    fs::write(&temporary, GROUP).unwrap();
    assert_eq!(
        errno(fs::rename(&temporary, book.path())),
        Errno::OPNOTSUPP.raw_os_error()
    );
    assert_eq!(
        (book.text(), book.mount.read("Contacts/.tmp")),
        (good, GROUP.to_owned())
    );
    book.nothing_sent();
    let book = book.remount();
    assert_eq!(book.names(), [".tmp", FILE]);
}

/// 4.10 with a text that is refused: no contact, and the name stays free.
#[test]
fn linking_a_bad_card_fails() {
    let Some(book) = Book::open() else { return };
    let temporary = book.mount.path("Contacts/.tmp");
    fs::write(&temporary, GROUP).unwrap();
    let linked = fs::hard_link(&temporary, book.mount.path("Contacts/Bo.vcf"));
    assert_eq!(errno(linked), Errno::OPNOTSUPP.raw_os_error());
    assert_eq!(book.names(), [".tmp", FILE]);
    book.nothing_sent();
}

/// 4.1 "An empty or unacceptable new file stays as a local draft": with the reason beside it.
#[test]
fn a_bad_new_card_is_a_draft_with_the_reason_beside_it() {
    let Some(book) = Book::open() else { return };
    let new = book.mount.path("Contacts/Friends.vcf");
    let run = book.sh(&format!(
        "printf '{}' > ../.group; cp ../.group Friends.vcf",
        GROUP.replace('\n', "\\n")
    ));
    assert!(
        run.code != 0 && run.err.contains("Operation not supported"),
        "{run:?}"
    );
    let book = book.remount();
    assert_eq!(fs::read_to_string(&new).unwrap(), GROUP);
    assert!(
        book.mount
            .read("Contacts/.Friends.vcf.error")
            .starts_with("line 3: KIND:group")
    );
    assert_eq!(book.world.writes(), []);
    fs::write(&new, card("Friends")).unwrap();
    book.one_write("POST");
    assert_eq!(book.names(), [FILE, "Friends.vcf"]);
    assert_eq!(book.mount.read(ADA), book.text());
}
