//! Many writers at once.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::{World, fuse_or_skip};

const WRITERS: usize = 100;

fn card(title: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nN:;Ada;;;\r\nTITLE:{title}\r\nEND:VCARD\r\n")
}

/// 3.6 "Saves of one contact that have not been sent yet are merged into one PATCH."
#[test]
fn a_hundred_writers_to_one_contact_leave_one_whole_text() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.limit(Duration::from_secs(300));
    let mount = world.mount(&[]);
    let file = mount.path("Contacts/Ada.vcf");
    fs::write(&file, card("first")).unwrap();
    mount.in_step();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let file = &file;
            scope.spawn(move || {
                let beside = file.with_file_name(format!(".{writer}.tmp"));
                fs::write(&beside, card(&format!("writer {writer}"))).unwrap();
                fs::rename(beside, file).unwrap();
            });
        }
    });
    let text = fs::read_to_string(&file).unwrap();
    let written: Vec<String> = (0..WRITERS)
        .map(|writer| card(&format!("writer {writer}")))
        .collect();
    assert!(written.contains(&text), "not as written: {text:?}");
    mount.in_step();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let contacts = world.api().contacts();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!(card(contacts[0]["jobTitle"].as_str().unwrap()), text);
    assert_eq!(mount.list("Contacts"), ["Ada.vcf"]);
}

/// P1 "Nothing a user wrote is lost."; 4.1 "A new NAME.vcf with an acceptable card becomes a POST".
#[test]
fn a_hundred_writers_to_a_hundred_contacts_all_arrive() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.limit(Duration::from_secs(300));
    let mount = world.mount(&[]);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let file = mount.path(&format!("Contacts/{writer}.vcf"));
            scope.spawn(move || {
                for turn in ["one", "two", "three"] {
                    fs::write(&file, card(&format!("{writer} {turn}"))).unwrap();
                }
            });
        }
    });
    mount.in_step();
    let mut titles: Vec<String> = world
        .api()
        .contacts()
        .iter()
        .map(|contact| contact["jobTitle"].as_str().unwrap().to_owned())
        .collect();
    titles.sort();
    let mut wanted: Vec<String> = (0..WRITERS)
        .map(|writer| format!("{writer} three"))
        .collect();
    wanted.sort();
    assert_eq!(titles, wanted);
    assert_eq!(mount.list("Contacts").len(), WRITERS);
}
