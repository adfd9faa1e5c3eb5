//! "A change that was fetched is what the next stat(2), open(2) or read(2) sees, whatever the kernel had cached."
//!
//! Each wait looks in one way only, again and again, so that what the kernel cached of that way must have been dropped.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;

use super::{OFTEN, SOON};
use crate::support::{World, eventually, fuse_or_skip, id};

fn exists(path: &std::path::Path) -> bool {
    match fs::metadata(path) {
        Ok(_) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

#[test]
fn a_contact_added_is_listed() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(OFTEN);
    assert!(mount.list("Contacts").is_empty());
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    eventually(SOON, "Ada is listed", || {
        mount.list("Contacts") == ["Ada.vcf"]
    });
}

/// "contactfs sync ... returns when both are done": a look right after it needs no patience.
#[test]
fn what_a_sync_found_is_seen_when_it_returns() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(&["--poll-interval", "1h"]);
    for count in 1..=20 {
        let name = format!("P{count:02}");
        world
            .api()
            .create(json!({"givenName": name, "displayName": name}));
        assert_eq!(mount.sync().code, 0);
        assert_eq!(mount.list("Contacts").len(), count);
    }
}

#[test]
fn a_contact_added_is_found_at_a_path_that_was_missing() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(OFTEN);
    let path = mount.path("Contacts/Ada.vcf");
    eventually(SOON, "the folder is loaded", || {
        fs::read_dir(mount.path("Contacts")).is_ok()
    });
    assert!(!exists(&path) && !exists(&path));
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    eventually(SOON, "Ada is there", || exists(&path));
    assert!(mount.read("Contacts/Ada.vcf").contains("FN:Ada\r\n"));
}

#[test]
fn a_contact_changed_has_another_size_and_mtime_at_the_next_stat() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let ada = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let mount = world.mount(OFTEN);
    let stat = || fs::metadata(mount.path("Contacts/Ada.vcf")).unwrap();
    let mtime = |stat: &fs::Metadata| (stat.mtime(), stat.mtime_nsec());
    let old = stat();
    world.api().patch(&ada, json!({"jobTitle": "Countess"}));
    eventually(SOON, "the size changes", || stat().len() > old.len());
    assert!(mtime(&stat()) > mtime(&old));
}

#[test]
fn a_contact_changed_reads_differently_though_it_was_just_read() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let ada = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada", "jobTitle": "aaaa"})));
    let mount = world.mount(OFTEN);
    // The same size: only the page cache can tell.
    for title in ["bbbb", "cccc", "dddd"] {
        world.api().patch(&ada, json!({"jobTitle": title}));
        let line = format!("TITLE:{title}\r\n");
        eventually(SOON, &line, || {
            mount.read("Contacts/Ada.vcf").contains(&line)
        });
    }
}

#[test]
fn a_contact_renamed_has_the_new_name_only() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let ada = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let mount = world.mount(OFTEN);
    let (old, new) = (
        mount.path("Contacts/Ada.vcf"),
        mount.path("Contacts/Ada King.vcf"),
    );
    assert!(exists(&old) && !exists(&new));
    world.api().patch(&ada, json!({"displayName": "Ada King"}));
    eventually(SOON, "the new name is there", || exists(&new));
    eventually(SOON, "the old name is gone", || !exists(&old));
    assert_eq!(mount.list("Contacts"), ["Ada King.vcf"]);
}

#[test]
fn a_contact_deleted_is_gone_though_it_was_just_seen() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let [ada, bo] =
        ["Ada", "Bo"].map(|name| id(&api.create(json!({"givenName": name, "displayName": name}))));
    api.create(json!({"givenName": "Cy", "displayName": "Cy"}));
    let mount = world.mount(OFTEN);
    let path = mount.path("Contacts/Ada.vcf");
    assert!(exists(&path));
    api.delete(&ada);
    eventually(SOON, "Ada is gone from her path", || !exists(&path));
    assert_eq!(mount.list("Contacts"), ["Bo.vcf", "Cy.vcf"]);
    api.delete(&bo);
    eventually(SOON, "Bo is not listed", || {
        mount.list("Contacts") == ["Cy.vcf"]
    });
}

#[test]
fn a_contact_moved_is_in_the_other_folder_only() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let ada = id(&api.create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let work = api.create_folder("Work");
    let mount = world.mount(OFTEN);
    let (old, new) = (mount.path("Contacts/Ada.vcf"), mount.path("Work/Ada.vcf"));
    assert!(mount.list("Work").is_empty());
    assert!(exists(&old) && !exists(&new));
    api.move_to(&ada, &work);
    eventually(SOON, "Ada is in the new folder", || exists(&new));
    eventually(SOON, "Ada is not in the old one", || !exists(&old));
    assert_eq!(
        (mount.list("Contacts"), mount.list("Work")),
        (vec![], vec!["Ada.vcf".to_owned()])
    );
    api.move_to(&ada, "contacts");
    eventually(SOON, "Ada is back", || {
        mount.list("Contacts") == ["Ada.vcf"]
    });
    eventually(SOON, "once", || mount.list("Work").is_empty());
}

