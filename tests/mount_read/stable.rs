//! What nobody changed stays as it is: inode, mtime, name and bytes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use contactfs::sandbox::{DeltaExpiry, FaultAction, LogEntry, Options};
use serde_json::{Value, json};

use super::{Seen, photograph};
use crate::support::{Mount, World, fuse_or_skip, id};

/// "Inode numbers survive a new mount", and so do names, sizes, times and bytes.
#[test]
fn a_remount_changes_nothing() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    let before = photograph(mount.dir());
    assert_eq!(before.len(), world.api().contacts().len());
    mount.in_step();
    mount.unmount();
    let mount = world.mount(&[]);
    assert_eq!(photograph(mount.dir()), before);
    mount.in_step();
    assert_eq!(photograph(mount.dir()), before);
    mount.kill9();
    let mount = world.mount(&[]);
    assert_eq!(photograph(mount.dir()), before);
}

/// "If the service cannot continue where it left off, a folder is read in full again. Contacts that did not change keep
/// their inode, name, time and bytes": refused with 410.
#[test]
fn a_token_lost_with_410_changes_nothing() {
    token_lost(410, |world, _| {
        world.api().control("POST", "delta/expire", &Value::Null);
    });
}

/// As above, refused with 400.
#[test]
fn a_token_lost_with_400_changes_nothing() {
    token_lost(400, |world, folders| {
        let action = FaultAction::ExpireDelta(DeltaExpiry::BadToken);
        world.fail(None, "delta", folders, action);
    });
}

/// Loses the tokens of that many folders; one contact was changed meanwhile, one deleted and one added.
fn token_lost(status: u16, lose: impl Fn(&World, u32)) {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let api = world.api();
    let [changed, deleted] = ["Changed", "Deleted"]
        .map(|name| id(&api.create(json!({"givenName": name, "displayName": name}))));
    let mount = world.mount(&[]);
    let mut before = photograph(mount.dir());
    mount.unmount();
    api.patch(&changed, json!({"nickName": "C"}));
    api.delete(&deleted);
    api.create(json!({"givenName": "Added", "displayName": "Added"}));
    world.clear_log();
    lose(&world, api.folders().len() as u32 + 1);
    let mount = world.mount(&[]);
    mount.in_step();
    let refused = |entry: &LogEntry| entry.path.contains("/delta") && entry.status == status;
    assert!(world.log().iter().any(refused));
    assert_read_anew(&world);
    let mut after = photograph(mount.dir());
    let new = after.remove("/Contacts/Changed.vcf").unwrap();
    let old = before.remove("/Contacts/Changed.vcf").unwrap();
    assert!(new.2 > old.2 && new.3 != old.3);
    before.remove("/Contacts/Deleted.vcf").unwrap();
    after.remove("/Contacts/Added.vcf").unwrap();
    assert_eq!(after, before);
}

/// The service was asked for whole folders again.
fn assert_read_anew(world: &World) {
    let log = world.log();
    let anew = |path: &str| path.contains("/contacts/delta") && !path.contains("token=");
    assert!(
        log.iter().any(|entry| anew(&entry.path)),
        "no folder was read again"
    );
}

/// "And nothing disappears before the last page."
#[test]
fn nothing_disappears_while_a_folder_is_read_again() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        empty: true,
        contacts: Some(700),
        ..Options::default()
    });
    let mount = world.mount(&[]);
    let before = mount.list("Contacts");
    assert_eq!(before.len(), 700);
    mount.in_step();
    world.clear_log();
    world.api().control("POST", "delta/expire", &Value::Null);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            mount.in_step();
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            assert_eq!(mount.list("Contacts").len(), 700);
        }
    });
    assert_read_anew(&world);
    assert_eq!(mount.list("Contacts"), before);
}

/// The service leaves pages empty, repeats rows and changes their order: after many rounds with many changes, this mount
/// shows what a fresh one shows.
#[test]
fn a_mount_that_followed_shows_what_a_fresh_one_shows() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        empty: true,
        contacts: Some(40),
        ..Options::default()
    });
    let api = world.api();
    let mount = world.mount(&[]);
    let ids: Vec<String> = api.contacts().iter().map(id).collect();
    for round in 0..12 {
        for contact in ids.iter().skip(12 + round).step_by(3) {
            api.patch(contact, json!({"nickName": format!("round {round}")}));
        }
        api.delete(&ids[round]);
        api.create(json!({"givenName": "New", "displayName": format!("New {round}")}));
        mount.in_step();
    }
    let fresh = world.mounting().at("fresh").state("fresh-state").start();
    assert_eq!(cards(&mount), cards(&fresh));
}

fn cards(mount: &Mount) -> BTreeMap<String, String> {
    let text = |(path, seen): (String, Seen)| (path, seen.3);
    photograph(mount.dir()).into_iter().map(text).collect()
}

/// "A file shows the very bytes you saved until the contact's meaning changes at the service": a change to the same value
/// is another version that says the same.
#[test]
fn a_new_version_that_says_the_same_changes_nothing() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let ada = api.create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(&[]);
    let before = photograph(mount.dir());
    mount.in_step();
    world.clear_log();
    api.patch(&id(&ada), json!({"displayName": "Ada"}));
    let after = api.get(&id(&ada)).unwrap();
    assert_ne!(after["changeKey"], ada["changeKey"]);
    mount.in_step();
    let asked = |part: &str| world.log().iter().any(|entry| entry.path.contains(part));
    assert!(asked(&id(&ada)), "the new version was not read");
    assert_eq!(photograph(mount.dir()), before);
}

/// Folders have times that survive remounts as well, also when one was looked at before it was loaded.
#[test]
fn a_folder_seen_while_it_loads_keeps_its_times() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    world.fail(
        None,
        "/contacts/delta",
        4,
        FaultAction::Delay(Duration::from_secs(1)),
    );
    let mount = world.mount(&[]);
    let stat = |mount: &Mount, dir: &str| {
        let stat = fs::metadata(mount.path(dir)).unwrap();
        (stat.ino(), stat.mtime(), stat.mtime_nsec())
    };
    let early = stat(&mount, "Contacts");
    assert!(!mount.list("Contacts").is_empty());
    assert_eq!(stat(&mount, "Contacts"), early);
    mount.in_step();
    let dirs = ["", "Contacts", "Family", "Work", "Work/Clients"];
    let before = dirs.map(|dir| stat(&mount, dir));
    mount.unmount();
    let mount = world.mount(&[]);
    mount.in_step();
    assert_eq!(dirs.map(|dir| stat(&mount, dir)), before);
}
