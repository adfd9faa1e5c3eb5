//! `contactfs mount --auto-unmount`: a process beside the mount that clears what this one leaves when it dies.
//!
//! `fusermount3` offers the same and looks once, in the moment the process ends, when the mount may still seem alive; and it
//! has to be let in.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::error::{CliError, Exit};
use super::mount_point::{self, State};
use crate::daemon::registry;

/// Between two looks at a process that was killed and hangs on in the kernel, which no wait ends for.
const TURN: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// Starts it for this process, out of reach of a terminal's Ctrl-C.
pub(super) fn start(dir: &Path) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::failed(
            Exit::Service,
            format!("--auto-unmount: cannot start: {error}"),
        )
    };
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command
        .args(["umount", "--after", &std::process::id().to_string(), "--"])
        .arg(dir)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().map(drop).map_err(failed)
}

/// Waits for the end of the process, and clears its mount if that is left dead.
pub(super) fn run(pid: u32, dir: &Path) -> Result<Exit, CliError> {
    let hold = hold(pid);
    while registry::is_running(pid) && hold.as_ref().is_some_and(|hold| !await_end(hold, &TURN)) {}
    if mount_point::state(dir) == State::Dead {
        mount_point::clear(dir)?;
    }
    Ok(Exit::Success)
}

/// A hold on a process, which no other one of the same number can be taken for.
pub(super) fn hold(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Waits until a process has ended, for so long at most; whether it has.
pub(super) fn await_end(process: &OwnedFd, longest: &Timespec) -> bool {
    let mut polled = [PollFd::new(process, PollFlags::IN)];
    poll(&mut polled, Some(longest)).is_ok_and(|ended| ended > 0)
}
