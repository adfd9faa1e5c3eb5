//! What Outlook keeps beside the properties of Graph: shown, changed in the same request, cleared, left alone.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Mount, World, fuse_or_skip, id};

const FILE: &str = "Contacts/Zoe.vcf";

/// Each property as Outlook has it, with the line that shows it.
const BASIC: &[(&str, &str, &str)] = &[
    ("String 0x3A24", "1", "TEL;TYPE=work,fax:1"),
    ("String 0x3A25", "2", "TEL;TYPE=home,fax:2"),
    ("String 0x3A23", "3", "TEL;TYPE=fax:3"),
    ("String 0x3A21", "4", "TEL;TYPE=pager:4"),
    ("String 0x3A1F", "5", "TEL;TYPE=voice:5"),
    ("String 0x3A1E", "6", "TEL;TYPE=car:6"),
    ("String 0x3A2E", "7", "X-MS-TEL;TYPE=assistant:7"),
    ("String 0x3A57", "8", "X-MS-TEL;TYPE=company:8"),
    (
        "String {00062004-0000-0000-C000-000000000046} Id 0x804A",
        "PO 1",
        "ADR;TYPE=work:PO 1;;;Bern;;;",
    ),
    ("String 0x3A5E", "PO 2", "ADR;TYPE=home:PO 2;;;;;;"),
    ("String 0x3A64", "PO 3", "ADR:PO 3;;;;;;"),
    ("String 0x3A50", "http://z/", "URL;TYPE=home:http://z/"),
    (
        "SystemTime 0x3A41",
        "2001-02-03T11:59:00Z",
        "ANNIVERSARY:20010203",
    ),
];
const ALL: &[(&str, &str, &str)] = &[
    ("String 0x3A1A", "11", "TEL;TYPE=x-primary:11"),
    ("String 0x3A02", "12", "X-MS-TEL;TYPE=callback:12"),
    ("String 0x3A1D", "13", "X-MS-TEL;TYPE=radio:13"),
    ("String 0x3A4B", "14", "TEL;TYPE=textphone:14"),
    ("String 0x3A2D", "15", "TEL;TYPE=isdn:15"),
    ("String 0x3A2C", "16", "TEL;TYPE=x-telex:16"),
    ("Short 0x3A4D", "1", "GENDER:F"),
    ("String 0x3A43", "sailing", "HOBBY:sailing"),
    (
        "String {00062004-0000-0000-C000-000000000046} Id 0x80D8",
        "http://fb/",
        "FBURL:http://fb/",
    ),
    // The second of four alone: its place must not be lost.
    (
        "String {00062004-0000-0000-C000-000000000046} Id 0x8050",
        "mine",
        "X-MS-TEXT:mine",
    ),
];
/// Read, and never written.
const HIDDEN: &[(&str, &str)] = &[
    (
        "Integer {00062004-0000-0000-C000-000000000046} Id 0x8022",
        "3",
    ),
    ("Integer 0x0036", "2"),
    ("String 0x3A07", "government id"),
    (
        "String {c8e5e5cf-3f6c-4f0a-9d4e-52f1e7b2a9d3} Name cardamum-vcard",
        "NOTE:not ours",
    ),
];

/// Somebody typed all this in Outlook.
fn zoe(world: &World) -> String {
    let shown = BASIC.iter().chain(ALL).map(|(id, value, _)| (*id, *value));
    let all: Vec<Value> = shown
        .chain(HIDDEN.iter().copied())
        .map(|(id, value)| json!({"id": id, "value": value}))
        .collect();
    id(&world.api().create(json!({
        "givenName": "Zoe", "displayName": "Zoe", "businessAddress": {"city": "Bern"},
        "singleValueExtendedProperties": all,
    })))
}

/// The value of an extended property at the service.
fn held(world: &World, contact: &str, property: &str) -> Option<String> {
    let expand = format!("singleValueExtendedProperties($filter=id eq '{property}')");
    let expand = expand.replace(' ', "%20").replace('\'', "%27");
    let expand = expand.replace('{', "%7B").replace('}', "%7D");
    let path = format!("/contacts/{contact}?$expand={expand}");
    let (_, found) = world.api().request("GET", &path, None);
    let value = &found["singleValueExtendedProperties"][0]["value"];
    value.as_str().map(str::to_owned)
}

