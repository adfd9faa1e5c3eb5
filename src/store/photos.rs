//! Pictures: which are known, which have to be read, and what a file shows of them.
//!
//! The service keeps a picture apart from the contact and tells of it by a new version only (graph-facts 5). So a contact
//! has the picture last read with the version it was read in, and a file the one its text shows. Whatever differs is read
//! or shown when there is time: a card is there without its picture until that has arrived, and the arrival is a change
//! made elsewhere. Only a file that showed a picture can take it away.

use rusqlite::OptionalExtension;

use super::{ContactRow, Fate, Job, Op, Problem, Result, RowId, Seq, ServerContact, Store, Tx};
use crate::model::{ChangeKey, ContactId, Ino, Photo, PhotoId, Stamp};
use crate::vcard::{self, Card};

/// Where a mount shows pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Photos {
    /// In the card.
    #[default]
    Inline,
    /// In a file of their own beside it.
    Sidecar,
    /// Nowhere; those in a saved card are sent all the same.
    None,
}

/// A contact whose picture has to be read.
#[derive(Clone, Debug)]
pub struct PhotoDue {
    /// The contact.
    pub contact: RowId,
    /// Its id at the service.
    pub graph: ContactId,
    /// The version it has now.
    pub key: ChangeKey,
}

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

impl Store {
    /// Shows pictures so from now on; for the time before anybody reads a file. Files that show them otherwise are made
    /// anew, edited ones aside.
    ///
    /// # Errors
    /// When the database fails.
    pub fn show_photos(mut self, photos: Photos) -> Result<Self> {
        self.photos = photos;
        self.write::<_, super::Error>(|tx| {
            if photos != Photos::Inline {
                let shown = tx.unlike("s.photo IS NOT NULL")?;
                shown.into_iter().try_for_each(|id| tx.redraw(id))?;
            }
            tx.tend_sidecars()
        })?;
        Ok(self)
    }

