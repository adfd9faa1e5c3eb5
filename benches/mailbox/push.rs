//! Many saves at once, and one save that must be at the service before its program goes on.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use contactfs::sandbox::{LogEntry, Options};

use super::mount::{Mount, World, cards};
use super::table::{head, milliseconds, ratio, row, say};
use super::wire::Wire;

const LATENCY: Duration = Duration::from_millis(50);
const SAVES: usize = 1000;
/// Requests in one `$batch`.
const BATCH: usize = 20;

/// Copies changed cards into a mount, then saves one more and waits for it.
pub(super) fn run() -> Result<()> {
    let world = World::new(Options {
        contacts: Some(SAVES),
        latency: LATENCY,
        ..Options::default()
    })?;
    say(&format!(
        "\n## push: {SAVES} changed cards, latency {LATENCY:?}"
    ));
    let mount = world.mount("m", &["--poll-interval", "1h"], None)?;
    mount.wait_loaded()?;
    many(&world, &mount)?;
    one(&world, &mount)?;
    mount.end()
}

fn many(world: &World, mount: &Mount<'_>) -> Result<()> {
    let changed = world.dir().join("changed");
    change(&mount.dir().join("Contacts"), &changed)?;
    world.service.clear_log();
    let start = Instant::now();
    let copied = Command::new("cp")
        .arg("-r")
        .arg(changed.join("."))
        .arg(mount.dir().join("Contacts"))
        .status()?;
    let copying = start.elapsed();
    mount.wait_sent()?;
    let took = start.elapsed();
    if !copied.success() {
        bail!("the cards could not be copied");
    }
    let log = world.service.log();
    let trip = batch_trip(world, &log)?;
    let bound = trip * 2 * u32::try_from(SAVES.div_ceil(BATCH))?;
    head(&["", "time", "ratio"]);
    row(&["cp itself", &milliseconds(copying), "-"]);
    row(&["one $batch of 20 saves, bare", &milliseconds(trip), "-"]);
    row(&[
        &format!("bound: {} x (check + write)", SAVES.div_ceil(BATCH)),
        &milliseconds(bound),
        "1",
    ]);
    row(&[
        "until all is sent",
        &milliseconds(took),
        &ratio(took, bound),
    ]);
    requests(&log);
    Ok(())
}

/// The same cards with one more line.
fn change(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for card in cards(from)? {
        let text = fs::read_to_string(&card)?;
        let text = text.replace("END:VCARD", "TITLE:Changed\r\nEND:VCARD");
        fs::write(to.join(card.file_name().context("no name")?), text)?;
    }
    Ok(())
}

/// What a full batch of saves takes with nothing else to do.
fn batch_trip(world: &World, log: &[LogEntry]) -> Result<Duration> {
    let body = |entry: &LogEntry| entry.request.as_ref().map(ToString::to_string);
    let full = log
        .iter()
        .find(|entry| is_batch(entry) && entry.path_members() == BATCH);
    let full = full.context("no full batch was sent")?;
    let mut wire = Wire::to(&world.service)?;
    let start = Instant::now();
    wire.repeat(full, &full.path, &body(full).unwrap_or_default())?;
    Ok(start.elapsed())
}

/// What was sent: how often, and with how many members.
fn requests(log: &[LogEntry]) {
    let mut kinds: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry.batch.is_none()) {
        let kind = if is_batch(entry) {
            format!("$batch of {}", entry.first_method())
        } else {
            format!("{} alone", entry.method)
        };
        kinds.entry(kind).or_default().push(entry.path_members());
    }
    head(&["request", "how many", "members on average"]);
    for (kind, members) in kinds {
        let all: usize = members.iter().sum();
        row(&[
            kind,
            members.len().to_string(),
            format!("{:.1}", all as f64 / members.len() as f64),
        ]);
    }
}

fn is_batch(entry: &LogEntry) -> bool {
    entry.path.ends_with("/$batch")
}

/// What a logged batch holds.
trait Members {
    fn path_members(&self) -> usize;
    fn first_method(&self) -> String;
}

impl Members for LogEntry {
    fn path_members(&self) -> usize {
        let members = self
            .request
            .as_ref()
            .and_then(|body| body.get("requests")?.as_array());
        members.map_or(0, Vec::len)
    }

    fn first_method(&self) -> String {
        let body = self.request.as_ref();
        let method = body.and_then(|body| body.pointer("/requests/0/method")?.as_str());
        method.unwrap_or("?").to_owned()
    }
}

/// `write`, then `fsync`, which returns when the service has the save.
fn one(world: &World, mount: &Mount<'_>) -> Result<()> {
    let card = cards(&mount.dir().join("Contacts"))?;
    let card = card.first().context("no card")?;
    let text = fs::read_to_string(card)?.replace("END:VCARD", "ROLE:Saved\r\nEND:VCARD");
    world.service.clear_log();
    let start = Instant::now();
    let mut file = File::create(card)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let took = start.elapsed();
    drop(file);
    let log = world.service.log();
    let trips = log.iter().filter(|entry| entry.batch.is_none()).count();
    head(&["one save with fsync", "time", "round trips", "goal"]);
    row(&["", &milliseconds(took), &trips.to_string(), "2"]);
    Ok(())
}
