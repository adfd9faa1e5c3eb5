//! The first load of a mailbox, beside what the service forces upon anybody: the pages of a folder's delta query one after
//! the other, and what they do not show in further requests, four at a time.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use contactfs::sandbox::{LogEntry, Options};

use super::mount::{Mount, World, cards};
use super::table::{head, milliseconds, ratio, row, say};
use super::wire::Wire;

const LATENCY: Duration = Duration::from_millis(50);
const GOAL: &str = "1.5x";
/// Requests that the service takes at a time.
const AT_A_TIME: usize = 4;

/// Loads contacts, in one folder or spread over several, of which so many hold more to keep than a list shows.
pub(super) fn run(contacts: usize, folders: usize, long: usize) -> Result<()> {
    let world = World::new(Options {
        contacts: Some(contacts),
        folders,
        latency: LATENCY,
        ..Options::default()
    })?;
    let places = if folders == 0 { 1 } else { folders };
    say(&format!(
        "\n## load: {contacts} contacts in {places} folder(s), {long} of them with a long residue, latency {LATENCY:?}"
    ));
    if long > 0 {
        make_long(&world, long)?;
    }
    world.service.clear_log();
    let start = Instant::now();
    let mount = world.mount("loading", &[], None)?;
    mount.wait_loaded()?;
    let load = start.elapsed();
    let log = world.service.log();
    let cpu = super::counters::cpu(mount.pid())?;
    mount.end()?;
    let forced = Forced::of(&log);
    let (chains, others) = (forced.chains.len(), forced.others.len());
    let start = Instant::now();
    let pages = forced.replay(&world)?;
    let bound = start.elapsed();
    head(&["", "time", "ratio", "goal"]);
    row(&[
        "the same pages and single reads, bare",
        &milliseconds(bound),
        "1",
        "-",
    ]);
    row(&["first load", &milliseconds(load), &ratio(load, bound), GOAL]);
    let requests = log.iter().filter(|entry| entry.batch.is_none()).count();
    say(&format!(
        "\n{pages} pages in {chains} chain(s) and {others} requests beside them; {requests} requests in all; \
         the program used {} of processor time",
        milliseconds(cpu)
    ));
    Ok(())
}

/// What the load could not do without.
struct Forced {
    /// The first delta query of each folder; its pages follow one another.
    chains: VecDeque<LogEntry>,
    /// Lists with residues, and contacts that neither shows whole.
    others: VecDeque<LogEntry>,
}

impl Forced {
    fn of(log: &[LogEntry]) -> Self {
        let is_read = |entry: &&LogEntry| entry.method == "GET" && entry.batch.is_none();
        let is_chain = |entry: &&LogEntry| entry.path.ends_with("/contacts/delta");
        let is_other = |entry: &&LogEntry| {
            entry.path.contains("/contacts") && entry.path.contains("$expand") && has_rows(entry)
        };
        let pick = |wanted: &dyn Fn(&&LogEntry) -> bool| {
            log.iter().filter(is_read).filter(wanted).cloned().collect()
        };
        Self {
            chains: pick(&is_chain),
            others: pick(&is_other),
        }
    }

    /// Asks for all of it as fast as four bare connections can, longest first; returns the number of pages.
    fn replay(self, world: &World) -> Result<usize> {
        let todo = &Mutex::new(self);
        let wires: Vec<Wire> = (0..AT_A_TIME)
            .map(|_| Wire::to(&world.service))
            .collect::<Result<_>>()?;
        let work = |mut wire: Wire| -> Result<usize> {
            let mut pages = 0;
            loop {
                let mut left = todo.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(first) = left.chains.pop_front() {
                    drop(left);
                    pages += wire.walk(&first)?;
                } else if let Some(entry) = left.others.pop_front() {
                    drop(left);
                    wire.repeat(&entry, &entry.path, "")?;
                } else {
                    return Ok(pages);
                }
            }
        };
        thread::scope(|scope| {
            let start = |wire| scope.spawn(move || work(wire));
            let workers: Vec<_> = wires.into_iter().map(start).collect();
            let mut pages = 0;
            for worker in workers {
                match worker.join() {
                    Ok(done) => pages += done?,
                    Err(_) => bail!("a connection failed"),
                }
            }
            Ok(pages)
        })
    }
}

/// Whether a list is more than a look beyond the folder's end.
fn has_rows(entry: &LogEntry) -> bool {
    let rows = entry.response.as_ref().and_then(|body| body.get("value"));
    rows.and_then(|rows| rows.as_array())
        .is_none_or(|rows| !rows.is_empty())
}

/// Through another mount, as another machine would.
fn make_long(world: &World, long: usize) -> Result<()> {
    let mount = world.mount("elsewhere", &[], None)?;
    mount.wait_loaded()?;
    for card in all_cards(&mount)?.iter().step_by(7).take(long) {
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
