//! Pictures that are to be sent: one row of the outbox for each contact, behind the fields.

use rusqlite::OptionalExtension;

use crate::model::{Photo, PhotoId, Stamp};
use crate::store::contacts::decode;
use crate::store::{ContactRow, Fate, Job, Op, Problem, Result, RowId, Seq, ServerContact, Tx};
use crate::vcard::Card;

/// What a row of the outbox says of a picture.
#[derive(Clone, Debug)]
pub struct PhotoJob {
    /// The picture to be; `None` for none.
    pub photo: Option<PhotoId>,
    /// The picture the file showed before.
    pub base: Option<PhotoId>,
    /// Whether it may have reached the service.
    pub sent: bool,
}

impl Tx<'_> {
    /// The picture a contact will have when everything queued has been sent.
    pub(super) fn expected_photo(&self, contact: &ContactRow) -> Result<Option<PhotoId>> {
        let queued: Option<Option<String>> = self
            .sql
            .prepare_cached(
                "SELECT photo FROM outbox WHERE contact = ?1 AND op = 'photo' ORDER BY seq DESC LIMIT 1",
            )?
            .query_row([contact.id.0], |row| row.get(0))
            .optional()?;
        Ok(match queued {
            Some(queued) => queued.map(PhotoId::new),
            None => contact.photo.clone(),
        })
    }

    /// Queues the picture that a save puts in the place of the one its file showed; nothing when it is the same.
    ///
    /// # Errors
    /// When the database fails.
    pub fn queue_photo(
        &mut self,
        contact: RowId,
        photo: Option<&Photo>,
        shown: Option<&PhotoId>,
    ) -> Result<Option<Seq>> {
        let id = photo.map(Photo::id);
        if id.as_ref() == shown {
            return Ok(None);
        }
        if let Some(photo) = photo {
            self.keep_photo(photo)?;
        }
        let id = id.as_ref().map(PhotoId::as_str);
        let unsent: Option<i64> = self
            .sql
            .prepare_cached(
                "UPDATE outbox SET photo = ?2 WHERE contact = ?1 AND op = 'photo' AND sending = 0 RETURNING seq",
            )?
            .query_row((contact.0, id), |row| row.get(0))
            .optional()?;
        if let Some(seq) = unsent {
            return Ok(Some(Seq(seq)));
        }
        let seq = self.queue(Op::Photo, Some(contact), None, self.now)?;
        self.sql
            .prepare_cached(
                "UPDATE outbox SET photo = ?2, photo_base = ?3,
                 base_key = (SELECT change_key FROM contact WHERE contact.id = outbox.contact) WHERE seq = ?1",
            )?
            .execute((seq.0, id, shown.map(PhotoId::as_str)))?;
        Ok(Some(seq))
    }

    /// What a row says of a picture.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_job(&self, seq: Seq) -> Result<Option<PhotoJob>> {
        Ok(self
            .sql
            .prepare_cached("SELECT photo, photo_base, photo_sent FROM outbox WHERE seq = ?1")?
            .query_row([seq.0], |row| {
                Ok(PhotoJob {
                    photo: row.get::<_, Option<String>>(0)?.map(PhotoId::new),
                    base: row.get::<_, Option<String>>(1)?.map(PhotoId::new),
                    sent: row.get(2)?,
                })
            })
            .optional()?)
    }

    /// A row's picture is about to be sent, or was surely not taken when it was.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_sent(&mut self, seq: Seq, may_be_there: bool) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE outbox SET photo_sent = ?2 WHERE seq = ?1")?
            .execute((seq.0, may_be_there))?;
        Ok(())
    }

    /// The picture of a queued row was taken, and this is the contact since.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_taken(
        &mut self,
        job: &Job,
        photo: Option<&Photo>,
        theirs: &ServerContact,
    ) -> Result<()> {
        let Some(row) = self.contact_of(job)? else {
            return self.finish(job.seq);
        };
        self.set_photo(&row, photo)?;
        self.foreign(|tx| {
            if tx.says_the_same(&row, theirs) {
                return tx.taken(job.seq, theirs);
            }
            // The fields changed elsewhere as well: what is queued behind did not start from that.
            tx.drop_job(job.seq)?;
            tx.apply(row.folder, theirs)
        })
    }

    fn says_the_same(&self, row: &ContactRow, theirs: &ServerContact) -> bool {
        let residue = theirs.residue.as_ref().map(decode);
        let card = Card::from_server(theirs.contact.clone(), residue.unwrap_or_default());
        row.card.as_ref() == Some(&card)
    }

    /// The picture of a queued row was not taken: the text is kept aside and the file shows the picture that stands. The
    /// rest of the card was sent and stays.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn photo_not_taken(&mut self, job: &Job, problem: &Problem) -> Result<()> {
        self.drop_job(job.seq)?;
        let Some(row) = self.contact_of(job)? else {
            return Ok(());
        };
        self.set_problem(row.id, Some(job.seq), problem)?;
        let Some(ino) = row.ino else {
            return Ok(());
        };
        let text = self.text(ino)?.unwrap_or_default();
        if let Some((dir, name)) = self.card_name(ino)? {
            self.keep_rejected(Some(row.id), (dir, &name), &text, problem)?;
        }
        let Some(card) = self.expected(&row)? else {
            return Ok(());
        };
        let bytes = self.draw(&row, &card)?;
        match self.inode(ino)? {
            Some(inode) if !inode.dirty => {
                let mtime = self.now.max(Stamp(inode.attr.mtime.0 + 1));
                self.foreign(|tx| tx.replace_inode(&row, ino, &bytes, mtime, Fate::Changed))?;
                Ok(())
            }
            _ => self.put_text(ino, &bytes), // Below an edit that is under way.
        }
    }

    /// A contact that is made again has no picture there yet: the one it has is sent with it.
    pub(in crate::store) fn send_photo_again(&mut self, contact: &ContactRow) -> Result<()> {
        let photo = contact.photo.as_ref();
        let photo = photo.map(|id| self.photo(id)).transpose()?.flatten();
        self.set_photo(contact, None)?;
        self.queue_photo(contact.id, photo.as_ref(), None)?;
        Ok(())
    }

    /// The contact as it is once its queue is dropped: with the picture it was to have.
    pub(in crate::store) fn with_expected_photo(&self, contact: &ContactRow) -> Result<ContactRow> {
        Ok(ContactRow {
            photo: self.expected_photo(contact)?,
            ..contact.clone()
        })
    }
}
