//! `contactfs deletes`: deletions that are held because they are so many.

use std::path::Path;

use super::args::{DeletesArgs, DeletesCommand};
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::control::{Reply, Request};

/// Lists, confirms or takes back.
pub(super) fn run(args: &DeletesArgs) -> Result<Exit, CliError> {
    match &args.command {
        DeletesCommand::List { dir, json } => list(dir.as_deref(), *json),
        DeletesCommand::Confirm { dir } => decide(dir, &Request::ConfirmDeletions, "confirmed"),
        DeletesCommand::Restore { dir } => decide(dir, &Request::RestoreDeletions, "restored"),
    }
}

fn list(dir: Option<&Path>, json: bool) -> Result<Exit, CliError> {
    let mut held = Vec::new();
    for mount in target::of(dir)? {
        match target::ask(&mount, &Request::Status)? {
            Reply::Status(status) => {
                let items = status.held.into_iter();
                held.extend(items.map(|item| (mount.dir.join(&item.path), item)));
            }
            _ => return Err(target::confused(&mount)),
        }
    }
    if json {
        let items: Vec<_> = held.iter().map(|(_, item)| item).collect();
        output::json(&items)?;
    } else {
        for (path, _) in &held {
            output::line(&path.display().to_string())?;
        }
    }
    Ok(if held.is_empty() {
        Exit::Success
    } else {
        Exit::Person
    })
}

fn decide(dir: &Path, request: &Request, done: &str) -> Result<Exit, CliError> {
    let (mount, _) = target::of_path(dir)?;
    let Reply::Deletions(count) = target::ask(&mount, request)? else {
        return Err(target::confused(&mount));
    };
    output::note(&format!("{done} {count} deletions"));
    Ok(Exit::Success)
}
