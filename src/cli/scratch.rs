//! `contactfs scratch`: the files of a mount that are no contacts and never leave this machine.
//!
//! Found by walking the mount, where a name alone tells (behaviour 5.1).

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{ScratchArgs, ScratchCommand};
use super::error::{CliError, Exit};
use super::{output, target};

/// One scratch file, or a directory of them.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Scratch {
    path: PathBuf,
    /// Whether it is a directory, such as `.git`.
    directory: bool,
    /// Bytes, with all that is in it.
    size: u64,
}

/// Lists scratch files or removes them.
pub(super) fn run(args: &ScratchArgs) -> Result<Exit, CliError> {
    match &args.command {
        ScratchCommand::List { dir, json } => list(dir, *json),
        ScratchCommand::Clean { dir, all } => clean(dir, *all),
    }
}

fn list(dir: &Path, json: bool) -> Result<Exit, CliError> {
    let found = below(dir)?;
    if json {
        output::json(&found)?;
    } else {
        for scratch in &found {
            let slash = if scratch.directory { "/" } else { "" };
            let path = scratch.path.display();
            output::line(&format!("{:>9}  {path}{slash}", scratch.size))?;
        }
    }
    Ok(Exit::Success)
}

/// Removes what editors left; whole directories, which may be somebody's repository, only when asked for all.
fn clean(dir: &Path, all: bool) -> Result<Exit, CliError> {
    let mut found = below(dir)?;
    found.retain(|scratch| all || !scratch.directory);
    for scratch in &found {
        let removed = if scratch.directory {
            fs::remove_dir_all(&scratch.path)
        } else {
            fs::remove_file(&scratch.path)
        };
        removed.map_err(|error| failed("remove", &scratch.path, &error))?;
    }
    output::note(&format!("removed {} scratch files", found.len()));
    Ok(Exit::Success)
}

fn below(dir: &Path) -> Result<Vec<Scratch>, CliError> {
    target::of_path(dir)?;
    let mut found = Vec::new();
    walk(dir, &mut found).map_err(|error| failed("read", dir, &error))?;
    Ok(found)
}

fn walk(dir: &Path, found: &mut Vec<Scratch>) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let meta = path.symlink_metadata()?;
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        if meta.is_dir() && !is_hidden {
            walk(&path, found)?;
        } else if is_hidden || !is_card(&path) {
            found.push(Scratch {
                directory: meta.is_dir(),
                size: size(&path, &meta)?,
                path,
            });
        }
    }
    Ok(())
}

fn is_card(path: &Path) -> bool {
    let end = path.extension();
    end.is_some_and(|end| end.eq_ignore_ascii_case("vcf"))
}

fn size(path: &Path, meta: &Metadata) -> io::Result<u64> {
    if !meta.is_dir() {
        return Ok(meta.len());
    }
    fs::read_dir(path)?
        .map(|entry| {
            let path = entry?.path();
            size(&path, &path.symlink_metadata()?)
        })
        .sum()
}

fn failed(what: &str, path: &Path, error: &io::Error) -> CliError {
    CliError::failed(
        Exit::Attention,
        format!("cannot {what} {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_and_their_folders_are_no_scratch_and_hidden_directories_are_one() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "People/A.vcf",
            "People/B.VCF",
            "People/A.vcf~",
            "People/.A.vcf.swp",
            "4913",
            ".git/a",
            ".git/b/c.vcf",
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        }
        let mut found = Vec::new();
        walk(dir.path(), &mut found).unwrap();
        let expected = [
            (".git", true, 10),
            ("4913", false, 5),
            ("People/.A.vcf.swp", false, 5),
            ("People/A.vcf~", false, 5),
        ];
        let expected = expected.map(|(path, directory, size)| Scratch {
            path: dir.path().join(path),
            directory,
            size,
        });
        assert_eq!(found, expected);
    }
}
