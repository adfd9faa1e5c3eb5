//! Putting changes into the outbox, merging them into what has not been sent, and taking deletions back.

use std::time::Duration;

use rusqlite::OptionalExtension;

use super::super::contacts::{card_from_json, card_to_json};
use super::super::deeds::{Deed, Of, Place};
use super::super::{ContactRow, FolderRowId, Result, RowId, Tx};
use super::{Op, Seq, TakenBack, Unlinked};
use crate::model::{ChangeKey, Ino, Stamp};
use crate::vcard::Card;

impl Tx<'_> {
    /// Queues the making of a contact.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queue_create(&mut self, contact: RowId, ours: &Card) -> Result<Seq> {
        let seq = self.queue(Op::Create, Some(contact), None, self.now)?;
        self.set_uid(contact, ours.uid().as_deref())?;
        self.sql
            .prepare_cached("UPDATE outbox SET ours = ?2, client = ?3 WHERE seq = ?1")?
            .execute((seq.0, card_to_json(ours)?, uuid::Uuid::new_v4().to_string()))?;
        Ok(seq)
    }

    /// Queues a change of a contact, merging it into one that has not been sent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queue_update(&mut self, contact: &ContactRow, ours: &Card) -> Result<Seq> {
        let json = card_to_json(ours)?;
        let unsent: Option<i64> = self
            .sql
            .prepare_cached(
                "SELECT seq FROM outbox WHERE contact = ?1 AND op IN ('create', 'update') AND sending = 0
                 AND unsure = 0 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row([contact.id.0], |row| row.get(0))
            .optional()?;
        if let Some(seq) = unsent {
            self.sql
                .prepare_cached("UPDATE outbox SET ours = ?2 WHERE seq = ?1")?
                .execute((seq, json))?;
            self.did(Deed::Queued(Op::Update), Of::Contact(contact.id));
            self.wakes = true;
            return Ok(Seq(seq));
        }
        let base = contact.card.as_ref().map(card_to_json).transpose()?;
        let seq = self.queue(Op::Update, Some(contact.id), None, self.now)?;
        self.sql
            .prepare_cached("UPDATE outbox SET ours = ?2, base = ?3, base_key = ?4 WHERE seq = ?1")?
            .execute((
                seq.0,
                json,
                base,
                contact.change_key.as_ref().map(ChangeKey::as_str),
            ))?;
        Ok(seq)
    }

    /// Queues the deletion of a contact after a grace; an unsent change of it is void unless the deletion is taken back.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queue_delete(
        &mut self,
        contact: &ContactRow,
        was: Unlinked<'_>,
        grace: Duration,
    ) -> Result<Seq> {
        self.set_contact_ino(contact.id, None)?;
        let unsent: Option<(i64, Option<String>)> = self
            .sql
            .prepare_cached(
                "DELETE FROM outbox WHERE contact = ?1 AND op = 'update' AND sending = 0 AND unsure = 0
                 RETURNING coalesce(first, seq), ours",
            )?
            .query_map([contact.id.0], |row| Ok((row.get(0)?, row.get(1)?)))?
            .last()
            .transpose()?;
        let (first, unsent) = unsent.map_or((None, None), |(first, ours)| (Some(first), ours));
        let due = self.now.after(grace);
        self.sql
            .prepare_cached("UPDATE outbox SET not_before = ?2 WHERE contact = ?1 AND op = 'create' AND sending = 0 AND unsure = 0")?
            .execute((contact.id.0, due.0))?;
        let seq = self.queue(Op::Delete, Some(contact.id), None, due)?;
        self.sql
            .prepare_cached(
                "UPDATE outbox SET dir = ?2, name = ?3, old_ino = ?4, base_key = ?5, ours = ?6, first = ?7 WHERE seq = ?1",
            )?
            .execute((
                seq.0,
                was.dir.0,
                was.name,
                was.ino.0,
                contact.change_key.as_ref().map(ChangeKey::as_str),
                unsent,
                first,
            ))?;
        self.did(
            Deed::Queued(Op::Delete),
            Of::Place((was.dir, was.name.to_owned())),
        );
        self.guard(contact)?;
        Ok(seq)
    }

    /// Takes back the deletion of the contact whose file had this name, if one waits that cannot have been carried out; the
    /// change that it made void is queued again, for what comes now was made from it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn take_back(&mut self, dir: Ino, name: &str) -> Result<Option<TakenBack>> {
        let found = self
            .sql
            .prepare_cached(
                "SELECT seq, contact, old_ino, ours, first FROM outbox
                 WHERE op = 'delete' AND dir = ?1 AND name = ?2 AND sending = 0 AND unsure = 0
                 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row((dir.0, name), |row| {
                let back = TakenBack {
                    contact: RowId(row.get(1)?),
                    ino: Ino(row.get(2)?),
                };
                Ok((
                    row.get::<_, i64>(0)?,
                    back,
                    row.get::<_, Option<String>>(3)?,
                    row.get::<_, Option<i64>>(4)?,
                ))
            })
            .optional()?;
        let Some((seq, back, unsent, first)) = found else {
            return Ok(None);
        };
        self.sql
            .prepare_cached("DELETE FROM outbox WHERE seq = ?1")?
            .execute([seq])?;
        self.sql
            .prepare_cached(
                "UPDATE outbox SET not_before = ?2 WHERE contact = ?1 AND op = 'create'",
            )?
            .execute((back.contact.0, self.now.0))?;
        self.unguard(back.contact)?;
        if let (Some(unsent), Some(contact)) = (unsent, self.contact(back.contact)?) {
            let seq = self.queue_update(&contact, &card_from_json(&unsent)?)?;
            self.carry_on(first, seq)?;
        }
        Ok(Some(back))
    }

    /// The oldest number under which a text of a contact waits.
    pub(in crate::store) fn first_waiting(&self, contact: RowId) -> Result<Option<i64>> {
        Ok(self
            .sql
            .prepare_cached("SELECT min(coalesce(first, seq)) FROM outbox WHERE contact = ?1")?
            .query_row([contact.0], |row| row.get(0))?)
    }

    /// Whoever waits for a text queued under `first` or later waits for this row.
    pub(in crate::store) fn carry_on(&self, first: Option<i64>, seq: Seq) -> Result<()> {
        if let Some(first) = first {
            self.sql
                .prepare_cached(
                    "UPDATE outbox SET first = min(coalesce(first, seq), ?2) WHERE seq = ?1",
                )?
                .execute((seq.0, first))?;
        }
        Ok(())
    }

    /// The name under which a contact with a waiting deletion was unlinked.
    pub(in crate::store) fn unlinked_from(&self, contact: RowId) -> Result<Option<Place>> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT dir, name FROM outbox WHERE contact = ?1 AND op = 'delete' AND dir IS NOT NULL",
            )?
            .query_row([contact.0], |row| Ok((Ino(row.get(0)?), row.get(1)?)))
            .optional()?)
    }

    /// The names under which contacts were unlinked from a directory and may still come back.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unlinked_in(&self, dir: Ino) -> Result<Vec<(String, RowId)>> {
        let mut rows = self.sql.prepare_cached(
            "SELECT name, contact FROM outbox WHERE op = 'delete' AND dir = ?1 AND sending = 0 AND unsure = 0",
        )?;
        let rows = rows.query_map([dir.0], |row| Ok((row.get(0)?, RowId(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Queues the move of a contact that the service knows; one it does not know is simply made elsewhere.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queue_move(&mut self, contact: &ContactRow, to: FolderRowId) -> Result<()> {
        self.set_contact_folder(contact.id, to)?;
        let last = self.last_job(contact.id)?.filter(|job| {
            // Not sent: it goes to the new folder. A failure that was not the row's own is not counted, but may have left a copy.
            let is_fresh = job.attempts == 0 && !job.unsure && job.moved.is_none();
            matches!(job.op, Op::Move | Op::Create) && is_fresh
        });
        if let Some(job) = last {
            if job.op == Op::Move && job.folder == Some(to) {
                self.drop_job(job.seq)?; // It is where it was.
            }
        } else {
            let seq = self.queue(Op::Move, Some(contact.id), Some(contact.folder), self.now)?;
            self.sql
                .prepare_cached("UPDATE outbox SET client = ?2 WHERE seq = ?1")?
                .execute((seq.0, uuid::Uuid::new_v4().to_string()))?;
        }
        Ok(())
    }

    /// Queues the making, removal or renaming of a folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queue_folder(&mut self, op: Op, folder: FolderRowId, name: &str) -> Result<()> {
        let seq = self.queue(op, None, Some(folder), self.now)?;
        let is_held = op == Op::RemoveFolder && self.is_holding(folder)?;
        self.sql
            .prepare_cached("UPDATE outbox SET name = ?2, held = ?3 WHERE seq = ?1")?
            .execute((seq.0, name, is_held))?;
        Ok(())
    }

    pub(in crate::store) fn queue(
        &mut self,
        op: Op,
        contact: Option<RowId>,
        folder: Option<FolderRowId>,
        due: Stamp,
    ) -> Result<Seq> {
        self.sql
            .prepare_cached(
                "INSERT INTO outbox(op, contact, folder, not_before) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute((
                op.word(),
                contact.map(|id| id.0),
                folder.map(|id| id.0),
                due.0,
            ))?;
        let seq = Seq(self.sql.last_insert_rowid());
        self.did_for(Deed::Queued(op), contact, folder)?;
        self.wakes = true;
        Ok(seq)
    }

    /// Tells of a row's deed.
    pub(super) fn did_for(
        &mut self,
        deed: Deed,
        contact: Option<RowId>,
        folder: Option<FolderRowId>,
    ) -> Result<()> {
        if self.deeds.is_none() {
            return Ok(());
        }
        if let Some(contact) = contact {
            self.did(deed, Of::Contact(contact));
        } else if let Some(folder) = folder.map(|id| self.folder(id)).transpose()?.flatten() {
            let root = Of::Place((Ino::ROOT, folder.name));
            let named = !self.names(folder.ino)?.is_empty();
            self.did(deed, if named { Of::Inode(folder.ino) } else { root });
        }
        Ok(())
    }
}
