//! `contactfs import`: cards into a mount, by writing its files.
//!
//! Each card is looked at before it is written, so that a refusal names the line of the file it came from; what the
//! service refuses is learned at the end, when all were sent together.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::ImportArgs;
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::control::{Reply, Request, SyncOutcome};
use crate::daemon::registry::LiveMount;
use crate::names;
use crate::vcard::{self, Piece, Said, Style};

/// What became of one card, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Row {
    /// Where the card begins, or what is wrong with it is.
    line: usize,
    outcome: Outcome,
    /// The contact's file.
    path: Option<PathBuf>,
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Imported,
    Skipped,
    Refused,
}

/// What the directory has, and what is added to it.
struct Folder {
    dir: PathBuf,
    names: HashSet<String>,
    uids: HashSet<String>,
    is_dry: bool,
}

/// Imports a file.
pub(super) fn run(args: &ImportArgs) -> Result<Exit, CliError> {
    let (mount, below) = target::of_path(&args.dir)?;
    if below.as_os_str().is_empty() && !mount.is_folder {
        return Err(CliError::usage("contacts live in folders, not beside them")
            .hint("Name one of the directories in the mount."));
    }
    let bytes = read(&args.file)?;
    let mut folder = Folder::open(&args.dir, args.dry_run)?;
    let pieces = vcard::split(&bytes);
    let mut rows = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        rows.push(folder.take(piece)?);
    }
    let is_sent = args.dry_run || send(&mount, &mut rows)?;
    report(args, &rows)?;
    Ok(
        match rows.iter().any(|row| row.outcome == Outcome::Refused) {
            true => Exit::Attention,
            false if is_sent => Exit::Success,
            false => Exit::TryLater,
        },
    )
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        fs::read(file).map(|found| bytes = found)
    };
    read.map(|()| bytes).map_err(|error| {
        CliError::failed(
            Exit::Attention,
            format!("cannot read {}: {error}", file.display()),
        )
    })
}

impl Folder {
    fn open(dir: &Path, is_dry: bool) -> Result<Self, CliError> {
        let failed = |error: io::Error| {
            CliError::failed(
                Exit::Attention,
                format!("cannot read {}: {error}", dir.display()),
            )
        };
        let mut folder = Self {
            dir: dir.to_owned(),
            names: HashSet::new(),
            uids: HashSet::new(),
            is_dry,
        };
        for entry in fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if names::is_card_name(&name) && entry.file_type().map_err(failed)?.is_file() {
                let card = vcard::read(
                    &fs::read(entry.path()).map_err(failed)?,
                    None,
                    Style::default(),
                );
                folder.uids.extend(card.ok().and_then(|card| card.uid()));
            }
            folder.names.insert(name);
        }
        Ok(folder)
    }

    /// Makes a contact of a card, unless it is there or cannot be one.
    fn take(&mut self, piece: &Piece) -> Result<Row, CliError> {
        let row = |outcome| Row {
            line: piece.line,
            outcome,
            path: None,
            reason: None,
        };
        let Said { card, .. } = match vcard::read_all(&piece.text, None, Style::default()) {
            Ok(said) => said,
            Err(mut error) => {
                // Its own line is said at the beginning, counted in the whole file.
                let line = piece.line + error.line.saturating_sub(1);
                error.line = 0;
                return Ok(Row {
                    line,
                    reason: Some(error.to_string()),
                    ..row(Outcome::Refused)
                });
            }
        };
        if let Some(uid) = card.uid()
            && !self.uids.insert(uid)
        {
            return Ok(Row {
                reason: Some("a contact with its UID is there".to_owned()),
                ..row(Outcome::Skipped)
            });
        }
        let name = self.free_name(names::file_name(&card.contact));
        let path = self.dir.join(&name);
        self.names.insert(name);
        if !self.is_dry {
            write(&path, &piece.text).map_err(|error| {
                CliError::failed(
                    Exit::Attention,
                    format!(
                        "line {}: cannot write {}: {error}",
                        piece.line,
                        path.display()
                    ),
                )
            })?;
        }
        Ok(Row {
            path: Some(path),
            ..row(Outcome::Imported)
        })
    }

    fn free_name(&self, name: String) -> String {
        let stem = name.strip_suffix(".vcf").unwrap_or(&name).to_owned();
        let numbered = (2..).map(|number| format!("{stem} ({number}).vcf"));
        let mut candidates = std::iter::once(name).chain(numbered);
        candidates
            .find(|name| !self.names.contains(name))
            .unwrap_or_default()
    }
}

/// Not synced: the mount sends what comes together in one request.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text)
}

/// Waits until everything was sent, and notes what was refused on the way; whether all was sent.
fn send(mount: &LiveMount, rows: &mut [Row]) -> Result<bool, CliError> {
    let Reply::Sync(outcome) = target::ask(mount, &Request::Sync)? else {
        return Err(target::confused(mount));
    };
    for row in rows.iter_mut() {
        if let Some(reason) = row.path.as_deref().and_then(refusal) {
            row.outcome = Outcome::Refused;
            row.reason = Some(reason);
        }
    }
    if let SyncOutcome::Offline(reason) = &outcome {
        output::note(&format!("contactfs: not sent yet: {reason}"));
    }
    Ok(!matches!(outcome, SyncOutcome::Offline(_)))
}

/// Why a file was not taken: the sentence the mount puts beside it.
fn refusal(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let sentence = fs::read_to_string(path.with_file_name(names::error_name(&name))).ok()?;
    Some(sentence.trim_end().to_owned())
}

fn report(args: &ImportArgs, rows: &[Row]) -> Result<(), CliError> {
    if args.json {
        return output::json(&rows);
    }
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    for row in rows.iter().filter(|row| row.reason.is_some()) {
        let word = match row.outcome {
            Outcome::Imported => "imported",
            Outcome::Skipped => "skipped",
            Outcome::Refused => "refused",
        };
        let reason = row.reason.as_deref().unwrap_or_default();
        output::line(&format!(
            "{}:{}: {word}: {reason}",
            args.file.display(),
            row.line
        ))?;
    }
    let verb = if args.dry_run {
        "would be imported"
    } else {
        "imported"
    };
    output::note(&format!(
        "{} {verb}, {} skipped, {} refused",
        count(Outcome::Imported),
        count(Outcome::Skipped),
        count(Outcome::Refused)
    ));
    Ok(())
}
