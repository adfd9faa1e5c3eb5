//! The outbox: what has to be told to the service, in order per contact.
//!
//! One row is one request to be. Saves of one contact that have not been sent are one row (behaviour 3.6);
//! a deletion waits for its grace and disappears when the file comes back (behaviour 4.4, 4.5).

mod queue;
mod send;

use rusqlite::{OptionalExtension, Row};

use super::contacts::card_from_json;
use super::{ContactRow, FolderRowId, Result, RowId, Store, Tx};
use crate::model::{ChangeKey, ClientId, ContactId, Ino, Stamp};
use crate::vcard::Card;

/// The place of a row in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub i64);

/// What a row asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Make a contact.
    Create,
    /// Change a contact.
    Update,
    /// Delete a contact.
    Delete,
    /// Put a contact in another folder: made there, verified, deleted here (behaviour 4.9).
    Move,
    /// Make a folder.
    MakeFolder,
    /// Delete an empty folder.
    RemoveFolder,
    /// Give a folder another name.
    RenameFolder,
    /// Give a contact another picture, or none.
    Photo,
}

const OPS: [(Op, &str); 8] = [
    (Op::Create, "create"),
    (Op::Update, "update"),
    (Op::Delete, "delete"),
    (Op::Move, "move"),
    (Op::MakeFolder, "mkdir"),
    (Op::RemoveFolder, "rmdir"),
    (Op::RenameFolder, "rename"),
    (Op::Photo, "photo"),
];

impl Op {
    /// The word for it in the database, in `status` and in the log.
    #[must_use]
    pub fn word(self) -> &'static str {
        OPS.iter()
            .find(|(op, _)| *op == self)
            .map_or("", |(_, word)| word)
    }
}

/// One row of the outbox.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its place.
    pub seq: Seq,
    /// What it asks for.
    pub op: Op,
    /// The contact it is about.
    pub contact: Option<RowId>,
    /// The folder it is about; of a move, where the contact came from.
    pub folder: Option<FolderRowId>,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether an earlier attempt may have reached the service without our knowing.
    pub unsure: bool,
    /// What the contact was when the edit began.
    pub base: Option<Card>,
    /// The version that was.
    pub base_key: Option<ChangeKey>,
    /// What the contact shall be.
    pub ours: Option<Card>,
    /// The private id by which a created contact is found again.
    pub client: Option<ClientId>,
    /// Of a move: the new contact, once it exists.
    pub moved: Option<ContactId>,
    /// Of a folder: its name.
    pub name: Option<String>,
}

/// Where a deleted contact's file was.
#[derive(Clone, Copy, Debug)]
pub struct Unlinked<'a> {
    /// The directory.
    pub dir: Ino,
    /// The name.
    pub name: &'a str,
    /// The inode whose accepted bytes are kept until the deletion is final.
    pub ino: Ino,
}

/// A deletion that was taken back.
#[derive(Clone, Debug)]
pub struct TakenBack {
    /// The contact.
    pub contact: RowId,
    /// The inode whose bytes its file showed.
    pub ino: Ino,
}

const COLUMNS: &str =
    "seq, op, contact, folder, attempts, base, base_key, ours, client, moved, name, unsure";

type Raw = (Job, Option<String>, Option<String>);

fn raw_job(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let word: String = row.get(1)?;
    let job = Job {
        seq: Seq(row.get(0)?),
        op: OPS
            .iter()
            .find(|(_, known)| *known == word)
            .map_or(Op::Update, |(op, _)| *op),
        contact: row.get::<_, Option<i64>>(2)?.map(RowId),
        folder: row.get::<_, Option<i64>>(3)?.map(FolderRowId),
        attempts: row.get(4)?,
        unsure: row.get(11)?,
        base: None,
        base_key: row.get::<_, Option<String>>(6)?.map(ChangeKey::new),
        ours: None,
        client: row.get::<_, Option<String>>(8)?.map(ClientId::new),
        moved: row.get::<_, Option<String>>(9)?.map(ContactId::new),
        name: row.get(10)?,
    };
    Ok((job, row.get(5)?, row.get(7)?))
}

fn whole_job((mut job, base, ours): Raw) -> Result<Job> {
    job.base = base.as_deref().map(card_from_json).transpose()?;
    job.ours = ours.as_deref().map(card_from_json).transpose()?;
    Ok(job)
}