    /// Contacts behind `after` whose picture has to be read, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photos_due(&self, after: RowId, limit: usize) -> Result<Vec<PhotoDue>> {
        if self.photos == Photos::None {
            return Ok(Vec::new());
        }
        self.read(|sql| {
            let mut rows = sql.prepare_cached(
                "SELECT id, graph, change_key FROM contact c
                 WHERE picture = 1 AND id > ?1 AND photo_key IS NOT change_key AND change_key IS NOT NULL
                 AND graph IS NOT NULL AND ino IS NOT NULL
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.contact = c.id AND op = 'photo')
                 ORDER BY id LIMIT ?2",
            )?;
            let rows = rows.query_map((after.0, limit), |row| {
                Ok(PhotoDue {
                    contact: RowId(row.get(0)?),
                    graph: ContactId::new(row.get::<_, String>(1)?),
                    key: ChangeKey::new(row.get::<_, String>(2)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Tx<'_> {
    /// Says that a contact may have a picture worth reading in its present version.
    pub(super) fn suspect_photo(&self, contact: RowId) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET picture = 1 WHERE id = ?1")?
            .execute([contact.0])?;
        Ok(())
    }

    /// Says so of the contact with this id, if it is of this version.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_picture(&mut self, id: &ContactId, key: &ChangeKey) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET picture = 1 WHERE graph = ?1 AND change_key = ?2")?
            .execute((id.as_str(), key.as_str()))?;
        Ok(())
    }

    /// A picture was read, or there is none; the contact had this version before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_read(&mut self, due: &PhotoDue, photo: Option<&Photo>) -> Result<()> {
        let Some(row) = self.contact(due.contact)? else {
            return Ok(());
        };
        if row.graph.as_ref() != Some(&due.graph) {
            return Ok(()); // Moved meanwhile.
        }
        self.set_photo(&row, photo)?;
        self.photo_seen(due)?;
        self.redraw(due.contact)
    }

    /// A picture cannot be read, or shown; it is not asked for again before the contact changes.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_seen(&mut self, due: &PhotoDue) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET photo_key = ?2 WHERE id = ?1")?
            .execute((due.contact.0, due.key.as_str()))?;
        Ok(())
    }

    /// Shows pictures that arrived while a file was edited or something was to be sent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn show_late_photos(&mut self) -> Result<()> {
        if self.photos == Photos::Inline {
            let late = self.unlike("c.photo_key IS NOT NULL")?;
            late.into_iter().try_for_each(|id| self.redraw(id))?;
        }
        self.tend_sidecars()
    }

    /// Contacts whose file shows another picture than they have.
    fn unlike(&self, condition: &str) -> Result<Vec<RowId>> {
        let mut rows = self.sql.prepare(&format!(
            "SELECT c.id FROM contact c LEFT JOIN shown s ON s.ino = c.ino
             WHERE {condition} AND (c.photo IS NOT s.photo OR ?1) AND c.ino IS NOT NULL",
        ))?;
        let rows = rows.query_map([self.photos != Photos::Inline], |row| row.get(0).map(RowId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Puts a file with the picture as it is now in the place of one without, or with another; not while it is edited or
    /// something is to be sent, for then it says something newer.
    fn redraw(&mut self, contact: RowId) -> Result<()> {
        let Some(row) = self.contact(contact)? else {
            return Ok(());
        };
        let (Some(ino), Some(card)) = (row.ino, &row.card) else {
            return Ok(());
        };
        let Some(inode) = self.inode(ino)?.filter(|inode| !inode.dirty) else {
            return Ok(());
        };
        let wanted = row.photo.as_ref().filter(|_| self.photos == Photos::Inline);
        let shown = self.shown_photo(ino)?;
        if shown.as_ref() == wanted || self.last_job(contact)?.is_some() {
            return Ok(());
        }
        let bytes = self.draw(&row, card)?;
        let next = Stamp(inode.attr.mtime.0 + 1);
        let mtime = row.modified.map_or(next, |modified| modified.max(next));
        self.foreign(|tx| match shown {
            Some(_) => tx.replace_inode(&row, ino, &bytes, mtime, Fate::Changed),
            None => tx.put_in_place(&row, ino, &bytes, mtime),
        })?;
        Ok(())
    }

    /// The canonical text of a contact's card, with the picture it has or is to have.
    ///
    /// # Errors
    /// When the database fails.
    pub fn draw(&self, contact: &ContactRow, card: &Card) -> Result<Vec<u8>> {
        let photo = match self.photos {
            Photos::Inline => self.expected_photo(contact)?,
            Photos::Sidecar | Photos::None => None,
        };
        let photo = photo.map(|id| self.photo(&id)).transpose()?.flatten();
        let id = contact.graph.as_ref();
        Ok(vcard::render_with(card, id, photo.as_ref(), self.style))
    }

    /// Whether a file shows the picture its contact has or is to have, as far as this mount shows any.
    pub(super) fn shows_photo(&self, contact: &ContactRow, ino: Ino) -> Result<bool> {
        Ok(self.photos != Photos::Inline
            || self.shown_photo(ino)? == self.expected_photo(contact)?)
    }

    /// Whether a saved text shows the picture its contact will have, as far as this mount shows any.
    ///
    /// # Errors
    /// When the database fails.
    pub fn expects_photo(&self, contact: &ContactRow, said: Option<&Photo>) -> Result<bool> {
        Ok(self.photos != Photos::Inline || self.expected_photo(contact)? == said.map(Photo::id))
    }

    /// The picture a contact will have when everything queued has been sent.
    fn expected_photo(&self, contact: &ContactRow) -> Result<Option<PhotoId>> {
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

    /// The picture in the accepted text of a file.
    ///
    /// # Errors
    /// When the database fails.
    pub fn shown_photo(&self, ino: Ino) -> Result<Option<PhotoId>> {
        Ok(self
            .sql
            .prepare_cached("SELECT photo FROM shown WHERE ino = ?1")?
            .query_row([ino.0], |row| row.get(0).map(PhotoId::new))
            .optional()?)
    }

    /// Notes which picture a text shows.
    pub(super) fn note_shown(&self, ino: Ino, text: &[u8]) -> Result<()> {
        match vcard::photo_in(text) {
            Some(photo) => self
                .sql
                .prepare_cached("INSERT OR REPLACE INTO shown(ino, photo) VALUES(?1, ?2)")?
                .execute((ino.0, photo.id().as_str()))?,
            None => self
                .sql
                .prepare_cached("DELETE FROM shown WHERE ino = ?1")?
                .execute([ino.0])?,
        };
        Ok(())
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

    /// A row's picture is about to be sent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_sent(&mut self, seq: Seq) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE outbox SET photo_sent = 1 WHERE seq = ?1")?
            .execute([seq.0])?;
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
        let Some(row) = job
            .contact
            .map(|id| self.contact(id))
            .transpose()?
            .flatten()
        else {
            return self.finish(job.seq);
        };
        self.set_photo(&row, photo)?;
        self.foreign(|tx| {
            if tx.says_the_same(&row, theirs) {
                return tx.taken(job.seq, theirs);
            }
            // The fields changed elsewhere as well: what is queued behind did not start from that.
            tx.drop_job(job.seq)?;
            tx.clear_problem(row.id)?;
            tx.apply(row.folder, theirs)
        })
    }

    fn says_the_same(&self, row: &ContactRow, theirs: &ServerContact) -> bool {
        let residue = theirs.residue.as_ref().map(super::contacts::decode);
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
        let Some(row) = job
            .contact
            .map(|id| self.contact(id))
            .transpose()?
            .flatten()
        else {
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
    pub(super) fn send_photo_again(&mut self, contact: &ContactRow) -> Result<()> {
        let photo = contact.photo.as_ref();
        let photo = photo.map(|id| self.photo(id)).transpose()?.flatten();
        self.set_photo(contact, None)?;
        self.queue_photo(contact.id, photo.as_ref(), None)?;
        Ok(())
    }

    /// The contact as it is once its queue is dropped: with the picture it was to have.
    pub(super) fn with_expected_photo(&self, contact: &ContactRow) -> Result<ContactRow> {
        Ok(ContactRow {
            photo: self.expected_photo(contact)?,
            ..contact.clone()
        })
    }

    /// An own change of the fields gave a contact a new version: the picture is the same.
    pub(super) fn keep_photo_key(&self, before: &ContactRow) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE contact SET photo_key = change_key WHERE id = ?1 AND photo_key = ?2",
            )?
            .execute((
                before.id.0,
                before.change_key.as_ref().map(ChangeKey::as_str),
            ))?;
        Ok(())
    }

    /// Says which picture a contact has.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_photo(&mut self, contact: &ContactRow, photo: Option<&Photo>) -> Result<()> {
        if let Some(photo) = photo {
            self.keep_photo(photo)?;
        }
        let id = photo.map(Photo::id);
        self.sql
            .prepare_cached("UPDATE contact SET photo = ?2, picture = ?3 WHERE id = ?1")?
            .execute((contact.id.0, id.as_ref().map(PhotoId::as_str), id.is_some()))?;
        match &contact.photo {
            Some(old) if id.as_ref() != Some(old) => self.drop_photo(old),
            _ => Ok(()),
        }
    }

    /// The bytes of a picture.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo(&self, id: &PhotoId) -> Result<Option<Photo>> {
        let bytes: Option<Vec<u8>> = self
            .sql
            .prepare_cached("SELECT bytes FROM photo WHERE id = ?1")?
            .query_row([id.as_str()], |row| row.get(0))
            .optional()?;
        Ok(bytes.and_then(Photo::new))
    }

    fn keep_photo(&self, photo: &Photo) -> Result<()> {
        self.sql
            .prepare_cached("INSERT OR IGNORE INTO photo(id, bytes) VALUES(?1, ?2)")?
            .execute((photo.id().as_str(), photo.bytes()))?;
        Ok(())
    }

    fn drop_photo(&self, id: &PhotoId) -> Result<()> {
        self.sql
            .prepare_cached(
                "DELETE FROM photo WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM contact WHERE photo = ?1)
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE photo = ?1)",
            )?
            .execute([id.as_str()])?;
        Ok(())
    }
}
