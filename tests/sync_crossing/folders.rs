//! Folders made, renamed, moved and deleted on both sides at once.
//!
//! What is done here is queued without a network, and the process killed; then the other side acts, and the next mount
//! finds both. Whatever wins, both sides end up showing the same, and no person is lost who was not deleted everywhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{FAST, SOON, book};
use crate::support::{Mount, World, eventually, id};

/// Both sides' folders by path, each with the names of the people in it.
type People = BTreeMap<String, Vec<String>>;

fn card(name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n")
}

/// What the mount shows.
fn shown(mount: &Mount) -> People {
    fn walk(dir: &Path, below: &str, people: &mut People) {
        let mut cards = Vec::new();
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with('.') {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{below}/{name}"), people);
            } else {
                let text = fs::read_to_string(entry.path()).unwrap();
                let name = text.lines().find_map(|line| line.strip_prefix("FN:"));
                cards.extend(name.map(str::to_owned));
            }
        }
        if !below.is_empty() {
            cards.sort();
            people.insert(below.to_owned(), cards);
        }
    }
    let mut people = People::new();
    walk(mount.dir(), "", &mut people);
    people
}

/// What the service has.
fn there(world: &World) -> People {
    let api = world.api();
    let folders = api.folders();
    let path = |folder: &Value| {
        let mut path = String::new();
        let mut at = Some(folder);
        while let Some(folder) = at {
            path = format!("/{}{path}", folder["displayName"].as_str().unwrap());
            at = folders
                .iter()
                .find(|other| other["id"] == folder["parentFolderId"]);
        }
        path
    };
    let names = |folder: &str| {
        let contacts = api.contacts_in(folder);
        let name = |contact: &Value| contact["displayName"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = contacts.iter().map(name).collect();
        names.sort();
        names
    };
    let mut people: People = folders
        .iter()
        .map(|folder| (path(folder), names(&id(folder))))
        .collect();
    people.insert("/Contacts".to_owned(), names("contacts"));
    people
}

/// Does something on either side that the other does not know of, and returns what both have come to.
#[track_caller]
fn crossed(
    world: &World,
    mount: Mount,
    here: impl FnOnce(&Mount),
    elsewhere: impl FnOnce(&World),
) -> (Mount, People) {
    world.disconnect();
    here(&mount);
    mount.kill9();
    world.reconnect();
    elsewhere(world);
    let mount = world.mount(FAST);
    mount.sync();
    let end = Instant::now() + SOON;
    let people = loop {
        let (here, there) = (shown(&mount), there(world));
        let status = mount.status()["mounts"][0].clone();
        if here == there && status["pending"] == json!([]) {
            break there;
        }
        assert!(
            Instant::now() < end,
            "shown: {here:?}\nthere: {there:?}\n{status:#}"
        );
        thread::sleep(Duration::from_millis(50));
    };
    mount.sync();
    assert_eq!(there(world), people, "it stays so");
    (mount, people)
}

fn people(expected: &[(&str, &[&str])]) -> People {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    expected
        .iter()
        .map(|(folder, names)| ((*folder).to_owned(), owned(names)))
        .collect()
}

/// A mount with Ada in the default folder and Bo in the folder Work.
fn office() -> Option<(World, Mount, String)> {
    let (world, mount, _, folder) = book()?;
    world
        .api()
        .create_in(&folder, json!({"givenName": "Bo", "displayName": "Bo"}));
    eventually(SOON, "Bo is shown", || mount.list("Work") == ["Bo.vcf"]);
    mount.in_step();
    Some((world, mount, folder))
}

const ADA: (&str, &[&str]) = ("/Contacts", &["Ada Byron"]);

#[test]
fn a_folder_renamed_here_and_there_has_one_name() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| fs::rename(mount.path("Work"), mount.path("Here")).unwrap(),
        |world| world.api().rename_folder(&folder, "There"),
    );
    assert_eq!(
        both,
        people(&[ADA, ("/Here", &["Bo"])]),
        "the last rename to arrive"
    );
}

#[test]
fn a_folder_renamed_here_to_a_name_taken_there_keeps_its_people() {
    let Some((world, mount, _)) = office() else {
        return;
    };
    let (mount, both) = crossed(
        &world,
        mount,
        |mount| fs::rename(mount.path("Work"), mount.path("New")).unwrap(),
        |world| {
            let new = world.api().create_folder("New");
            world
                .api()
                .create_in(&new, json!({"givenName": "Cy", "displayName": "Cy"}));
        },
    );
    assert_eq!(both, people(&[ADA, ("/New", &["Cy"]), ("/Work", &["Bo"])]));
    drop(mount);
}

