//! Saves that were not taken: the text is kept beside the contact and the file shows the last good card again.

use super::deeds::{Deed, Of};
use super::{ContactRow, Fate, InodeKind, Result, RowId, Seq, Store, Tx};
use crate::model::{Ino, Stamp};
use crate::names;
use crate::vcard::{self, Card};

/// Why a save was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The text is no acceptable card, or the service refused it.
    Rejected(String),
    /// The sign-in does not permit it.
    Denied(String),
    /// The mailbox has no room for it.
    NoRoom(String),
    /// It is larger than the service takes.
    TooLarge(String),
    /// The contact changed elsewhere meanwhile.
    Conflict(String),
}

impl Problem {
    /// The word for it in `status`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Conflict(_) => "conflict",
            _ => "rejected",
        }
    }

    /// The word for it in the database: the column `contact.state` has one of these, and NULL for none.
    fn kept_as(&self) -> &'static str {
        match self {
            Self::Rejected(_) => "rejected",
            Self::Denied(_) => "denied",
            Self::NoRoom(_) => "no room",
            Self::TooLarge(_) => "too large",
            Self::Conflict(_) => "conflict",
        }
    }

    /// What was kept under this word.
    fn kept(word: &str, sentence: String) -> Self {
        match word {
            "denied" => Self::Denied(sentence),
            "no room" => Self::NoRoom(sentence),
            "too large" => Self::TooLarge(sentence),
            "conflict" => Self::Conflict(sentence),
            _ => Self::Rejected(sentence),
        }
    }

    /// The same in other words.
    #[must_use]
    pub fn with_sentence(&self, sentence: String) -> Self {
        Self::kept(self.kept_as(), sentence)
    }

    /// How a text ends that was not taken for this reason.
    fn fate(&self) -> Fate {
        match self {
            Self::Conflict(_) => Fate::Conflict,
            _ => Fate::Rejected,
        }
    }

    /// The sentence in the `.error` file.
    #[must_use]
    pub fn sentence(&self) -> &str {
        match self {
            Self::Rejected(sentence)
            | Self::Denied(sentence)
            | Self::NoRoom(sentence)
            | Self::TooLarge(sentence)
            | Self::Conflict(sentence) => sentence,
        }
    }
}