/// Rows that wait for an earlier row of the same contact, or for a folder the service has yet to make, are not ready.
/// Folders change one after the other, for one may take the name that another gives up, and after the contacts that
/// leave them.
const READY: &str = "
    sending = 0 AND held = 0 AND not_before <= ?1
    AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.contact = o.contact AND p.seq < o.seq)
    AND (o.contact IS NOT NULL
        OR NOT EXISTS (SELECT 1 FROM outbox p WHERE p.seq < o.seq
            AND (p.folder = o.folder OR (p.contact IS NULL AND (p.held = 0 OR o.op = 'rmdir')))))
    AND CASE op
        WHEN 'create' THEN (SELECT f.graph IS NOT NULL FROM contact c JOIN folder f ON f.id = c.folder WHERE c.id = o.contact)
        WHEN 'move' THEN (SELECT f.graph IS NOT NULL FROM contact c JOIN folder f ON f.id = c.folder WHERE c.id = o.contact)
        WHEN 'mkdir' THEN (SELECT p.id IS NULL OR p.graph IS NOT NULL FROM folder f LEFT JOIN folder p ON p.id = f.parent WHERE f.id = o.folder)
        WHEN 'rmdir' THEN NOT EXISTS (SELECT 1 FROM outbox p JOIN contact c ON p.contact = c.id WHERE c.folder = o.folder AND p.seq < o.seq)
        ELSE 1 END";

impl Store {
    /// When the next row may be sent; `None` when nothing waits for time alone.
    ///
    /// # Errors
    /// When the database fails.
    pub fn next_due(&self) -> Result<Option<Stamp>> {
        self.read(|sql| {
            let due: Option<i64> = sql
                .prepare_cached(
                    "SELECT min(not_before) FROM outbox WHERE sending = 0 AND held = 0",
                )?
                .query_row([], |row| row.get(0))?;
            Ok(due.map(Stamp))
        })
    }

