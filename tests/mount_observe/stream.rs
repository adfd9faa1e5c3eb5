//! `contactfs watch`: one line for everything that happens, and a mount that waits for no watcher.

use std::fs;

use contactfs::sandbox::Options;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{OFTEN, SOON, Stream};
use crate::support::{World, eventually, fuse_or_skip, id};

fn kept_world() -> (tempfile::TempDir, World) {
    let data = tempfile::tempdir().unwrap();
    let world = World::with(Options {
        data: Some(data.path().to_owned()),
        empty: true,
        ..Options::default()
    });
    (data, world)
}

fn is(event: &str, path: &str) -> impl Fn(&Value) -> bool {
    move |line| line["event"] == event && line["path"] == path
}

fn count(stream: &Stream, event: &str, path: &str) -> usize {
    stream
        .lines()
        .iter()
        .filter(|line| is(event, path)(line))
        .count()
}

#[test]
fn everything_that_happens_is_one_line() {
    if !fuse_or_skip() {
        return;
    }
    let (_data, world) = kept_world();
    let api = world.api();
    api.create(json!({"givenName": "Old", "displayName": "Old"}));
    let mount = world.mount(OFTEN);
    mount.in_step();
    let dir = mount.dir().to_str().unwrap().to_owned();
    let mut stream = Stream::of(&world, &["watch", &dir]);
    let first = stream.hears("how things are", |line| line["event"] == "connection");
    assert_eq!(first["connection"], json!({"state": "online"}));
    assert_eq!(first["mount"], dir);
    assert!(first["time"].is_string());

    let ada = id(&api.create(json!({"givenName": "Ada", "displayName": "Ada"})));
    stream.hears("a contact made elsewhere", is("added", "Contacts/Ada.vcf"));
    api.patch(&ada, json!({"jobTitle": "Poet"}));
    stream.hears("a change elsewhere", is("changed", "Contacts/Ada.vcf"));
    api.patch(&ada, json!({"displayName": "Ada L"}));
    let renamed = stream.hears("a new name", is("changed", "Contacts/Ada L.vcf"));
    assert_eq!(renamed["from"], "Contacts/Ada.vcf");
    api.delete(&ada);
    stream.hears("a deletion elsewhere", is("removed", "Contacts/Ada L.vcf"));

    let old = mount.path("Contacts/Old.vcf");
    let good = fs::read_to_string(&old).unwrap();
    fs::write(&old, good.replace("END:VCARD", "TITLE:Saver\r\nEND:VCARD")).unwrap();
    let is_update = |event: &'static str| {
        move |line: &Value| is(event, "Contacts/Old.vcf")(line) && line["op"] == "update"
    };
    stream.hears("a save", is_update("queued"));
    stream.hears("its sending", is_update("sent"));
    fs::write(&old, "no card at all\n").unwrap();
    let refused = stream.hears("a refused save", is("rejected", "Contacts/Old.vcf"));
    assert!(refused["reason"].as_str().unwrap().len() > 10, "{refused}");
    fs::remove_file(&old).unwrap();
    let is_delete = |event: &'static str| {
        move |line: &Value| is(event, "Contacts/Old.vcf")(line) && line["op"] == "delete"
    };
    stream.hears("a deletion", is_delete("queued"));
    stream.hears("its sending", is_delete("sent"));

    world.stop_service();
    let is_state = |state: &'static str| {
        move |line: &Value| line["event"] == "connection" && line["connection"]["state"] == state
    };
    stream.hears("an outage", is_state("offline"));
    world.start_service();
    eventually(SOON, "the service is found again", || {
        stream.lines().last().is_some_and(is_state("online"))
    });
    // Nothing is said twice, and what happened here is not said to have happened elsewhere.
    for (event, path, times) in [
        ("added", "Contacts/Ada.vcf", 1),
        ("changed", "Contacts/Ada.vcf", 1),
        ("changed", "Contacts/Ada L.vcf", 1),
        ("removed", "Contacts/Ada L.vcf", 1),
        ("changed", "Contacts/Old.vcf", 0),
        ("removed", "Contacts/Old.vcf", 0),
        ("rejected", "Contacts/Old.vcf", 1),
        ("sent", "Contacts/Old.vcf", 2),
    ] {
        assert_eq!(
            count(&stream, event, path),
            times,
            "{event} {path}: {:#?}",
            stream.lines()
        );
    }
    mount.unmount();
    assert!(stream.ends().success());
}

