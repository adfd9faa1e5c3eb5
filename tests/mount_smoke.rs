//! The first thing anybody does: mount, look around, read a card, unmount.

mod support;
#[path = "mount_smoke/system.rs"]
mod system;

use serde_json::json;

use support::{Tmux, World, fuse_or_skip, need};

#[test]
fn a_mailbox_is_mounted_read_and_unmounted() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.api().create(json!({
        "givenName": "Ada", "surname": "Byron", "displayName": "Ada Byron", "mobilePhone": "+44 1",
    }));
    let mount = world.mount(&[]);
    assert_eq!(mount.list(""), ["Contacts"]);
    assert_eq!(mount.list("Contacts"), ["Ada Byron.vcf"]);
    let card = mount.read("Contacts/Ada Byron.vcf");
    assert!(card.starts_with("BEGIN:VCARD\r\nVERSION:4.0\r\n"), "{card}");
    assert!(card.contains("FN:Ada Byron\r\n"), "{card}");
    mount.in_step();
    assert_eq!(mount.status()["mounts"][0]["connection"]["state"], "online");
    assert_eq!(world.writes(), []);
    mount.unmount();
}

#[test]
fn a_killed_mount_is_cleared_by_the_next() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    let before = mount.list("Contacts");
    assert!(!before.is_empty());
    mount.kill9();
    let mount = world.mounting().client_credentials().start();
    assert_eq!(mount.list("Contacts"), before);
    mount.terminate();
}

#[test]
fn a_card_saved_in_vim_reaches_the_service_as_one_change() {
    if !fuse_or_skip() || !need("tmux") || !need("vim") {
        return;
    }
    let world = World::new();
    let api = world.api();
    api.create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(&[]);
    let vim = Tmux::vim(&mount.path("Contacts/Ada.vcf"));
    vim.wait_for("FN:Ada");
    vim.keys(&["/END:VCARD", "Enter", "O"]);
    vim.text("TITLE:Countess");
    vim.keys(&["Escape", ":wq", "Enter"]);
    vim.wait_end();
    api.await_contact("Ada", |ada| ada["jobTitle"] == "Countess");
    mount.in_step();
    assert_eq!((world.patches().len(), world.writes().len()), (1, 1));
    assert_eq!(mount.list("Contacts"), ["Ada.vcf"]);
    mount.unmount();
}