    /// Whether a request of the outbox is under way.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_sending(&self) -> Result<bool> {
        self.read(|sql| {
            Ok(sql
                .prepare_cached("SELECT 1 FROM outbox WHERE sending = 1")?
                .exists([])?)
        })
    }

    /// How many rows could be sent now, counting no further than `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count_ready(&self, limit: usize) -> Result<usize> {
        self.read(|sql| {
            Ok(sql
                .prepare_cached(&format!(
                    "SELECT count(*) FROM (SELECT 1 FROM outbox o WHERE {READY} LIMIT ?2)"
                ))?
                .query_row((Stamp::now().0, limit), |row| row.get(0))?)
        })
    }

    /// Whether a row, or an earlier one of its contact, or one that carries either's text on, still waits; and how often
    /// it was tried.
    ///
    /// # Errors
    /// When the database fails.
    pub fn waiting(&self, contact: RowId, upto: Seq) -> Result<Option<u32>> {
        self.read(|sql| {
            Ok(sql
                .prepare_cached(
                    "SELECT max(attempts) FROM outbox WHERE contact = ?1 AND coalesce(first, seq) <= ?2",
                )?
                .query_row((contact.0, upto.0), |row| row.get(0))?)
        })
    }

    /// Whether anything of a contact waits, and why the first of it failed last time if it did.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queued(&self, contact: RowId) -> Result<Option<Option<String>>> {
        self.read(|sql| {
            Ok(sql
                .prepare_cached(
                    "SELECT last_error FROM outbox WHERE contact = ?1 ORDER BY seq LIMIT 1",
                )?
                .query_row([contact.0], |row| row.get(0))
                .optional()?)
        })
    }

    /// Every row that is not held: operation, its file's inode or unlinked name, and the last error.
    ///
    /// # Errors
    /// When the database fails.
    pub fn pending(&self) -> Result<Vec<Pending>> {
        self.pending_where("o.held = 0")
    }

    pub(super) fn pending_where(&self, condition: &str) -> Result<Vec<Pending>> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(&format!(
                "SELECT o.op, coalesce(c.ino, f.ino), o.dir, o.name, o.last_error, c.graph FROM outbox o
                 LEFT JOIN contact c ON c.id = o.contact LEFT JOIN folder f ON f.id = o.folder
                 WHERE {condition} ORDER BY o.seq",
            ))?;
            let rows = rows.query_map([], |row| {
                let word: String = row.get(0)?;
                Ok(Pending {
                    op: OPS.iter().find(|(_, known)| *known == word).map_or(Op::Update, |(op, _)| *op),
                    ino: row.get::<_, Option<u64>>(1)?.map(Ino),
                    unlinked: row.get::<_, Option<u64>>(2)?.map(Ino).zip(row.get(3)?),
                    error: row.get(4)?,
                    graph: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// A row of the outbox as `status` shows it.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What it asks for.
    pub op: Op,
    /// The file or directory it is about.
    pub ino: Option<Ino>,
    /// Of a deletion: directory and name of the file that was.
    pub unlinked: Option<(Ino, String)>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// The contact's id at the service.
    pub graph: Option<String>,
}

impl Tx<'_> {
    /// One row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn job(&self, seq: Seq) -> Result<Option<Job>> {
        self.one_job("seq = ?1", seq.0)
    }

    /// The contact that a row is about, if it is about one that is still there.
    pub(super) fn contact_of(&self, job: &Job) -> Result<Option<ContactRow>> {
        job.contact.map_or(Ok(None), |id| self.contact(id))
    }

    /// The row of a create or move with a private id.
    ///
    /// # Errors
    /// When the database fails.
    pub fn job_by_client(&self, client: &ClientId) -> Result<Option<Job>> {
        self.one_job("client = ?1", client.as_str())
    }

    /// The last row of a contact.
    ///
    /// # Errors
    /// When the database fails.
    pub fn last_job(&self, contact: RowId) -> Result<Option<Job>> {
        self.one_job("contact = ?1 ORDER BY seq DESC LIMIT 1", contact.0)
    }

    /// The last row of a contact that is not about its picture.
    ///
    /// # Errors
    /// When the database fails.
    pub fn last_save(&self, contact: RowId) -> Result<Option<Job>> {
        self.one_job(
            "contact = ?1 AND op <> 'photo' ORDER BY seq DESC LIMIT 1",
            contact.0,
        )
    }

    /// The number that was given last: whatever has been queued so far has no greater one.
    pub(super) fn last_queued(&self) -> Result<Seq> {
        let last = self
            .sql
            .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(Seq(last.unwrap_or(0)))
    }

    /// The first row of a contact.
    pub(super) fn first_job(&self, contact: RowId) -> Result<Option<Seq>> {
        Ok(self
            .one_job("contact = ?1 ORDER BY seq LIMIT 1", contact.0)?
            .map(|job| job.seq))
    }

    /// Whether a contact's deletion is queued.
    pub(super) fn is_deleted(&self, contact: RowId) -> Result<bool> {
        self.has_job(contact, Op::Delete)
    }

    /// Whether a contact's move is queued: it is shown where it shall be, not where it is.
    pub(super) fn is_moving(&self, contact: RowId) -> Result<bool> {
        self.has_job(contact, Op::Move)
    }

    /// The first move of a contact that is queued, and where it moves from.
    ///
    /// # Errors
    /// When the database fails.
    pub fn first_move(&self, contact: RowId) -> Result<Option<(Seq, FolderRowId)>> {
        Ok(self
            .sql
            .prepare_cached("SELECT seq, folder FROM outbox WHERE contact = ?1 AND op = 'move' ORDER BY seq LIMIT 1")?
            .query_row([contact.0], |row| Ok((Seq(row.get(0)?), FolderRowId(row.get(1)?))))
            .optional()?)
    }

    fn has_job(&self, contact: RowId, op: Op) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached("SELECT 1 FROM outbox WHERE contact = ?1 AND op = ?2")?
            .exists((contact.0, op.word()))?)
    }

    /// The folder a contact is to be in once a row is done; a later move takes it on from there.
    ///
    /// # Errors
    /// When the database fails.
    pub fn target(&self, contact: &ContactRow, seq: Seq) -> Result<FolderRowId> {
        let next: Option<i64> = self
            .sql
            .prepare_cached("SELECT folder FROM outbox WHERE contact = ?1 AND op = 'move' AND seq > ?2 ORDER BY seq LIMIT 1")?
            .query_row((contact.id.0, seq.0), |row| row.get(0))
            .optional()?;
        Ok(next.map_or(contact.folder, FolderRowId))
    }

    fn one_job(&self, condition: &str, key: impl rusqlite::ToSql) -> Result<Option<Job>> {
        self.sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE {condition}"))?
            .query_row([key], raw_job)
            .optional()?
            .map(whole_job)
            .transpose()
    }

    /// What a contact will be when everything queued has been sent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn expected(&self, contact: &ContactRow) -> Result<Option<Card>> {
        let ours: Option<String> = self
            .sql
            .prepare_cached("SELECT ours FROM outbox WHERE contact = ?1 AND ours IS NOT NULL ORDER BY seq DESC LIMIT 1")?
            .query_row([contact.id.0], |row| row.get(0))
            .optional()?;
        match ours {
            Some(ours) => card_from_json(&ours).map(Some),
            None => Ok(contact.card.clone()),
        }
    }

    /// Whether a folder has rows waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_folder_busy(&self, folder: FolderRowId) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached("SELECT 1 FROM outbox WHERE folder = ?1 AND contact IS NULL")?
            .exists([folder.0])?)
    }
}
