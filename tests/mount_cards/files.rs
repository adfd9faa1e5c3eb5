//! Every file that can be a card: saved as it is, and read on other machines without a loss.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::compare::lost;
use crate::support::{Mount, World, eventually, fuse_or_skip, shared};

const OWN: &str = include_str!("../fixtures/cards.txt");
const CORPUS: &str = include_str!("../fixtures/corpus.txt");

/// Cards by their path in the mount.
type Cards = BTreeMap<String, Vec<u8>>;

/// What the table says can be a card. Two of one UID must not meet in one folder: the second would be a copy, with a UID of
/// its own.
fn cards(dir: &Path, table: &str, folders: &[&str], cards: &mut Cards) {
    let accepted = table.lines().filter_map(|line| line.strip_suffix(" ok"));
    for (number, name) in accepted.enumerate() {
        let path = format!("{}/{name}", folders[number % folders.len()]);
        cards.insert(path, fs::read(dir.join(name)).unwrap());
    }
}

/// What another machine shows, once the pictures have arrived: a listing does not wait for them.
#[track_caller]
fn texts(mount: &Mount, cards: &Cards) -> BTreeMap<String, String> {
    let pictures = || {
        let lost = cards
            .iter()
            .flat_map(|(path, bytes)| lost(bytes, mount.read(path).as_bytes()));
        lost.filter(|fact| fact.starts_with("PHOTO")).count() == 0
    };
    eventually(Duration::from_secs(60), "the pictures arrive", pictures);
    let read = |path: &String| (path.clone(), mount.read(path));
    cards.keys().map(read).collect()
}

fn save(mount: &Mount, texts: &BTreeMap<String, String>) {
    for (path, text) in texts {
        fs::write(mount.path(path), text).unwrap();
    }
    mount.in_step();
}

/// Logical lines in order.
fn lines(text: &str) -> Vec<String> {
    let unfolded = text.replace("\r\n", "\n").replace("\n ", "");
    unfolded.lines().map(str::to_owned).collect()
}

#[test]
fn each_comes_back_byte_for_byte_here_and_without_a_loss_elsewhere() {
    if !fuse_or_skip() {
        return;
    }
    let mut all = Cards::new();
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cards");
    cards(&own, OWN, &["Contacts"], &mut all);
    assert!(all.len() >= 60, "{}", all.len());
    if let Some(dir) = shared("vcards") {
        cards(&dir, CORPUS, &["Corpus A", "Corpus B"], &mut all);
    }
    let world = World::new();
    world.limit(Duration::from_secs(240));
    world.api().create_folder("Corpus A");
    world.api().create_folder("Corpus B");
    let mount = world.mount(&["--extended", "all"]);
    mount.in_step();

    for (path, bytes) in &all {
        fs::write(mount.path(path), bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    mount.in_step();
    for (path, bytes) in &all {
        assert!(
            fs::read(mount.path(path)).unwrap() == *bytes,
            "{path} changed:\n{}",
            mount.read(path)
        );
    }
    assert_eq!(world.api().count(), all.len());
    mount.unmount();

    let other = world.mounting().at("other").state("other-state");
    let other = other.args(&["--extended", "all"]).start();
    let shown = texts(&other, &all);
    for (path, bytes) in &all {
        let lost = lost(bytes, shown[path].as_bytes());
        assert!(lost.is_empty(), "{path} lost {lost:#?}\n{}", shown[path]);
    }
    other.in_step();
    world.clear_log();
    save(&other, &shown);
    assert_eq!(world.writes(), [], "nothing was changed");

    one_line(&world, &other, &all, &shown);
    other.unmount();
    in_3_0(&world, &all);
}

/// A new line, and then another in its place: each time one PATCH for each card, with one property. A third machine shows
/// each card with that line more and nothing else changed.
#[track_caller]
fn one_line(world: &World, mount: &Mount, all: &Cards, shown: &BTreeMap<String, String>) {
    for initials in ["Q", "QQ"] {
        let line = format!("X-MSGRAPH-INITIALS:{initials}\r\n");
        let with = |(path, text): (&String, &String)| {
            // A card may hold another: that of an agent.
            let (head, end) = text.split_at(text.rfind("END:VCARD").unwrap());
            (path.clone(), format!("{head}{line}{end}"))
        };
        world.clear_log();
        save(mount, &shown.iter().map(with).collect());
        let writes = world.writes();
        assert_eq!(writes.len(), shown.len());
        for write in writes {
            assert_eq!(write.method, "PATCH");
            assert_eq!(write.request, Some(json!({"initials": initials})));
        }
    }
    let third = world.mounting().at("third").state("third-state");
    let third = third.args(&["--extended", "all"]).start();
    let after = texts(&third, all);
    for (path, before) in shown {
        let mut after = lines(&after[path]);
        after.retain(|line| line != "X-MSGRAPH-INITIALS:QQ");
        assert_eq!(after, lines(before), "{path}");
    }
}

/// The same mailbox as 3.0.
#[track_caller]
fn in_3_0(world: &World, all: &Cards) {
    let mount = world.mounting().at("old").state("old-state");
    let mount = mount
        .args(&["--vcard-version", "3.0", "--eol", "lf"])
        .start();
    let shown = texts(&mount, all);
    for (path, bytes) in all {
        assert!(
            shown[path].starts_with("BEGIN:VCARD\nVERSION:3.0\n"),
            "{path}"
        );
        let lost = lost(bytes, shown[path].as_bytes());
        let lost: Vec<_> = lost.iter().filter(|fact| !is_hidden(fact)).collect();
        assert!(lost.is_empty(), "{path} lost {lost:#?}\n{}", shown[path]);
    }
    mount.in_step();
    world.clear_log();
    save(&mount, &shown);
    assert_eq!(world.writes(), [], "nothing was changed");
}

/// What a mount does not show that reads less than the one the card was saved through.
fn is_hidden(fact: &str) -> bool {
    const ALL: [&str; 7] = [
        "GENDER:",
        "HOBBY:",
        "FBURL:",
        "X-MS-TEXT:",
        "CLASS:",
        "TEL:",
        "X-MS-TEL:",
    ];
    ALL.iter().any(|name| fact.starts_with(name))
}
