//! Contacts that move from folder to folder here, while replies get lost and they are edited elsewhere.

use std::fs;
use std::time::Duration;

use contactfs::sandbox::FaultAction;
use serde_json::{Value, json};

use super::{SOON, book, save_phone};
use crate::support::{Mount, World, eventually, id};

const HOME: &str = "Contacts/Ada Byron.vcf";
const WORK: &str = "Work/Ada Byron.vcf";

#[test]
fn a_move_whose_last_reply_is_lost_leaves_one_contact() {
    let Some((world, mount, _, folder)) = book() else {
        return;
    };
    world.fail(Some("DELETE"), "/contacts/", 3, FaultAction::DropAfter);
    fs::rename(
        mount.path("Contacts/Ada Byron.vcf"),
        mount.path("Work/Ada Byron.vcf"),
    )
    .unwrap();
    eventually(SOON, "the contact is in the other folder only", || {
        world.api().contacts_in(&folder).len() == 1 && world.api().count() == 1
    });
    mount.in_step();
    assert_eq!(world.api().count(), 1);
    assert_eq!(mount.list("Work"), ["Ada Byron.vcf"]);
    assert!(mount.list("Contacts").is_empty());
}

#[test]
fn a_change_made_elsewhere_during_a_move_is_not_lost() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    world.fail_with(Some("GET"), "/photo", 5, 503, "ServiceUnavailable");
    fs::rename(
        mount.path("Contacts/Ada Byron.vcf"),
        mount.path("Work/Ada Byron.vcf"),
    )
    .unwrap();
    eventually(SOON, "the copy is made", || world.api().count() == 2);
    world.api().patch(&contact, json!({"mobilePhone": "+44 9"}));
    world.clear_faults();
    eventually(SOON, "one contact with the change", || {
        let there = world.api().contacts_in(&folder);
        world.api().count() == 1 && there.len() == 1 && there[0]["mobilePhone"] == "+44 9"
    });
}

/// 4.9 "Moving a contact to another folder makes one contact there and none here ..."; 2.2 "A change seen by delta is
/// visible to the next stat/open/read": also of the copy that a move has just made.
#[test]
fn an_edit_of_the_copy_while_a_move_goes_on_shows_in_the_file() {
    let Some((world, mount, _, folder)) = book() else {
        return;
    };
    let held = FaultAction::Delay(Duration::from_secs(3));
    world.fail(Some("GET"), "/photo", 1, held);
    fs::rename(
        mount.path("Contacts/Ada Byron.vcf"),
        mount.path("Work/Ada Byron.vcf"),
    )
    .unwrap();
    let copy = eventually(SOON, "the copy is there", || {
        world.api().contacts_in(&folder).pop()
    });
    world
        .api()
        .patch(&id(&copy), json!({"mobilePhone": "+44 9"}));
    mount.in_step();
    let text = mount.read("Work/Ada Byron.vcf");
    assert!(text.contains("+44 9"), "{text}");
    assert_eq!(world.api().contacts().len(), 1);
}

/// Stops a move when its copy is made: the photo cannot be read. Returns the copy's id.
fn half_moved(world: &World, mount: &Mount, folder: &str) -> String {
    world.fail_with(Some("GET"), "/photo", u32::MAX, 503, "");
    fs::rename(mount.path(HOME), mount.path(WORK)).unwrap();
    eventually(SOON, "the copy is made", || world.api().count() == 2);
    id(&world.api().contacts_in(folder)[0])
}

/// The one contact that is left in the end.
fn settled(world: &World, mount: &Mount, folder: &str) -> Value {
    world.clear_faults();
    eventually(SOON, "one contact in its new folder", || {
        world.api().count() == 1 && world.api().contacts_in(folder).len() == 1
    });
    mount.in_step();
    assert_eq!(mount.list("Work"), ["Ada Byron.vcf"]);
    assert!(mount.list("Contacts").is_empty());
    world.api().contacts_in(folder).remove(0)
}

#[test]
fn edits_of_the_contact_and_of_its_copy_are_both_kept() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    let copy = half_moved(&world, &mount, &folder);
    let api = world.api();
    api.patch(&contact, json!({"jobTitle": "Countess", "companyName": ""}));
    api.patch(&copy, json!({"mobilePhone": "+44 9"}));
    let ada = settled(&world, &mount, &folder);
    assert_eq!(
        (&ada["jobTitle"], &ada["mobilePhone"]),
        (&json!("Countess"), &json!("+44 9"))
    );
    let text = mount.read(WORK);
    assert!(
        text.contains("Countess") && text.contains("+44 9"),
        "{text}"
    );
}

