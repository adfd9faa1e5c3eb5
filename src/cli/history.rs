//! `contactfs history` and `restore`: earlier versions of a contact's file.

use std::path::{Path, PathBuf};

use super::args::{HistoryArgs, RestoreArgs};
use super::error::{CliError, Exit};
use super::{output, save, target};
use crate::daemon::control::{Reply, Request};
use crate::daemon::registry::LiveMount;
use crate::observe::past::Version;

/// A file, and one of its versions.
struct Wanted {
    file: PathBuf,
    version: Option<i64>,
}

impl Wanted {
    /// What follows the last `@` is a version if the file's name ends before it.
    fn parse(typed: &Path) -> Self {
        let text = typed.to_string_lossy();
        let split = text.rsplit_once('@').and_then(|(file, version)| {
            let is_card = file.to_ascii_lowercase().ends_with(".vcf");
            Some((file, version.parse().ok().filter(|_| is_card)?))
        });
        match split {
            Some((file, version)) => Self {
                file: file.into(),
                version: Some(version),
            },
            None => Self {
                file: typed.to_owned(),
                version: None,
            },
        }
    }
}

/// Lists the versions of a file, or prints one.
pub(super) fn run(args: &HistoryArgs) -> Result<Exit, CliError> {
    let Wanted { file, version } = Wanted::parse(&args.file);
    let (mount, versions) = versions(&file)?;
    if let Some(version) = version {
        known(&file, &versions, version)?;
        output::bytes(&text(&mount, &file, version)?)?;
        return Ok(Exit::Success);
    }
    if args.json {
        output::json(&versions)?;
    } else {
        if versions.is_empty() {
            output::note(&format!("nothing is kept of {}", file.display()));
        }
        for version in &versions {
            output::line(&line(version))?;
        }
    }
    Ok(Exit::Success)
}

/// Saves a version as the file's text.
pub(super) fn restore(args: &RestoreArgs) -> Result<Exit, CliError> {
    let Wanted { file, version } = Wanted::parse(&args.file);
    let (mount, versions) = versions(&file)?;
    let version = match version {
        Some(version) => known(&file, &versions, version)?,
        None => {
            let shown = versions.iter().find(|version| version.was_shown());
            shown.map(|version| version.version).ok_or_else(|| {
                let sentence = format!("nothing is kept of {}", file.display());
                CliError::failed(Exit::Attention, sentence)
            })?
        }
    };
    // Who restores a version means it instead of all there is: a picture that nobody has read would stay.
    drop(std::fs::read(&file));
    save::put(&file, || text(&mount, &file, version))?;
    output::note(&format!(
        "restored {} as in version {version}",
        file.display()
    ));
    Ok(Exit::Success)
}

fn versions(file: &Path) -> Result<(LiveMount, Vec<Version>), CliError> {
    let (mount, below) = target::of_path(file)?;
    let path = below.to_string_lossy().into_owned();
    match target::ask(&mount, &Request::History { path })? {
        Reply::History(versions) => Ok((mount, versions)),
        _ => Err(target::confused(&mount)),
    }
}

/// A number that belongs to the file: another one would put another person's card there.
fn known(file: &Path, versions: &[Version], wanted: i64) -> Result<i64, CliError> {
    let is_known = versions.iter().any(|version| version.version == wanted);
    is_known.then_some(wanted).ok_or_else(|| gone(file, wanted))
}

fn text(mount: &LiveMount, file: &Path, version: i64) -> Result<Vec<u8>, CliError> {
    match target::ask(mount, &Request::Version { version })? {
        Reply::Version(text) => text.ok_or_else(|| gone(file, version)),
        _ => Err(target::confused(mount)),
    }
}

fn gone(file: &Path, version: i64) -> CliError {
    CliError::failed(
        Exit::Attention,
        format!("there is no version {version} of {}", file.display()),
    )
    .hint(format!(
        "The versions are listed by: contactfs history {}",
        file.display()
    ))
}

fn line(version: &Version) -> String {
    format!(
        "{:>6}  {:.0}  {:<9} {:>7} bytes",
        version.version, version.ended, version.fate, version.size
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_follows_a_contacts_file_only() {
        let parsed = |typed: &str| {
            let Wanted { file, version } = Wanted::parse(Path::new(typed));
            (file.to_string_lossy().into_owned(), version)
        };
        assert_eq!(parsed("a/B.vcf"), ("a/B.vcf".to_owned(), None));
        assert_eq!(parsed("a/B.VCF@12"), ("a/B.VCF".to_owned(), Some(12)));
        assert_eq!(parsed("me@7.vcf"), ("me@7.vcf".to_owned(), None));
        assert_eq!(parsed("me@7.vcf@x"), ("me@7.vcf@x".to_owned(), None));
        assert_eq!(parsed("me@7"), ("me@7".to_owned(), None));
    }
}
