//! The end of a mount: what is queued is sent, what cannot be sent stays and is said.

use std::fs;

use super::book::{ADA, Book, FILE, card};

/// 7.4 "umount drains what it can within 10 s".
#[test]
fn umount_sends_what_is_queued() {
    let Some(book) = Book::open() else { return };
    fs::write(book.mount.path("Contacts/Bo.vcf"), card("Bo")).unwrap();
    fs::remove_file(book.path()).unwrap();
    let Book { mount, world, .. } = book;
    let run = mount.unmount();
    assert_eq!(run.err, "");
    let contacts = world.api().contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(contacts[0]["displayName"], "Bo");
}

/// 7.4 "the rest stays queued for the next mount and is said so."
#[test]
fn umount_says_what_stays_queued() {
    let Some(book) = Book::open() else { return };
    book.world.disconnect();
    let text = book.save_phone("+44 2");
    fs::write(book.mount.path("Contacts/Bo.vcf"), card("Bo")).unwrap();
    let Book { mount, world, id } = book;
    let run = mount.unmount();
    assert!(
        run.err.contains("2 changes wait for the next mount"),
        "{run:?}"
    );
    assert!(
        run.err.contains(ADA) && run.err.contains("Contacts/Bo.vcf"),
        "{run:?}"
    );
    world.reconnect();
    world.clear_log();
    let mount = world.mount(&[]);
    let book = Book { mount, world, id };
    assert_eq!(
        (book.text(), book.names()),
        (text, vec![FILE.to_owned(), "Bo.vcf".to_owned()])
    );
    book.await_writes(2);
    book.settled();
    assert_eq!(book.world.writes().len(), 2);
    assert_eq!(
        (
            book.contact()["mobilePhone"].as_str(),
            book.world.api().count()
        ),
        (Some("+44 2"), 2)
    );
}

/// 7.3: one process has the store. When `umount` is done that is none any more, so the next mount is not refused (75).
#[test]
fn what_was_unmounted_can_be_mounted_again_at_once() {
    let Some(book) = Book::open() else { return };
    let Book {
        mut mount, world, ..
    } = book;
    for _ in 0..5 {
        let run = world.run(&["umount", mount.dir().to_str().unwrap()]);
        assert_eq!(run.code, 0, "{run:?}");
        mount.ended_before();
        let next = world.mount(&[]);
        drop(mount);
        mount = next;
    }
    mount.unmount();
}

/// 7.4 as above, when the end comes as a signal.
#[test]
fn sigterm_sends_what_is_queued() {
    let Some(book) = Book::open() else { return };
    book.save_phone("+44 2");
    let Book { mount, world, id } = book;
    mount.terminate();
    assert_eq!(world.api().get(&id).unwrap()["mobilePhone"], "+44 2");
}
