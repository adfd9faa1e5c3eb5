//! Changes made elsewhere, applied to contacts and the files that show them.
//!
//! Applying is idempotent and order does not matter, because delta replays, repeats and reorders (graph-facts 3.2).

mod merge;
mod replies;
mod show;

use super::deeds::{Deed, Of};
use super::{ContactRow, FolderRowId, Op, Result, RowId, Tx, contacts};
use crate::model::{ChangeKey, ClientId, Contact, ContactId, ResidueText, Stamp};
use crate::vcard::{self, Card, Residue};

/// A contact as the service has it.
#[derive(Clone, Debug)]
pub struct ServerContact {
    /// Its id.
    pub id: ContactId,
    /// Its version.
    pub change_key: ChangeKey,
    /// When it was made.
    pub created: Option<Stamp>,
    /// When it was last changed.
    pub modified: Option<Stamp>,
    /// What it says; fields kept as extended properties are there only if `residue` is.
    pub contact: Contact,
    /// Its residue; `None` when this reply did not tell.
    pub residue: Option<ResidueText>,
    /// Whether it has a picture; `None` when this reply did not tell.
    pub picture: Option<bool>,
    /// The private id of the create or move that made it; `None` when this reply did not tell.
    pub client: Option<ClientId>,
}

/// What a version heard of in a listing or delta means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new: the version we have, or one that our own write replaced.
    Known,
    /// A version that has to be read.
    News,
}

