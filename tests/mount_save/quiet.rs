//! What changes nothing sends nothing, and what the service makes of a save.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::book::{ADA, Book, FILE};

/// 3.5 "a save that changes nothing sends nothing."
#[test]
fn the_same_text_again_sends_nothing() {
    let Some(book) = Book::open() else { return };
    let text = book.text();
    fs::write(book.path(), &text).unwrap();
    book.nothing_sent();
    assert_eq!(book.text(), text);
}

/// P2 "A file shows exactly the saved bytes until the contact's meaning changes at Microsoft."
#[test]
fn another_spelling_of_the_same_card_sends_nothing_and_stays() {
    let Some(book) = Book::open() else { return };
    let text = format!("{}\n\n", book.text().replace("\r\n", "\n"));
    fs::write(book.path(), &text).unwrap();
    book.nothing_sent();
    assert_eq!(book.text(), text);
    let book = book.remount();
    assert_eq!(book.text(), text);
}

/// An empty line behind the card is the least that `echo >>` can do.
#[test]
fn echo_of_nothing_sends_nothing() {
    let Some(book) = Book::open() else { return };
    let text = book.text() + "\n";
    book.sh(&format!("echo >> '{FILE}'")).ok();
    book.nothing_sent();
    assert_eq!(book.text(), text);
}

/// 1.7 "mtime and ctime are the later of the last local save (or a time set with utimens ...); they survive remounts."
#[test]
fn touch_sets_the_time_and_sends_nothing() {
    let Some(book) = Book::open() else { return };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = File::options().write(true).open(book.path()).unwrap();
    file.set_modified(time).unwrap();
    drop(file);
    book.nothing_sent();
    let mtime = |book: &Book| fs::metadata(book.path()).unwrap().modified().unwrap();
    assert_eq!(mtime(&book), time);
    let book = book.remount();
    assert_eq!(mtime(&book), time);
    book.sh(&format!("touch '{FILE}'")).ok();
    book.nothing_sent();
    assert!(mtime(&book) > time);
}

/// 5.5 "chmod/chown on contacts: accepted if it changes nothing that matters (same owner; mode is remembered for the
/// open session only), else EPERM as on vfat".
#[test]
fn chmod_and_chown_to_oneself_send_nothing() {
    let Some(book) = Book::open() else { return };
    fs::set_permissions(book.path(), Permissions::from_mode(0o640)).unwrap();
    let stat = fs::metadata(book.path()).unwrap();
    assert_eq!(stat.mode() & 0o7777, 0o640);
    std::os::unix::fs::chown(book.path(), Some(stat.uid()), Some(stat.gid())).unwrap();
    book.nothing_sent();
    let book = book.remount();
    assert_eq!(fs::metadata(book.path()).unwrap().mode() & 0o7777, 0o600);
}

/// 5.5 "else EPERM as on vfat".
#[test]
fn a_contact_belongs_to_nobody_else() {
    let Some(book) = Book::open() else { return };
    let other = fs::metadata(book.path()).unwrap().uid() + 1;
    let chown = std::os::unix::fs::chown(book.path(), Some(other), None);
    // Without privileges the kernel says the same.
    assert_eq!(
        super::book::errno(chown),
        rustix::io::Errno::PERM.raw_os_error()
    );
}

/// 3.1 "A reader's close commits nothing and never fails."
#[test]
fn reading_sends_nothing() {
    let Some(book) = Book::open() else { return };
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(book.path())
        .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    file.sync_all().unwrap();
    drop(file);
    book.nothing_sent();
}

/// 1.7 "Uploading a save, its echo in delta, or a resync moves none of them."
#[test]
fn the_echo_of_a_save_moves_neither_inode_nor_times() {
    let Some(book) = Book::open() else { return };
    book.save_phone("+44 2");
    let stat = |book: &Book| {
        let stat = fs::metadata(book.path()).unwrap();
        (stat.ino(), stat.mtime(), stat.mtime_nsec(), stat.size())
    };
    let saved = stat(&book);
    book.mount.in_step();
    assert_eq!(stat(&book), saved);
    let book = book.remount();
    book.mount.in_step();
    assert_eq!(stat(&book), saved);
}

/// 3.5 "Only properties whose value changed are sent (PATCH), in one request ... Name fields bring displayName along."
#[test]
fn a_name_brings_the_display_name_along() {
    let Some(book) = Book::open() else { return };
    let text = book.text().replace("N:Byron;Ada;;;", "N:Lovelace;Ada;;;");
    fs::write(book.path(), &text).unwrap();
    book.one_patch(&json!({"surname": "Lovelace", "displayName": "Ada Byron"}));
    assert_eq!(
        book.names(),
        [FILE],
        "1.5: a user's own save never renames the file"
    );
    assert_eq!(book.text(), text);
}

