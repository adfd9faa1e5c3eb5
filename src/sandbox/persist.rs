//! The mailbox on disk: a file of JSON lines, one record each.
//!
//! At the start the whole state is written to a new file and renamed over the old one; then every change is appended
//! before its request is answered. So a killed service loses nothing it has answered, and a change costs its own
//! size however large the mailbox is. A last line cut short is ignored.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ids::Number;
use super::mailbox::{Category, Change, Contact, Folder, Gone, Mailbox};

/// The file of the mailbox.
pub(super) const MAIN: &str = "mailbox.jsonl";
/// The file of the one that a second person shares.
pub(super) const SHARED: &str = "shared.jsonl";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Record {
    Start {
        seed: u64,
        last_number: Number,
        last_revision: u64,
    },
    Folder(Folder),
    Contact(Box<Contact>),
    Gone(Gone),
    Categories(Vec<Category>),
}

/// The open file.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

/// Reads the mailbox kept in a directory, if there is one.
pub(super) fn load(directory: &Path, name: &str) -> io::Result<Option<Mailbox>> {
    let file = match File::open(directory.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut mailbox = None;
    for line in BufReader::new(file).lines() {
        let Ok(record) = serde_json::from_str(&line?) else {
            break;
        };
        match (record, &mut mailbox) {
            (
                Record::Start {
                    seed,
                    last_number,
                    last_revision,
                },
                _,
            ) => {
                let mut fresh = Mailbox::blank(seed);
                fresh.saw(last_number, last_revision);
                mailbox = Some(fresh);
            }
            (record, Some(mailbox)) => restore(mailbox, record),
            (_, None) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{name} does not begin with its seed"),
                ));
            }
        }
    }
    Ok(mailbox)
}

fn restore(mailbox: &mut Mailbox, record: Record) {
    match record {
        Record::Start { .. } => {}
        Record::Folder(folder) => mailbox.restore_folder(folder),
        Record::Contact(contact) => mailbox.restore_contact(*contact),
        Record::Gone(gone) => mailbox.restore_gone(gone),
        Record::Categories(categories) => mailbox.categories = categories,
    }
}

impl Journal {
    /// Writes the whole state anew and keeps the file open for what follows.
    pub(super) fn begin(directory: &Path, name: &str, mailbox: &mut Mailbox) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(name);
        let file = snapshot(&path, mailbox)?;
        mailbox.changes.clear();
        Ok(Self { file })
    }

    /// Appends what a request changed.
    pub(super) fn append(&mut self, mailbox: &mut Mailbox) -> io::Result<()> {
        let mut lines = Vec::new();
        for change in std::mem::take(&mut mailbox.changes) {
            if let Some(record) = record(mailbox, change) {
                line(&mut lines, &record)?;
            }
        }
        if lines.is_empty() {
            Ok(())
        } else {
            self.file.write_all(&lines)
        }
    }
}

fn record(mailbox: &Mailbox, change: Change) -> Option<Record> {
    match change {
        Change::Made(number) | Change::Contact(number) => mailbox
            .contacts
            .get(&number)
            .map(|contact| Record::Contact(Box::new(contact.clone()))),
        Change::Folder(number) => mailbox
            .folders
            .get(&number)
            .map(|folder| Record::Folder(bare(folder))),
        Change::Gone(gone) => Some(Record::Gone(gone)),
        Change::Categories => Some(Record::Categories(mailbox.categories.clone())),
    }
}

/// A folder without its rows, which are not written.
fn bare(folder: &Folder) -> Folder {
    Folder {
        number: folder.number,
        parent: folder.parent,
        name: folder.name.clone(),
        revision: folder.revision,
        generation: folder.generation,
        rows: super::mailbox::Rows::default(),
    }
}

fn snapshot(path: &Path, mailbox: &Mailbox) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut out = BufWriter::new(File::create(&fresh)?);
    let (seed, last_number, last_revision) =
        (mailbox.seed, mailbox.last_number, mailbox.last_revision);
    line(
        &mut out,
        &Record::Start {
            seed,
            last_number,
            last_revision,
        },
    )?;
    line(&mut out, &Record::Categories(mailbox.categories.clone()))?;
    for folder in mailbox.folders.values() {
        line(&mut out, &Record::Folder(bare(folder)))?;
    }
    for contact in mailbox.contacts.values() {
        line(&mut out, &Record::Contact(Box::new(contact.clone())))?;
    }
    for gone in mailbox.departures() {
        line(&mut out, &Record::Gone(gone))?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(file)
}

fn line(out: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")
}
