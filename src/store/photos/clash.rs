//! A picture that was changed here and there (behaviour 6). One of them is lost from the contact, and kept here.

use rusqlite::OptionalExtension;

use super::PhotoJob;
use crate::model::{Photo, PhotoId};
use crate::store::{ContactRow, Job, Problem, Result, RowId, Tx};
use crate::vcard::Prefer;

const THEIRS_STANDS: &str = "PHOTO: changed elsewhere since you opened it; the picture there stands, yours is kept in the .rejected file";
const OURS_STANDS: &str = "PHOTO: changed elsewhere since you opened it; your picture stands, the one there is kept in the .rejected file";

/// The pictures a contact can go on with; `None` for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Pictures {
    pub(in crate::store) ours: Option<PhotoId>,
    pub(in crate::store) theirs: Option<PhotoId>,
}

impl Tx<'_> {
    /// Another picture is `there` than the one that a queued one takes the place of. Whether the queued one is sent all the
    /// same, as this mount prefers; otherwise it is not any more.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn meet_photo(
        &mut self,
        job: &Job,
        wanted: &PhotoJob,
        there: Option<&Photo>,
    ) -> Result<bool> {
        let Some(row) = self.contact_of(job)? else {
            return Ok(false);
        };
        let pictures = Pictures {
            ours: wanted.photo.clone(),
            theirs: there.map(Photo::id),
        };
        if self.prefer() == Prefer::Theirs {
            self.set_photo(&row, there)?;
            self.photo_not_taken(job, &Problem::Conflict(THEIRS_STANDS.to_owned()))?;
            self.put_photo_clash(row.id, &pictures)?;
            return Ok(false);
        }
        if self.photo_clash(row.id)?.as_ref() != Some(&pictures) {
            self.overrule(&row, there, &pictures)?;
        }
        Ok(true)
    }

    /// Keeps the card with the picture that gives way.
    fn overrule(
        &mut self,
        row: &ContactRow,
        there: Option<&Photo>,
        pictures: &Pictures,
    ) -> Result<()> {
        let problem = Problem::Conflict(OURS_STANDS.to_owned());
        if let Some(photo) = there {
            self.keep_photo(photo)?;
        }
        let place = row.ino.map(|ino| self.card_name(ino)).transpose()?;
        if let (Some((dir, name)), Some(card)) = (place.flatten(), self.expected(row)?) {
            let lost = self.draw_with(row, &card, there);
            self.keep_rejected(Some(row.id), (dir, &name), &lost, &problem)?;
        }
        self.set_problem(row.id, None, &problem)?;
        self.put_photo_clash(row.id, pictures)
    }

    fn put_photo_clash(&self, contact: RowId, pictures: &Pictures) -> Result<()> {
        let id = |picture: &Option<PhotoId>| picture.as_ref().map(|id| id.as_str().to_owned());
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO photo_clash VALUES(?1, ?2, ?3)")?
            .execute((contact.0, id(&pictures.ours), id(&pictures.theirs)))?;
        Ok(())
    }

    /// The pictures that clash in a contact, if any do.
    pub(in crate::store) fn photo_clash(&self, contact: RowId) -> Result<Option<Pictures>> {
        Ok(self
            .sql
            .prepare_cached("SELECT ours, theirs FROM photo_clash WHERE contact = ?1")?
            .query_row([contact.0], |row| {
                Ok(Pictures {
                    ours: row.get::<_, Option<String>>(0)?.map(PhotoId::new),
                    theirs: row.get::<_, Option<String>>(1)?.map(PhotoId::new),
                })
            })
            .optional()?)
    }
}
