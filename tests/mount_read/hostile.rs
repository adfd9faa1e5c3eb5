//! Whatever the service calls contacts and folders: safe, distinct and stable files, the same on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::json;

use super::{OFTEN, SOON, kept_world, photograph, unfolded};
use crate::support::{Mount, World, eventually, fuse_or_skip, id};

/// Display names, and the files they become where the rules alone say so.
const NAMES: &[(&str, &str)] = &[
    (
        "../../etc/passwd",
        "\u{2024}.\u{2215}..\u{2215}etc\u{2215}passwd.vcf",
    ),
    ("/etc/shadow", "\u{2215}etc\u{2215}shadow.vcf"),
    ("a/b", "a\u{2215}b.vcf"),
    ("nul\0and\u{1}con\u{7f}trols\u{9b}", "nulandcontrols.vcf"),
    (".", "\u{2024}.vcf"),
    ("..", "\u{2024}..vcf"),
    ("...", "\u{2024}...vcf"),
    (".hidden", "\u{2024}hidden.vcf"),
    ("CON", "CON.vcf"),
    ("new\nline\r", "newline.vcf"),
    ("left\u{202e}fcv.exe", "left\u{202e}fcv.exe.vcf"),
    ("trailing ", "trailing .vcf"),
    ("dots..", "dots...vcf"),
    ("-rf", "-rf.vcf"),
    ("* ? $(reboot) `x`", "* ? $(reboot) `x`.vcf"),
    ("case", "case.vcf"),
    ("CASE", "CASE.vcf"),
    ("e\u{301}", "e\u{301}.vcf"),
    ("\u{e9}", "\u{e9}.vcf"),
    ("card.vcf", "card.vcf.vcf"),
    (
        "Evil\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:Other",
        "EvilEND:VCARDBEGIN:VCARDFN:Other.vcf",
    ),
];

/// Two of each: 4 KB of two-byte characters, the same text, and nothing but controls.
fn doubles() -> [String; 4] {
    [
        "\u{f6}".repeat(2048),
        "x".repeat(4096),
        "Twin".to_owned(),
        "\u{1}\u{2}".to_owned(),
    ]
}

/// A contact per name, each with notes of its own; returns the notes.
fn fill(world: &World) -> BTreeSet<String> {
    let doubles = doubles();
    let twice = doubles.iter().chain(&doubles).map(String::as_str);
    let names = NAMES.iter().map(|(name, _)| *name).chain(twice);
    let mut notes = BTreeSet::new();
    for (number, name) in names.enumerate() {
        let note = format!("number {number}.");
        world
            .api()
            .create(json!({"givenName": "G", "displayName": name, "personalNotes": note}));
        notes.insert(note);
    }
    notes
}

/// The notes of each contact by its path; checks that every name is safe and every file one card.
fn notes(mount: &Mount) -> BTreeMap<String, String> {
    let mut notes = BTreeMap::new();
    for (path, (.., text)) in photograph(mount.dir()) {
        let name = path.rsplit('/').next().unwrap();
        assert!(
            name.len() <= 255 && name.ends_with(".vcf") && !name.starts_with('.'),
            "{name:?}"
        );
        assert!(!name.chars().any(char::is_control), "{name:?}");
        let card = unfolded(&text);
        assert_eq!(
            card.lines().filter(|line| *line == "BEGIN:VCARD").count(),
            1,
            "{card}"
        );
        let note = card.lines().find_map(|line| line.strip_prefix("NOTE:"));
        notes.insert(path, note.unwrap_or_default().to_owned());
    }
    notes
}

/// "A slash in a name appears as U+2215, a leading dot as U+2024, and control characters are dropped. Names are cut
/// between characters to fit 255 bytes."
#[test]
fn hostile_contacts_become_safe_distinct_and_stable_files() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let wanted = fill(&world);
    let mount = world.mount(&[]);
    let first = notes(&mount);
    assert_eq!(first.len(), wanted.len(), "files share a name");
    assert_eq!(first.values().cloned().collect::<BTreeSet<_>>(), wanted);
    for (number, (name, file)) in NAMES.iter().enumerate() {
        let path = format!("/Contacts/{file}");
        assert_eq!(
            first.get(&path),
            Some(&format!("number {number}.")),
            "{name:?}: {:?}",
            first.keys()
        );
    }
    mount.in_step();
    mount.unmount();
    let mount = world.mount(&[]);
    assert_eq!(notes(&mount), first, "after a remount");
    let fresh = world.mounting().at("fresh").state("fresh-state").start();
    assert_eq!(notes(&fresh), first, "on another machine");
}