#[test]
fn a_folder_renamed_here_and_deleted_there_is_gone() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| fs::rename(mount.path("Work"), mount.path("Here")).unwrap(),
        |world| world.api().delete_folder(&folder),
    );
    assert_eq!(both, people(&[ADA]), "nobody in it was changed here");
}

#[test]
fn what_was_saved_here_in_a_folder_deleted_there_is_made_again() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (mount, both) = crossed(
        &world,
        mount,
        |mount| {
            let text = mount.read("Work/Bo.vcf");
            fs::write(
                mount.path("Work/Bo.vcf"),
                text.replace("END:", "TITLE:Chief\r\nEND:"),
            )
            .unwrap();
            fs::write(mount.path("Work/Cy.vcf"), card("Cy")).unwrap();
            fs::write(mount.path("Work/.note"), "mine").unwrap();
            fs::rename(mount.path("Work"), mount.path("Here")).unwrap();
        },
        |world| world.api().delete_folder(&folder),
    );
    assert_eq!(both, people(&[("/Contacts", &["Ada Byron", "Bo", "Cy"])]));
    assert!(mount.read("Contacts/Bo.vcf").contains("TITLE:Chief"));
    assert_eq!(world.api().contact("Bo").unwrap()["jobTitle"], "Chief");
    assert_eq!(mount.read(".note"), "mine", "a scratch file is kept");
}

#[test]
fn a_folder_deleted_here_into_which_somebody_came_there_stays_with_them() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::remove_file(mount.path("Work/Bo.vcf")).unwrap();
            fs::remove_dir(mount.path("Work")).unwrap();
        },
        |world| {
            world
                .api()
                .create_in(&folder, json!({"givenName": "Cy", "displayName": "Cy"}));
        },
    );
    assert_eq!(both, people(&[ADA, ("/Work", &["Cy"])]));
}

#[test]
fn a_folder_deleted_here_whose_contact_was_edited_there_stays_with_it() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let bo = id(&world.api().contacts_in(&folder)[0]);
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::remove_file(mount.path("Work/Bo.vcf")).unwrap();
            fs::remove_dir(mount.path("Work")).unwrap();
        },
        |world| drop(world.api().patch(&bo, json!({"jobTitle": "Chief"}))),
    );
    assert_eq!(both, people(&[ADA, ("/Work", &["Bo"])]), "the edit wins");
    assert_eq!(world.api().contact("Bo").unwrap()["jobTitle"], "Chief");
}

#[test]
fn a_folder_deleted_here_and_renamed_there_is_gone_when_it_is_empty() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::remove_file(mount.path("Work/Bo.vcf")).unwrap();
            fs::remove_dir(mount.path("Work")).unwrap();
        },
        |world| world.api().rename_folder(&folder, "There"),
    );
    assert_eq!(both, people(&[ADA]));
}

#[test]
fn a_folder_deleted_here_and_there_is_gone() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::remove_file(mount.path("Work/Bo.vcf")).unwrap();
            fs::remove_dir(mount.path("Work")).unwrap();
        },
        |world| world.api().delete_folder(&folder),
    );
    assert_eq!(both, people(&[ADA]));
}

#[test]
fn a_folder_made_here_and_there_is_one() {
    let Some((world, mount, _)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::create_dir(mount.path("New")).unwrap();
            fs::write(mount.path("New/Cy.vcf"), card("Cy")).unwrap();
        },
        |world| {
            let new = world.api().create_folder("New");
            world
                .api()
                .create_in(&new, json!({"givenName": "Dan", "displayName": "Dan"}));
        },
    );
    assert_eq!(
        both,
        people(&[ADA, ("/New", &["Cy", "Dan"]), ("/Work", &["Bo"])])
    );
}

#[test]
fn a_folder_made_here_in_one_deleted_there_keeps_its_people() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::create_dir(mount.path("Work/Inner")).unwrap();
            fs::write(mount.path("Work/Inner/Cy.vcf"), card("Cy")).unwrap();
        },
        |world| world.api().delete_folder(&folder),
    );
    let everybody: Vec<&String> = both.values().flatten().collect();
    assert!(everybody.iter().any(|name| *name == "Cy"), "{both:?}");
    assert!(!everybody.iter().any(|name| *name == "Bo"), "{both:?}");
}

