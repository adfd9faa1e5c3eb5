//! `contactfs status --watch`: the state again whenever it is another one, until the mounts end.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::{Report, gather, report_lines};
use crate::cli::error::{CliError, Exit};
use crate::cli::{mount_point, output, target};
use crate::observe::status::{Connection, Traffic};

/// How often is looked.
const TURN: Duration = Duration::from_secs(1);

/// Shows the state of the mount that a path lies in, or of all mounts, until there is none any more.
pub(super) fn run(path: Option<&Path>, json: bool) -> Result<Exit, CliError> {
    let mounts = target::of(path)?;
    let is_screen = !json && io::stdout().is_terminal();
    let mut last = None;
    let mut drawn = Vec::new();
    loop {
        // New mounts come in when all are watched.
        let report = match path {
            Some(_) => gather(&mounts)?,
            None => gather(&target::all()?)?,
        };
        let is_end = report.mounts.is_empty();
        if is_end && last.is_some() {
            return Ok(end(&report));
        }
        let essence = report.essence();
        let is_new = last.as_ref() != Some(&essence);
        if is_screen {
            let lines = report_lines(&report, Timestamp::now());
            if lines != drawn {
                output::redraw(&lines)?;
                drawn = lines;
            }
        } else if is_new && json {
            output::json_line(&report)?;
        } else if is_new {
            for line in report_lines(&report, Timestamp::now()) {
                output::line(&line)?;
            }
        }
        if is_end {
            return Ok(report.exit());
        }
        last = Some(essence);
        thread::sleep(TURN);
    }
}

/// A mount that was taken down is not dead.
fn end(report: &Report) -> Exit {
    let is_dead = |dir: &&std::path::PathBuf| mount_point::mounted(dir).is_some();
    match report.dead.iter().find(is_dead) {
        Some(_) => Exit::Person,
        None => Exit::Success,
    }
}

impl Report {
    /// What is worth a line when it changes: not times and counters, which always do.
    fn essence(&self) -> Self {
        let mut essence = self.clone();
        for mount in &mut essence.mounts {
            mount.requests = 0;
            mount.traffic = Traffic::default();
            for folder in &mut mount.folders {
                folder.last_pull = None;
            }
            if let Connection::Throttled { until } = &mut mount.connection {
                *until = Timestamp::UNIX_EPOCH;
            }
        }
        essence
    }
}