fn all_held(world: &World, contact: &str) -> Vec<Option<String>> {
    let shown = BASIC.iter().chain(ALL).map(|(id, _, _)| *id);
    let hidden = HIDDEN.iter().map(|(id, _)| *id);
    shown
        .chain(hidden)
        .map(|id| held(world, contact, id))
        .collect()
}

#[track_caller]
fn lines(mount: &Mount, file: &str) -> Vec<String> {
    mount.read(file).lines().map(str::to_owned).collect()
}

/// What one change says beside the properties of Graph, as (id, value).
#[track_caller]
fn one_patch(world: &World, mount: &Mount) -> (Vec<String>, Vec<(String, Value)>) {
    mount.in_step();
    let patches = world.patches();
    assert_eq!(patches.len(), 1, "{patches:#?}");
    assert_eq!(patches[0].status, 200, "{patches:#?}");
    let body = patches[0].request.clone().unwrap();
    let members = body.as_object().unwrap().keys().cloned().collect();
    let extended = body["singleValueExtendedProperties"].as_array().cloned();
    let pair = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["value"].clone());
    (
        members,
        extended.unwrap_or_default().iter().map(pair).collect(),
    )
}

#[test]
fn each_is_a_line_and_saving_it_sends_nothing() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let contact = zoe(&world);
    let before = all_held(&world, &contact);
    let mount = world.mount(&["--extended", "all"]);
    let text = mount.read(FILE);
    for (_, _, line) in BASIC.iter().chain(ALL) {
        let mailing = line.replace("ADR:", "ADR;PREF=1:");
        assert!(
            text.contains(&format!("\r\n{mailing}\r\n")),
            "{mailing} in\n{text}"
        );
    }
    mount.in_step();
    world.clear_log();
    fs::write(mount.path(FILE), text.replace("\r\n", "\n")).unwrap();
    mount.in_step();
    assert_eq!(world.writes(), []);
    assert_eq!(all_held(&world, &contact), before);
}

#[test]
fn without_all_the_rest_is_not_shown_and_survives() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let contact = zoe(&world);
    let mount = world.mount(&[]);
    let text = mount.read(FILE);
    for (_, _, line) in BASIC {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}");
    }
    for (_, _, line) in ALL {
        assert!(!text.contains(line), "{line}");
    }
    mount.in_step();
    world.clear_log();
    // Its spelling is kept in the card, and Outlook's own value stays as it is.
    let edited = text.replace("END:VCARD", "GENDER:M\r\nEND:VCARD");
    fs::write(mount.path(FILE), &edited).unwrap();
    let (members, extended) = one_patch(&world, &mount);
    assert_eq!(members, ["singleValueExtendedProperties"]);
    assert_eq!(extended.len(), 1, "the residue: {extended:?}");
    assert_eq!(mount.read(FILE), edited);
    assert_eq!(held(&world, &contact, "Short 0x3A4D").as_deref(), Some("1"));

    // The same store with all of them: what is there shows, beside what was kept.
    mount.unmount();
    let mount = world.mount(&["--extended", "all"]);
    mount.in_step();
    let both = lines(&mount, FILE);
    let genders = both.iter().filter(|line| line.starts_with("GENDER"));
    assert_eq!(genders.collect::<Vec<_>>(), ["GENDER:F", "GENDER:M"]);
    for (_, _, line) in ALL {
        assert!(both.contains(&(*line).to_owned()), "{line} in {both:#?}");
    }
    mount.unmount();
    let mount = world.mount(&[]);
    mount.in_step();
    assert!(lines(&mount, FILE).contains(&"GENDER:M".to_owned()));
    assert!(!mount.read(FILE).contains("HOBBY"));
    assert_eq!(world.patches().len(), 1, "mounting otherwise sends nothing");
}

