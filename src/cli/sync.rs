//! `contactfs sync`: pushes and pulls now, and says what is left.

use super::args::SyncArgs;
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::control::{Reply, Request, SyncOutcome};
use crate::daemon::registry::LiveMount;

/// Syncs one mount or all of them; the gravest outcome decides the exit code.
pub(super) fn run(args: &SyncArgs) -> Result<Exit, CliError> {
    let mut exit = Exit::Success;
    for mount in &target::of(args.dir.as_deref())? {
        exit = exit.worse(sync(mount)?);
    }
    Ok(exit)
}

fn sync(mount: &LiveMount) -> Result<Exit, CliError> {
    let Reply::Sync(outcome) = target::ask(mount, &Request::Sync)? else {
        return Err(target::confused(mount));
    };
    match outcome {
        SyncOutcome::InStep => Ok(Exit::Success),
        SyncOutcome::Left(items) => {
            for item in &items {
                let reason = item
                    .reason
                    .as_ref()
                    .map(|reason| format!(": {reason}"))
                    .unwrap_or_default();
                output::line(&format!(
                    "{} {}{reason}",
                    item.state,
                    mount.dir.join(&item.path).display()
                ))?;
            }
            Ok(Exit::Attention)
        }
        SyncOutcome::Offline(reason) => {
            output::note(&format!("contactfs: {}: {reason}", mount.dir.display()));
            Ok(Exit::TryLater)
        }
    }
}
