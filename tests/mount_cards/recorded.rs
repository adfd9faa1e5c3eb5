//! A contact as Outlook fills it: every property shows, and saving what was shown touches none.

use std::fs;

use serde_json::{Value, json};

use crate::support::{World, fuse_or_skip, id, shared};

/// What the recorded contact leaves empty.
fn rest() -> Value {
    json!({
        "nickName": "Countess", "initials": "AAL", "fileAs": "The Countess", "title": "Lady", "generation": "II",
        "yomiGivenName": "エイダ", "yomiSurname": "ラブレス", "yomiCompanyName": "エンジン",
        "department": "Numbers", "profession": "Analyst", "officeLocation": "Room 1", "manager": "Charles",
        "assistantName": "Mary", "spouseName": "William", "children": ["Byron", "Anne"],
        "businessHomePage": "https://engine.example/", "homePhones": ["+44 1", "+44 2"],
        "imAddresses": ["sip:ada@engine.example", "ada.l"],
        "otherAddress": {"street": "2 Road", "city": "Ockham", "state": "Surrey", "postalCode": "GU23", "countryOrRegion": "UK"},
    })
}

/// Every text in a property.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

#[test]
fn every_property_is_shown_and_none_is_touched() {
    if !fuse_or_skip() {
        return;
    }
    let Some(path) = shared("graph/examples/recorded-contact-get-response.json") else {
        return;
    };
    let recorded: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut body = rest();
    let service = [
        "id",
        "changeKey",
        "parentFolderId",
        "createdDateTime",
        "lastModifiedDateTime",
    ];
    for (name, value) in recorded.as_object().unwrap() {
        let is_plain = !name.contains('@') && !name.ends_with("EmailAddress");
        let is_empty =
            value.is_null() || *value == json!("") || *value == json!([]) || *value == json!({});
        if is_plain && !is_empty && !service.contains(&name.as_str()) {
            body[name.as_str()] = value.clone();
        }
    }
    let world = World::new();
    let contact = id(&world.api().create(body.clone()));
    let mount = world.mount(&[]);
    let names = mount.list("Contacts");
    let file = format!("Contacts/{}", names[0]);
    let text = mount.read(&file);
    let unfolded = text
        .replace("\r\n ", "")
        .replace("\\,", ",")
        .replace("\\;", ";");
    let mut shown = Vec::new();
    for (name, value) in body.as_object().unwrap() {
        match name.as_str() {
            "birthday" => shown.push("BDAY:18151210".to_owned()),
            _ => texts(value, &mut shown),
        }
    }
    assert!(shown.len() > 40, "{}", shown.len());
    for text in shown {
        let text = text.replace("\r\n", "\n").replace('\n', "\\n");
        assert!(
            unfolded.contains(&text),
            "{text:?} is missing in\n{unfolded}"
        );
    }
    let before = world.api().get(&contact);
    mount.in_step();
    world.clear_log();
    fs::write(mount.path(&file), text.replace("\r\n", "\n")).unwrap();
    mount.in_step();
    assert_eq!(world.writes(), []);
    assert_eq!(world.api().get(&contact), before);
}
