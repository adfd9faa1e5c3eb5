//! What the service cuts in lists and deltas is shown whole (graph-facts 1.6).

use std::fs;

use serde_json::json;

use super::{OFTEN, SOON, unfolded};
use crate::support::{World, eventually, fuse_or_skip, id, residue};

/// Notes that begin with a line break are cut to 256 characters in lists and deltas.
#[test]
fn long_notes_are_whole() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let notes = format!("\r\n{}\r\nthe end", "0123456789".repeat(40));
    let ada =
        id(&api.create(json!({"givenName": "Ada", "displayName": "Ada", "personalNotes": notes})));
    let mount = world.mount(OFTEN);
    let whole = |card: &str| {
        let card = unfolded(card);
        card.contains(&"0123456789".repeat(40)) && card.contains("the end")
    };
    let card = mount.read("Contacts/Ada.vcf");
    assert!(whole(&card), "{card}");
    api.patch(&ada, json!({"nickName": "A"}));
    eventually(SOON, "the change is seen", || {
        mount.read("Contacts/Ada.vcf").contains("NICKNAME:A")
    });
    let card = mount.read("Contacts/Ada.vcf");
    assert!(whole(&card), "after a change elsewhere: {card}");
    let bo =
        id(&api.create(json!({"givenName": "Bo", "displayName": "Bo", "personalNotes": notes})));
    eventually(SOON, "Bo is there", || mount.list("Contacts").len() == 2);
    assert!(whole(&mount.read("Contacts/Bo.vcf")), "come by delta");
    mount.in_step();
    assert_eq!(world.writes(), []);
    assert_eq!(api.get(&bo).unwrap()["personalNotes"], notes.as_str());
}

/// Lines that Graph cannot hold travel in the residue property, which lists cut to 255 characters: another machine shows
/// the very same card.
#[test]
fn a_long_residue_is_whole_on_another_machine() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    api.create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(OFTEN);
    let extra = format!("X-LONG:{}\r\nX-LAST:the end\r\n", "0123456789".repeat(60));
    let edited = mount
        .read("Contacts/Ada.vcf")
        .replace("END:VCARD", &format!("{extra}END:VCARD"));
    fs::write(mount.path("Contacts/Ada.vcf"), &edited).unwrap();
    mount.in_step();
    let sent = api.contact("Ada").unwrap();
    assert!(residue(&sent).len() > 600, "{}", residue(&sent));
    let fresh = world
        .mounting()
        .at("fresh")
        .state("fresh-state")
        .args(OFTEN)
        .start();
    let card = unfolded(&fresh.read("Contacts/Ada.vcf"));
    for line in extra.lines() {
        assert!(
            card.lines().any(|there| there == line),
            "{line} is missing in\n{card}"
        );
    }
    api.patch(&id(&sent), json!({"nickName": "A"}));
    for mount in [&mount, &fresh] {
        eventually(SOON, "the change is seen", || {
            mount.read("Contacts/Ada.vcf").contains("NICKNAME:A")
        });
        let card = unfolded(&mount.read("Contacts/Ada.vcf"));
        assert!(card.contains(&extra), "after a change elsewhere:\n{card}");
    }
}
