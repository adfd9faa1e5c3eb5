//! The first load of a mailbox, beside what cannot be avoided: the pages of its largest folder, one after the other.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use contactfs::sandbox::{LogEntry, Options};

use super::mount::{Mount, World, cards};
use super::table::{head, milliseconds, ratio, row, say};
use super::wire::Wire;

const LATENCY: Duration = Duration::from_millis(50);
const GOAL: &str = "1.5x";
/// Contacts with more to keep than a list shows.
const LONG: usize = 200;

/// Loads contacts, in one folder or spread over several.
pub(super) fn run(contacts: usize, folders: usize) -> Result<()> {
    let world = World::new(Options {
        contacts: Some(contacts),
        folders,
        latency: LATENCY,
        ..Options::default()
    })?;
    let places = if folders == 0 { 1 } else { folders };
    say(&format!(
        "\n## load: {contacts} contacts in {places} folder(s), {LONG} of them with a long residue, latency {LATENCY:?}"
    ));
    make_long(&world)?;
    world.service.clear_log();
    let start = Instant::now();
    let mount = world.mount("loading", &[], None)?;
    mount.wait_loaded()?;
    let load = start.elapsed();
    let log = world.service.log();
    let cpu = super::counters::cpu(mount.pid())?;
    mount.end()?;
    let first = largest(&log).context("no delta query")?;
    let start = Instant::now();
    let pages = Wire::to(&world.service)?.walk(first)?;
    let bound = start.elapsed();
    head(&["", "time", "ratio", "goal"]);
    row(&[
        "bare walk of the largest folder's pages",
        &milliseconds(bound),
        "1",
        "-",
    ]);
    row(&["first load", &milliseconds(load), &ratio(load, bound), GOAL]);
    let requests = log.iter().filter(|entry| !entry.in_batch).count();
    say(&format!(
        "\n{pages} pages; {requests} requests; the program used {} of processor time",
        milliseconds(cpu)
    ));
    Ok(())
}

/// Through another mount, as another machine would.
fn make_long(world: &World) -> Result<()> {
    let mount = world.mount("elsewhere", &[], None)?;
    mount.wait_loaded()?;
    for card in all_cards(&mount)?.iter().step_by(7).take(LONG) {
        let text = std::fs::read_to_string(card)?;
        let line = format!("X-BENCH:{}\r\nEND:VCARD", "0123456789".repeat(60));
        let mut file = OpenOptions::new().write(true).truncate(true).open(card)?;
        file.write_all(text.replace("END:VCARD", &line).as_bytes())?;
    }
    mount.wait_sent()?;
    mount.end()
}

fn all_cards(mount: &Mount<'_>) -> Result<Vec<std::path::PathBuf>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(mount.dir())? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(cards(&path)?);
        }
    }
    Ok(all)
}

/// The first delta query of the folder that took most of them.
fn largest(log: &[LogEntry]) -> Option<&LogEntry> {
    let pages = |entry: &LogEntry| {
        let (path, _) = entry.path.split_once('?').unwrap_or((&entry.path, ""));
        let others = log.iter().filter(|other| other.path.starts_with(path));
        others.count()
    };
    log.iter()
        .filter(|entry| entry.path.ends_with("/contacts/delta"))
        .max_by_key(|entry| pages(entry))
}