/// The same names, when the contacts come and change while the mailbox is mounted.
#[test]
fn hostile_names_arrive_while_mounted() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(&[]);
    assert!(mount.list("Contacts").is_empty());
    let wanted = fill(&world);
    mount.in_step();
    let followed = notes(&mount);
    assert_eq!(followed.values().cloned().collect::<BTreeSet<_>>(), wanted);
    let fresh = world.mounting().at("fresh").state("fresh-state").start();
    assert_eq!(followed, notes(&fresh), "another machine gives other names");
}

/// "The oldest has the plain name. Each other one has six hexadecimal digits in parentheses before .vcf"; also when a
/// third is called just that.
#[test]
fn names_made_up_for_a_double_are_not_taken_away() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    for note in ["first", "second"] {
        api.create(json!({"givenName": "Twin", "displayName": "Twin", "personalNotes": note}));
    }
    let mount = world.mount(OFTEN);
    let names = mount.list("Contacts");
    assert!(
        mount.read("Contacts/Twin.vcf").contains("NOTE:first\r\n"),
        "{names:?}"
    );
    let other = names.iter().find(|name| *name != "Twin.vcf").unwrap();
    let hex = other
        .strip_prefix("Twin (")
        .unwrap()
        .strip_suffix(").vcf")
        .unwrap();
    assert!(
        hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()),
        "{other}"
    );
    let stem = other.strip_suffix(".vcf").unwrap();
    api.create(json!({"givenName": "Third", "displayName": stem, "personalNotes": "third"}));
    eventually(SOON, "all three are there", || {
        mount.list("Contacts").len() == 3
    });
    assert!(
        mount
            .read(&format!("Contacts/{other}"))
            .contains("NOTE:second\r\n")
    );
    let fresh = world.mounting().at("fresh").state("fresh-state").start();
    assert_eq!(notes(&fresh), notes(&mount));
}

/// "If it has none, the given name and surname, the company, the first e-mail address or the first telephone number, or
/// “Unnamed”."
#[test]
fn contacts_without_a_name_have_files_with_one() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let bodies = [
        json!({"givenName": "Ada", "surname": "King"}),
        json!({"givenName": "", "companyName": "Acme"}),
        json!({"givenName": "", "emailAddresses": [{"address": "a@b.example", "name": "a"}]}),
        json!({"givenName": "", "mobilePhone": "+44 1"}),
        json!({"givenName": ""}),
        json!({"givenName": ""}),
    ];
    for mut body in bodies {
        let ada = id(&api.create(json!({"givenName": "Nobody"})));
        body["displayName"] = json!("");
        api.patch(&ada, body);
    }
    let mount = world.mount(&[]);
    let mut names = mount.list("Contacts");
    let double = names
        .iter()
        .position(|name| name.starts_with("Unnamed ("))
        .expect("a second one");
    names.remove(double);
    assert_eq!(
        names,
        [
            "+44 1.vcf",
            "Acme.vcf",
            "Ada King.vcf",
            "Unnamed.vcf",
            "a@b.example.vcf"
        ]
    );
}