#[test]
fn a_save_behind_the_move_meets_both_edits() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    let copy = half_moved(&world, &mount, &folder);
    save_phone(&mount, WORK, "+44 2");
    let api = world.api();
    api.patch(&contact, json!({"jobTitle": "Countess"}));
    api.patch(&copy, json!({"companyName": "Engines"}));
    let ada = settled(&world, &mount, &folder);
    let said = ["mobilePhone", "jobTitle", "companyName"].map(|field| ada[field].clone());
    assert_eq!(said, ["+44 2", "Countess", "Engines"]);
}

/// Of two edits of one property one must lose; it is in the history.
#[test]
fn the_edit_that_loses_is_in_the_history() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    let copy = half_moved(&world, &mount, &folder);
    world.api().patch(&contact, json!({"jobTitle": "Countess"}));
    world.api().patch(&copy, json!({"jobTitle": "Engineer"}));
    let ada = settled(&world, &mount, &folder);
    assert_eq!(ada["jobTitle"], "Countess");
    let texts = versions(&world, &mount, WORK);
    assert!(
        texts.iter().any(|text| text.contains("Engineer")),
        "{texts:?}"
    );
}

/// The texts that a file has shown, and those that it never did.
fn versions(world: &World, mount: &Mount, file: &str) -> Vec<String> {
    let file = mount.path(file).to_str().unwrap().to_owned();
    let versions = world.run(&["history", "--json", &file]);
    let versions: Value = serde_json::from_str(&versions.out).unwrap();
    let text = |version: &Value| {
        let number = &version["version"];
        world.run(&["history", &format!("{file}@{number}")]).out
    };
    versions.as_array().unwrap().iter().map(text).collect()
}

/// A move that the service refuses half way leaves the contact where it was, and what its copy said meanwhile is kept.
#[test]
fn a_move_that_is_refused_leaves_one_contact() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    world
        .api()
        .put_photo(&contact, b"\xff\xd8\xff\xe0 small \xff\xd9");
    world.fail_with(Some("PUT"), "/photo", 6, 503, "");
    world.fail_with(Some("PUT"), "/photo", u32::MAX, 400, "ErrorInvalidImage");
    fs::rename(mount.path(HOME), mount.path(WORK)).unwrap();
    let copy = eventually(SOON, "the copy is made", || {
        world.api().contacts_in(&folder).pop()
    });
    let edited = json!({"jobTitle": "Engineer"});
    world.api().patch(&id(&copy), edited);
    eventually(SOON, "the contact is where it was", || {
        mount.list("Contacts").contains(&"Ada Byron.vcf".to_owned())
    });
    assert_eq!(world.api().count(), 1);
    assert!(world.api().get(&contact).is_some());
    let texts = versions(&world, &mount, HOME);
    assert!(
        texts.iter().any(|text| text.contains("Engineer")),
        "{texts:?}"
    );
}

/// The contact and its copy are edited once more after the copy has caught up.
#[test]
fn a_move_follows_edits_until_they_end() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    world.fail_with(Some("DELETE"), "/contacts/", u32::MAX, 503, "");
    fs::rename(mount.path(HOME), mount.path(WORK)).unwrap();
    let copy = eventually(SOON, "the copy is made", || {
        world.api().contacts_in(&folder).pop()
    });
    let (api, copy) = (world.api(), id(&copy));
    api.patch(&contact, json!({"jobTitle": "Countess"}));
    api.patch(&copy, json!({"mobilePhone": "+44 9"}));
    eventually(SOON, "the copy catches up", || {
        api.get(&copy).unwrap()["jobTitle"] == "Countess"
    });
    api.patch(&contact, json!({"department": "Engines"}));
    api.patch(&copy, json!({"mobilePhone": "+44 10"}));
    let ada = settled(&world, &mount, &folder);
    let said = ["mobilePhone", "jobTitle", "department"].map(|field| ada[field].clone());
    assert_eq!(said, ["+44 10", "Countess", "Engines"]);
}