#[test]
fn a_contact_moved_here_into_a_folder_deleted_there_stays() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            let (from, to) = (
                mount.path("Contacts/Ada Byron.vcf"),
                mount.path("Work/Ada Byron.vcf"),
            );
            fs::rename(from, to).unwrap();
        },
        |world| world.api().delete_folder(&folder),
    );
    assert_eq!(both, people(&[ADA]));
}

#[test]
fn a_contact_moved_here_out_of_a_folder_deleted_there_is_in_its_new_one() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| fs::rename(mount.path("Work/Bo.vcf"), mount.path("Contacts/Bo.vcf")).unwrap(),
        |world| world.api().delete_folder(&folder),
    );
    assert_eq!(both, people(&[("/Contacts", &["Ada Byron", "Bo"])]));
}

#[test]
fn a_contact_moved_here_and_elsewhere_is_in_one_folder() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let third = world.api().create_folder("Third");
    eventually(SOON, "the third folder is shown", || {
        mount.path("Third").exists()
    });
    let bo = id(&world.api().contacts_in(&folder)[0]);
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| fs::rename(mount.path("Work/Bo.vcf"), mount.path("Contacts/Bo.vcf")).unwrap(),
        |world| world.api().move_to(&bo, &third),
    );
    let places = both.values().flatten().filter(|name| *name == "Bo").count();
    assert_eq!(places, 1, "{both:?}");
    assert_eq!(world.api().count(), 2);
}

#[test]
fn a_folder_renamed_there_while_somebody_is_saved_in_it_here_has_them() {
    let Some((world, mount, folder)) = office() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            fs::write(mount.path("Work/Cy.vcf"), card("Cy")).unwrap();
            let text = mount.read("Work/Bo.vcf");
            fs::write(
                mount.path("Work/Bo.vcf"),
                text.replace("END:", "TITLE:Chief\r\nEND:"),
            )
            .unwrap();
        },
        |world| world.api().rename_folder(&folder, "There"),
    );
    assert_eq!(both, people(&[ADA, ("/There", &["Bo", "Cy"])]));
    assert_eq!(world.api().contact("Bo").unwrap()["jobTitle"], "Chief");
}

/// Two folders exchange their names by way of a third, as `mv` does.
#[test]
fn folders_that_exchange_their_names_keep_their_people() {
    let Some((world, mount, _)) = office() else {
        return;
    };
    let other = world.api().create_folder("Other");
    world
        .api()
        .create_in(&other, json!({"givenName": "Cy", "displayName": "Cy"}));
    eventually(SOON, "Cy is shown", || {
        mount.path("Other").exists() && mount.list("Other") == ["Cy.vcf"]
    });
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            for (from, to) in [("Work", "Third"), ("Other", "Work"), ("Third", "Other")] {
                fs::rename(mount.path(from), mount.path(to)).unwrap();
            }
        },
        |_| {},
    );
    assert_eq!(
        both,
        people(&[ADA, ("/Other", &["Bo"]), ("/Work", &["Cy"])])
    );
}

/// The new name is a change of its own behind the move, and was not made from what the contact says by then.
#[test]
fn a_contact_moved_here_under_another_name_keeps_what_was_edited_there() {
    let Some((world, mount, contact, folder)) = book() else {
        return;
    };
    let (_mount, both) = crossed(
        &world,
        mount,
        |mount| {
            let to = mount.path("Work/Countess.vcf");
            fs::rename(mount.path("Contacts/Ada Byron.vcf"), to).unwrap();
        },
        |world| {
            let edited = json!({"personalNotes": "edited", "jobTitle": "Countess"});
            world.api().patch(&contact, edited);
        },
    );
    let ada = world.api().contacts_in(&folder).remove(0);
    assert_eq!(
        (&ada["personalNotes"], &ada["jobTitle"]),
        (&json!("edited"), &json!("Countess"))
    );
    assert_eq!(both["/Contacts"], [""; 0]);
}

#[test]
fn a_contact_moved_and_deleted_here_is_gone_unless_it_was_edited_there() {
    for edited in [false, true] {
        let Some((world, mount, contact, _)) = book() else {
            return;
        };
        let (_mount, both) = crossed(
            &world,
            mount,
            |mount| {
                let to = mount.path("Work/Ada Byron.vcf");
                fs::rename(mount.path("Contacts/Ada Byron.vcf"), &to).unwrap();
                fs::remove_file(to).unwrap();
            },
            |world| {
                if edited {
                    world.api().patch(&contact, json!({"jobTitle": "Countess"}));
                }
            },
        );
        let left: Vec<&String> = both.values().flatten().collect();
        assert_eq!(left.len(), usize::from(edited), "{both:?}");
    }
}
