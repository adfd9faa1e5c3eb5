//! What the service answered to our own requests.

use super::super::contacts::card_to_json;
use super::super::deeds::{Deed, Of};
use super::super::{
    Clash, ContactRow, Fate, FolderRowId, Job, Op, Problem, Result, RowId, Seq, Tx,
};
use super::ServerContact;
use crate::model::{ChangeKey, Contact, ContactId, Field, ResidueText, Tier};

/// How many superseded versions of ours are remembered per contact.
const OLD_KEYS: usize = 4;

const EDITED: &str = "changed elsewhere since you deleted it: it is back as it is there; delete it again if you still want to";

impl Tx<'_> {
    /// A listing that shows no private id may have told of our own contact as of a stranger.
    fn claim_id(&mut self, contact: RowId, id: &ContactId) -> Result<()> {
        match self.contact_by_graph(id)? {
            Some(stranger) if stranger.id != contact => {
                self.drop_jobs(stranger.id)?;
                self.remove_file(&stranger)
            }
            _ => Ok(()),
        }
    }

    /// A create has succeeded.
    ///
    /// # Errors
    /// When the database fails.
    pub fn born(&mut self, seq: Seq, theirs: &ServerContact) -> Result<()> {
        let Some(contact) = self.job(seq)?.and_then(|job| job.contact) else {
            return Ok(());
        };
        self.claim_id(contact, &theirs.id)?;
        self.sql
            .prepare_cached("UPDATE contact SET graph = ?2, created = ?3 WHERE id = ?1")?
            .execute((
                contact.0,
                theirs.id.as_str(),
                theirs.created.unwrap_or(self.now).0,
            ))?;
        self.taken(seq, theirs)
    }

    /// A create or update has succeeded and this is the reply: the new base (behaviour 3.8).
    ///
    /// # Errors
    /// When the database fails.
    pub fn taken(&mut self, seq: Seq, theirs: &ServerContact) -> Result<()> {
        let Some(job) = self.job(seq)? else {
            return Ok(());
        };
        let Some(row) = self.contact_of(&job)? else {
            return Ok(());
        };
        let mut theirs = theirs.clone();
        if theirs.residue.is_none() {
            // The reply does not show extended properties: they are what was sent.
            theirs.residue = sent_residue(&job);
            if let Some(ours) = &job.ours {
                theirs.contact.take_beyond(Tier::Graph, &ours.contact);
                keep_birthday(&mut theirs.contact, &job, &ours.contact);
            }
        }
        self.set_wire(row.id, &theirs)?;
        self.remember_key(&row, &job, &theirs.change_key)?;
        self.rebase_later(&job, row.id)?;
        self.mark_seen(row.id)?;
        self.finish(seq)?;
        let Some(new) = self.contact(row.id)? else {
            return Ok(());
        };
        match &new.card {
            Some(card) if self.last_job(row.id)?.is_none() => {
                self.follow(&new, card, theirs.modified, Fate::Answered)
            }
            _ => Ok(()),
        }
    }

    /// A version that our own write replaced may still be shown by a lagging delta: it must not count as news.
    fn remember_key(&self, row: &ContactRow, job: &Job, new: &ChangeKey) -> Result<()> {
        let mut old: Vec<&str> = row
            .old_keys
            .split(' ')
            .filter(|key| !key.is_empty())
            .collect();
        // Only what the write was made from: a version heard of meanwhile may be newer than the reply.
        if let Some(key) = job.base_key.as_ref()
            && key != new
            && !old.contains(&key.as_str())
        {
            old.push(key.as_str());
        }
        let keep = old.len().saturating_sub(OLD_KEYS);
        let old = old.split_off(keep).join(" ");
        self.sql
            .prepare_cached("UPDATE contact SET old_keys = ?2 WHERE id = ?1")?
            .execute((row.id.0, old))?;
        Ok(())
    }

    /// A deletion has succeeded.
    ///
    /// # Errors
    /// When the database fails.
    pub fn buried(&mut self, contact: RowId) -> Result<()> {
        if let Some(row) = self.contact(contact)?
            && let (Some(id), Some(key)) = (&row.graph, &row.change_key)
        {
            self.note_gone(id, key)?;
        }
        if let Some(place) = self.unlinked_from(contact)? {
            self.did(Deed::Sent(Op::Delete), Of::Place(place));
        }
        self.keep_deleted(contact)?;
        self.drop_jobs(contact)?;
        self.remove_contact(contact)
    }

    /// A contact whose deletion was refused, by a change made elsewhere or by the service, comes back with the reason
    /// beside it (behaviour 6.4), in the folder the service has it `at`, if that is known.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revive(
        &mut self,
        contact: RowId,
        at: Option<FolderRowId>,
        refused: Option<Problem>,
    ) -> Result<()> {
        self.drop_deletion(contact, at)?;
        self.foreign(|tx| tx.show(contact))?;
        let is_clash = refused.is_none();
        let problem = refused.unwrap_or_else(|| Problem::Conflict(EDITED.to_owned()));
        self.set_problem(contact, None, &problem)?;
        let row = self.contact(contact)?;
        let ino = row.as_ref().and_then(|row| row.ino);
        if let Some(theirs) = row.and_then(|row| row.card).filter(|_| is_clash) {
            let clash = Clash {
                ours: None,
                theirs,
                names: Vec::new(),
            };
            self.put_clash(contact, &clash)?;
        }
        let place = ino.map(|ino| self.card_name(ino)).transpose()?.flatten();
        place.map_or(Ok(()), |(dir, name)| self.keep_error(dir, &name, &problem))
    }

    /// Drops a deletion and what was queued with it. A move is void, and the contact is where the service has it; one that has
    /// begun goes on, for it may have made its copy.
    fn drop_deletion(&mut self, contact: RowId, at: Option<FolderRowId>) -> Result<()> {
        let first = self.first_move(contact)?;
        let moving = first.map(|(seq, _)| self.job(seq)).transpose()?.flatten();
        if moving.is_some_and(|job| job.attempts > 0 || job.unsure || job.moved.is_some()) {
            self.sql
                .prepare_cached("DELETE FROM outbox WHERE contact = ?1 AND op = 'delete'")?
                .execute([contact.0])?;
            return Ok(());
        }
        self.drop_jobs(contact)?;
        match at.or(first.map(|(_, from)| from)) {
            Some(folder) => self.set_contact_folder(contact, folder),
            None => Ok(()),
        }
    }

    /// A queued change goes on from a newer version that means the same.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rebase(&mut self, seq: Seq, theirs: &ServerContact) -> Result<()> {
        let Some(contact) = self.job(seq)?.and_then(|job| job.contact) else {
            return Ok(());
        };
        self.refresh(contact, theirs)?;
        self.sql
            .prepare_cached("UPDATE outbox SET base_key = ?2, sending = 0 WHERE seq = ?1")?
            .execute((seq.0, theirs.change_key.as_str()))?;
        self.wakes = true;
        Ok(())
    }

    /// A move has succeeded: the contact's row now stands for the new one, which may have been edited since it was made.
    ///
    /// # Errors
    /// When the database fails.
    pub fn moved(&mut self, seq: Seq, theirs: &ServerContact) -> Result<()> {
        let Some(job) = self.job(seq)? else {
            return Ok(());
        };
        let Some(contact) = job.contact else {
            return Ok(());
        };
        let old = self.contact(contact)?.and_then(|row| row.graph);
        if let (Some(old), Some(copied)) = (old, &job.base_key) {
            self.note_gone(&old, copied)?;
        }
        self.claim_id(contact, &theirs.id)?;
        self.sql
            .prepare_cached("UPDATE contact SET graph = ?2 WHERE id = ?1")?
            .execute((contact.0, theirs.id.as_str()))?;
        self.set_wire(contact, theirs)?;
        self.mark_seen(contact)?;
        let Some(new) = self.contact(contact)? else {
            return self.finish(seq);
        };
        let later = self.last_save(contact)?.filter(|later| later.seq != seq);
        let is_made_from_copy = later.is_none_or(|later| match later.op {
            Op::Delete => later.base_key == job.base_key,
            _ => job.base.is_none() && later.base == new.card,
        });
        if is_made_from_copy {
            self.finish(seq)?;
        } else {
            // What was queued meanwhile has to meet what was copied, or the edit made elsewhere before or after that.
            self.drop_job(seq)?;
            if let Some(copied) = &job.base {
                self.sql
                    .prepare_cached("UPDATE outbox SET base = ?2 WHERE contact = ?1 AND op = 'update' AND sending = 0")?
                    .execute((contact.0, card_to_json(copied)?))?;
            }
        }
        match &new.card {
            Some(card) if self.last_job(contact)?.is_none() => {
                self.follow(&new, card, theirs.modified, Fate::Changed)
            }
            _ => Ok(()),
        }
    }
}

/// The residue that a save sent.
fn sent_residue(job: &Job) -> Option<ResidueText> {
    let mut ours = job.ours.clone()?;
    if job.op == Op::Create {
        return Some(ours.for_create().1);
    }
    if let Some(base) = &job.base {
        ours.inherit_invented(base);
    }
    Some(ours.residue.encode())
}

/// A reply names the moment of the birthday only, and its day may be kept beside it. One that was not sent is what it was.
fn keep_birthday(theirs: &mut Contact, job: &Job, ours: &Contact) {
    let base = job.base.as_ref();
    let was = base.and_then(|base| base.contact.get(Field::Birthday));
    if let Some(day) = was.filter(|was| ours.get(Field::Birthday) == Some(was)) {
        theirs.set(Field::Birthday, day.clone());
    }
}
