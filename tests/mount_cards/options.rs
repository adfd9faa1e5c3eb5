//! Options that say how cards look: the same contacts under each, and nothing sent on account of one.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Mount, World, eventually, fuse_or_skip, id, residue};

const FILE: &str = "Contacts/Ada.vcf";
const PATIENCE: Duration = Duration::from_secs(20);

/// Another machine with these options.
fn other(world: &World, name: &str, arguments: &[&str]) -> Mount {
    let mounting = world.mounting().at(name).state(&format!("{name}-state"));
    mounting.args(arguments).start()
}

/// Saves a text and lets it be sent, and returns what was.
#[track_caller]
fn save(world: &World, mount: &Mount, file: &str, text: &str) -> Vec<(String, Option<Value>)> {
    mount.in_step();
    world.clear_log();
    fs::write(mount.path(file), text).unwrap();
    mount.in_step();
    let writes = world.writes().into_iter();
    writes.map(|write| (write.method, write.request)).collect()
}

fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find(|line| line.starts_with(&format!("{name}:")))
}

#[test]
fn a_long_note_is_one_line_with_fold_off() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let note = "a, b; c\n".repeat(625);
    assert_eq!(note.len(), 5000);
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada", "personalNotes": note}));
    let mount = world.mount(&["-o", "fold=off"]);
    let text = mount.read(FILE);
    let whole = format!("NOTE:{}", r"a\, b\; c\n".repeat(625));
    assert_eq!(line(&text, "NOTE"), Some(whole.as_str()));

    assert_eq!(save(&world, &mount, FILE, &text), []);
    let lf = text.replace("\r\n", "\n");
    assert_eq!(save(&world, &mount, FILE, &lf), []);
    let edited = text.replacen(r"c\n", r"d\n", 1);
    let sent = save(&world, &mount, FILE, &edited);
    let expected = json!({"personalNotes": note.replacen('c', "d", 1)});
    assert_eq!(sent, [("PATCH".to_owned(), Some(expected))]);
    assert_eq!(mount.read(FILE), edited);

    // Folded on another machine, whose text means the same here, and the other way round.
    let folding = other(&world, "folding", &["--fold", "on"]);
    let folded = folding.read(FILE);
    assert!(folded.lines().all(|line| line.len() <= 75), "{folded}");
    assert_eq!(folded.replace("\r\n ", ""), edited);
    assert_eq!(save(&world, &mount, FILE, &folded), []);
    assert_eq!(save(&world, &folding, FILE, &edited), []);
}

