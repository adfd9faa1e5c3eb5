//! Which mounts a command means.

use std::path::{Path, PathBuf};

use super::error::{CliError, Exit};
use super::mount_point;
use crate::config::{Environment, runtime_dir};
use crate::daemon::control::{self, CallError, Reply, Request, Watching, call};
use crate::daemon::registry::{self, LiveMount};

/// Every mount of this user.
pub(super) fn all() -> Result<Vec<LiveMount>, CliError> {
    let runtime = runtime_dir(&Environment::of_process())?;
    registry::mounts(&runtime).map_err(|error| {
        CliError::failed(
            Exit::Service,
            format!("cannot read {}: {error}", runtime.display()),
        )
    })
}

/// The mount that a path lies in, or every mount of this user.
pub(super) fn of(path: Option<&Path>) -> Result<Vec<LiveMount>, CliError> {
    match path {
        Some(path) => Ok(vec![of_path(path)?.0]),
        None => all(),
    }
}

/// The mount a path lies in, and the path relative to its mount point (empty for the mount point itself).
pub(super) fn of_path(path: &Path) -> Result<(LiveMount, PathBuf), CliError> {
    let mounts = all()?;
    // A path below a dead mount cannot be resolved; as typed it may still name one.
    let full = mount_point::canonical(path).or_else(|_| std::path::absolute(path));
    let found = full.ok().and_then(|full| {
        let (mount, below) = registry::find(&mounts, &full)?;
        Some((mount.clone(), below))
    });
    found.ok_or_else(|| {
        CliError::usage(format!("{} is not in a contactfs mount", path.display()))
            .hint("The mounts are listed by: contactfs status")
    })
}

/// Asks a mount.
pub(super) fn ask(mount: &LiveMount, request: &Request) -> Result<Reply, CliError> {
    let answer = if mount.is_running() {
        call(&mount.socket, request)
    } else {
        Err(CallError::NotRunning)
    };
    answer.map_err(|source| failed(mount, source))
}

/// Watches a mount.
pub(super) fn watch(mount: &LiveMount) -> Result<Watching, CliError> {
    let watching = if mount.is_running() {
        control::watch(&mount.socket)
    } else {
        Err(CallError::NotRunning)
    };
    watching.map_err(|source| failed(mount, source))
}

/// The error for a mount that did not answer.
pub(super) fn failed(mount: &LiveMount, source: CallError) -> CliError {
    CliError::Call {
        mount: mount.dir.display().to_string(),
        source,
    }
}

/// The error for a reply to another question than was asked.
pub(super) fn confused(mount: &LiveMount) -> CliError {
    CliError::failed(
        Exit::Internal,
        format!("{} gave an answer that makes no sense", mount.dir.display()),
    )
}
