//! `contactfs conflicts`: contacts whose same property was changed here and elsewhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::args::{ConflictsArgs, ConflictsCommand, ResolveArgs};
use super::error::{CliError, Exit};
use super::{output, save, target};
use crate::config::Environment;
use crate::daemon::control::{Reply, Request};
use crate::daemon::registry::LiveMount;
use crate::observe::past::Conflict;

/// Characters of a line that are shown.
const LONGEST: usize = 200;

/// Lists, shows or resolves.
pub(super) fn run(args: &ConflictsArgs) -> Result<Exit, CliError> {
    match &args.command {
        ConflictsCommand::List { dir, json } => list(dir.as_deref(), *json),
        ConflictsCommand::Show { file, json } => show(file, *json),
        ConflictsCommand::Resolve(args) => resolve(args),
    }
}

fn list(dir: Option<&Path>, json: bool) -> Result<Exit, CliError> {
    let mut conflicts = Vec::new();
    for mount in target::of(dir)? {
        for conflict in of(&mount)? {
            let shown = mount.dir.join(&conflict.path);
            conflicts.push((shown, conflict));
        }
    }
    if json {
        let plain: Vec<&Conflict> = conflicts.iter().map(|(_, conflict)| conflict).collect();
        output::json(&plain)?;
    } else {
        for (path, conflict) in &conflicts {
            output::line(&head(path, conflict))?;
        }
    }
    Ok(if conflicts.is_empty() {
        Exit::Success
    } else {
        Exit::Person
    })
}

fn show(file: &Path, json: bool) -> Result<Exit, CliError> {
    let conflict = one(file)?;
    if json {
        output::json(&conflict)?;
        return Ok(Exit::Success);
    }
    output::line(&head(file, &conflict))?;
    let Some(ours) = &conflict.ours else {
        output::line(&conflict.reason)?;
        return Ok(Exit::Success);
    };
    for (side, text, other) in [
        ("here", ours, &conflict.theirs),
        ("elsewhere", &conflict.theirs, ours),
    ] {
        output::line(&format!("{side}:"))?;
        for line in only_in(text, other) {
            output::line(&format!("  {}", cut(&line)))?;
        }
    }
    Ok(Exit::Success)
}

fn resolve(args: &ResolveArgs) -> Result<Exit, CliError> {
    let conflict = one(&args.file)?;
    if args.edit {
        return edit(&args.file, conflict.ours.is_some());
    }
    if args.ours && conflict.ours.is_none() {
        std::fs::remove_file(&args.file).map_err(|error| {
            CliError::failed(
                Exit::Attention,
                format!("cannot delete {}: {error}", args.file.display()),
            )
        })?;
        return Ok(Exit::Success);
    }
    save::put(&args.file, || {
        let conflict = one(&args.file)?;
        let ours = conflict.ours.filter(|_| args.ours);
        Ok(ours.unwrap_or(conflict.theirs).into_bytes())
    })?;
    Ok(Exit::Success)
}

/// Runs the editor on the file, and on the card that lost if there is one.
fn edit(file: &Path, has_loser: bool) -> Result<Exit, CliError> {
    let environment = Environment::of_process();
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| environment.get(name))
        .unwrap_or("vi");
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let loser = file.with_file_name(format!(".{name}.rejected"));
    let loser: Option<PathBuf> = Some(loser).filter(|loser| has_loser && loser.exists());
    // As git does: the variable may hold arguments.
    let ran = Command::new("sh")
        .args(["-c", &format!("{editor} \"$@\""), editor])
        .arg(file)
        .args(loser)
        .status();
    let ended_well = ran.is_ok_and(|status| status.success());
    if ended_well && one(file).is_err() {
        return Ok(Exit::Success);
    }
    let sentence = format!("{} is still in conflict: it was not saved", file.display());
    Err(CliError::failed(Exit::Attention, sentence))
}

fn of(mount: &LiveMount) -> Result<Vec<Conflict>, CliError> {
    match target::ask(mount, &Request::Conflicts)? {
        Reply::Conflicts(conflicts) => Ok(conflicts),
        _ => Err(target::confused(mount)),
    }
}

fn one(file: &Path) -> Result<Conflict, CliError> {
    let (mount, below) = target::of_path(file)?;
    let path = below.to_string_lossy();
    let found = of(&mount)?
        .into_iter()
        .find(|conflict| conflict.path == path);
    found.ok_or_else(|| {
        let sentence = format!("{} is not in conflict", file.display());
        CliError::failed(Exit::Attention, sentence)
            .hint("The conflicts are listed by: contactfs conflicts list")
    })
}

fn head(path: &Path, conflict: &Conflict) -> String {
    let what = if conflict.properties.is_empty() {
        conflict.reason.clone()
    } else {
        conflict.properties.join(", ")
    };
    format!("{}: {what}", path.display())
}

/// The unfolded lines of a card that another does not have.
fn only_in(text: &str, other: &str) -> Vec<String> {
    let lines = |text: &str| -> Vec<String> {
        let text = text.replace("\r\n", "\n").replace("\n ", "");
        text.lines().map(str::to_owned).collect()
    };
    let (mut own, other) = (lines(text), lines(other));
    own.retain(|line| !other.contains(line));
    own
}

/// A line as far as a person reads it: that of a picture fills screens.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!(
            "{}\u{2026} ({} bytes)",
            line.get(..at).unwrap_or(line),
            line.len()
        ),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        assert_eq!(cut("NOTE:short"), "NOTE:short");
        let long = "\u{e9}".repeat(300);
        let shown = cut(&long);
        assert!(shown.ends_with("\u{e9}\u{2026} (600 bytes)"), "{shown}");
        assert_eq!(shown.chars().filter(|c| *c == '\u{e9}').count(), LONGEST);
    }

    #[test]
    fn the_lines_that_differ_are_unfolded() {
        let (ours, theirs) = ("A:1\r\nNOTE:lo\r\n ng\r\nB:2\r\n", "A:1\r\nB:3\r\n");
        assert_eq!(only_in(ours, theirs), ["NOTE:long", "B:2"]);
        assert_eq!(only_in(theirs, ours), ["B:3"]);
    }
}
