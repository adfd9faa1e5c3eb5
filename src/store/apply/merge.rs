//! A queued save meets a contact that was changed elsewhere.

use super::super::contacts::card_to_json;
use super::super::{ContactRow, Fate, Result, RowId, Seq, Tx};
use super::ServerContact;
use super::show::natural_name;
use crate::model::ChangeKey;
use crate::vcard::{Card, Prefer, merge};

impl Tx<'_> {
    /// Merges a queued save, and what was saved since, with the contact as the service has it (behaviour 3.7). The
    /// merged card takes the save's place in the queue, and the file shows it.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn meet(&mut self, seq: Seq, theirs: &ServerContact, card: &Card) -> Result<()> {
        let Some(job) = self.job(seq)? else {
            return Ok(());
        };
        let Some(old) = self.contact_of(&job)? else {
            return self.finish(seq);
        };
        if self.is_deleted(old.id)? {
            self.refresh(old.id, theirs)?;
            return self.revive(old.id, None, None); // An edit made elsewhere wins (behaviour 6.4).
        }
        let base = job.base.unwrap_or_default();
        let ours = self.expected(&old)?.unwrap_or_default();
        // If this save has arrived after all, what was saved since was made from it, and its values there are our own.
        let base = match job.ours {
            Some(sent) if card.holds_change(&base, &sent) => sent,
            _ => base,
        };
        let (merged, clash) = self.merged(&base, &ours, card);
        self.refresh(old.id, theirs)?;
        self.replace_save(old.id, seq, &merged, card, &theirs.change_key)?;
        let Some(contact) = self.contact(old.id)? else {
            return Ok(());
        };
        if let Some(clash) = clash {
            let lost = match self.prefer() {
                Prefer::Theirs => self.shown_text(&contact, &ours)?,
                Prefer::Ours => self.draw(&contact, card)?,
            };
            let place = contact.ino.map(|ino| self.card_name(ino)).transpose()?;
            let place = place.flatten();
            let place = place.as_ref().map(|(dir, name)| (*dir, name.as_str()));
            let all = self.last_queued()?;
            self.set_clash(contact.id, Some(all), &clash, place, &lost)?;
        }
        self.follow(&contact, &merged, theirs.modified, Fate::Changed)?;
        let name = natural_name(&merged);
        if name != natural_name(&base) && name == natural_name(card) {
            self.foreign(|tx| tx.rename_file(&contact, &merged))?;
        }
        Ok(())
    }

    /// The bytes a contact's file shows, which say `ours`.
    fn shown_text(&self, contact: &ContactRow, ours: &Card) -> Result<Vec<u8>> {
        let text = contact.ino.map(|ino| self.text(ino)).transpose()?;
        match text.flatten() {
            Some(text) => Ok(text),
            None => self.draw(contact, ours),
        }
    }

    /// Puts one save, made from what the service has now, in the place of all that were queued.
    fn replace_save(
        &mut self,
        contact: RowId,
        seq: Seq,
        ours: &Card,
        base: &Card,
        key: &ChangeKey,
    ) -> Result<()> {
        self.sql
            .prepare_cached("DELETE FROM outbox WHERE contact = ?1 AND op = 'update' AND seq > ?2")?
            .execute((contact.0, seq.0))?;
        self.sql
            .prepare_cached(
                "UPDATE outbox SET ours = ?2, base = ?3, base_key = ?4, sending = 0, unsure = 0 WHERE seq = ?1",
            )?
            .execute((
                seq.0,
                card_to_json(ours)?,
                card_to_json(base)?,
                key.as_str(),
            ))?;
        self.wakes = true;
        Ok(())
    }

    /// What was saved while another save was under way goes on from the service's answer to that one.
    pub(super) fn rebase_later(&self, sent: &super::super::Job, contact: RowId) -> Result<()> {
        let (Some(sent), Some(now)) = (
            &sent.ours,
            self.contact(contact)?.and_then(|contact| contact.card),
        ) else {
            return Ok(());
        };
        let later = self.last_save(contact)?;
        let Some(later) = later.filter(|_| *sent != now) else {
            return Ok(());
        };
        let Some(ours) = &later.ours else {
            return Ok(());
        };
        let rebased = merge(sent, ours, &now, Prefer::Ours).card;
        self.sql
            .prepare_cached("UPDATE outbox SET ours = ?2 WHERE seq = ?1")?
            .execute((later.seq.0, card_to_json(&rebased)?))?;
        Ok(())
    }
}
