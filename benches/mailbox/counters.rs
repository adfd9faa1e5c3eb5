//! What the kernel counts of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Resident memory in MB.
pub(super) fn resident(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(field(&status, "VmRSS:").context("no VmRSS")? / 1000)
}

/// Processor time used so far, in hundredths of a second: the kernel counts in ticks of that length.
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("no name")?;
    // utime and stime are the 14th and 15th field; the name is the second.
    let ticks = rest.split(' ').skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Voluntary context switches so far of every thread, by thread id and name.
pub(super) fn switches(pid: u32) -> Result<Vec<(String, u64)>> {
    let mut threads = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?;
        // A thread may end at any time.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else {
            continue;
        };
        let name = status.lines().next().unwrap_or_default();
        let name = name.trim_start_matches("Name:").trim();
        let id = task.file_name().to_string_lossy().into_owned();
        let count = field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        threads.push((format!("{id} {name}"), count));
    }
    Ok(threads)
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