#[test]
fn a_change_of_each_is_one_property_in_one_request() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let contact = zoe(&world);
    let mount = world.mount(&["--extended", "all"]);
    let new = [
        (
            "TEL;TYPE=pager:4",
            "TEL;TYPE=pager:44",
            "String 0x3A21",
            json!("44"),
        ),
        (
            "ANNIVERSARY:20010203",
            "ANNIVERSARY:20020304",
            "SystemTime 0x3A41",
            json!("2002-03-04T11:59:00Z"),
        ),
        ("GENDER:F", "GENDER:M", "Short 0x3A4D", json!("2")),
        (
            "X-MS-TEXT:mine",
            "X-MS-TEXT:ours",
            "String {00062004-0000-0000-C000-000000000046} Id 0x8050",
            json!("ours"),
        ),
        (
            "ADR;TYPE=work:PO 1;;;Bern",
            "ADR;TYPE=work:PO 9;;;Bern",
            "String {00062004-0000-0000-C000-000000000046} Id 0x804A",
            json!("PO 9"),
        ),
    ];
    for (old, new, property, value) in &new {
        let text = mount.read(FILE);
        assert!(text.contains(old), "{old} in\n{text}");
        let edited = text.replace(old, new);
        mount.in_step();
        world.clear_log();
        fs::write(mount.path(FILE), &edited).unwrap();
        let (members, extended) = one_patch(&world, &mount);
        assert_eq!(members, ["singleValueExtendedProperties"], "{new}");
        assert_eq!(extended, [((*property).to_owned(), value.clone())], "{new}");
        assert_eq!(mount.read(FILE), edited);
    }
    assert_eq!(held(&world, &contact, "Short 0x3A4D").as_deref(), Some("2"));
}

#[test]
fn removed_lines_are_cleared_there_and_nothing_else_is() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let contact = zoe(&world);
    let mount = world.mount(&["--extended", "all"]);
    let text = mount.read(FILE);
    mount.in_step();
    world.clear_log();
    let is_shown = |line: &&str| {
        let ours = BASIC.iter().chain(ALL);
        let mut lines = ours.map(|(_, _, shown)| shown.replace("ADR:", "ADR;PREF=1:"));
        !lines.any(|shown| shown == **line)
    };
    let bare: Vec<&str> = text.lines().filter(is_shown).collect();
    fs::write(mount.path(FILE), bare.join("\r\n") + "\r\n").unwrap();
    let (members, _) = one_patch(&world, &mount);
    assert_eq!(
        members,
        ["businessAddress", "singleValueExtendedProperties"]
    );
    for (property, ..) in BASIC.iter().chain(ALL) {
        let left = held(&world, &contact, property).unwrap_or_default();
        assert!(left.is_empty() || left == "0", "{property}: {left}");
    }
    for (property, value) in HIDDEN {
        assert_eq!(held(&world, &contact, property).as_deref(), Some(*value));
    }
    // Another machine sees none of them.
    let other = world.mounting().at("other").state("other-state");
    let other = other.args(&["--extended", "all"]).start();
    assert_eq!(other.read(FILE).lines().count(), bare.len());
}

#[test]
fn a_new_card_and_a_change_elsewhere_arrive() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(&["--extended", "all"]);
    mount.in_step();
    let long = "sailing, ".repeat(40);
    let mut card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Zoe\r\nN:;Zoe;;;\r\n".to_owned();
    for (_, _, line) in BASIC
        .iter()
        .chain(ALL)
        .filter(|(id, ..)| *id != "String 0x3A43")
    {
        card += &format!("{line}\r\n");
    }
    card += &format!("HOBBY:{}\r\nEND:VCARD\r\n", long.replace(',', "\\,"));
    fs::write(mount.path(FILE), &card).unwrap();
    mount.in_step();
    let writes = world.writes();
    assert_eq!(writes.len(), 1, "{writes:#?}");
    assert_eq!(mount.read(FILE), card);
    let contact = id(&world.api().contact("Zoe").unwrap());
    assert_eq!(
        held(&world, &contact, "String 0x3A24").as_deref(),
        Some("1")
    );
    assert_eq!(held(&world, &contact, "String 0x3A43"), Some(long.clone()));

    let elsewhere = json!({"singleValueExtendedProperties": [
        {"id": "String 0x3A21", "value": "beeper"}, {"id": "Short 0x3A4D", "value": "0"},
    ]});
    world.api().patch(&contact, elsewhere);
    mount.in_step();
    let text = mount.read(FILE);
    assert!(
        text.contains("TEL;TYPE=pager:beeper\r\n") && !text.contains("GENDER"),
        "{text}"
    );
    // Lists cut long texts: a first load elsewhere must not believe one.
    let other = world.mounting().at("other").state("other-state");
    let other = other.args(&["--extended", "all"]).start();
    let unfolded = other.read(FILE).replace("\r\n ", "");
    assert!(
        unfolded.contains(&format!("HOBBY:{}\r\n", long.replace(',', "\\,"))),
        "{unfolded}"
    );
    assert_eq!(world.writes().len(), 1);
}

