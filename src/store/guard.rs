//! Holds deletions back that look like an accident: more than 20, and more than half of a folder, within one minute
//! (behaviour 4.12).
//!
//! A held deletion is a row of the outbox like any other, only that it is not sent before a person says so. Until then the
//! same name, or a card with the same UID, takes it back as always.

use std::time::Duration;

use super::{Attr, ContactRow, FolderRowId, InodeKind, Pending, Result, RowId, Seq, Store, Tx};
use crate::model::Ino;
use crate::vcard;

/// Deletions that are never too many.
const FEW: u64 = 20;
/// The time in which they are counted together.
const WHILE: Duration = Duration::from_secs(60);
/// Beyond so many, not each one is looked at.
const SAMPLED: u64 = 256;

/// A deletion that is held.
struct Held {
    seq: Seq,
    contact: RowId,
    name: String,
    ino: Ino,
}

impl Store {
    /// Holds back what looks like an accident, or nothing.
    #[must_use]
    pub fn guarding(self, is_guarded: bool) -> Self {
        Self { is_guarded, ..self }
    }

    /// Every deletion that is held.
    ///
    /// # Errors
    /// When the database fails.
    pub fn held(&self) -> Result<Vec<Pending>> {
        self.pending_where("o.held = 1 AND o.op = 'delete'")
    }
}

impl Tx<'_> {
    /// The deletion of a contact was just queued: together with others it may be too many.
    pub(super) fn guard(&self, contact: &ContactRow) -> Result<()> {
        if !self.is_guarded || contact.graph.is_none() {
            return Ok(()); // One that was never at the service harms nobody.
        }
        let folder = contact.folder.0;
        let window = i64::try_from(WHILE.as_nanos()).unwrap_or(i64::MAX);
        let since = self.now.0.saturating_sub(window);
        self.sql
            .prepare_cached("DELETE FROM deletion WHERE at < ?1")?
            .execute([since])?;
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO deletion VALUES(?1, ?2, ?3)")?
            .execute((contact.id.0, folder, self.now.0))?;
        if self.is_holding(contact.folder)? || self.is_too_much(folder)? {
            self.sql
                .prepare_cached(
                    "UPDATE outbox SET held = 1 WHERE op = 'delete' AND sending = 0 AND held = 0
                     AND contact IN (SELECT contact FROM deletion WHERE folder = ?1)",
                )?
                .execute([folder])?;
        }
        Ok(())
    }

    fn is_too_much(&self, folder: i64) -> Result<bool> {
        let deleted: u64 = self
            .sql
            .prepare_cached("SELECT count(*) FROM deletion WHERE folder = ?1")?
            .query_row([folder], |row| row.get(0))?;
        if deleted <= FEW || (deleted > SAMPLED && !deleted.is_multiple_of(SAMPLED / 4)) {
            return Ok(false);
        }
        let left: u64 = self
            .sql
            .prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM contact WHERE folder = ?1 AND ino IS NOT NULL LIMIT ?2)",
            )?
            .query_row((folder, deleted), |row| row.get(0))?;
        Ok(deleted > left)
    }

    /// Whether deletions in a folder are held.
    pub(super) fn is_holding(&self, folder: FolderRowId) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT 1 FROM outbox o JOIN contact c ON c.id = o.contact WHERE o.held = 1 AND c.folder = ?1",
            )?
            .exists([folder.0])?)
    }

    /// A deletion was taken back: it does not count.
    pub(super) fn unguard(&self, contact: RowId) -> Result<()> {
        self.sql
            .prepare_cached("DELETE FROM deletion WHERE contact = ?1")?
            .execute([contact.0])?;
        Ok(())
    }

    /// Lets every held deletion be sent; how many those are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn confirm_deletions(&mut self) -> Result<usize> {
        let held = self.held()?.len();
        self.sql
            .prepare_cached("UPDATE outbox SET held = 0, not_before = ?1 WHERE held = 1")?
            .execute([self.now.0])?;
        self.sql.execute("DELETE FROM deletion", [])?;
        self.wakes = true;
        Ok(held)
    }

    /// Takes every held deletion back, with what the files said; how many those were.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn restore_deletions(&mut self) -> Result<usize> {
        // A folder first, and the one above before that: it was removed last.
        for (seq, folder) in self.held_folders()? {
            self.drop_job(seq)?;
            self.foreign(|tx| tx.unhide_folder(folder))?;
        }
        let held = self.held()?;
        for deletion in &held {
            self.foreign(|tx| tx.restore_deletion(deletion))?;
        }
        Ok(held.len())
    }

    fn restore_deletion(&mut self, deletion: &Held) -> Result<()> {
        let text = self.text(deletion.ino)?;
        self.drop_job(deletion.seq)?;
        self.unguard(deletion.contact)?;
        let Some(contact) = self.contact(deletion.contact)? else {
            return Ok(());
        };
        let Some(folder) = self.folder(contact.folder)? else {
            return Ok(());
        };
        let free = self.entry(folder.ino, &deletion.name)?.is_none();
        let Some(text) = text.filter(|_| free) else {
            return self.show(contact.id);
        };
        let attr = Attr {
            mode: 0o600,
            size: text.len() as u64,
            mtime: self.now,
            ctime: self.now,
        };
        let ino = self.new_inode(InodeKind::Card(Some(contact.id)), attr)?;
        self.put_text(ino, &text)?;
        self.link(folder.ino, &deletion.name, ino)?;
        self.set_contact_ino(contact.id, Some(ino))?;
        // A save that was not sent before the deletion is not forgotten.
        let shown = contact
            .card
            .as_ref()
            .map(|card| (card, contact.graph.as_ref()));
        match vcard::read(&text, shown, self.style) {
            Ok(card) if contact.is_whole && Some(&card) != contact.card.as_ref() => {
                self.queue_update(&contact, &card).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn held(&self) -> Result<Vec<Held>> {
        let mut rows = self.sql.prepare_cached(
            "SELECT seq, contact, name, old_ino FROM outbox WHERE held = 1 AND op = 'delete' ORDER BY seq",
        )?;
        let rows = rows.query_map([], |row| {
            Ok(Held {
                seq: Seq(row.get(0)?),
                contact: RowId(row.get(1)?),
                name: row.get(2)?,
                ino: Ino(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The removals of folders that wait behind held deletions, the last one first.
    fn held_folders(&self) -> Result<Vec<(Seq, FolderRowId)>> {
        let mut rows = self.sql.prepare_cached(
            "SELECT seq, folder FROM outbox WHERE held = 1 AND op = 'rmdir' ORDER BY seq DESC",
        )?;
        let rows = rows.query_map([], |row| Ok((Seq(row.get(0)?), FolderRowId(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
