//! Killed programs and lost replies: nothing is lost, nothing happens twice.

use std::fs;
use std::time::Duration;

use super::book::{Book, FILE, card};
use crate::support::World;
use contactfs::sandbox::FaultAction;

const BO: &str = "Contacts/Bo.vcf";

fn back(world: &World) {
    world.reconnect();
    world.clear_log();
}

/// The reply to the next request of this method on a contact is lost, after it was carried out.
fn lose_reply(book: &Book, method: &str) {
    let path = "/contacts";
    book.world
        .fail(Some(method), path, 1, FaultAction::DropAfter);
}

/// 7.3 "Killing the process at any instant loses nothing that close/fsync acknowledged and sends nothing twice."
#[test]
fn a_save_survives_a_kill_before_it_was_sent() {
    let Some(book) = Book::open() else { return };
    book.world.disconnect();
    let text = book.save_phone("+44 2");
    let book = book.killed(back);
    assert_eq!(book.text(), text);
    book.await_writes(1);
    book.saved(&text);
}

/// 7.3 as above, while the request is under way.
#[test]
fn a_save_survives_a_kill_while_it_is_sent() {
    let Some(book) = Book::open() else { return };
    let slow = FaultAction::Delay(Duration::from_secs(3));
    book.world.fail(Some("PATCH"), "", 1, slow);
    let text = book.save_phone("+44 2");
    book.met_failure();
    let book = book.killed(back);
    assert_eq!(book.text(), text);
    book.settled();
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 7.3 as above.
#[test]
fn a_new_contact_survives_a_kill_before_it_was_sent() {
    let Some(book) = Book::open() else { return };
    book.world.disconnect();
    fs::write(book.mount.path(BO), card("Bo")).unwrap();
    let book = book.killed(back);
    assert_eq!(book.mount.read(BO), card("Bo"));
    book.await_writes(1);
    book.one_write("POST");
    assert_eq!(book.world.api().count(), 2);
}

/// 7.3 as above.
#[test]
fn a_deletion_survives_a_kill_before_it_was_sent() {
    let Some(book) = Book::open() else { return };
    fs::remove_file(book.path()).unwrap();
    let book = book.killed(back);
    assert!(book.names().is_empty());
    book.await_writes(1);
    book.one_write("DELETE");
    assert_eq!(book.world.api().count(), 0);
}

/// 7.3 as above, for a file that was unlinked and made again: it is still one update.
#[test]
fn an_unlink_and_create_survives_a_kill() {
    let Some(book) = Book::open() else { return };
    book.world.disconnect();
    let text = book.with_phone("+44 2");
    fs::remove_file(book.path()).unwrap();
    fs::write(book.path(), &text).unwrap();
    let book = book.killed(back);
    assert_eq!(book.text(), text);
    book.await_writes(1);
    book.saved(&text);
}

/// 4.2 "If the reply is lost, the client looks for that id before it tries again: a create never makes two contacts".
#[test]
fn a_lost_reply_to_a_post_makes_one_contact() {
    let Some(book) = Book::open() else { return };
    lose_reply(&book, "POST");
    fs::write(book.mount.path(BO), card("Bo")).unwrap();
    book.await_writes(1);
    book.settled();
    assert_eq!(book.world.api().count(), 2);
}

/// 4.2 "... whatever fails when (killed process and reboot included)."
#[test]
fn a_lost_reply_to_a_post_and_a_kill_make_one_contact() {
    let Some(book) = Book::open() else { return };
    lose_reply(&book, "POST");
    book.world.disconnect();
    fs::write(book.mount.path(BO), card("Bo")).unwrap();
    book.await_writes(1);
    let book = book.killed(World::reconnect);
    assert_eq!(book.mount.read(BO), card("Bo"));
    book.settled();
    assert_eq!(book.world.api().count(), 2);
}

/// 4.2 as above, when the process ends before it can know that the reply is lost.
#[test]
fn a_kill_while_a_post_is_carried_out_makes_one_contact() {
    let Some(book) = Book::open() else { return };
    let slow = FaultAction::Delay(Duration::from_millis(700));
    book.world.fail(Some("POST"), "/contacts", 1, slow);
    fs::write(book.mount.path(BO), card("Bo")).unwrap();
    book.met_failure();
    let book = book.killed(World::reconnect);
    book.settled();
    assert_eq!(book.world.api().count(), 2);
}

/// 4.2 as above, for many at once.
#[test]
fn a_lost_reply_to_a_batch_of_posts_makes_each_contact_once() {
    let Some(book) = Book::open() else { return };
    book.world.limit(Duration::from_secs(120));
    book.world.disconnect();
    let names: Vec<String> = (0..12).map(|n| format!("Friend {n:02}")).collect();
    for name in &names {
        fs::write(book.mount.path(&format!("Contacts/{name}.vcf")), card(name)).unwrap();
    }
    book.world.reconnect();
    book.world
        .fail(Some("POST"), "batch", 2, FaultAction::DropAfter);
    book.settled();
    let mut there: Vec<String> = book
        .world
        .api()
        .contacts()
        .iter()
        .map(|c| c["displayName"].as_str().unwrap().to_owned())
        .collect();
    there.sort();
    assert_eq!(there, [vec!["Ada Byron".to_owned()], names].concat());
}

/// 7.3 "... sends nothing twice" to effect: the second attempt finds the contact as wanted.
#[test]
fn a_lost_reply_to_a_patch_is_no_clash() {
    let Some(book) = Book::open() else { return };
    lose_reply(&book, "PATCH");
    let text = book.save_phone("+44 2");
    book.await_writes(1);
    book.settled();
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!(
        (book.text(), book.names()),
        (text.clone(), vec![FILE.to_owned()])
    );
    let book = book.remount();
    book.mount.in_step();
    assert_eq!(book.text(), text);
}

/// 7.3 and 3.6: a save that may have arrived is not mistaken for a change made elsewhere by the one after it.
#[test]
fn a_lost_reply_to_a_patch_and_another_save_are_no_clash() {
    let Some(book) = Book::open() else { return };
    let text = book.text();
    lose_reply(&book, "PATCH");
    book.save_phone("+44 2");
    book.await_writes(1);
    assert_eq!(book.contact()["mobilePhone"], "+44 2", "it did arrive");
    book.world.disconnect();
    let text = text.replace("+44 1", "+44 3");
    fs::write(book.path(), &text).unwrap();
    book.world.reconnect();
    book.settled();
    assert_eq!(book.contact()["mobilePhone"], "+44 3");
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 7.3 and 6.4: nor by a deletion after it.
#[test]
fn a_lost_reply_to_a_patch_and_a_deletion_are_no_clash() {
    let Some(book) = Book::open() else { return };
    lose_reply(&book, "PATCH");
    book.save_phone("+44 2");
    book.await_writes(1);
    book.world.disconnect();
    fs::remove_file(book.path()).unwrap();
    book.world.reconnect();
    book.settled();
    assert_eq!(book.world.api().count(), 0);
    assert!(book.names().is_empty());
}

/// 7.3 as above, with a kill in between.
#[test]
fn a_lost_reply_to_a_patch_and_a_kill_are_no_clash() {
    let Some(book) = Book::open() else { return };
    let slow = FaultAction::Delay(Duration::from_millis(700));
    book.world.fail(Some("PATCH"), "/contacts", 1, slow);
    let text = book.save_phone("+44 2");
    book.met_failure();
    let book = book.killed(World::reconnect);
    book.settled();
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!((book.text(), book.names()), (text, vec![FILE.to_owned()]));
}

/// 7.3 as above.
#[test]
fn a_lost_reply_to_a_delete_is_the_end_of_it() {
    let Some(book) = Book::open() else { return };
    lose_reply(&book, "DELETE");
    fs::remove_file(book.path()).unwrap();
    book.await_writes(1);
    book.settled();
    assert_eq!(book.world.api().count(), 0);
    assert!(book.names().is_empty());
    let book = book.remount();
    assert!(book.names().is_empty());
}
