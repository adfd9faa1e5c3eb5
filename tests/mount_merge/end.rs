//! Killed programs and lost replies between the decision how two changes are merged and the end of its sending.

use contactfs::sandbox::FaultAction;
use rustix::io::Errno;
use serde_json::json;

use super::book::{Book, FILE, SOON, errno};
use super::{ERROR, REJECTED, read, save, shows, state};
use crate::support::eventually;

/// 7.3 "Killing the process at any instant loses nothing that close/fsync acknowledged and sends nothing twice."
#[test]
fn a_merged_save_survives_a_kill_before_it_was_sent() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    let refuse = FaultAction::DropBefore;
    book.world.fail(Some("PATCH"), "", u32::MAX, refuse);
    std::fs::write(book.path(), &text).unwrap();
    let merged = text.replace("TITLE:Analyst", "TITLE:Poet");
    eventually(SOON, "the merged card is shown", || book.text() == merged);
    assert_eq!(book.contact()["mobilePhone"], "+44 1");
    let book = book.killed(|world| {
        world.reconnect();
        world.clear_log();
    });
    shows(&book, &merged);
    book.await_writes(1);
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!((book.text(), book.names()), (merged, vec![FILE.to_owned()]));
}

/// 6.2 "non-clashing properties of both sides are kept": whatever happens before they are sent.
#[test]
fn what_a_clash_leaves_to_be_sent_survives_a_kill() {
    let Some(book) = Book::open() else { return };
    let text = book
        .with_phone("+44 2")
        .replace("NOTE:first line", "NOTE:ours");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    book.world
        .fail(Some("PATCH"), "", u32::MAX, FaultAction::DropBefore);
    assert_eq!(errno(save(&book, &text)), Errno::BUSY.raw_os_error());
    let book = book.killed(|world| {
        world.reconnect();
        world.clear_log();
    });
    assert_eq!(read(&book, REJECTED), text);
    shows(&book, &text.replace("+44 2", "+44 9"));
    book.await_writes(1);
    book.settled_but_for_conflicts();
    assert_eq!(book.contact()["personalNotes"], "ours");
    assert_eq!(book.contact()["mobilePhone"], "+44 9");
    assert_eq!(state(&book), "conflict");
    book.lists(&[ERROR, REJECTED, FILE]);
    let patches: Vec<_> = book
        .world
        .patches()
        .into_iter()
        .map(|entry| entry.request)
        .collect();
    assert_eq!(patches, [Some(json!({"personalNotes": "ours"}))]);
}

/// 7.3 as above, with the reply to the merged save lost.
#[test]
fn a_merged_save_whose_reply_is_lost_is_not_merged_twice() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    book.world
        .fail(Some("PATCH"), "", 1, FaultAction::DropAfter);
    std::fs::write(book.path(), &text).unwrap();
    book.met_failure();
    let book = book.killed(|_| {});
    book.settled();
    shows(&book, &text.replace("TITLE:Analyst", "TITLE:Poet"));
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!(book.names(), [FILE]);
}

impl Book {
    /// Waits until nothing is pending.
    fn settled_but_for_conflicts(&self) {
        eventually(SOON, "nothing is pending", || {
            self.mount.status()["mounts"][0]["pending"] == json!([])
        });
    }
}
