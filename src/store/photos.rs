//! Pictures: which are known and which have to be read; below, what files show of them and which are to be sent.
//!
//! The service keeps a picture apart from the contact and tells of it by a new version only (graph-facts 5). So a contact
//! has the picture last read with the version it was read in, and a file the one its text shows. Whatever differs is read
//! or shown when there is time: a card is there without its picture until that has arrived, and the arrival is a change
//! made elsewhere. Only a file in which a program saw a picture can take it away.

mod clash;
mod queue;
mod shown;

use rusqlite::OptionalExtension;

pub use queue::PhotoJob;

use super::{ContactRow, Result, RowId, Store, Tx};
use crate::model::{ChangeKey, ContactId, Photo, PhotoId};

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

impl Store {
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

    /// A picture was read, or there is none; the contact had this version before. If it has another now, perhaps with a
    /// picture of ours, the answer may be older than that: the picture is still due.
    ///
    /// # Errors
    /// When the database fails.
    pub fn photo_read(&mut self, due: &PhotoDue, photo: Option<&Photo>) -> Result<()> {
        let Some(row) = self.contact(due.contact)? else {
            return Ok(());
        };
        if row.graph.as_ref() != Some(&due.graph) || row.change_key.as_ref() != Some(&due.key) {
            return Ok(());
        }
        self.set_photo(&row, photo)?;
        self.photo_seen(due)?;
        self.redraw(due.contact)
    }

    /// Whether a picture that a file shows is the one its contact has, as far as is known. A newer one may have been shown
    /// elsewhere, or not have been read yet; a mount that shows none in its cards does not ask.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_last_photo(&self, contact: RowId, shown: Option<&PhotoId>) -> Result<bool> {
        let is_last = self
            .sql
            .prepare_cached(
                "SELECT photo IS ?2 AND (picture IS NOT 1 OR photo_key IS change_key) FROM contact WHERE id = ?1",
            )?
            .query_row((contact.0, shown.map(PhotoId::as_str)), |row| row.get(0))?;
        Ok(is_last || self.photos != Photos::Inline)
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
                 AND NOT EXISTS (SELECT 1 FROM outbox WHERE photo = ?1)
                 AND NOT EXISTS (SELECT 1 FROM photo_clash WHERE ?1 IN (ours, theirs))",
            )?
            .execute([id.as_str()])?;
        Ok(())
    }
}