impl Tx<'_> {
    /// Whether a version heard of is news; marks the contact as seen.
    ///
    /// # Errors
    /// When the database fails.
    pub fn hear(&mut self, folder: FolderRowId, id: &ContactId, key: &ChangeKey) -> Result<Seen> {
        let Some(row) = self.contact_by_graph(id)? else {
            return Ok(Seen::News);
        };
        let known = row.change_key.as_ref() == Some(key) || row.is_superseded(key);
        if known && row.folder == folder {
            self.mark_seen(row.id)?;
            return Ok(Seen::Known);
        }
        // A contact we have just moved away may still be replayed by its old folder.
        Ok(if known && self.is_moving(row.id)? {
            Seen::Known
        } else {
            Seen::News
        })
    }

    /// Takes in a contact as the service has it.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn apply(&mut self, folder: FolderRowId, theirs: &ServerContact) -> Result<()> {
        if let Some(row) = self.contact_by_graph(&theirs.id)? {
            return self.apply_known(&row, folder, theirs);
        }
        if let Some(job) = theirs
            .client
            .as_ref()
            .map(|client| self.job_by_client(client))
            .transpose()?
            .flatten()
        {
            // Our own create or move, heard of before (or instead of) its reply.
            return match job.op {
                Op::Move => self.set_moved(job.seq, &theirs.id),
                _ => self.born(job.seq, theirs),
            };
        }
        if self.is_gone(&theirs.id, &theirs.change_key)? {
            return Ok(()); // Read before we deleted it.
        }
        let contact = self.add_contact(folder, theirs)?;
        self.did_add(folder, contact.id)?;
        if theirs.residue.is_some() || self.is_shown(folder)? {
            self.give_file(contact)
        } else {
            Ok(())
        }
    }

    /// Those of a first load are no news.
    fn did_add(&mut self, folder: FolderRowId, contact: RowId) -> Result<()> {
        if self.deeds.is_some() && self.is_shown(folder)? {
            self.did(Deed::Added, Of::Contact(contact));
        }
        Ok(())
    }

    fn add_contact(&self, folder: FolderRowId, theirs: &ServerContact) -> Result<ContactRow> {
        let residue = theirs.residue.as_ref().map(contacts::decode);
        let card = Card::from_server(theirs.contact.clone(), residue.unwrap_or_default());
        let created = theirs.created.unwrap_or(self.now);
        self.sql
            .prepare_cached(
                "INSERT INTO contact(graph, folder, created, seen, change_key, wire, residue, modified, uid)
                 VALUES(?1, ?2, ?3, (SELECT generation FROM folder WHERE id = ?2), ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                theirs.id.as_str(),
                folder.0,
                created.0,
                theirs.change_key.as_str(),
                to_wire(&theirs.contact)?,
                theirs.residue.as_ref().map(ResidueText::as_str),
                theirs.modified.map(|modified| modified.0),
                shown_uid(&card, &theirs.id),
            ))?;
        let id = RowId(self.sql.last_insert_rowid());
        if theirs.picture == Some(true) {
            self.suspect_photo(id)?;
        }
        Ok(ContactRow {
            id,
            graph: Some(theirs.id.clone()),
            folder,
            change_key: Some(theirs.change_key.clone()),
            old_keys: String::new(),
            created,
            modified: theirs.modified,
            card: Some(card),
            photo: None,
            ino: None,
            is_whole: theirs.residue.is_some(),
        })
    }

    fn apply_known(
        &mut self,
        row: &ContactRow,
        folder: FolderRowId,
        theirs: &ServerContact,
    ) -> Result<()> {
        if row.is_superseded(&theirs.change_key) {
            return self.mark_seen(row.id); // Read before our own write, or from a copy that lags behind.
        }
        if let Some(seq) = self.echoed(row, theirs)? {
            self.taken(seq, theirs)?;
            return match self.contact(row.id)? {
                Some(row) if row.folder != folder => self.apply_known(&row, folder, theirs),
                _ => Ok(()),
            };
        }
        self.set_wire(row.id, theirs)?;
        let is_moving = self.is_moving(row.id)?;
        if row.folder != folder && !is_moving {
            self.set_contact_folder(row.id, folder)?;
        }
        self.mark_seen(row.id)?;
        let Some(new) = self.contact(row.id)? else {
            return Ok(());
        };
        let is_newer = row.change_key.is_some() && row.change_key != new.change_key;
        if is_newer && row.card == new.card {
            self.suspect_photo(row.id)?; // A photo or a flag.
        }
        if is_newer && row.card != new.card || row.folder != new.folder {
            let was = self.watched_place(row.ino)?;
            self.did(Deed::Changed(was), Of::Contact(row.id));
        }
        let queued = self.last_job(row.id)?.is_some();
        match (&new.card, new.ino) {
            (Some(card), Some(_)) if queued && row.folder != new.folder => {
                self.rename_file(&new, card)
            }
            (_, Some(_)) if !queued => self.reshow(row, &new, theirs.modified),
            (_, None) if !queued && (theirs.residue.is_some() || self.is_shown(new.folder)?) => {
                self.show(new.id)
            }
            _ => Ok(()),
        }
    }

    /// The queued change that the service already shows: our own, heard of before its reply.
    fn echoed(&self, row: &ContactRow, theirs: &ServerContact) -> Result<Option<super::Seq>> {
        let (Some(residue), Some(job)) = (&theirs.residue, self.last_job(row.id)?) else {
            return Ok(None);
        };
        let residue = Residue::decode(residue).unwrap_or_default();
        let card = Card::from_server(theirs.contact.clone(), residue);
        let is_only = self.first_job(row.id)?.is_some_and(|seq| seq == job.seq);
        let holds = match (&job.base, &job.ours) {
            (Some(base), Some(ours)) => card.holds_change(base, ours),
            _ => false,
        };
        Ok(Some(job.seq).filter(|_| job.op == Op::Update && is_only && holds))
    }

    /// Whether a folder's contacts have files: it is loaded, and its directory is not about to be removed.
    fn is_shown(&self, folder: FolderRowId) -> Result<bool> {
        let Some(folder) = self.folder(folder)?.filter(|folder| folder.loaded) else {
            return Ok(false);
        };
        Ok(self.inode(folder.ino)?.is_some())
    }

    /// The service says that a contact is gone from a folder.
    ///
    /// An edit that waits wins over a deletion made elsewhere: the contact is made again (behaviour 6.4).
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn vanish(&mut self, folder: FolderRowId, id: &ContactId) -> Result<()> {
        let Some(contact) = self.contact_by_graph(id)? else {
            return Ok(());
        };
        if contact.folder != folder {
            return Ok(()); // Moved: its new folder shows it.
        }
        if self.is_moving(contact.id)? {
            return Ok(()); // Perhaps by the move, there and back; that finds out, and makes it again if it was not.
        }
        match self.last_job(contact.id)? {
            Some(_) => self.make_again(&contact),
            None => {
                self.did_remove(contact.ino)?;
                self.remove_file(&contact)
            }
        }
    }

    /// Lets a contact be made anew with what its file says, unless it was deleted here as well.
    ///
    /// # Errors
    /// When the database fails.
    pub fn make_again(&mut self, contact: &ContactRow) -> Result<()> {
        if self.is_deleted(contact.id)? {
            return self.buried(contact.id);
        }
        let Some(mut ours) = self.expected(contact)? else {
            return Ok(());
        };
        if let (None, Some(id)) = (ours.uid(), &contact.graph) {
            ours = ours.with_uid(&vcard::derived_uid(id)); // The file keeps the UID it shows (behaviour 4.3).
        }
        let with_photo = self.with_expected_photo(contact)?;
        let first = self.first_waiting(contact.id)?;
        self.drop_jobs(contact.id)?;
        self.sql
            .prepare_cached("UPDATE contact SET graph = NULL, change_key = NULL, wire = NULL, residue = NULL WHERE id = ?1")?
            .execute([contact.id.0])?;
        let seq = self.queue_create(contact.id, &ours)?;
        self.carry_on(first, seq)?;
        self.send_photo_again(&with_photo)
    }

    fn set_wire(&self, id: RowId, theirs: &ServerContact) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET residue = coalesce(?4, CASE WHEN change_key IS ?2 THEN residue END),
                 wire = CASE WHEN ?4 IS NULL AND wire IS NOT NULL AND change_key IS ?2 THEN wire ELSE ?3 END,
                 change_key = ?2, modified = coalesce(?5, modified), created = coalesce(?6, created)
                 WHERE id = ?1")?
            .execute((
                id.0,
                theirs.change_key.as_str(),
                to_wire(&theirs.contact)?,
                theirs.residue.as_ref().map(ResidueText::as_str),
                theirs.modified.map(|modified| modified.0),
                theirs.created.map(|created| created.0),
            ))?;
        if theirs.picture == Some(true) {
            self.suspect_photo(id)?;
        }
        // Without the residue the UID is not known yet: the file's making tells it.
        match &theirs.residue {
            Some(residue) => {
                let card = Card::from_server(theirs.contact.clone(), contacts::decode(residue));
                self.set_uid(id, Some(&shown_uid(&card, &theirs.id)))
            }
            None => Ok(()),
        }
    }

    /// Takes in what the service says of a contact without touching its file.
    ///
    /// # Errors
    /// When the database fails.
    pub fn refresh(&mut self, contact: RowId, theirs: &ServerContact) -> Result<()> {
        self.set_wire(contact, theirs)
    }

    /// The folder of a contact with an unsent save is gone: the contact is made again in another.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rescue(&mut self, contact: &ContactRow, folder: FolderRowId) -> Result<()> {
        let ours = self.expected(contact)?;
        self.set_contact_folder(contact.id, folder)?;
        if let (Some(card), Some(row)) = (&ours, self.contact(contact.id)?) {
            self.rename_file(&row, card)?;
        }
        self.make_again(contact)
    }
}

fn to_wire(contact: &Contact) -> Result<String> {
    serde_json::to_string(contact).map_err(|error| super::Error::Corrupt(error.to_string()))
}

/// The UID that a contact's file shows.
fn shown_uid(card: &Card, id: &ContactId) -> String {
    card.uid().unwrap_or_else(|| vcard::derived_uid(id))
}
