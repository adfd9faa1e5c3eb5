//! `contactfs export`: cards out of a mount, by reading its files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::ExportArgs;
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::control::{Reply, Request, SyncOutcome};
use crate::names;
use crate::vcard::{self, Style};

/// What was written, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
struct Summary {
    exported: usize,
    left_out: Vec<LeftOut>,
}

/// A file that was not exported.
#[derive(Debug, Serialize)]
struct LeftOut {
    path: PathBuf,
    reason: String,
}

/// Where the cards go.
enum Sink {
    Out,
    One(File, PathBuf, PathBuf),
    Each(PathBuf),
}

/// Exports a directory or one file.
pub(super) fn run(args: &ExportArgs) -> Result<Exit, CliError> {
    let (mount, _) = target::of_path(&args.from)?;
    if let Reply::Sync(SyncOutcome::Offline(reason)) = target::ask(&mount, &Request::Sync)? {
        output::note(&format!("contactfs: what is here is exported: {reason}"));
    }
    let mut sink = Sink::open(args)?;
    let mut summary = Summary::default();
    let below = if args.from.is_dir() {
        args.from.as_path()
    } else {
        args.from.parent().unwrap_or(Path::new(""))
    };
    for path in cards(&args.from)? {
        match card(&path) {
            Ok(text) => {
                sink.take(path.strip_prefix(below).unwrap_or(&path), &text)?;
                summary.exported += 1;
            }
            Err(reason) => summary.left_out.push(LeftOut { path, reason }),
        }
    }
    sink.close()?;
    for left in &summary.left_out {
        output::note(&format!(
            "left out {}: {}",
            left.path.display(),
            left.reason
        ));
    }
    if args.json {
        output::json(&summary)?;
    } else {
        output::note(&format!("{} exported", summary.exported));
    }
    Ok(if summary.left_out.is_empty() {
        Exit::Success
    } else {
        Exit::Attention
    })
}

/// The contacts' files at or below a path, in order.
fn cards(from: &Path) -> Result<Vec<PathBuf>, CliError> {
    let failed = |error: io::Error| unreadable(from, &error);
    if !fs::metadata(from).map_err(failed)?.is_dir() {
        return Ok(vec![from.to_owned()]);
    }
    let mut found = Vec::new();
    let entries = fs::read_dir(from).map_err(failed)?;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type().map_err(failed)?.is_dir() {
            if !names::is_hidden(&name) {
                found.extend(cards(&path)?);
            }
        } else if names::is_card_name(&name) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The text of a card that others can read behind each other: UTF-8 with a line end.
fn card(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let style = Style::default();
    let said = vcard::read_all(&bytes, None, style).map_err(|error| error.to_string())?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if std::str::from_utf8(bytes).is_err() {
        return Ok(vcard::render_with(
            &said.card,
            None,
            said.photo.as_ref(),
            None,
            style,
        ));
    }
    let mut text = bytes.trim_ascii().to_vec();
    let is_crlf = text.windows(2).any(|pair| pair == b"\r\n");
    text.extend_from_slice(if is_crlf { b"\r\n" } else { b"\n" });
    Ok(text)
}

impl Sink {
    fn open(args: &ExportArgs) -> Result<Self, CliError> {
        if let Some(dir) = &args.split {
            return Ok(Self::Each(dir.clone()));
        }
        let Some(path) = &args.output else {
            return Ok(Self::Out);
        };
        let (file, scratch) = create(path)?;
        Ok(Self::One(file, scratch, path.clone()))
    }

    fn take(&mut self, name: &Path, text: &[u8]) -> Result<(), CliError> {
        match self {
            Self::Out => output::bytes(text),
            Self::One(file, scratch, _) => file
                .write_all(text)
                .map_err(|error| unwritable(scratch, &error)),
            Self::Each(dir) => {
                let path = dir.join(name);
                let parent = path.parent().unwrap_or(dir);
                let made = fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(parent);
                made.map_err(|error| unwritable(parent, &error))?;
                let (mut file, scratch) = create(&path)?;
                file.write_all(text)
                    .map_err(|error| unwritable(&path, &error))?;
                put(&file, &scratch, &path)
            }
        }
    }

    fn close(self) -> Result<(), CliError> {
        match self {
            Self::Out | Self::Each(_) => Ok(()),
            Self::One(file, scratch, path) => put(&file, &scratch, &path),
        }
    }
}

/// A file beside `path` that takes its place when it is complete; contacts are nobody else's concern.
fn create(path: &Path) -> Result<(File, PathBuf), CliError> {
    let scratch = path.with_file_name(format!(".contactfs-export-{}.tmp", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&scratch);
    file.map(|file| (file, scratch))
        .map_err(|error| unwritable(path, &error))
}

fn put(file: &File, scratch: &Path, path: &Path) -> Result<(), CliError> {
    let done = file.sync_all().and_then(|()| fs::rename(scratch, path));
    done.map_err(|error| {
        drop(fs::remove_file(scratch));
        unwritable(path, &error)
    })
}

fn unreadable(path: &Path, error: &io::Error) -> CliError {
    CliError::failed(
        Exit::Attention,
        format!("cannot read {}: {error}", path.display()),
    )
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    CliError::failed(
        Exit::Attention,
        format!("cannot write {}: {error}", path.display()),
    )
}