impl Store {
    /// Why a contact's save numbered `seq` was not taken, if it was not: those behind a refused one fall with it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn problem(&self, contact: RowId, seq: Seq) -> Result<Option<Problem>> {
        Ok(self
            .problems_where("id = ?1 AND problem_seq >= ?2", (contact.0, seq.0))?
            .pop()
            .map(|(_, problem)| problem))
    }

    /// Why a contact that is none any more was not made, for who waits for that; of older ones only the file beside tells.
    #[must_use]
    pub fn not_made(&self, contact: RowId) -> Option<Problem> {
        let unmade = self.unmade();
        let (_, problem) = unmade.iter().find(|(id, _)| *id == contact)?;
        Some(problem.clone())
    }

    /// Why a contact's last save was not taken, if it was not.
    ///
    /// # Errors
    /// When the database fails.
    pub fn problem_of(&self, contact: RowId) -> Result<Option<Problem>> {
        let mut problems = self.problems_where("id = ?1", [contact.0])?;
        Ok(problems.pop().map(|(_, problem)| problem))
    }

    /// Every file whose last save was not taken.
    ///
    /// # Errors
    /// When the database fails.
    pub fn problems(&self) -> Result<Vec<(Option<Ino>, Problem)>> {
        self.problems_where("1", ())
    }

    fn problems_where(
        &self,
        condition: &str,
        keys: impl rusqlite::Params,
    ) -> Result<Vec<(Option<Ino>, Problem)>> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(&format!(
                "SELECT ino, state, problem FROM contact WHERE state IS NOT NULL AND {condition}"
            ))?;
            let rows = rows.query_map(keys, |row| {
                let (state, sentence): (String, String) = (row.get(1)?, row.get(2)?);
                let ino = row.get::<_, Option<u64>>(0)?.map(Ino);
                Ok((ino, Problem::kept(&state, sentence)))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Tx<'_> {
    /// Keeps a text that was not taken as `.NAME.vcf.rejected` with the reason in `.NAME.vcf.error` (behaviour 3.2).
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn keep_rejected(
        &mut self,
        contact: Option<RowId>,
        (dir, name): (Ino, &str),
        text: &[u8],
        problem: &Problem,
    ) -> Result<()> {
        if let Some(contact) = contact {
            self.keep_version(contact, (dir, name), text, problem.fate())?;
        }
        self.foreign(|tx| tx.put_scratch(dir, &names::rejected_name(name), text))?;
        self.keep_error(dir, name, problem)
    }

    /// Says in `.NAME.vcf.error` why a draft is none yet.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn keep_error(&mut self, dir: Ino, name: &str, problem: &Problem) -> Result<()> {
        let sentence = format!("{}\n", problem.sentence());
        let place = Of::Place((dir, name.to_owned()));
        self.did(Deed::NotTaken(problem.clone()), place);
        self.foreign(|tx| tx.put_scratch(dir, &names::error_name(name), sentence.as_bytes()))
    }

    /// Removes what [`Tx::keep_rejected`] left: a good save has come.
    ///
    /// # Errors
    /// When the database fails.
    pub fn clear_rejected(&mut self, dir: Ino, name: &str) -> Result<()> {
        self.foreign(|tx| {
            tx.remove_scratch(dir, &names::rejected_name(name))?;
            tx.remove_scratch(dir, &names::error_name(name))
        })
    }

    /// Removes the `.error` of a draft that is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub fn clear_rejected_error(&mut self, dir: Ino, name: &str) -> Result<()> {
        if self.entry(dir, &names::rejected_name(name))?.is_some() {
            return Ok(()); // A rejected text stays, and its reason with it.
        }
        self.foreign(|tx| tx.remove_scratch(dir, &names::error_name(name)))
    }

    /// Records on the contact why its save was not taken.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_problem(
        &mut self,
        contact: RowId,
        seq: Option<Seq>,
        problem: &Problem,
    ) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE contact SET state = ?2, problem = ?3, problem_seq = ?4 WHERE id = ?1",
            )?
            .execute((
                contact.0,
                problem.kept_as(),
                problem.sentence(),
                seq.map(|seq| seq.0),
            ))?;
        self.did(Deed::NotTaken(problem.clone()), Of::Contact(contact));
        Ok(())
    }

    fn has_problem(&self, contact: RowId) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached("SELECT 1 FROM contact WHERE id = ?1 AND state IS NOT NULL")?
            .exists([contact.0])?)
    }

    /// The contact's last save was good.
    ///
    /// # Errors
    /// When the database fails.
    pub fn clear_problem(&mut self, contact: RowId) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE contact SET state = NULL, problem = NULL, problem_seq = NULL WHERE id = ?1",
            )?
            .execute([contact.0])?;
        for of in ["clash", "photo_clash"] {
            self.sql
                .prepare_cached(&format!("DELETE FROM {of} WHERE contact = ?1"))?
                .execute([contact.0])?;
        }
        Ok(())
    }

    /// The service refused a queued save: its text is kept aside, and the file shows the service's card; a contact
    /// that was to be made becomes a draft again.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn not_taken(&mut self, seq: Seq, problem: &Problem) -> Result<()> {
        let job = self.job(seq)?;
        let contact = job.as_ref().map(|job| self.contact_of(job)).transpose()?;
        let Some(contact) = contact.flatten() else {
            return self.finish(seq);
        };
        if contact.graph.is_some() && self.is_deleted(contact.id)? {
            return self.drop_job(seq); // The deletion goes on.
        }
        // An accepted save clears the problem: one that is there is of a later text, which was edited from this one.
        let is_later_kept = self.has_problem(contact.id)?;
        self.drop_jobs(contact.id)?;
        if contact.graph.is_none() {
            return self.back_to_draft(&contact, problem);
        }
        let all = self.last_queued()?;
        self.set_problem(contact.id, Some(all), problem)?;
        let Some(ino) = contact.ino else {
            return Ok(());
        };
        let text = self.text(ino)?.unwrap_or_default();
        if let Some((dir, name)) = self.card_name(ino)? {
            if is_later_kept {
                self.keep_version(contact.id, (dir, &name), &text, Fate::Rejected)?;
            } else {
                self.keep_rejected(Some(contact.id), (dir, &name), &text, problem)?;
            }
        }
        if self.inode(ino)?.is_some_and(|row| row.dirty) {
            return self.set_last_good(&contact, ino); // Being edited: what is written stays.
        }
        self.foreign(|tx| tx.show_last_good(&contact, ino))
    }

    /// Makes the service's card the accepted text below an edit that is under way.
    fn set_last_good(&mut self, contact: &ContactRow, ino: Ino) -> Result<()> {
        match &contact.card {
            Some(card) => {
                let bytes = self.draw(contact, card)?;
                self.put_text(ino, &bytes)
            }
            None => Ok(()),
        }
    }

    /// Puts the last accepted text back into a contact's file; the card instead, when that has changed elsewhere
    /// since and the text says something older.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn show_accepted(&mut self, contact: &ContactRow, ino: Ino) -> Result<()> {
        let Some(card) = self.expected(contact)? else {
            return Ok(());
        };
        let text = self.text(ino)?.unwrap_or_default();
        let shown = Some((&card, contact.graph.as_ref()));
        if vcard::read(&text, shown, self.style).is_ok_and(|said| said == card) {
            let mtime = self.now;
            self.replace_inode(contact, ino, &text, mtime, Fate::Changed)?;
            return Ok(());
        }
        self.show_card(contact, ino, &card)
    }

    /// Puts the service's card back into a contact's file.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn show_last_good(&mut self, contact: &ContactRow, ino: Ino) -> Result<()> {
        match &contact.card {
            Some(card) => self.show_card(contact, ino, card),
            None => Ok(()),
        }
    }

    fn show_card(&mut self, contact: &ContactRow, ino: Ino, card: &Card) -> Result<()> {
        let bytes = self.draw(contact, card)?;
        let mtime = self
            .inode(ino)?
            .map_or(self.now, |row| Stamp(row.attr.mtime.0 + 1).max(self.now));
        self.replace_inode(contact, ino, &bytes, mtime, Fate::Changed)?;
        Ok(())
    }

    fn back_to_draft(&mut self, contact: &ContactRow, problem: &Problem) -> Result<()> {
        self.remove_contact(contact.id)?;
        self.unmade.push((contact.id, problem.clone()));
        let Some(mut row) = contact
            .ino
            .map(|ino| self.inode(ino))
            .transpose()?
            .flatten()
        else {
            return Ok(());
        };
        let ino = row.ino;
        if !row.dirty {
            let text = self.text(ino)?.unwrap_or_default();
            self.blobs.write(ino, &text)?;
        }
        row.kind = InodeKind::Card(None);
        row.dirty = true;
        self.put_inode(row)?;
        if let Some((dir, name)) = self.card_name(ino)? {
            self.keep_error(dir, &name, problem)?;
        }
        Ok(())
    }

    /// The name under which an inode is a contact's file.
    ///
    /// # Errors
    /// When the database fails.
    pub fn card_name(&self, ino: Ino) -> Result<Option<(Ino, String)>> {
        for (dir, name) in self.names(ino)? {
            if self.is_card_entry(dir, &name)? {
                return Ok(Some((dir, name)));
            }
        }
        Ok(None)
    }
}