#[test]
fn a_move_carries_what_is_shown_and_what_is_not() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let before = {
        let contact = zoe(&world);
        all_held(&world, &contact)
    };
    world.api().create_folder("Friends");
    let mount = world.mount(&[]);
    mount.list("Friends");
    fs::rename(mount.path(FILE), mount.path("Friends/Zoe.vcf")).unwrap();
    mount.in_step();
    let contact = id(&world.api().contact("Zoe").unwrap());
    assert_eq!(all_held(&world, &contact), before);
}

/// "BDAY, ANNIVERSARY": the days that Outlook keeps beside the moments, where these are on the other side of the date line.
#[test]
fn days_are_those_of_the_calendar_far_east_of_greenwich() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let set = "SystemTime {00062004-0000-0000-C000-000000000046} Id";
    let aroha = id(&api.create(json!({
        "givenName": "Aroha", "displayName": "Aroha", "mobilePhone": "1",
        "singleValueExtendedProperties": [
            {"id": format!("{set} 0x80DE"), "value": "1974-02-22T00:00:00Z"},
            {"id": format!("{set} 0x80DF"), "value": "2001-02-03T00:00:00Z"},
            {"id": "SystemTime 0x3A41", "value": "2001-02-02T11:00:00Z"},
        ],
    })));
    let born = "1974-02-21T11:00:00Z";
    api.control("POST", "birthday", &json!({"id": aroha, "birthday": born}));
    let days = |mount: &Mount| {
        let text = mount.read("Contacts/Aroha.vcf");
        let is_day = |line: &&str| line.starts_with("BDAY") || line.starts_with("ANNIVERSARY");
        text.lines().filter(is_day).collect::<Vec<_>>().join(" ")
    };
    let mount = world.mount(&[]);
    let expected = "BDAY:19740222 ANNIVERSARY:20010203";
    assert_eq!(days(&mount), expected);
    // A reply tells of the moment only.
    mount.in_step();
    world.clear_log();
    let text = mount.read("Contacts/Aroha.vcf");
    let path = mount.path("Contacts/Aroha.vcf");
    fs::write(&path, text.replace("cell:1", "cell:2")).unwrap();
    mount.in_step();
    assert_eq!(world.writes()[0].request, Some(json!({"mobilePhone": "2"})));
    assert_eq!(days(&mount), expected);
    // Changed elsewhere in another property, and seen by a second machine.
    api.patch(&aroha, json!({"jobTitle": "Poet"}));
    mount.in_step();
    assert_eq!(days(&mount), expected);
    let other = world.mounting().at("other").state("elsewhere").start();
    assert_eq!(days(&other), expected);
    other.unmount();
    // A day changed here is at 11:59, and what is kept beside the old one does not count any more.
    world.clear_log();
    let text = mount.read("Contacts/Aroha.vcf");
    fs::write(&path, text.replace("BDAY:19740222", "BDAY:19740221")).unwrap();
    mount.in_step();
    assert_eq!(
        world.writes()[0].request,
        Some(json!({"birthday": "1974-02-21T11:59:00Z"}))
    );
    api.patch(&aroha, json!({"jobTitle": "Painter"}));
    mount.in_step();
    assert_eq!(days(&mount), "BDAY:19740221 ANNIVERSARY:20010203");
}
