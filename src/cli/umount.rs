//! `contactfs umount`: asks the mount to drain and end, or clears one whose process is gone.

use std::path::Path;

use super::args::UmountArgs;
use super::error::{CliError, Exit};
use super::mount_point::{self, State};
use super::{output, target};
use crate::daemon::control::{CallError, Reply, Request};
use crate::daemon::registry::LiveMount;
use crate::observe::status::Item;

/// Unmounts, and lists what stays queued.
pub(super) fn run(args: &UmountArgs) -> Result<Exit, CliError> {
    let listed = target::of_path(&args.dir)
        .ok()
        .filter(|(_, below)| below.as_os_str().is_empty());
    match listed {
        Some((mount, _)) if !args.force => drain(&mount),
        Some((mount, _)) => clear(&mount.dir),
        None => clear(&args.dir),
    }
}

fn drain(mount: &LiveMount) -> Result<Exit, CliError> {
    match target::ask(mount, &Request::Unmount) {
        Ok(Reply::Unmounted(left)) => {
            report(&left);
            Ok(Exit::Success)
        }
        Ok(_) => Err(target::confused(mount)),
        // The process is gone, before or while it was asked: what is left of it is the mount itself.
        Err(CliError::Call {
            source: CallError::NotRunning | CallError::Ended,
            ..
        }) => match mount_point::state(&mount.dir) {
            State::Dead | State::Mounted => clear(&mount.dir),
            _ => Ok(Exit::Success),
        },
        Err(error) => Err(error),
    }
}

fn clear(dir: &Path) -> Result<Exit, CliError> {
    match mount_point::state(dir) {
        State::Dead | State::Mounted => mount_point::detach(dir).map(|()| Exit::Success),
        _ => Err(CliError::failed(
            Exit::Attention,
            format!("{} is not a contactfs mount", dir.display()),
        )
        .hint("The mounts are listed by: contactfs status")),
    }
}

fn report(left: &[Item]) {
    if left.is_empty() {
        return;
    }
    output::note(&format!("{} changes wait for the next mount:", left.len()));
    for item in left {
        output::note(&format!("  {}", item.path));
    }
}
