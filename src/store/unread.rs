//! Contacts that the service fails to show. They are never dropped: the file shows what is known, an `.error` beside it says
//! why, and they are asked for again now and then.

use std::time::Duration;

use super::{ContactRow, FolderRowId, Result, ServerContact, Store, Tx};
use crate::model::{ContactId, Stamp};
use crate::names;

/// Until such a contact is asked for again.
const PAUSE: Duration = Duration::from_secs(300);

impl Store {
    /// The contacts that may be asked for again by now, each with its folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unread(&self) -> Result<Vec<(FolderRowId, ContactId)>> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(
                "SELECT folder, graph FROM contact WHERE unread <= ?1 AND graph IS NOT NULL",
            )?;
            let rows = rows.query_map([Stamp::now().0], |row| {
                Ok((
                    FolderRowId(row.get(0)?),
                    ContactId::new(row.get::<_, String>(1)?),
                ))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Tx<'_> {
    /// A contact could not be read. `row` is what a delta query or a list said of it, for one that is new.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn cannot_read(
        &mut self,
        folder: FolderRowId,
        id: &ContactId,
        row: Option<&ServerContact>,
        why: &str,
    ) -> Result<()> {
        if let (None, Some(row)) = (self.contact_by_graph(id)?, row) {
            self.apply(folder, row)?;
        }
        let Some(contact) = self.contact_by_graph(id)? else {
            return Ok(());
        };
        self.sql
            .prepare_cached("UPDATE contact SET unread = ?2 WHERE id = ?1")?
            .execute((contact.id.0, self.now.after(PAUSE).0))?;
        self.say_unread(&contact, why)
    }

    fn say_unread(&mut self, contact: &ContactRow, why: &str) -> Result<()> {
        let place = contact.ino.map(|ino| self.card_name(ino)).transpose()?;
        let Some((dir, name)) = place.flatten() else {
            return Ok(());
        };
        let shown = if contact.is_whole {
            "the file shows the version before"
        } else {
            "the file lacks what only contactfs keeps with the contact, and cannot be saved until it was read"
        };
        let sentence = format!("the service fails to show this contact ({why}): {shown}\n");
        let name = names::error_name(&name);
        if let Some(ino) = self.entry(dir, &name)?
            && self
                .blobs
                .read(ino)
                .is_ok_and(|said| said == sentence.as_bytes())
        {
            return Ok(()); // Nobody is told of news where there are none.
        }
        self.foreign(|tx| tx.put_scratch(dir, &name, sentence.as_bytes()))
    }

    /// A contact was read.
    ///
    /// # Errors
    /// When the database fails.
    pub fn was_read(&mut self, id: &ContactId) -> Result<()> {
        let was_unread = self
            .sql
            .prepare_cached(
                "UPDATE contact SET unread = NULL WHERE graph = ?1 AND unread IS NOT NULL",
            )?
            .execute([id.as_str()])?
            > 0;
        if !was_unread {
            return Ok(());
        }
        let ino = self.contact_by_graph(id)?.and_then(|contact| contact.ino);
        let place = ino.map(|ino| self.card_name(ino)).transpose()?;
        match place.flatten() {
            Some((dir, name)) => self.clear_rejected_error(dir, &name),
            None => Ok(()),
        }
    }

    /// Whether a contact's file lacks what the service keeps and does not show, so that a save would destroy it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_unread(&self, contact: &ContactRow) -> Result<bool> {
        Ok(!contact.is_whole
            && self
                .sql
                .prepare_cached("SELECT 1 FROM contact WHERE id = ?1 AND unread IS NOT NULL")?
                .exists([contact.id.0])?)
    }

    /// All of them may be asked for again.
    ///
    /// # Errors
    /// When the database fails.
    pub fn read_all_again(&mut self) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET unread = ?1 WHERE unread > ?1")?
            .execute([self.now.0])?;
        Ok(())
    }
}
