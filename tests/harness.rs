//! What the other integration tests stand on does what it says.

#![allow(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use contactfs::sandbox::Options;
use rustix::process::Signal;
use serde_json::json;

use support::{Tmux, World, eventually, fuse_or_skip, id, limit, need, residue, sh};

const SOON: Duration = Duration::from_millis(50);

#[test]
fn waiting_ends_with_a_value_or_with_what_was_waited_for() {
    let start = Instant::now();
    let value = eventually(Duration::from_secs(9), "time passes", || {
        (start.elapsed() > SOON).then_some(7)
    });
    assert_eq!(value, 7);
    let failed = catch_unwind(|| eventually(SOON, "pigs fly", || false));
    let message = failed.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("pigs fly"), "{message}");
}

#[test]
fn a_test_over_its_limit_fails() {
    let start = Instant::now();
    let failed = catch_unwind(|| {
        let _limit = limit(SOON);
        eventually(Duration::from_secs(9), "the limit is over", || {
            start.elapsed() > 4 * SOON
        });
    });
    assert_over(failed);
}

#[test]
fn a_test_that_hangs_on_its_mount_fails_and_leaves_no_mount() {
    if !fuse_or_skip() {
        return;
    }
    let place = Mutex::new(PathBuf::new());
    let failed = catch_unwind(|| {
        let world = World::new();
        let mount = world.mount(&[]);
        *place.lock().unwrap() = mount.dir().to_owned();
        mount.signal(Signal::STOP);
        world.limit(SOON);
        assert!(fs::metadata(mount.path("Contacts/nobody.vcf")).is_err());
    });
    assert_over(failed);
    assert!(!place.lock().unwrap().exists());
}

#[test]
fn somebody_elsewhere_sees_and_changes_the_mailbox_without_being_logged() {
    let world = World::new();
    let api = world.api();
    let folder = api.create_folder("Work");
    let inner = api.create_folder_in(&folder, "Inner");
    api.rename_folder(&inner, "Deep");
    assert_eq!(api.folder("Deep"), Some(inner.clone()));

    let ada = id(&api.create(json!({"givenName": "Ada"})));
    api.create_in(&inner, json!({"givenName": "Bo"}));
    assert_eq!((api.count(), api.contacts_in(&inner).len()), (2, 1));
    api.patch(
        &ada,
        json!({"surname": "Byron", "displayName": "Ada Byron"}),
    );
    let contact = api.await_contact("Ada Byron", |ada| ada["surname"] == "Byron");
    assert_eq!(
        (id(&contact), residue(&contact)),
        (ada.clone(), String::new())
    );

    assert_eq!(api.photo(&ada), None);
    api.put_photo(&ada, b"\xff\xd8\xff\xe0 small \xff\xd9");
    assert!(api.photo(&ada).is_some());
    api.move_to(&ada, &inner);
    assert_eq!(api.contacts_in(&inner).len(), 2);
    api.delete(&ada);
    assert_eq!(api.get(&ada), None);
    api.delete_folder(&folder);
    assert_eq!(api.count(), 0);
    assert_eq!(world.log(), []);
}

#[test]
fn the_service_stops_and_starts_at_the_same_address() {
    let data = tempfile::tempdir().unwrap();
    let world = World::with(Options {
        data: Some(data.path().to_owned()),
        empty: true,
        ..Options::default()
    });
    world.api().create(json!({"givenName": "Ada"}));
    world.stop_service();
    let run = world.run(&["mount", "mnt"]);
    assert!([69, 75].contains(&run.code), "{run:?}");
    world.start_service();
    assert_eq!(world.api().count(), 1);
}

#[test]
fn vim_is_typed_at() {
    if !need("tmux") || !need("vim") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("note.txt");
    fs::write(&file, "one\n").unwrap();
    let vim = Tmux::vim(&file);
    vim.wait_for("one");
    vim.keys(&["o"]);
    vim.text("two; $three");
    vim.keys(&["Escape"]);
    vim.wait_for("two; $three");
    vim.keys(&[":wq", "Enter"]);
    vim.wait_end();
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo; $three\n");
    assert_eq!(sh(dir.path(), "ls; wc -l < note.txt").ok(), "note.txt\n2\n");
}

#[track_caller]
fn assert_over(ended: std::thread::Result<()>) {
    let message = ended.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("took longer than"), "{message}");
}
