//! What files show of pictures: the one its text holds, and whether a program knows it.

use rusqlite::OptionalExtension;

use super::super::deeds::{Deed, Of};
use super::Photos;
use crate::model::{Ino, Photo, PhotoId, Stamp};
use crate::store::{ContactRow, Error, Fate, InodeKind, Result, RowId, Store, Tx};
use crate::vcard::{self, Card, Residue, Times};

impl Store {
    /// Shows pictures so from now on; for the time before anybody reads a file. Files that show them otherwise are made
    /// anew, edited ones aside.
    ///
    /// # Errors
    /// When the database fails.
    pub fn show_photos(mut self, photos: Photos) -> Result<Self> {
        self.photos = photos;
        self.write::<_, Error>(|tx| {
            if photos != Photos::Inline {
                let shown = tx.unlike("s.photo IS NOT NULL")?;
                shown.into_iter().try_for_each(|id| tx.redraw(id))?;
            }
            tx.tend_sidecars()
        })?;
        Ok(self)
    }
}

impl Tx<'_> {
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
    pub(super) fn redraw(&mut self, contact: RowId) -> Result<()> {
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
        self.did(Deed::Changed(None), Of::Contact(contact));
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
        Ok(self.draw_with(contact, card, photo.as_ref()))
    }

    /// The canonical text of a contact's card, with this picture.
    #[must_use]
    pub(in crate::store) fn draw_with(
        &self,
        contact: &ContactRow,
        card: &Card,
        photo: Option<&Photo>,
    ) -> Vec<u8> {
        let id = contact.graph.as_ref();
        let modified = contact.modified.filter(|_| id.is_some());
        let times = modified.map(|modified| Times {
            created: contact.created,
            modified,
        });
        vcard::render_with(card, id, photo, times, self.style)
    }

    /// Whether a file shows the picture its contact has or is to have, as far as this mount shows any.
    pub(in crate::store) fn shows_photo(&self, contact: &ContactRow, ino: Ino) -> Result<bool> {
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
    pub(in crate::store) fn note_shown(&self, ino: Ino, text: &[u8]) -> Result<()> {
        let kept = if vcard::may_hold_photo(text) {
            self.residue_of(ino)?
        } else {
            Residue::default()
        };
        match vcard::photo_in(text, &kept) {
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

    /// The lines that are kept with the contact of a file.
    fn residue_of(&self, ino: Ino) -> Result<Residue> {
        let Some(InodeKind::Card(Some(contact))) = self.inode(ino)?.map(|row| row.kind) else {
            return Ok(Residue::default());
        };
        let contact = self.contact(contact)?;
        let card = contact.map(|contact| self.expected(&contact)).transpose()?;
        Ok(card.flatten().unwrap_or_default().residue)
    }

    /// Records that programs know what these files show.
    ///
    /// # Errors
    /// When the database fails.
    pub fn record_known(&self, inos: &[Ino]) -> Result<()> {
        for ino in inos {
            self.sql
                .prepare_cached("UPDATE shown SET known = 1 WHERE ino = ?1")?
                .execute([ino.0])?;
        }
        Ok(())
    }

    /// Whoever knows a picture in the old file knows it in the one that takes its place.
    ///
    /// # Errors
    /// When the database fails.
    pub fn inherit_known(&self, ino: Ino, old: Ino) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE shown SET known = 1 WHERE ino = ?1
                 AND photo IN (SELECT photo FROM shown WHERE ino = ?2 AND known = 1)",
            )?
            .execute((ino.0, old.0))?;
        Ok(())
    }

    /// The picture in the accepted text of a file, if a program knows of it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn known_photo(&self, ino: Ino) -> Result<Option<PhotoId>> {
        Ok(self
            .sql
            .prepare_cached("SELECT photo FROM shown WHERE ino = ?1 AND known = 1")?
            .query_row([ino.0], |row| row.get(0).map(PhotoId::new))
            .optional()?)
    }
}
