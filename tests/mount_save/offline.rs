//! Work goes on without the network, and many changes travel together.

use std::fs;
use std::thread;
use std::time::Duration;

use contactfs::sandbox::{FaultAction, LogEntry, Options};
use serde_json::json;

use super::book::{ADA, Book, FILE, OUTAGE, SOON, card};
use crate::support::eventually;

/// Waits until the program has noticed.
#[track_caller]
pub(super) fn await_connection(book: &Book, state: &str) {
    eventually(OUTAGE, &format!("the connection is {state}"), || {
        book.mount.status()["mounts"][0]["connection"]["state"] == state
    });
}

/// Waits, without asking the program for anything, until it has sent so many changes that were carried out.
#[track_caller]
fn await_accepted(book: &Book, count: usize) {
    eventually(OUTAGE, "the service has the changes", || {
        let writes = book.world.writes();
        writes
            .iter()
            .filter(|write| write.status / 100 == 2)
            .count()
            >= count
    });
}

/// 3.6 "Saves of one contact that have not been sent yet are merged into one PATCH."; 7.1 "pending work waits in the
/// outbox, shown by status and xattr, and is sent in order when the network is back, without a remount."
#[test]
fn saves_without_a_network_are_one_patch_when_it_is_back() {
    let Some(book) = Book::open() else { return };
    book.world.limit(Duration::from_secs(120));
    book.world.disconnect();
    book.save_phone("+44 1000");
    await_connection(&book, "offline");
    for phone in ["+44 1001", "+44 1002", "+44 2"] {
        let text = book.text();
        let line = text.lines().find(|line| line.starts_with("TEL")).unwrap();
        fs::write(
            book.path(),
            text.replace(line, &format!("TEL;TYPE=cell:{phone}")),
        )
        .unwrap();
    }
    // Two for a moment, if a save came while the one before was being tried.
    eventually(SOON, "one change of the contact is pending", || {
        let pending = book.mount.status()["mounts"][0]["pending"].take();
        pending.as_array().unwrap().len() == 1 && pending[0]["path"] == ADA
    });
    let text = book.text();
    book.world.clear_log();
    book.world.reconnect();
    await_accepted(&book, 1);
    book.saved(&text);
}

/// With a service that can be stopped: connections are refused, so nothing was sent for sure.
#[track_caller]
fn lasting(data: &tempfile::TempDir) -> Option<Book> {
    let options = Options {
        data: Some(data.path().to_owned()),
        ..Options::default()
    };
    let book = Book::with(&[], options)?;
    book.world.limit(Duration::from_secs(120));
    Some(book)
}

/// 7.1 "With no network everything in sections 1-6 goes on".
#[test]
fn a_refused_connection_is_no_error_to_anybody() {
    let data = tempfile::tempdir().unwrap();
    let Some(book) = lasting(&data) else { return };
    book.world.stop_service();
    let text = book.save_phone("+44 2");
    fs::write(book.mount.path("Contacts/Bo.vcf"), card("Bo")).unwrap();
    fs::create_dir(book.mount.path("Work")).unwrap();
    fs::write(book.mount.path("Work/Cy.vcf"), card("Cy")).unwrap();
    await_connection(&book, "offline");
    assert_eq!(book.names(), [FILE, "Bo.vcf"]);
    book.world.start_service();
    await_accepted(&book, 4);
    book.settled();
    let api = book.world.api();
    let work = api.folder("Work").unwrap();
    assert_eq!(
        (
            api.contacts_in(&work).len(),
            api.contacts_in("contacts").len()
        ),
        (1, 2)
    );
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    let methods: Vec<_> = book
        .world
        .writes()
        .into_iter()
        .map(|write| write.method)
        .collect();
    assert_eq!(methods.len(), 4, "{methods:?}");
    assert_eq!(
        (book.text(), book.mount.read("Work/Cy.vcf")),
        (text, card("Cy"))
    );
}

/// 3.6 as above, for a new contact: it is made as it was saved last.
#[test]
fn saves_of_a_contact_not_yet_made_are_one_post() {
    let data = tempfile::tempdir().unwrap();
    let Some(book) = lasting(&data) else { return };
    let bo = book.mount.path("Contacts/Bo.vcf");
    book.world.stop_service();
    fs::write(&bo, card("Bo")).unwrap();
    await_connection(&book, "offline");
    let text = card("Bo").replace("END:", "TITLE:Boss\r\nEND:");
    fs::write(&bo, &text).unwrap();
    book.world.start_service();
    await_accepted(&book, 1);
    let body = book.one_write("POST");
    assert_eq!(body["jobTitle"], "Boss");
    assert_eq!(fs::read_to_string(&bo).unwrap(), text);
}

