//! `contactfs categories`: the categories of contacts, with the colours the mailbox gives them.

use std::path::Path;

use super::args::CategoriesArgs;
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::control::{Reply, Request};
use crate::daemon::registry::LiveMount;
use crate::observe::categories::Category;

/// Lists the categories of one mount.
pub(super) fn run(args: &CategoriesArgs) -> Result<Exit, CliError> {
    let mount = mount(args.of.as_deref())?;
    let Reply::Categories(found) = target::ask(&mount, &Request::Categories)? else {
        return Err(target::confused(&mount));
    };
    if args.json {
        output::json(&found.categories)?;
    } else {
        for category in &found.categories {
            output::line(&line(category))?;
        }
    }
    if let Some(problem) = &found.problem {
        output::note(&format!("contactfs: {problem}"));
        return Ok(Exit::Attention);
    }
    Ok(Exit::Success)
}

/// The mount of a path or of an account; the only one when nothing is said.
fn mount(of: Option<&Path>) -> Result<LiveMount, CliError> {
    let mounts = target::all()?;
    let Some(of) = of else {
        return match mounts.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(CliError::usage("nothing is mounted")),
            _ => Err(CliError::usage("several mailboxes are mounted; say which")
                .hint("The mounts are listed by: contactfs status")),
        };
    };
    let named = mounts
        .into_iter()
        .find(|mount| !of.exists() && of == Path::new(&mount.account));
    named.map_or_else(|| target::of_path(of).map(|(mount, _)| mount), Ok)
}

fn line(category: &Category) -> String {
    let color = category.color.as_deref().unwrap_or("-");
    format!("{:>7}  {color:<14}  {}", category.contacts, category.name)
}
