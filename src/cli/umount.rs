//! `contactfs umount`: asks the mount to drain and end, or clears one whose process is gone.

use rustix::event::Timespec;

use super::args::UmountArgs;
use super::error::{CliError, Exit};
use super::{guard, mount_point, output, target};
use crate::daemon::control::{CallError, Reply, Request};
use crate::daemon::registry::LiveMount;
use crate::observe::status::Item;

/// How long a process may take to end once its mount is gone.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// Unmounts, and lists what stays queued.
pub(super) fn run(args: &UmountArgs) -> Result<Exit, CliError> {
    if let Some(pid) = args.after {
        return guard::run(pid, &args.dir);
    }
    let Some(dir) = mount_point::mounted(&args.dir) else {
        let sentence = format!("{} is not a contactfs mount", args.dir.display());
        return Err(CliError::failed(Exit::Attention, sentence)
            .hint("The mounts are listed by: contactfs status"));
    };
    let served = if args.force {
        None
    } else {
        target::all()?.into_iter().find(|mount| mount.dir == dir)
    };
    match served {
        Some(mount) => drain(&mount),
        None => mount_point::clear(&dir).map(|()| Exit::Success),
    }
}

fn drain(mount: &LiveMount) -> Result<Exit, CliError> {
    let process = guard::hold(mount.pid);
    match target::ask(mount, &Request::Unmount) {
        Ok(Reply::Unmounted(left)) => {
            // Until it has ended the store is its own, and the next mount would be refused.
            process.map(|process| guard::await_end(&process, &PATIENCE));
            report(&left);
        }
        Ok(_) => return Err(target::confused(mount)),
        // The process is gone, before or while it was asked; perhaps its mount is still there.
        Err(CliError::Call {
            source: CallError::NotRunning | CallError::Ended,
            ..
        }) => {
            if mount_point::mounted(&mount.dir).is_some() {
                mount_point::clear(&mount.dir)?;
            }
        }
        Err(error) => return Err(error),
    }
    Ok(Exit::Success)
}

fn report(left: &[Item]) {
    output::note_left(left.len());
    for item in left {
        output::note(&format!("  {}", item.path));
    }
}
