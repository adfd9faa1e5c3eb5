//! How soon a mount with a warm store answers, and what it keeps in memory.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use contactfs::sandbox::Options;

use super::counters::resident;
use super::mount::World;
use super::operation::Operation;
use super::table::{head, median, milliseconds, row, say};

const RUNS: usize = 5;

/// Mounts again and again with all contacts in the store.
pub(super) fn run(contacts: usize) -> Result<()> {
    let world = World::new(Options {
        contacts: Some(contacts),
        ..Options::default()
    })?;
    say(&format!("\n## start: {contacts} contacts in the store"));
    let first = world.mount("m", &[], None)?;
    first.wait_loaded()?;
    first.end()?;
    let (mut mounted, mut listed, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = Instant::now();
        let mount = world.mount("m", &[], None)?;
        mounted.push(start.elapsed());
        fs::read_dir(mount.dir())?.for_each(drop);
        listed.push(start.elapsed());
        fs::read_dir(mount.dir().join("Contacts"))?.for_each(drop);
        read.push(start.elapsed());
        mount.end()?;
    }
    let goal = if contacts > 10_000 { "1500" } else { "200" };
    head(&["since the start", "median of 5", "goal"]);
    line("mounted", mounted, "-");
    line("first ls", listed, &format!("{goal} ms"));
    line("ls of all names", read, "-");
    memory(&world)
}

fn line(what: &str, times: Vec<Duration>, goal: &str) {
    let time = median(times).map(milliseconds).unwrap_or_default();
    row(&[what, &time, goal]);
}

fn memory(world: &World) -> Result<()> {
    let mount = world.mount("m", &[], None)?;
    let contacts = mount.dir().join("Contacts");
    head(&["resident memory", "MB", "goal with 100000"]);
    for operation in [Operation::List, Operation::Cat] {
        operation.run(&contacts, world.dir(), None)?;
        let resident = resident(mount.pid())?.to_string();
        row(&[&format!("after {}", operation.name()), &resident, "250"]);
    }
    mount.end()
}
