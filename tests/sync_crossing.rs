//! What is done here and what is done elsewhere cross each other, and replies get lost: nothing is doubled or lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "sync_crossing/folders.rs"]
mod folders;
#[path = "sync_crossing/moves.rs"]
mod moves;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use contactfs::sandbox::FaultAction;
use serde_json::{Value, json};

use support::{Mount, World, eventually, fuse_or_skip, id};

const SOON: Duration = Duration::from_secs(30);
const FAST: &[&str] = &["--poll-interval", "1s"];

fn ada(world: &World) -> Value {
    world.api().create(json!({
        "givenName": "Ada", "surname": "Byron", "displayName": "Ada Byron", "mobilePhone": "+44 1",
    }))
}

/// A mount with one contact and a folder beside.
fn book() -> Option<(World, Mount, String, String)> {
    if !fuse_or_skip() {
        return None;
    }
    let world = World::new();
    let contact = id(&ada(&world));
    let folder = world.api().create_folder("Work");
    let mount = world.mount(FAST);
    assert_eq!(mount.list("Contacts"), ["Ada Byron.vcf"]);
    assert!(mount.list("Work").is_empty());
    mount.in_step();
    Some((world, mount, contact, folder))
}

fn save_phone(mount: &Mount, file: &str, phone: &str) {
    let text = mount.read(file);
    fs::write(mount.path(file), text.replace("+44 1", phone)).unwrap();
}

#[test]
fn a_refused_mailbox_is_not_asked_without_pause() {
    let Some((world, _mount, ..)) = book() else {
        return;
    };
    world.fail_with(
        Some("GET"),
        "/contactFolders/contacts?",
        u32::MAX,
        403,
        "ErrorAccessDenied",
    );
    world.clear_log();
    std::thread::sleep(Duration::from_secs(3));
    let asked = world.log().len();
    world.clear_faults();
    assert!(asked < 30, "{asked} requests in three seconds");
}

#[test]
fn a_contact_edited_here_and_moved_elsewhere_is_one_contact() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    world.disconnect();
    save_phone(&mount, "Contacts/Ada Byron.vcf", "+44 2");
    world.api().move_to(&contact, &folder);
    world.reconnect();
    eventually(SOON, "the change is saved", || {
        world
            .api()
            .get(&contact)
            .is_some_and(|there| there["mobilePhone"] == "+44 2")
    });
    eventually(SOON, "the file is in the other directory", || {
        mount.list("Work") == ["Ada Byron.vcf"]
    });
    assert_eq!(world.api().count(), 1);
    assert!(mount.read("Work/Ada Byron.vcf").contains("+44 2"));
    assert!(mount.list("Contacts").is_empty());
}

#[test]
fn an_unmount_waits_for_what_is_under_way() {
    let Some((world, mount, ..)) = book() else {
        return;
    };
    world.fail(
        Some("POST"),
        "/contacts",
        1,
        FaultAction::Delay(Duration::from_secs(2)),
    );
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bob\r\nN:;Bob;;;\r\nEND:VCARD\r\n";
    fs::write(mount.path("Contacts/Bob.vcf"), card).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    mount.unmount();
    assert_eq!(world.api().count(), 2);
    let mount = world.mount(FAST);
    mount.in_step();
    assert_eq!(world.api().count(), 2);
    assert_eq!(mount.list("Contacts"), ["Ada Byron.vcf", "Bob.vcf"]);
}

#[test]
fn a_sync_after_an_outage_sends_what_waits() {
    let Some((world, mount, contact, _)) = book() else {
        return;
    };
    world.disconnect();
    save_phone(&mount, "Contacts/Ada Byron.vcf", "+44 2");
    eventually(SOON, "the outage is noticed", || {
        mount.status().to_string().contains("offline")
    });
    world.reconnect();
    let synced = mount.sync();
    let there = world.api().get(&contact).unwrap();
    assert_eq!(there["mobilePhone"], "+44 2", "{synced:?}");
}

#[test]
fn a_stop_ends_a_sync_that_waits() {
    let Some((world, mount, ..)) = book() else {
        return;
    };
    world.fail_with(Some("PATCH"), "/contacts/", u32::MAX, 500, "UnknownError");
    save_phone(&mount, "Contacts/Ada Byron.vcf", "+44 2");
    let mut sync = world
        .command(&["sync", mount.dir().to_str().unwrap()])
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    mount.terminate();
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(sync.wait());
}

#[test]
fn files_in_a_folder_that_the_service_refuses_are_kept() {
    let Some((world, mount, ..)) = book() else {
        return;
    };
    world.fail_with(
        Some("POST"),
        "/contactFolders",
        1,
        400,
        "ErrorInvalidRequest",
    );
    world.fail(
        Some("POST"),
        "/contactFolders",
        0,
        FaultAction::Delay(Duration::ZERO),
    );
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bob\r\nN:;Bob;;;\r\nEND:VCARD\r\n";
    fs::create_dir(mount.path("New")).unwrap();
    if fs::write(mount.path("New/Bob.vcf"), card).is_err() {
        return; // Refused faster than written: nothing was acknowledged.
    }
    eventually(SOON, "the contact is made", || world.api().count() == 2);
    eventually(SOON, "it is shown in the default folder", || {
        mount.list("Contacts") == ["Ada Byron.vcf", "Bob.vcf"]
    });
    assert!(!mount.path("New").exists());
}

#[test]
fn a_contact_that_cannot_be_read_does_not_keep_others_from_being_fresh() {
    let Some((world, mount, contact, _)) = book() else {
        return;
    };
    let bob = world.api().create(json!({
        "givenName": "Bob", "displayName": "Bob", "mobilePhone": "+44 5",
    }));
    eventually(SOON, "the other contact is shown", || {
        mount.list("Contacts").len() == 2
    });
    world.api().patch(&contact, json!({"mobilePhone": "+44 8"}));
    world
        .api()
        .patch(&id(&bob), json!({"mobilePhone": "+44 9"}));
    let path = format!("/contacts/{contact}?");
    world.fail_with(Some("GET"), &path, u32::MAX, 400, "ErrorInvalidRequest");
    eventually(SOON, "the other contact is fresh", || {
        mount.read("Contacts/Bob.vcf").contains("+44 9")
    });
}

#[test]
fn what_a_round_deletes_and_moves_ends_where_it_is() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    for _ in 0..3 {
        world.api().move_to(&contact, &folder);
        world.api().move_to(&contact, "contacts");
    }
    world.api().control("POST", "delta/expire", &json!({}));
    mount.in_step();
    assert_eq!(mount.list("Contacts"), ["Ada Byron.vcf"]);
    assert!(mount.list("Work").is_empty());
    world.api().move_to(&contact, &folder);
    eventually(SOON, "the file follows", || {
        mount.list("Work") == ["Ada Byron.vcf"] && mount.list("Contacts").is_empty()
    });
    world.api().delete(&contact);
    eventually(SOON, "the file goes", || mount.list("Work").is_empty());
}
