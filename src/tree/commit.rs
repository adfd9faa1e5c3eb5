//! When a text becomes a save: the state machine of behaviour 3.
//!
//! An edited card's bytes are in its backing file until they are committed. A commit reads them as a card, queues
//! what changed, and makes them the file's accepted text, all in one transaction. Text that is not (yet) a card is
//! *held*: nothing is sent, and after a quiet time it is put aside.

use std::time::Instant;

use super::accept::{Outcome, accept, accept_replaced};
use super::writers::NOBODY;
use super::{Error, Result, Tree};
use crate::model::Ino;
use crate::store::{InodeKind, InodeRow, Problem, RowId, Seq, Tx};
use crate::vcard;

/// A queued save that somebody may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The file.
    pub ino: Ino,
    /// The contact.
    pub contact: RowId,
    /// The save.
    pub seq: Seq,
}

const EMPTY: &str = "the file is empty; the contact keeps its last good card";
const INCOMPLETE: &str = "the card is not complete: END:VCARD is missing";

impl Tree {
    /// A descriptor was closed (FLUSH). Commits if that process wrote; returns the save, if one is pending.
    ///
    /// # Errors
    /// [`Error::Card`] when the text is complete but no acceptable card.
    pub fn flush(&self, ino: Ino, pid: u32) -> Result<Option<Ticket>> {
        let _edit = self.edit();
        if self.save_scratch(ino)?
            || !self.is_dirty_card(ino)
            || !self.writers().is_writer(ino, pid)
        {
            return Ok(None);
        }
        match self.commit(ino) {
            Err(Error::Incomplete) => self.save_row(self.row(ino)?).map(|()| None),
            Err(Error::Stale) => Ok(None),
            done => done,
        }
    }

    /// Commits; returns the save that is still to be decided, if any (FSYNC). The caller then calls
    /// [`Tree::make_durable`], away from whatever must not wait for the disk.
    ///
    /// # Errors
    /// [`Error::Incomplete`] for a held text, [`Error::Stale`] for a clash, [`Error::Card`] as above.
    pub fn fsync(&self, ino: Ino) -> Result<Option<Ticket>> {
        if self.settings.read_only {
            return Ok(None); // Nothing was written.
        }
        let _edit = self.edit();
        if self.save_scratch(ino)? || !self.is_card(ino) {
            return Ok(None);
        }
        if self.is_dirty_card(ino) {
            self.commit(ino)
        } else {
            self.pending(ino)
        }
    }

    /// Makes everything committed so far survive a power cut, and an inode's backing file if it has one.
    ///
    /// # Errors
    /// A failure of the local disk.
    pub fn make_durable(&self, ino: Ino) -> Result<()> {
        if self
            .memory()
            .get(ino)
            .is_some_and(super::memory::Node::has_blob)
        {
            self.cache.file(&self.store, ino)?.sync_all()?;
            self.store.blobs().sync_names()?;
        }
        Ok(self.store.sync_durable()?)
    }

    /// Reads an edited card's text and makes it the file's accepted text.
    pub(super) fn commit(&self, ino: Ino) -> Result<Option<Ticket>> {
        let bytes = self.store.blobs().read(ino)?;
        if !vcard::is_complete(&bytes) {
            return Err(Error::Incomplete);
        }
        let row = self.row(ino)?;
        let done = self.change(|tx| match (tx.inode(ino)?, self.place_lost(ino)) {
            (Some(kept), _) => {
                let attr = row.attr;
                accept(tx, InodeRow { attr, ..kept }, &bytes, None)
            }
            (None, Some((dir, name))) => accept_replaced(tx, row, (dir, &name), &bytes),
            (None, None) => Ok(Outcome::Taken(None)),
        })?;
        self.writers().forget(ino);
        match done {
            Outcome::Taken(ticket) => Ok(ticket),
            Outcome::Clash => Err(Error::Stale),
        }
    }

    /// Where an inode was that a change made elsewhere, or the putting aside of its text, took from its name.
    fn place_lost(&self, ino: Ino) -> Option<(Ino, String)> {
        let memory = self.memory();
        let node = memory.get(ino).filter(|node| node.replaced)?;
        node.was.as_deref().cloned()
    }