/// Folders made, renamed, moved and deleted elsewhere; what is done to them here is only queued and sent.
#[test]
fn folders_of_elsewhere_are_told() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let mount = world.mount(OFTEN);
    mount.in_step();
    let stream = Stream::of(&world, &["watch", mount.dir().to_str().unwrap()]);
    stream.hears("how things are", |line| line["event"] == "connection");

    let work = api.create_folder("Work");
    stream.hears("a folder", is("folder_added", "Work"));
    let team = api.create_folder_in(&work, "Team");
    stream.hears("a folder in it", is("folder_added", "Work/Team"));
    // Its first load is over then; what comes with that is no news.
    assert!(mount.list("Work/Team").is_empty());
    api.create_in(&team, json!({"givenName": "Ada", "displayName": "Ada"}));
    stream.hears("a contact in it", is("added", "Work/Team/Ada.vcf"));
    api.rename_folder(&work, "Office");
    let renamed = stream.hears("another name", is("folder_renamed", "Office"));
    assert_eq!(renamed["from"], "Work");

    api.move_to(&team, "contacts");
    let moved = stream.hears("another place", is("folder_renamed", "Team"));
    assert_eq!(moved["from"], "Office/Team");
    assert_eq!(mount.list("Team"), ["Ada.vcf"]);
    api.move_to(&team, &work);
    stream.hears("and back", is("folder_renamed", "Office/Team"));

    fs::create_dir(mount.path("Mine")).unwrap();
    stream.hears("a folder made here", is("sent", "Mine"));
    fs::rename(mount.path("Mine"), mount.path("Ours")).unwrap();
    let is_sent =
        |op: &'static str| move |line: &Value| is("sent", "Ours")(line) && line["op"] == op;
    stream.hears("its name", is_sent("rename"));
    mount.in_step();
    fs::remove_dir(mount.path("Ours")).unwrap();
    mount.in_step();

    api.delete_folder(&work);
    stream.hears("a deletion of a folder", is("folder_removed", "Office"));
    stream.hears("and of the one in it", is("folder_removed", "Office/Team"));
    stream.hears("and of its contact", is("removed", "Office/Team/Ada.vcf"));
    let lines = stream.lines();
    let told = lines.iter().filter(|line| {
        let event = line["event"].as_str().unwrap_or_default();
        event.starts_with("folder_")
    });
    assert_eq!(told.count(), 7, "{lines:#?}");
    mount.unmount();
}

/// One that is stopped, and one that is killed.
#[test]
fn a_mount_waits_for_no_watcher() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(OFTEN);
    let dir = mount.dir().to_str().unwrap();
    let (slow, mut gone, mut good) = (
        Stream::of(&world, &["watch", dir]),
        Stream::of(&world, &["watch", dir]),
        Stream::of(&world, &["watch"]),
    );
    for stream in [&slow, &gone, &good] {
        stream.hears("how things are", |line| line["event"] == "connection");
    }
    kill_process(Pid::from_child(&slow.child), Signal::STOP).unwrap();
    gone.child.kill().unwrap();
    gone.ends();
    for number in 0..50 {
        let card = format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:P{number}\r\nEND:VCARD\r\n");
        fs::write(mount.path(&format!("Contacts/P{number}.vcf")), card).unwrap();
    }
    mount.in_step();
    for number in 0..50 {
        let path = format!("Contacts/P{number}.vcf");
        good.hears("its sending", is("sent", &path));
    }
    mount.unmount();
    assert!(good.ends().success());
}

/// What was changed here and elsewhere at once is told of, and so is what the service refuses.
#[test]
fn conflicts_and_refusals_of_the_service_are_told() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let card = json!({"givenName": "Ada", "displayName": "Ada", "jobTitle": "Analyst"});
    let ada = id(&api.create(card));
    let mount = world.mount(&["--poll-interval", "1h"]);
    mount.in_step();
    let stream = Stream::of(&world, &["watch", mount.dir().to_str().unwrap()]);
    stream.hears("how things are", |line| line["event"] == "connection");
    let file = mount.path("Contacts/Ada.vcf");
    let text = fs::read_to_string(&file).unwrap();
    api.patch(&ada, json!({"jobTitle": "Poet"}));
    fs::write(&file, text.replace("Analyst", "Countess")).unwrap();
    let conflict = stream.hears("a conflict", is("conflict", "Contacts/Ada.vcf"));
    assert!(
        conflict["reason"].as_str().unwrap().contains("TITLE"),
        "{conflict}"
    );
    world.fail_with(Some("POST"), "contacts", 1, 400, "ErrorInvalidRequest");
    let new = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bo\r\nEND:VCARD\r\n";
    fs::write(mount.path("Contacts/Bo.vcf"), new).unwrap();
    stream.hears("a refusal", is("rejected", "Contacts/Bo.vcf"));
    assert_eq!(
        count(&stream, "sent", "Contacts/Bo.vcf"),
        0,
        "{:#?}",
        stream.lines()
    );
}

/// The process is gone, and its mount with it: that is no orderly end.
#[test]
fn a_watcher_of_a_killed_mount_says_so() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(OFTEN);
    let mut stream = Stream::of(&world, &["watch", mount.dir().to_str().unwrap()]);
    stream.hears("how things are", |line| line["event"] == "connection");
    mount.kill9();
    assert!(!stream.ends().success());
}
