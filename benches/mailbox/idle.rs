//! What a mount costs while nobody uses it.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use contactfs::sandbox::Options;

use super::counters::{cpu, switches};
use super::mount::World;
use super::table::{head, milliseconds, row, say};

const CONTACTS: usize = 1000;
/// Until the work that follows a first load is done.
const REST: Duration = Duration::from_secs(5);

/// Watches a mount with the default poll interval.
pub(super) fn run(seconds: u64) -> Result<()> {
    let world = World::new(Options {
        contacts: Some(CONTACTS),
        ..Options::default()
    })?;
    say(&format!(
        "\n## idle: {seconds} s of a mount with {CONTACTS} contacts and the default poll interval"
    ));
    let mount = world.mount("m", &[], None)?;
    mount.wait_loaded()?;
    thread::sleep(REST);
    world.service.clear_log();
    let (cpu_before, before) = (cpu(mount.pid())?, switches(mount.pid())?);
    thread::sleep(Duration::from_secs(seconds));
    let (cpu_after, after) = (cpu(mount.pid())?, switches(mount.pid())?);
    let before: HashMap<String, u64> = before.into_iter().collect();
    head(&["thread", "voluntary context switches"]);
    for (thread, count) in after {
        let count = count - before.get(&thread).copied().unwrap_or(0);
        row(&[thread, count.to_string()]);
    }
    let log = world.service.log();
    let requests = log.iter().filter(|entry| entry.batch.is_none()).count();
    say(&format!(
        "\nprocessor time {}, {requests} requests",
        milliseconds(cpu_after - cpu_before)
    ));
    mount.end()
}
