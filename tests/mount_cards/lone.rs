//! Cards of one property each: nothing else stands by to name the contact or to keep the line.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::compare::lost;
use crate::support::{Mount, World, fuse_or_skip};

/// Every property that has a field or an alias, and some that have none, with the parameters that say where they go.
const LINES: &str = include_str!("../fixtures/lone.txt");

/// A card by its file's name.
type Cards = BTreeMap<String, String>;

/// Each line as a card of its own, with and without a name, in each version; without, if the line can name a contact.
fn cards() -> Cards {
    let mut cards = Cards::new();
    for (number, line) in LINES.lines().enumerate() {
        for version in ["2.1", "3.0", "4.0"] {
            for name in ["", "FN:Ada Byron\r\n"] {
                let named = if name.is_empty() { "alone" } else { "named" };
                let file = format!("{number:03}-{version}-{named}.vcf");
                // Two files of one UID would be copies.
                let line = line.replace('%', &file);
                let text =
                    format!("BEGIN:VCARD\r\nVERSION:{version}\r\n{name}{line}\r\nEND:VCARD\r\n");
                if text.lines().any(names) {
                    cards.insert(file, text);
                }
            }
        }
    }
    cards
}

/// Whether a line names a contact, which a card needs.
fn names(line: &str) -> bool {
    let (head, value) = line.split_once(':').unwrap();
    let name = head.split(';').next().unwrap().rsplit('.').next().unwrap();
    ["FN", "N", "ORG", "EMAIL", "TEL"].contains(&name) && !value.trim_matches([';', ' ']).is_empty()
}

fn save(mount: &Mount, cards: &Cards) {
    for (file, text) in cards {
        let path = mount.path(&format!("Contacts/{file}"));
        fs::write(&path, text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

/// Each file shows the bytes that were saved.
#[track_caller]
fn same(mount: &Mount, cards: &Cards, when: &str) {
    let changed = cards
        .iter()
        .map(|(file, text)| (text, mount.read(&format!("Contacts/{file}"))))
        .filter(|(text, shown)| *text != shown)
        .map(|(text, shown)| format!("{text}became\n{shown}"));
    let changed: Vec<String> = changed.collect();
    assert!(changed.is_empty(), "{when}:\n{}", changed.join("\n"));
}

/// Another machine shows all that the cards say.
#[track_caller]
fn whole(mount: &Mount, cards: &Cards) {
    let lost = cards.iter().filter_map(|(file, text)| {
        let shown = mount.read(&format!("Contacts/{file}"));
        let lost = lost(text.as_bytes(), shown.as_bytes());
        (!lost.is_empty()).then(|| format!("{text}lost {lost:?} in\n{shown}"))
    });
    let lost: Vec<String> = lost.collect();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

#[test]
fn a_card_of_one_property_comes_back_as_it_is() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.limit(Duration::from_secs(240));
    let all = &["--extended", "all"];
    let mount = world.mount(all);
    let cards = cards();
    save(&mount, &cards);
    same(&mount, &cards, "at once");
    mount.in_step();
    same(&mount, &cards, "when sent");
    mount.in_step();
    same(&mount, &cards, "after another pull");
    assert_eq!(world.api().count(), cards.len());
    mount.unmount();
    let mount = world.mount(all);
    mount.in_step();
    same(&mount, &cards, "mounted again");

    let other = world.mounting().at("other").state("other-state");
    let other = other.args(all).start();
    other.in_step();
    whole(&other, &cards);
    world.clear_log();
    for file in cards.keys() {
        let path = other.path(&format!("Contacts/{file}"));
        fs::write(&path, fs::read(&path).unwrap()).unwrap();
    }
    other.in_step();
    assert_eq!(world.writes(), [], "nothing was changed");
    mount.in_step();
    same(&mount, &cards, "saved elsewhere as it was");
}

/// A contact with something in every field.
const FULL: &str = include_str!("../fixtures/full.vcf");

/// What Outlook keeps is what the card says, whatever it kept before; only `fileAs` is no card's to take away.
#[test]
fn a_card_of_one_property_takes_the_place_of_a_full_one() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.limit(Duration::from_secs(240));
    let all = &["--extended", "all"];
    let mount = world.mount(all);
    let mut cards = cards();
    cards.retain(|file, _| file.contains("4.0"));
    save(
        &mount,
        &cards
            .keys()
            .map(|file| (file.clone(), FULL.to_owned()))
            .collect(),
    );
    mount.in_step();
    world.clear_log();
    save(&mount, &cards);
    mount.in_step();
    same(&mount, &cards, "when sent");
    assert_eq!(world.writes().len(), cards.len(), "one PATCH each");
    mount.in_step();
    same(&mount, &cards, "after another pull");

    let other = world.mounting().at("other").state("other-state");
    let other = other.args(all).start();
    other.in_step();
    whole(&other, &cards);
    for (file, text) in &cards {
        let shown = other.read(&format!("Contacts/{file}"));
        let mut more = lost(shown.as_bytes(), text.as_bytes());
        let always = ["UID:", "FN:", "N:", "X-MSGRAPH-FILE-AS:"];
        more.retain(|fact| !always.iter().any(|name| fact.starts_with(name)));
        assert!(more.is_empty(), "{text}still says {more:?}");
    }
}