#[test]
fn rev_follows_the_service_and_no_save_of_ours() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let made = world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let contact = id(&made);
    let time = |contact: &Value, member: &str| {
        let time = contact[member].as_str().unwrap();
        time.replace(['-', ':'], "")
    };
    let rev = || {
        let now = world.api().get(&contact).unwrap();
        format!("REV:{}", time(&now, "lastModifiedDateTime"))
    };
    // The service counts whole seconds.
    let tick = || std::thread::sleep(Duration::from_millis(1100));
    let mount = world.mount(&["-o", "rev=on"]);
    let text = mount.read(FILE);
    let created = format!("CREATED:{}", time(&made, "createdDateTime"));
    let end = format!("\r\n{created}\r\n{}\r\nEND:VCARD\r\n", rev());
    assert!(text.ends_with(&end), "{text}");
    let plain = other(&world, "plain", &[]);
    assert!(line(&plain.read(FILE), "REV").is_none());

    // A save keeps the user's bytes, and times in them are nothing to send.
    assert_eq!(save(&world, &mount, FILE, &text), []);
    tick();
    let false_times = text
        .replace(&created, "CREATED:19700101T000000Z")
        .replace("REV:", "REV;X-A=1:");
    assert_eq!(save(&world, &mount, FILE, &false_times), []);
    assert_eq!(mount.read(FILE), false_times);
    let edited = text.replace("FN:Ada", "FN:Ada\r\nTITLE:Poet");
    let sent = save(&world, &mount, FILE, &edited);
    let expected = json!({"jobTitle": "Poet"});
    assert_eq!(sent, [("PATCH".to_owned(), Some(expected))]);
    let after = rev();
    assert!(!edited.contains(&after), "the service counts the save");
    for _ in 0..2 {
        assert_eq!(mount.read(FILE), edited);
        mount.in_step();
    }
    let fresh = other(&world, "fresh", &["--rev", "on"]);
    assert_eq!(line(&fresh.read(FILE), "REV"), Some(after.as_str()));

    // What the card does not show was changed elsewhere: all machines tell the new time.
    tick();
    world.clear_log();
    let unseen = json!({"singleValueExtendedProperties": [{"id": "String 0x3A07", "value": "g"}]});
    world.api().patch(&contact, unseen);
    let flagged = rev();
    assert_ne!(flagged, after);
    for mount in [&mount, &fresh] {
        mount.in_step();
        assert_eq!(line(&mount.read(FILE), "REV"), Some(flagged.as_str()));
    }
    assert_eq!(mount.read(FILE), fresh.read(FILE));

    // So does a picture, below which nothing but the end is.
    tick();
    world
        .api()
        .put_photo(&contact, b"\xff\xd8\xff\xe0 a picture \xff\xd9");
    let pictured = rev();
    assert_ne!(pictured, flagged);
    for mount in [&mount, &fresh, &plain] {
        eventually(PATIENCE, "the picture is shown", || {
            mount.in_step();
            mount.read(FILE).contains("PHOTO")
        });
    }
    let text = mount.read(FILE);
    assert!(
        text.contains(&format!("\r\n{pictured}\r\nPHOTO:")),
        "{text}"
    );
    assert_eq!(text, fresh.read(FILE));
    assert!(line(&plain.read(FILE), "REV").is_none());
    assert_eq!(save(&world, &mount, FILE, &text), []);
    assert_eq!(world.writes(), [], "times send nothing");

    // One that is saved here leaves the bytes alone, although it counts as a change there.
    tick();
    let head = text.split("PHOTO:").next().unwrap();
    let ours = format!("{head}PHOTO:data:image/jpeg;base64,/9j/4A==\r\nEND:VCARD\r\n");
    let sent = save(&world, &mount, FILE, &ours);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].0, "PUT");
    assert_ne!(rev(), pictured);
    for _ in 0..2 {
        mount.in_step();
        assert_eq!(mount.read(FILE), ours);
    }
}

#[test]
fn a_new_contact_keeps_the_bytes_that_made_it() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(&["--rev", "on", "--vcard-version", "3.0"]);
    mount.in_step();
    let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada\r\nN:;Ada;;;\r\nREV:1999-01-01T00:00:00Z\r\nEND:VCARD\r\n";
    let sent = save(&world, &mount, FILE, text);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(mount.read(FILE), text);
    let held = world.api().await_contact("Ada", |_| true);
    let fresh = other(&world, "fresh", &["--rev", "on", "--vcard-version", "3.0"]);
    let rev = format!("REV:{}", held["lastModifiedDateTime"].as_str().unwrap());
    let text = fresh.read(FILE);
    assert_eq!(line(&text, "REV"), Some(rev.as_str()));
    assert!(line(&text, "CREATED").is_none(), "3.0 has no such line");
}

