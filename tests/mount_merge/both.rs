//! Changes of different properties, here and elsewhere.

use std::fs::{self, File};
use std::io::Write;

use serde_json::json;

use super::book::{Book, FILE, SOON};
use super::{save, shows, state, with};
use crate::support::{eventually, id, residue};

/// 3.7 "three-way merge per property of base, ours, theirs. No overlap: the merged card is sent and the file shows it."
#[test]
fn a_save_of_a_contact_changed_elsewhere_holds_both_changes() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    save(&book, &text).unwrap();
    let merged = text.replace("TITLE:Analyst", "TITLE:Poet");
    shows(&book, &merged);
    assert_eq!(state(&book), "synced");
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!(book.names(), [FILE]);
    assert_eq!(book.contact()["jobTitle"], "Poet");
    let book = book.remount();
    shows(&book, &merged);
}

/// 3.7 as above, when delta brings the change while the save waits.
#[test]
fn a_change_fetched_while_a_save_waits_is_merged_with_it() {
    let Some(book) = Book::open() else { return };
    book.world.disconnect();
    let text = book.save_phone("+44 2");
    let book = book.killed(|world| {
        world.reconnect();
        let ada = world.api().contact("Ada Byron").unwrap();
        world
            .api()
            .patch(&id(&ada), json!({"personalNotes": "theirs"}));
        // The first look at what changed comes before the save is sent.
        world.fail_with(Some("PATCH"), "/contacts", 2, 503, "ServiceUnavailable");
        world.clear_log();
    });
    book.settled();
    shows(&book, &text.replace("NOTE:first line", "NOTE:theirs"));
    let contact = book.contact();
    assert_eq!(
        (&contact["mobilePhone"], &contact["personalNotes"]),
        (&json!("+44 2"), &json!("theirs"))
    );
    let mut sent = book.world.patches();
    sent.retain(|entry| entry.status == 200);
    let sent: Vec<_> = sent
        .iter()
        .map(|entry| entry.request.clone().unwrap())
        .collect();
    assert_eq!(sent, [json!({"mobilePhone": "+44 2"})]);
}

/// 6.1 "lists by element: adding different phone numbers on both sides is not a conflict".
#[test]
fn numbers_added_here_and_there_are_both_kept() {
    let Some(book) = Book::open() else { return };
    let ours = with(
        &book,
        "TEL;TYPE=cell",
        "TEL;TYPE=work:+44 7\r\nX-HERE:1\r\nTEL;TYPE=cell",
    );
    let there = json!({"businessPhones": ["+44 8"], "categories": ["Poets"]});
    book.world.api().patch(&book.id, there);
    save(&book, &ours).unwrap();
    book.mount.in_step();
    eventually(SOON, "the merged card is shown", || {
        book.text().contains("+44 8")
    });
    let text = book.text();
    for line in [
        "TEL;TYPE=work:+44 7",
        "TEL;TYPE=work:+44 8",
        "X-HERE:1",
        "CATEGORIES:Poets",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    let contact = book.contact();
    assert_eq!(contact["businessPhones"].as_array().unwrap().len(), 2);
    assert!(residue(&contact).contains("X-HERE:1"), "{contact}");
    assert_eq!(
        (state(&book), book.names()),
        ("synced".to_owned(), vec![FILE.to_owned()])
    );
}

/// 2.3 "a write through such a handle is merged (3.7), not lost."
#[test]
fn a_write_through_a_handle_that_is_older_than_the_news_is_merged() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let mut file = File::options().write(true).open(book.path()).unwrap();
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    book.mount.in_step();
    book.world.clear_log();
    file.set_len(0).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
    let merged = text.replace("TITLE:Analyst", "TITLE:Poet");
    shows(&book, &merged);
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    // And once more through the same handle, which has seen nothing of the merge.
    file.set_len(0).unwrap();
    let once_more = text.replace("NOTE:first line", "NOTE:second");
    std::os::unix::fs::FileExt::write_all_at(&file, once_more.as_bytes(), 0).unwrap();
    drop(file);
    book.mount.in_step();
    assert_eq!(
        book.text(),
        merged.replace("NOTE:first line", "NOTE:second")
    );
    assert_eq!(book.contact()["jobTitle"], "Poet");
    assert_eq!(book.names(), [FILE]);
}

/// 2.3 as above, when the news comes between the first write and the last.
#[test]
fn news_that_come_while_a_text_is_written_are_merged_with_it() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let mut file = File::create(book.path()).unwrap();
    file.write_all(&text.as_bytes()[..40]).unwrap();
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    book.mount.sync();
    file.write_all(&text.as_bytes()[40..]).unwrap();
    file.sync_all().unwrap();
    shows(&book, &text.replace("TITLE:Analyst", "TITLE:Poet"));
    assert_eq!(book.contact()["jobTitle"], "Poet");
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert_eq!(book.names(), [FILE]);
}

/// 3.7 as above, with further saves while the first is under way.
#[test]
fn saves_that_follow_one_under_way_are_merged_as_well() {
    let Some(book) = Book::open() else { return };
    let slow = contactfs::sandbox::FaultAction::Delay(std::time::Duration::from_millis(700));
    book.world.fail(Some("GET"), "changeKey", 1, slow);
    let first = book.save_phone("+44 2");
    book.met_failure();
    let second = first.replace("NOTE:first line", "NOTE:ours");
    fs::write(book.path(), &second).unwrap();
    book.world
        .api()
        .patch(&book.id, json!({"jobTitle": "Poet"}));
    book.settled();
    shows(&book, &second.replace("TITLE:Analyst", "TITLE:Poet"));
    let contact = book.contact();
    let values = ["mobilePhone", "personalNotes", "jobTitle"].map(|name| contact[name].clone());
    assert_eq!(values, ["+44 2", "ours", "Poet"].map(|value| json!(value)));
    assert_eq!(book.names(), [FILE]);
}

/// 1.5 "it changes only when the user renames the file or the contact's displayName changes elsewhere."
#[test]
fn a_name_changed_elsewhere_names_the_file_of_a_merged_save() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let there = json!({"displayName": "Ada King", "surname": "King"});
    book.world.api().patch(&book.id, there);
    save(&book, &text).unwrap();
    book.mount.in_step();
    book.lists(&["Ada King.vcf"]);
    let text = super::read(&book, "Ada King.vcf");
    assert!(
        text.contains("FN:Ada King") && text.contains("+44 2"),
        "{text}"
    );
}