    /// Commits or puts aside what has been quiet for 10 s; everything that is not committed when `all`.
    pub fn settle(&self, all: bool) {
        let quiet = self.writers().quiet(all);
        for ino in quiet {
            let _edit = self.edit();
            if !self.writers().is_quiet(ino, all) {
                continue; // Written or committed meanwhile.
            }
            if self.is_dirty_card(ino)
                && let Err(error) = self.settle_one(ino)
            {
                tracing::warn!(%ino, %error, "an edit could not be settled");
            }
            self.writers().forget(ino);
        }
    }

    /// When [`Tree::settle`] has something to do next.
    #[must_use]
    pub fn next_quiet(&self) -> Option<Instant> {
        self.writers().next_quiet()
    }

    fn settle_one(&self, ino: Ino) -> Result<()> {
        let sentence = match self.commit(ino) {
            Err(Error::Incomplete) if self.store.blobs().len(ino) == 0 => EMPTY.to_owned(),
            Err(Error::Incomplete) => self.what_is_missing(ino)?,
            Err(Error::Card(error)) => error.to_string(),
            Err(Error::Stale) => return Ok(()),
            done => return done.map(drop),
        };
        let bytes = self.store.blobs().read(ino)?;
        let row = self.row(ino)?;
        self.change(|tx| put_aside(tx, &row, &bytes, &Problem::Rejected(sentence)))
    }

    /// Why a text is not complete: with the line, if one is no card's line.
    fn what_is_missing(&self, ino: Ino) -> Result<String> {
        let bytes = self.store.blobs().read(ino)?;
        Ok(match vcard::read(&bytes, None, self.store.style()) {
            Err(error) if error.line > 0 => error.to_string(),
            _ => INCOMPLETE.to_owned(),
        })
    }

    /// At start, text that a crash left uncommitted is settled like text that has become quiet.
    pub(super) fn adopt_leftovers(&self) {
        let memory = self.memory();
        let left = memory.iter().filter(|(_, node)| node.dirty);
        for (ino, _) in left {
            self.writers().wrote(ino, NOBODY);
        }
    }

    /// Writes a scratch file's attributes if they changed; whether it is one.
    fn save_scratch(&self, ino: Ino) -> Result<bool> {
        let row = self.row(ino)?;
        if row.kind != InodeKind::File {
            return Ok(false);
        }
        let unsaved = self
            .memory()
            .get_mut(ino)
            .is_some_and(|node| std::mem::take(&mut node.unsaved));
        if unsaved {
            self.save_row(row)?;
        }
        Ok(true)
    }

    fn pending(&self, ino: Ino) -> Result<Option<Ticket>> {
        let InodeKind::Card(Some(contact)) = self.row(ino)?.kind else {
            return Ok(None);
        };
        self.change(|tx| {
            Ok(tx.last_job(contact)?.map(|job| Ticket {
                ino,
                contact,
                seq: job.seq,
            }))
        })
    }

    pub(super) fn row(&self, ino: Ino) -> Result<InodeRow> {
        let memory = self.memory();
        memory
            .get(ino)
            .map(|node| node.row(ino))
            .ok_or(Error::NotFound)
    }

    fn is_card(&self, ino: Ino) -> bool {
        self.memory()
            .get(ino)
            .is_some_and(|node| matches!(node.kind, InodeKind::Card(_)))
    }

    fn is_dirty_card(&self, ino: Ino) -> bool {
        self.memory()
            .get(ino)
            .is_some_and(|node| node.dirty && matches!(node.kind, InodeKind::Card(_)))
    }
}

/// Keeps a text that was not accepted beside the contact, whose file shows the last good card again. A draft stays
/// as it is and gets the reason beside it.
fn put_aside(tx: &mut Tx<'_>, row: &InodeRow, bytes: &[u8], problem: &Problem) -> Result<()> {
    let contact = match row.kind {
        InodeKind::Card(Some(id)) => tx.contact(id)?,
        _ => None,
    };
    let Some(contact) = contact else {
        if let Some((dir, name)) = tx.card_name(row.ino)?
            && !bytes.is_empty()
        {
            tx.keep_error(dir, &name, problem)?;
        }
        return Ok(());
    };
    let shown = contact.ino.unwrap_or(row.ino);
    if let Some((dir, name)) = tx.card_name(shown)? {
        tx.keep_rejected(Some(contact.id), (dir, &name), bytes, problem)?;
    }
    tx.set_problem(contact.id, None, problem)?;
    if shown == row.ino {
        tx.foreign(|tx| tx.show_accepted(&contact, row.ino))?;
    }
    Ok(())
}