/// "The names of folders follow the same rules."
#[test]
fn hostile_folders_become_safe_and_distinct_directories() {
    if !fuse_or_skip() {
        return;
    }
    let (data, world) = kept_world(false);
    let api = world.api();
    let long = "\u{f6}".repeat(2048);
    let names = [
        "..",
        ".",
        "../../etc",
        "a/b",
        ".git",
        "x\0y\n",
        "contacts",
        "One",
        "Two",
        "Three",
        "card.vcf",
        &long,
    ];
    let made: Vec<String> = names.iter().map(|name| api.create_folder(name)).collect();
    for (number, folder) in made.iter().enumerate() {
        api.create_in(
            folder,
            json!({"givenName": "A", "displayName": "A", "personalNotes": format!("{number}.")}),
        );
    }
    // Three folders of the same parent and the same name, one of them in capitals: the service would refuse them now.
    world.stop_service();
    let file = data.path().join("mailbox.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("\"name\":\"Two\"", "\"name\":\"One\"")
            .replace("\"name\":\"Three\"", "\"name\":\"ONE\""),
    )
    .unwrap();
    world.start_service();
    let mount = world.mount(&[]);
    let dirs = mount.list("");
    assert_eq!(dirs.len(), names.len() + 1, "{dirs:?}");
    for dir in &dirs {
        assert!(
            dir.len() <= 255 && !dir.starts_with('.') && !dir.chars().any(char::is_control),
            "{dir:?}"
        );
    }
    for plain in [
        "One",
        "ONE",
        "Contacts",
        "contacts",
        "a\u{2215}b",
        "xy",
        "\u{2024}.",
        "\u{2024}",
    ] {
        assert!(dirs.iter().any(|dir| dir == plain), "{plain:?} of {dirs:?}");
    }
    let shown: BTreeSet<String> = notes(&mount).into_values().collect();
    let wanted: BTreeSet<String> = (0..names.len())
        .map(|number| format!("{number}."))
        .collect();
    assert_eq!(shown, wanted);
    let fresh = world.mounting().at("fresh").state("fresh-state").start();
    assert_eq!(
        notes(&fresh),
        notes(&mount),
        "another machine gives other names"
    );
}

/// "The mailbox's own folder has the name that the mailbox gives it, in the mailbox's language."
#[test]
fn the_default_folder_is_called_as_the_mailbox_calls_it() {
    if !fuse_or_skip() {
        return;
    }
    let (data, world) = kept_world(true);
    world.stop_service();
    let file = data.path().join("mailbox.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"name\":\"Contacts\""));
    fs::write(
        &file,
        text.replace("\"name\":\"Contacts\"", "\"name\":\"Kişiler\""),
    )
    .unwrap();
    world.start_service();
    let mount = world.mount(&[]);
    let dirs = mount.list("");
    assert!(
        dirs.contains(&"Kişiler".to_owned()) && !dirs.contains(&"Contacts".to_owned()),
        "{dirs:?}"
    );
    fs::write(
        mount.path("Kişiler/Ada.vcf"),
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nEND:VCARD\r\n",
    )
    .unwrap();
    mount.in_step();
    let there = world.api().contacts_in("contacts");
    assert!(there.iter().any(|contact| contact["displayName"] == "Ada"));
}

/// Whatever a field holds, a file is one card of one contact.
#[test]
fn hostile_values_stay_inside_their_card() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let evil =
        "x\r\nEND:VCARD\r\nBEGIN:VCARD\nVERSION:4.0\rFN:Other\u{85}\u{2028}\0\u{1b}[2J;,:\\\"";
    let body = json!({
        "givenName": evil, "surname": evil, "displayName": "Eve", "nickName": evil, "companyName": evil,
        "jobTitle": evil, "mobilePhone": evil, "businessPhones": [evil], "categories": [evil],
        "emailAddresses": [{"address": "eve@b.example", "name": evil}], "imAddresses": [evil],
        "homeAddress": {"street": evil, "city": evil}, "personalNotes": evil, "businessHomePage": evil,
    });
    let eve = id(&world.api().create(body));
    let before = world.api().get(&eve).unwrap();
    let mount = world.mount(&[]);
    let card = mount.read("Contacts/Eve.vcf");
    let lines: Vec<&str> = card
        .split(['\r', '\n'])
        .filter(|line| !line.is_empty())
        .collect();
    for line in ["BEGIN:VCARD", "END:VCARD", "VERSION:4.0"] {
        assert_eq!(
            lines.iter().filter(|found| **found == line).count(),
            1,
            "{card:?}"
        );
    }
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("FN:")).count(),
        1,
        "{card:?}"
    );
    assert!(!card.contains(['\0', '\u{1b}']), "{card:?}");
    // Saved as it is, it is no change: nothing evil is lost on the way back.
    fs::write(mount.path("Contacts/Eve.vcf"), &card).unwrap();
    mount.in_step();
    assert_eq!(world.writes(), []);
    assert_eq!(world.api().get(&eve).unwrap(), before);
}