#[test]
fn a_folder_added_renamed_and_deleted_follows() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let mount = world.mount(OFTEN);
    let (work, office) = (mount.path("Work"), mount.path("Office"));
    assert!(!exists(&work));
    let folder = api.create_folder("Work");
    api.create_in(&folder, json!({"givenName": "Ada", "displayName": "Ada"}));
    eventually(SOON, "the folder is there", || exists(&work));
    eventually(SOON, "with its contact", || {
        mount.list("Work") == ["Ada.vcf"]
    });
    let ino = fs::metadata(&work).unwrap().ino();
    api.rename_folder(&folder, "Office");
    eventually(SOON, "the old name is gone", || !exists(&work));
    assert_eq!(mount.list(""), ["Contacts", "Office"]);
    assert_eq!(fs::metadata(&office).unwrap().ino(), ino);
    assert_eq!(mount.list("Office"), ["Ada.vcf"]);
    api.delete_folder(&folder);
    eventually(SOON, "the folder is gone", || !exists(&office));
    assert_eq!(mount.list(""), ["Contacts"]);
}

/// "Nested folders are directories in their parent", also those made while mounted.
#[test]
fn folders_nest() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let work = api.create_folder("Work");
    let deep = api.create_folder_in(&work, "Deep");
    api.create_in(&deep, json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(OFTEN);
    assert_eq!(mount.list(""), ["Contacts", "Work"]);
    assert_eq!(mount.list("Work"), ["Deep"]);
    assert_eq!(mount.list("Work/Deep"), ["Ada.vcf"]);
    let deeper = api.create_folder_in(&deep, "Deeper");
    api.create_in(&deeper, json!({"givenName": "Bo", "displayName": "Bo"}));
    eventually(SOON, "the new folder is listed", || {
        mount.list("Work/Deep") == ["Ada.vcf", "Deeper"]
    });
    eventually(SOON, "and its contact", || {
        mount.list("Work/Deep/Deeper") == ["Bo.vcf"]
    });
    api.delete_folder(&work);
    eventually(SOON, "all are gone", || mount.list("") == ["Contacts"]);
}

/// "Old bytes with the old size or new bytes with the new size, never a mixture": an open old descriptor goes on reading
/// the old version, a new one reads the new version.
#[test]
fn an_open_file_stays_the_version_it_was() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let notes = "a".repeat(300_000);
    let ada = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada", "personalNotes": notes})));
    let mount = world.mount(OFTEN);
    let old = mount.read("Contacts/Ada.vcf");
    let mut open = File::open(mount.path("Contacts/Ada.vcf")).unwrap();
    let mut text = vec![0; 10];
    open.read_exact(&mut text).unwrap();
    world.api().patch(&ada, json!({"personalNotes": "b"}));
    eventually(SOON, "the new version is there", || {
        mount.read("Contacts/Ada.vcf").contains("NOTE:b\r\n")
    });
    assert_eq!(open.metadata().unwrap().len(), old.len() as u64);
    open.read_to_end(&mut text).unwrap();
    assert!(
        text == old.as_bytes(),
        "the old descriptor reads something else"
    );
}

/// As above, while the contact changes all the time: each open reads one version from its beginning to its end.
#[test]
fn no_reader_sees_a_mixture() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let notes = |n: usize| {
        let letter = char::from(b'a' + (n % 26) as u8).to_string();
        letter.repeat(if n.is_multiple_of(2) { 200_000 } else { 1_000 })
    };
    let body = json!({"givenName": "Ada", "displayName": "Ada", "personalNotes": notes(0)});
    let ada = id(&api.create(body));
    let mount = world.mount(&["--poll-interval", "50ms"]);
    let path = mount.path("Contacts/Ada.vcf");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut versions = 0;
            let mut last = String::new();
            while !done.load(Ordering::SeqCst) {
                let mut file = File::open(&path).unwrap();
                let size = file.metadata().unwrap().len();
                let mut card = String::new();
                file.read_to_string(&mut card).unwrap();
                check_one_version(&card, size);
                versions += usize::from(card != last);
                last = card;
            }
            versions
        });
        for n in 1..16 {
            api.patch(&ada, json!({"personalNotes": notes(n)}));
            let (len, letter) = (notes(n).len(), notes(n).remove(0));
            eventually(SOON, "the reader goes on", || {
                let card = mount.read("Contacts/Ada.vcf");
                reader.is_finished()
                    || (card.contains(&format!("NOTE:{letter}")) && card.len() > len)
            });
        }
        done.store(true, Ordering::SeqCst);
        assert!(reader.join().unwrap() > 3, "the reader saw no changes");
    });
}

fn check_one_version(card: &str, size: u64) {
    assert!(
        card.ends_with("END:VCARD\r\n") && card.len() as u64 == size,
        "{} of {size}",
        card.len()
    );
    let card = super::unfolded(card);
    let note = card
        .lines()
        .find_map(|line| line.strip_prefix("NOTE:"))
        .unwrap();
    let first = note.chars().next().unwrap();
    assert!(
        note.chars().all(|char| char == first),
        "two versions in one"
    );
    assert!([1_000, 200_000].contains(&note.len()), "{}", note.len());
}

/// The alias of the default folder is in no reference (graph-facts 2.3): where it is refused, all is as elsewhere, also
/// when the folder becomes empty.
#[test]
fn a_service_without_the_alias_of_the_default_folder_is_followed() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let ada = id(&api.create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let alias = "/contactFolders/contacts?";
    world.fail_with(Some("GET"), alias, u32::MAX, 400, "ErrorInvalidIdMalformed");
    let mount = world.mount(OFTEN);
    assert_eq!(mount.list("Contacts"), ["Ada.vcf"]);
    api.delete(&ada);
    eventually(SOON, "the folder is empty", || {
        mount.list("Contacts").is_empty()
    });
    mount.in_step();
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bo\r\nEND:VCARD\r\n";
    fs::write(mount.path("Contacts/Bo.vcf"), card).unwrap();
    mount.in_step();
    assert_eq!(api.contacts_in("contacts").len(), 1);
}
