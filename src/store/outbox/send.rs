//! Taking rows out of the outbox to send them, and what becomes of them then.

use std::time::Duration;

use rusqlite::OptionalExtension;

use super::super::contacts::{card_from_json, card_to_json};
use super::super::deeds::Deed;
use super::super::{Result, RowId, Tx};
use super::{COLUMNS, Job, READY, Raw, Seq, raw_job, whole_job};
use crate::model::{ChangeKey, ContactId};
use crate::vcard::Card;

impl Tx<'_> {
    /// Takes rows that can be sent now and marks them as under way.
    ///
    /// # Errors
    /// When the database fails.
    pub fn take_ready(&mut self, limit: usize) -> Result<Vec<Job>> {
        self.drop_unborn()?;
        let raw: Vec<Raw> = self
            .sql
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM outbox o WHERE {READY} ORDER BY seq LIMIT ?2"
            ))?
            .query_map((self.now.0, limit), raw_job)?
            .collect::<Result<_, _>>()?;
        let jobs: Vec<Job> = raw.into_iter().map(whole_job).collect::<Result<_>>()?;
        for job in &jobs {
            self.sql
                .prepare_cached(
                    "UPDATE outbox SET sending = 1, attempts = attempts + 1 WHERE seq = ?1",
                )?
                .execute([job.seq.0])?;
        }
        Ok(jobs)
    }

    /// Forgets contacts and folders that were made and deleted again before the service heard of them.
    fn drop_unborn(&mut self) -> Result<()> {
        let unborn: Vec<RowId> = self
            .sql
            .prepare_cached(
                "SELECT c.contact FROM outbox c JOIN outbox d ON d.contact = c.contact AND d.op = 'delete'
                 WHERE c.op = 'create' AND c.sending = 0 AND c.unsure = 0 AND d.not_before <= ?1",
            )?
            .query_map([self.now.0], |row| row.get(0).map(RowId))?
            .collect::<Result<_, _>>()?;
        for contact in unborn {
            self.keep_deleted(contact)?;
            self.drop_jobs(contact)?;
            self.remove_contact(contact)?;
        }
        Ok(())
    }

    /// Lets everything be sent now, graces included.
    ///
    /// # Errors
    /// When the database fails.
    pub fn expedite(&mut self) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE outbox SET not_before = ?1 WHERE not_before > ?1")?
            .execute([self.now.0])?;
        Ok(())
    }

    /// Gives a row back to be tried again; `unsure` when this attempt may have reached the service.
    ///
    /// # Errors
    /// When the database fails.
    pub fn retry(&mut self, seq: Seq, delay: Duration, error: &str, unsure: bool) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE outbox SET sending = 0, not_before = max(not_before, ?2), last_error = ?3, unsure = unsure OR ?4
                 WHERE seq = ?1",
            )?
            .execute((seq.0, self.now.after(delay).0, error, unsure))?;
        self.take_in_next(seq)
    }

    /// A save that was under way while the next was made, and was not sent after all, is one with it (behaviour 3.6). It
    /// takes the next one's text and keeps its own place, so that whoever waits for either waits for this row.
    fn take_in_next(&mut self, seq: Seq) -> Result<()> {
        let next: Option<(i64, i64, String)> = self
            .sql
            .prepare_cached(
                "SELECT n.seq, coalesce(n.first, n.seq), n.ours FROM outbox n WHERE n.op = 'update' AND n.ours IS NOT NULL AND n.seq =
                 (SELECT min(n.seq) FROM outbox n JOIN outbox p ON p.contact = n.contact
                  WHERE p.seq = ?1 AND n.seq > p.seq AND p.unsure = 0 AND p.op IN ('create', 'update'))",
            )?
            .query_row([seq.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((next, first, ours)) = next else {
            return Ok(());
        };
        self.sql
            .prepare_cached("UPDATE outbox SET ours = ?2 WHERE seq = ?1")?
            .execute((seq.0, ours))?;
        self.carry_on(Some(first), seq)?;
        self.drop_job(Seq(next))
    }

    /// An attempt that did not reach the service says nothing about the row. A move has several steps and always counts.
    ///
    /// # Errors
    /// When the database fails.
    pub fn uncount(&mut self, seq: Seq) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE outbox SET attempts = attempts - 1 WHERE seq = ?1 AND attempts > 0 AND op <> 'move'",
            )?
            .execute([seq.0])?;
        Ok(())
    }

    /// Gives back rows whose sending ended without a word; what became of them is not known.
    ///
    /// # Errors
    /// When the database fails.
    pub fn release(&mut self) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE outbox SET sending = 0, unsure = 1 WHERE sending = 1")?
            .execute([])?;
        Ok(())
    }

    /// Records the new contact of a move, before the old one is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_moved(&mut self, seq: Seq, id: &ContactId) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE outbox SET moved = ?2 WHERE seq = ?1")?
            .execute((seq.0, id.as_str()))?;
        Ok(())
    }

    /// Records which version of a contact a move copies, before it does, what it says, and what this machine would have
    /// it say if that is what is copied: what is saved from then on is made from it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_copied(
        &mut self,
        seq: Seq,
        key: &ChangeKey,
        copied: &Card,
        ours: Option<&Card>,
    ) -> Result<()> {
        let ours = ours.map(card_to_json).transpose()?;
        self.sql
            .prepare_cached(
                "UPDATE outbox SET base_key = ?2, copied = ?3, base = ?4 WHERE seq = ?1",
            )?
            .execute((seq.0, key.as_str(), card_to_json(copied)?, ours))?;
        Ok(())
    }

    /// What a contact said as a move copied it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn copied(&self, seq: Seq) -> Result<Option<Card>> {
        let copied: Option<String> = self
            .sql
            .prepare_cached("SELECT copied FROM outbox WHERE seq = ?1")?
            .query_row([seq.0], |row| row.get(0))
            .optional()?
            .flatten();
        copied.as_deref().map(card_from_json).transpose()
    }

    /// Forgets the new contact of a move that has to begin again.
    ///
    /// # Errors
    /// When the database fails.
    pub fn restart_move(&mut self, seq: Seq) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE outbox SET moved = NULL, unsure = 0, sending = 0, client = ?2, not_before = ?3 WHERE seq = ?1")?
            .execute((
                seq.0,
                uuid::Uuid::new_v4().to_string(),
                self.now.after(Duration::from_secs(1)).0,
            ))?;
        self.wakes = true;
        Ok(())
    }

    /// Removes a finished row; what was queued behind it starts from its result.
    ///
    /// # Errors
    /// When the database fails.
    pub fn finish(&mut self, seq: Seq) -> Result<()> {
        let job = self.job(seq)?;
        self.drop_job(seq)?;
        if let Some(job) = &job {
            self.did_for(Deed::Sent(job.op), job.contact, job.folder)?;
        }
        if let Some(contact) = job.and_then(|job| job.contact)
            && let Some(row) = self.contact(contact)?
        {
            let base = row.card.as_ref().map(card_to_json).transpose()?;
            self.sql
                .prepare_cached(
                    "UPDATE outbox SET base = ?2, base_key = ?3 WHERE contact = ?1 AND sending = 0",
                )?
                .execute((
                    contact.0,
                    base,
                    row.change_key.as_ref().map(ChangeKey::as_str),
                ))?;
        }
        self.wakes = true;
        Ok(())
    }

    /// Removes a row; what was queued behind it stays as it is.
    pub(in crate::store) fn drop_job(&mut self, seq: Seq) -> Result<()> {
        self.sql
            .prepare_cached("DELETE FROM outbox WHERE seq = ?1")?
            .execute([seq.0])?;
        self.wakes = true;
        Ok(())
    }

    /// Removes every row of a contact.
    ///
    /// # Errors
    /// When the database fails.
    pub fn drop_jobs(&mut self, contact: RowId) -> Result<()> {
        self.sql
            .prepare_cached("DELETE FROM outbox WHERE contact = ?1")?
            .execute([contact.0])?;
        Ok(())
    }
}
