//! `contactfs watch`: what happens in mounts, as it happens.

use std::path::Path;
use std::thread;

use serde::Serialize;

use super::args::WatchArgs;
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::registry::LiveMount;
use crate::observe::happening::Happening;

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    mount: &'a Path,
    #[serde(flatten)]
    happening: Happening,
}

/// Prints lines until every mount has ended; a mount that ended badly decides what comes of it.
pub(super) fn run(args: &WatchArgs) -> Result<Exit, CliError> {
    let mounts = target::of(args.dir.as_deref())?;
    if mounts.is_empty() {
        output::note("nothing is mounted");
    }
    thread::scope(|scope| {
        let watching: Vec<_> = mounts
            .iter()
            .map(|mount| scope.spawn(|| follow(mount)))
            .collect();
        let ends = watching.into_iter().map(|one| match one.join() {
            Ok(end) => end,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        ends.collect::<Result<Vec<()>, _>>()
    })?;
    Ok(Exit::Success)
}

fn follow(mount: &LiveMount) -> Result<(), CliError> {
    for happening in target::watch(mount)? {
        output::json_line(&Line {
            mount: &mount.dir,
            happening: happening.map_err(|source| target::failed(mount, source))?,
        })?;
    }
    Ok(())
}
