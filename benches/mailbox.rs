//! How fast the mounted mailbox is, beside the local disk and a FUSE mirror of it: `cargo bench`.
//!
//! Prints tables and asserts nothing; the goals stand beside the figures. Sections can be chosen, `cargo bench -- files load`;
//! see [`HELP`]. Needs /dev/fuse, and root for the cold figures. The service is the built-in one, in this process.

#[path = "mailbox/counters.rs"]
mod counters;
#[path = "mailbox/files.rs"]
mod files;
#[path = "mailbox/idle.rs"]
mod idle;
#[path = "mailbox/load.rs"]
mod load;
#[path = "mailbox/mount.rs"]
mod mount;
#[path = "mailbox/operation.rs"]
mod operation;
#[path = "mailbox/push.rs"]
mod push;
#[path = "mailbox/start.rs"]
mod start;
#[path = "mailbox/table.rs"]
mod table;
#[path = "mailbox/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, bail};

use table::say;

const HELP: &str = "cargo bench [-- SECTION... [--seconds N] [--contacts N]]
sections: files start load push idle; all of them if none is named
  --seconds N   how long `idle` watches (300)
  --contacts N  contacts of `files` and `load` (10000); `start` takes as many, and ten times as many";

const SECTIONS: [&str; 5] = ["files", "start", "load", "push", "idle"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = BTreeSet::new();
    let (mut seconds, mut contacts) = (300, 10_000);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // What cargo adds.
            "--bench" => {}
            // This program as one of its own tools, so that it can be pinned.
            operation::CHILD => return operation::child(arguments),
            "--seconds" => seconds = arguments.next().unwrap_or_default().parse()?,
            "--contacts" => contacts = arguments.next().unwrap_or_default().parse()?,
            section if SECTIONS.contains(&section) => drop(wanted.insert(argument)),
            _ => bail!("{HELP}"),
        }
    }
    let runs = |section: &str| wanted.is_empty() || wanted.contains(section);
    load_average()?;
    if runs("files") {
        files::run(contacts)?;
    }
    if runs("start") {
        start::run(contacts)?;
        start::run(contacts * 10)?;
    }
    if runs("load") {
        for (folders, long) in [(0, 0), (20, 0), (0, 200), (20, 200)] {
            load::run(contacts, folders, long)?;
        }
    }
    if runs("push") {
        push::run()?;
    }
    if runs("idle") {
        idle::run(seconds)?;
    }
    load_average()
}

/// Other work on the machine makes every figure worse.
fn load_average() -> Result<()> {
    let load = fs::read_to_string("/proc/loadavg")?;
    let processors = std::thread::available_parallelism()?;
    say(&format!(
        "load average {} on {processors} processors",
        load.trim_end()
    ));
    Ok(())
}
