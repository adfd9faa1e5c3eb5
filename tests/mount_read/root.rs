//! `--folder NAME`: one contact folder is the root of the mount.

use std::fs;

use serde_json::{Value, json};

use super::SOON;
use crate::support::{Mount, World, eventually, fuse_or_skip, id};

/// Somebody in the default folder, in `Work`, and in a folder in that; and the ids of these two folders.
fn world() -> (World, String, String) {
    let world = World::new();
    let api = world.api();
    let work = api.create_folder("Work");
    let friends = api.create_folder_in(&work, "Friends");
    let person = |name: &str| json!({"givenName": name, "displayName": name});
    api.create(person("Ada"));
    api.create_in(&work, person("Bo"));
    api.create_in(&friends, person("Cy"));
    (world, work, friends)
}

fn mounted(world: &World, folder: &str) -> Mount {
    let mount = world.mount(&[
        "--poll-interval",
        "1s",
        "--delete-grace",
        "0",
        "--folder",
        folder,
    ]);
    mount.in_step();
    world.clear_log();
    mount
}

fn names(people: &[Value]) -> Vec<&str> {
    people
        .iter()
        .map(|person| person["displayName"].as_str().unwrap())
        .collect()
}

fn card(name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n")
}

#[test]
fn a_folder_is_the_root() {
    if !fuse_or_skip() {
        return;
    }
    let (world, work, friends) = world();
    let mount = mounted(&world, "Work");
    assert_eq!(mount.list(""), ["Bo.vcf", "Friends"]);
    assert_eq!(mount.list("Friends"), ["Cy.vcf"]);

    // Changed here.
    let text = mount
        .read("Bo.vcf")
        .replace("END:", "TITLE:Builder\r\nEND:");
    fs::write(mount.path(".new"), &text).unwrap();
    fs::rename(mount.path(".new"), mount.path("Bo.vcf")).unwrap();
    fs::write(mount.path("Dee.vcf"), card("Dee")).unwrap();
    fs::create_dir(mount.path("Pals")).unwrap();
    mount.in_step();
    let api = world.api();
    assert_eq!(api.contact("Bo").unwrap()["jobTitle"], "Builder");
    assert_eq!(names(&api.contacts_in(&work)), ["Bo", "Dee"]);
    let pals = api.folder("Pals").unwrap();
    let parent = api
        .folders()
        .into_iter()
        .find(|folder| id(folder) == pals)
        .unwrap();
    assert_eq!(parent["parentFolderId"], work);
    fs::rename(mount.path("Dee.vcf"), mount.path("Friends/Dee.vcf")).unwrap();
    fs::remove_file(mount.path("Bo.vcf")).unwrap();
    mount.in_step();
    assert_eq!(names(&api.contacts_in(&friends)), ["Cy", "Dee"]);
    assert!(api.contacts_in(&work).is_empty());

    // Changed elsewhere: the root's own names are told to the kernel.
    assert_eq!(mount.list(""), ["Friends", "Pals"]);
    let eve = id(&api.create_in(&work, json!({"givenName": "Eve", "displayName": "Eve"})));
    eventually(SOON, "Eve is shown", || mount.path("Eve.vcf").exists());
    assert_eq!(mount.list(""), ["Eve.vcf", "Friends", "Pals"]);
    api.patch(&eve, json!({"jobTitle": "Queen"}));
    eventually(SOON, "her title is shown", || {
        mount.read("Eve.vcf").contains("TITLE:Queen")
    });
    api.delete(&eve);
    eventually(SOON, "Eve is gone", || !mount.path("Eve.vcf").exists());
    assert_eq!(mount.list(""), ["Friends", "Pals"]);
}

#[test]
fn commands_go_by_the_paths_that_are_seen() {
    if !fuse_or_skip() {
        return;
    }
    let (world, work, _) = world();
    let mount = mounted(&world, "Work");
    let path = |file: &str| mount.path(file).to_str().unwrap().to_owned();
    let status = world
        .run(&["status", "--json", &path("Friends/Cy.vcf")])
        .ok();
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["state"], "synced", "{status}");

    let file = world.dir().join("people.vcf");
    fs::write(&file, card("Dee") + &card("Eve")).unwrap();
    world
        .run(&["import", file.to_str().unwrap(), &path("")])
        .ok();
    assert_eq!(names(&world.api().contacts_in(&work)), ["Bo", "Dee", "Eve"]);
    fs::write(
        mount.path("Eve.vcf"),
        card("Eve").replace("END:", "TITLE:x\r\nEND:"),
    )
    .unwrap();
    mount.in_step();
    let versions = world.run(&["history", "--json", &path("Eve.vcf")]).ok();
    assert_ne!(versions.trim(), "[]");
    let cards = world.run(&["export", &path("")]).ok();
    assert_eq!(cards.matches("BEGIN:VCARD").count(), 4, "{cards}");

    fs::write(mount.path("Flo.vcf"), "BEGIN:VCARD\r\n").unwrap();
    let status = mount.status();
    assert_eq!(
        status["mounts"][0]["drafts"][0]["path"], "Flo.vcf",
        "{status}"
    );
    assert_eq!(mount.unmount().code, 0);

    // The same store, mounted whole.
    let mount = world.mount(&[]);
    assert_eq!(mount.list(""), ["Contacts", "Work"]);
    // The draft has its reason beside it since the end of the other mount.
    let mut names = mount.list("Work");
    names.retain(|name| name != ".Flo.vcf.error");
    assert_eq!(
        names,
        ["Bo.vcf", "Dee.vcf", "Eve.vcf", "Flo.vcf", "Friends"]
    );
}

#[test]
fn a_folder_inside_another_can_be_the_root_and_a_missing_one_cannot() {
    if !fuse_or_skip() {
        return;
    }
    let (world, ..) = world();
    let mount = mounted(&world, "Work/Friends");
    assert_eq!(mount.list(""), ["Cy.vcf"]);
    mount.unmount();
    let dir = world.mount_point();
    let refused = world.run(&["mount", "--folder", "Nowhere", dir.to_str().unwrap()]);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.err.contains("no contact folder Nowhere"),
        "{refused:?}"
    );
    // One that came since is looked for.
    world.api().create_folder("Lately");
    let mount = mounted(&world, "Lately");
    assert!(mount.list("").is_empty());
}