#[test]
fn a_new_birthday_without_a_year_is_kept_out_with_yearless_residue() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let known = id(&world.api().create(json!({
        "givenName": "Ada", "displayName": "Ada", "birthday": "1604-04-12T11:59:00Z",
    })));
    let birthday = |contact: &str| {
        let held = world.api().get(contact).unwrap();
        held["birthday"].as_str().map(|day| day[..10].to_owned())
    };
    let lines = [
        "BDAY:--0412",
        "BDAY:--04-12",
        "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12",
    ];
    let cards: Vec<(String, String)> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let text = format!(
                "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:B{at}\r\nN:;B{at};;;\r\n{line}\r\nEND:VCARD\r\n"
            );
            (format!("Contacts/B{at}.vcf"), text)
        })
        .collect();
    let mount = world.mount(&["-o", "yearless=residue"]);
    for (file, text) in &cards {
        let sent = save(&world, &mount, file, text);
        assert_eq!(sent.len(), 1, "{sent:?}");
        assert!(sent[0].1.as_ref().unwrap().get("birthday").is_none());
        assert_eq!(mount.read(file), *text);
    }
    let ids: Vec<String> = (0..cards.len())
        .map(|at| id(&world.api().contact(&format!("B{at}")).unwrap()))
        .collect();
    for contact in &ids {
        assert_eq!(birthday(contact), None);
    }

    // Under either setting, here and on another machine, a save of what is shown or of another line leaves each where it is.
    let mut note = 0;
    let mut unchanged = |mount: &Mount| {
        note += 1;
        for (file, contact) in cards
            .iter()
            .map(|(file, _)| file.as_str())
            .zip(&ids)
            .chain([(FILE, &known)])
        {
            let text = mount.read(file);
            assert!(text.contains("\r\nBDAY"), "{text}");
            let rewritten = text.replace("VERSION:4.0\r\n", "VERSION:4.0\r\nREV:1\r\n");
            for same in [&rewritten, &text] {
                assert_eq!(save(&world, mount, file, same), [], "{file}");
            }
            let edited = match line(&text, "NOTE") {
                Some(old) => text.replace(old, &format!("NOTE:{note}")),
                None => text.replace("END:VCARD", &format!("NOTE:{note}\r\nEND:VCARD")),
            };
            let sent = save(&world, mount, file, &edited);
            let expected = json!({"personalNotes": note.to_string()});
            assert_eq!(sent, [("PATCH".to_owned(), Some(expected))], "{file}");
            let held = (contact == &known).then(|| "1604-04-12".to_owned());
            assert_eq!(birthday(contact), held, "{file}");
        }
    };
    unchanged(&mount);
    mount.unmount();
    let mount = world.mount(&["--yearless", "contact"]);
    unchanged(&mount);
    let second = other(&world, "second", &["--yearless", "contact"]);
    unchanged(&second);
    let third = other(&world, "third", &["--yearless", "residue"]);
    unchanged(&third);
    mount.in_step();
    mount.unmount();
    let mount = world.mount(&["--yearless", "residue"]);
    unchanged(&mount);

    // A changed line goes where the machine that changed it says: out of Outlook here, into it there.
    let changed = mount.read(FILE).replace("BDAY:--0412", "BDAY:--0413");
    let sent = save(&world, &mount, FILE, &changed);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(birthday(&known), None);
    let held = world.api().contact("Ada").unwrap();
    assert!(residue(&held).contains("BDAY:--0413"), "{held}");
    assert_eq!(mount.read(FILE), changed);
    second.in_step();
    let there = second.read(FILE).replace("BDAY:--0413", "BDAY:--0414");
    let sent = save(&world, &second, FILE, &there);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(birthday(&known).as_deref(), Some("1604-04-14"));
    let held = world.api().contact("Ada").unwrap();
    assert!(!residue(&held).contains("BDAY"), "{held}");
    for mount in [&mount, &third] {
        mount.in_step();
        assert_eq!(line(&mount.read(FILE), "BDAY"), Some("BDAY:--0414"));
    }
}

#[test]
fn a_birthday_that_is_kept_out_meets_a_change_made_elsewhere() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let contact = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let mount = world.mount(&["--yearless", "residue", "--poll-interval", "1h"]);
    let text = mount.read(FILE);
    mount.in_step();
    // Not seen here before the save is made.
    world.api().patch(&contact, json!({"jobTitle": "Poet"}));
    let edited = text.replace("END:VCARD", "BDAY:--0412\r\nEND:VCARD");
    fs::write(mount.path(FILE), edited).unwrap();
    mount.in_step();
    let held = world.api().get(&contact).unwrap();
    assert_eq!(held["jobTitle"], "Poet");
    assert_eq!(held["birthday"], Value::Null);
    let shown = mount.read(FILE);
    assert!(shown.contains("\r\nTITLE:Poet\r\n"), "{shown}");
    assert_eq!(line(&shown, "BDAY"), Some("BDAY:--0412"));
    let there = other(&world, "there", &[]);
    assert_eq!(there.read(FILE), shown);
    assert_eq!(save(&world, &there, FILE, &shown), []);
    assert_eq!(save(&world, &mount, FILE, &shown), []);
}