/// 3.6 "Saves are sent in order per contact".
#[test]
fn saves_while_others_are_under_way_arrive_in_order() {
    let Some(book) = Book::open() else { return };
    let slow = FaultAction::Delay(Duration::from_millis(250));
    book.world.fail(Some("PATCH"), "/contacts", 99, slow);
    let text = book.text();
    let with = |phone: u32| text.replace("+44 1", &format!("+44 {phone}"));
    for phone in 2..12 {
        fs::write(book.path(), with(phone)).unwrap();
        // The pace of somebody who saves again and again, not a wait for anything.
        thread::sleep(Duration::from_millis(70));
    }
    assert_eq!(book.text(), with(11));
    book.settled();
    assert_eq!(
        (book.text(), book.names()),
        (with(11), vec![FILE.to_owned()])
    );
    let patches = book.world.patches();
    let sent: Vec<String> = patches
        .iter()
        .map(|patch| {
            patch.request.as_ref().unwrap()["mobilePhone"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let mut sorted = sent.clone();
    sorted.sort_by_key(|phone| phone[4..].parse::<u32>().unwrap());
    sorted.dedup();
    assert_eq!(sent, sorted, "in order, none twice");
    assert!(
        sent.len() > 1 && sent.last().unwrap() == "+44 11",
        "{sent:?}"
    );
    assert!(
        patches.iter().all(|patch| patch.status == 200),
        "{patches:#?}"
    );
    assert_eq!(book.contact()["mobilePhone"], "+44 11");
}

fn members(entry: &LogEntry) -> usize {
    let body = entry.request.as_ref().unwrap();
    body["requests"].as_array().unwrap().len()
}

/// 3.6 "many small ones travel in $batch of up to 20."
#[test]
fn many_changed_cards_travel_in_batches_of_twenty() {
    let Some(book) = Book::open() else { return };
    book.world.limit(Duration::from_secs(120));
    let names: Vec<String> = (0..45).map(|n| format!("Friend {n:02}")).collect();
    for name in &names {
        let (given, surname) = name.split_once(' ').unwrap();
        book.world
            .api()
            .create(json!({"givenName": given, "surname": surname, "displayName": name}));
    }
    book.calm();
    let outside = book.world.dir().join("changed");
    fs::create_dir(&outside).unwrap();
    for name in &names {
        let file = format!("{name}.vcf");
        let text = book.mount.read(&format!("Contacts/{file}"));
        fs::write(
            outside.join(&file),
            text.replace("END:", "TITLE:Friend\r\nEND:"),
        )
        .unwrap();
    }
    book.world.disconnect();
    book.sh(&format!("cp '{}'/*.vcf .", outside.display())).ok();
    await_connection(&book, "offline");
    book.world.clear_log();
    book.world.reconnect();
    book.settled();
    let patches = book.world.patches();
    assert_eq!(patches.len(), 45);
    let body = Some(json!({"jobTitle": "Friend"}));
    assert!(
        patches
            .iter()
            .all(|patch| patch.status == 200 && patch.request == body),
        "{patches:#?}"
    );
    // The card that met the outage was tried before there were others.
    let alone = patches.iter().filter(|patch| patch.batch.is_none()).count();
    assert!(alone <= 2, "{alone} travelled alone");
    let mut batches: Vec<usize> = book
        .world
        .log()
        .iter()
        .filter(|entry| entry.path.ends_with("/$batch"))
        .map(members)
        .collect();
    batches.retain(|size| *size > 1);
    assert!(batches.iter().all(|size| *size <= 20), "{batches:?}");
    // Versions and changes, three batches each, and one that asks for news.
    assert!(batches.len() <= 8, "{batches:?}");
    book.sh(&format!(
        "diff -r --exclude '{FILE}' . '{}'",
        outside.display()
    ))
    .ok();
}

/// As above with the service at hand: the first card need not wait for the others, and the others need not go one by one.
#[test]
fn many_changed_cards_travel_together_while_they_come() {
    let Some(book) = Book::with(
        &[],
        Options {
            latency: Duration::from_millis(50),
            ..Options::default()
        },
    ) else {
        return;
    };
    for n in 0..45 {
        fs::write(
            book.world.dir().join(format!("Friend {n}.vcf")),
            card(&format!("Friend {n}")),
        )
        .unwrap();
    }
    book.sh(&format!(
        "cp '{}'/Friend*.vcf .",
        book.world.dir().display()
    ))
    .ok();
    book.settled();
    let posts = book.world.writes();
    assert_eq!((posts.len(), book.world.api().count()), (45, 46));
    let batches = book
        .world
        .log()
        .iter()
        .filter(|entry| entry.path.ends_with("/$batch"))
        .count();
    let alone = posts.iter().filter(|post| post.batch.is_none()).count();
    assert!(batches + alone <= 15, "{batches} batches and {alone} alone");
}

/// 7.2 "429 and 503 are obeyed": a save that meets them is sent again, and is no error to its writer.
#[test]
fn a_throttled_save_arrives_later() {
    let Some(book) = Book::open() else { return };
    book.world.limit(Duration::from_secs(120));
    let text = book.with_phone("+44 2");
    let action = FaultAction::Status {
        code: 429,
        error_code: "ApplicationThrottled".into(),
        retry_after: Some(1),
        empty_body: false,
    };
    book.world.fail(Some("PATCH"), "/contacts", 2, action);
    fs::write(book.path(), &text).unwrap();
    book.await_writes(3);
    book.settled();
    let statuses: Vec<u16> = book
        .world
        .patches()
        .iter()
        .map(|patch| patch.status)
        .collect();
    assert_eq!(statuses, [429, 429, 200]);
    let times: Vec<u64> = book
        .world
        .patches()
        .iter()
        .map(|patch| patch.at_ms)
        .collect();
    assert!(
        times.windows(2).all(|pair| pair[1] - pair[0] >= 1000),
        "{times:?}"
    );
    assert_eq!(book.text(), text);
}

/// 4.4 "... becomes DELETE (to Deleted Items) after a grace of 2 s (--delete-grace)."
#[test]
fn the_grace_can_be_chosen() {
    let Some(book) = Book::with(&["--delete-grace", "100ms"], Options::default()) else {
        return;
    };
    fs::remove_file(book.path()).unwrap();
    eventually(SOON, "the contact is deleted", || {
        !book.world.writes().is_empty()
    });
    let Some(long) = Book::with(&["--delete-grace", "1h"], Options::default()) else {
        return;
    };
    fs::remove_file(long.path()).unwrap();
    fs::write(long.path(), card("Ada Byron")).unwrap();
    long.one_write("PATCH");
}