/// 1.5 "A user's own save never renames the file under the editor."
#[test]
fn what_a_contact_is_filed_under_stays_or_follows_the_name() {
    let Some(book) = Book::open() else { return };
    let names = [("Byron", "King"), ("King", "Noel")];
    for ((old, new), filed) in names.into_iter().zip(["Byron, Ada", "The Countess"]) {
        book.world.api().patch(&book.id, json!({"fileAs": filed}));
        book.calm();
        let text = book.text();
        let is_shown = text.contains("\r\nX-MSGRAPH-FILE-AS:The Countess\r\n");
        assert_eq!(is_shown, filed == "The Countess", "{text}");
        let renamed = text.replace(&format!("N:{old};"), &format!("N:{new};"));
        fs::write(book.path(), &renamed).unwrap();
        let mut patch = json!({"surname": new, "displayName": "Ada Byron"});
        if is_shown {
            patch["fileAs"] = json!(filed);
        }
        book.one_patch(&patch);
        let now = if is_shown { filed } else { "King, Ada" };
        assert_eq!(book.contact()["fileAs"], now);
        book.calm();
        assert_eq!(book.text(), renamed);
        let other = book.world.mounting().at(new).state(new).start();
        assert_eq!(other.read(ADA), renamed);
    }
}

#[test]
fn a_new_display_name_does_not_rename_the_file() {
    let Some(book) = Book::open() else { return };
    let text = book
        .text()
        .replace("FN:Ada Byron", "FN:Countess of Lovelace");
    fs::write(book.path(), &text).unwrap();
    let body = book.one_write("PATCH");
    assert_eq!(body["displayName"], "Countess of Lovelace");
    assert_eq!(book.names(), [FILE]);
    let book = book.remount();
    assert_eq!((book.names(), book.text()), (vec![FILE.to_owned()], text));
}

/// 3.5 with several fields, lists and removals: what is not in the file any more is cleared, the rest is not mentioned.
#[test]
fn a_removed_line_is_cleared_and_a_list_is_sent_whole() {
    let Some(book) = Book::open() else { return };
    let text = book.text().replace("NOTE:first line\r\n", "").replace(
        "TITLE:Analyst\r\n",
        "TITLE:Analyst\r\nTEL;TYPE=work:1\r\nTEL;TYPE=work:2\r\n",
    );
    fs::write(book.path(), &text).unwrap();
    let body = book.one_write("PATCH");
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["businessPhones", "personalNotes"], "{body}");
    assert_eq!(body["businessPhones"], json!(["1", "2"]));
    assert_eq!(book.text(), text);
    assert_eq!(
        book.contact()["personalNotes"].as_str().unwrap_or_default(),
        ""
    );
}

/// 3.8 "If the server stored something else than was sent (its own normalisation), and the meaning differs from the
/// file, the file changes to the canonical card and mtime moves".
#[test]
fn a_value_that_the_service_changes_shows_in_the_file() {
    let Some(book) = Book::open() else { return };
    // Whoever is in the directory has the name there.
    let text = book.text().replace(
        "TEL;",
        "EMAIL;X-DISPLAY-NAME=\"The boss\":robin.fjord@sandbox.example\r\nTEL;",
    );
    fs::write(book.path(), &text).unwrap();
    let before = fs::metadata(book.path()).unwrap().modified().unwrap();
    assert_eq!(book.text(), text);
    book.mount.in_step();
    let shown = text.replace("The boss", "Robin Fjord");
    assert_eq!(book.text(), shown);
    assert!(fs::metadata(book.path()).unwrap().modified().unwrap() > before);
    let settled = book.text();
    assert_eq!(book.world.patches().len(), 1);
    let book = book.remount();
    book.mount.in_step();
    assert_eq!((book.text(), book.world.patches().len()), (settled, 1));
}

/// 3.8 "otherwise the bytes stay the user's."
#[test]
fn a_value_that_the_service_only_completes_leaves_the_bytes_alone() {
    let Some(book) = Book::open() else { return };
    // The service gives the address a display name of its own (vcard-mapping 2).
    let text = book
        .text()
        .replace("TITLE:", "EMAIL:ada@example.org\r\nTITLE:");
    fs::write(book.path(), &text).unwrap();
    let body = book.one_write("PATCH");
    assert_eq!(body["emailAddresses"][0]["address"], "ada@example.org");
    assert_eq!(
        book.contact()["emailAddresses"][0]["name"],
        "ada@example.org"
    );
    assert_eq!(book.text(), text);
    let book = book.remount();
    book.mount.in_step();
    assert_eq!(
        (book.mount.read(ADA), book.world.patches().len()),
        (text, 1)
    );
}
