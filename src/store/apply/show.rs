//! Files follow their contacts: bytes, names and directories.

use super::super::{
    Attr, ContactRow, Fate, FolderRow, FolderRowId, InodeKind, InodeRow, Result, RowId, Tx,
};
use super::shown_uid;
use crate::model::{ContactId, Ino, Stamp};
use crate::names;
use crate::vcard::{self, Card};

impl Tx<'_> {
    /// Lets the file follow a change made elsewhere: bytes if the meaning changed, or the time they are to tell, name if
    /// displayName did, directory if the contact was moved. Bytes that still mean the same otherwise stay the user's
    /// (behaviour P2).
    pub(in crate::store) fn reshow(
        &mut self,
        old: &ContactRow,
        new: &ContactRow,
        modified: Option<Stamp>,
    ) -> Result<()> {
        let (Some(ino), Some(card)) = (new.ino, &new.card) else {
            return Ok(());
        };
        let dirty = self.inode(ino)?.is_some_and(|row| row.dirty);
        let is_later = self.style.rev && old.modified != new.modified;
        if (old.card.as_ref() != Some(card) || is_later) && !dirty {
            let bytes = self.draw(new, card)?;
            let mtime = self.moved_on(ino, modified)?;
            self.replace_inode(new, ino, &bytes, mtime, Fate::Changed)?;
        }
        let renamed = old
            .card
            .as_ref()
            .is_some_and(|old| natural_name(old) != natural_name(card));
        if renamed || old.folder != new.folder {
            self.rename_file(new, card)?;
        }
        Ok(())
    }

    /// The later of the present mtime and a change made elsewhere (behaviour 1.7).
    fn moved_on(&self, ino: Ino, modified: Option<Stamp>) -> Result<Stamp> {
        let before = self
            .inode(ino)?
            .map_or(Stamp::default(), |row| row.attr.mtime);
        let now = modified.unwrap_or(self.now);
        // The service counts whole seconds: a second change within one must still be seen by make, rsync and vim.
        Ok(if now > before {
            now
        } else {
            self.now.max(Stamp(before.0 + 1))
        })
    }

    pub(in crate::store) fn rename_file(
        &mut self,
        contact: &ContactRow,
        card: &Card,
    ) -> Result<()> {
        let (Some(folder), Some(mut current)) =
            (self.folder(contact.folder)?, self.contact(contact.id)?)
        else {
            return Ok(());
        };
        current.card = Some(card.clone());
        let Some(ino) = current.ino else {
            return Ok(());
        };
        for (dir, name) in self.names(ino)? {
            if self.is_card_entry(dir, &name)? {
                self.unlink(dir, &name)?;
            }
        }
        if self.inode(folder.ino)?.is_none() {
            // A directory about to be removed shows nothing; the contact comes back with it.
            self.set_contact_ino(contact.id, None)?;
            return self.orphan(ino, true);
        }
        self.give_name(&folder, current, ino)
    }

    /// Gives a contact its file.
    ///
    /// # Errors
    /// When the database fails.
    pub fn show(&mut self, id: RowId) -> Result<()> {
        let Some(contact) = self.contact(id)? else {
            return Ok(());
        };
        if let (Some(card), Some(graph)) = (&contact.card, &contact.graph) {
            self.set_uid(id, Some(&shown_uid(card, graph)))?;
        }
        self.give_file(contact)
    }

    pub(super) fn give_file(&mut self, contact: ContactRow) -> Result<()> {
        let (Some(card), Some(folder)) = (&contact.card, self.folder(contact.folder)?) else {
            return Ok(());
        };
        if self.inode(folder.ino)?.is_none() {
            return Ok(()); // A directory about to be removed shows nothing.
        }
        let bytes = self.draw(&contact, card)?;
        let mtime = contact.modified.unwrap_or(contact.created);
        let attr = Attr {
            mode: 0o600,
            size: bytes.len() as u64,
            mtime,
            ctime: mtime,
        };
        let ino = self.new_inode(InodeKind::Card(Some(contact.id)), attr)?;
        self.put_text(ino, &bytes)?;
        self.set_contact_ino(contact.id, Some(ino))?;
        self.give_name(&folder, contact, ino)
    }

    /// Lets a contact's file have its name. While the folder is not complete nobody has seen its names, and the older contact
    /// takes a name from the younger one, so that the order of arrival does not show (behaviour 1.4).
    fn give_name(&mut self, folder: &FolderRow, contact: ContactRow, ino: Ino) -> Result<()> {
        let (mut bearer, mut file) = (contact, ino);
        loop {
            let Some(card) = &bearer.card else {
                return Ok(());
            };
            let mut name = natural_name(card);
            let mut younger = None;
            while let Some(holder) = self.entry(folder.ino, &name)? {
                younger = self.younger(folder, holder, &bearer)?;
                if younger.is_some() {
                    break;
                }
                name = match &bearer.graph {
                    Some(id) => names::disambiguated(&name, id),
                    None => names::disambiguated(&name, &any_id()),
                };
            }
            self.link(folder.ino, &name, file)?;
            match younger {
                Some((next, its)) => (bearer, file) = (next, its),
                None => return Ok(()),
            }
        }
    }

    /// The contact whose file has a name that it must leave to an older one.
    fn younger(
        &self,
        folder: &FolderRow,
        holder: Ino,
        than: &ContactRow,
    ) -> Result<Option<(ContactRow, Ino)>> {
        if folder.loaded {
            return Ok(None);
        }
        let Some(InodeRow {
            kind: InodeKind::Card(Some(id)),
            ..
        }) = self.inode(holder)?
        else {
            return Ok(None);
        };
        let age = |row: &ContactRow| (row.created, row.graph.clone());
        let row = self.contact(id)?;
        Ok(row
            .filter(|row| row.graph.is_some() && age(than) < age(row))
            .map(|row| (row, holder)))
    }

    /// Removes a contact and its file; a half-written text in it stays as a draft.
    pub(in crate::store) fn remove_file(&mut self, contact: &ContactRow) -> Result<()> {
        if let Some(ino) = contact.ino
            && let Some(mut row) = self.inode(ino)?
        {
            if row.dirty {
                row.kind = InodeKind::Card(None);
                self.put_inode(row)?;
            } else {
                self.keep_text(contact.id, ino, &[], Fate::Vanished)?;
                for (dir, name) in self.names(ino)? {
                    if self.is_card_entry(dir, &name)? {
                        self.unlink(dir, &name)?;
                    }
                }
                self.orphan(ino, true)?;
            }
        }
        self.remove_contact(contact.id)
    }

    /// Lets the file show a card when its text means something else: the service has normalised a value, the text is a
    /// copy with another contact's UID, or a change made elsewhere was merged into it.
    pub(in crate::store) fn follow(
        &mut self,
        contact: &ContactRow,
        card: &Card,
        modified: Option<Stamp>,
        fate: Fate,
    ) -> Result<()> {
        let Some(ino) = contact.ino else {
            return Ok(());
        };
        if self.inode(ino)?.is_none_or(|row| row.dirty) {
            return Ok(());
        }
        let text = self.text(ino)?.unwrap_or_default();
        let said = vcard::read(&text, Some((card, contact.graph.as_ref())), self.style);
        if said.is_ok_and(|said| says(&said, card)) && self.shows_photo(contact, ino)? {
            return Ok(());
        }
        let bytes = self.draw(contact, card)?;
        let mtime = self.moved_on(ino, modified)?;
        self.foreign(|tx| tx.replace_inode(contact, ino, &bytes, mtime, fate))?;
        Ok(())
    }

    /// A move was refused: the contact's file goes back to its folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_back(&mut self, contact: RowId, folder: FolderRowId) -> Result<()> {
        self.set_contact_folder(contact, folder)?;
        let Some(row) = self.contact(contact)? else {
            return Ok(());
        };
        match row.card.clone() {
            Some(card) => self.rename_file(&row, &card),
            None => Ok(()),
        }
    }

    /// Scratch files of a folder that is gone find their place in the root, drafts in the folder `drafts`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rescue_scratch(&mut self, dir: Ino, drafts: Option<FolderRowId>) -> Result<()> {
        let drafts = self.dir_of(drafts)?;
        for (name, ino) in self.entries_of(dir)? {
            let is_draft = self.is_card_entry(dir, &name)?;
            let to = if is_draft { drafts } else { Ino::ROOT };
            let mut free = name.clone();
            while self.entry(to, &free)?.is_some() {
                free = if is_draft {
                    names::disambiguated(&free, &any_id())
                } else {
                    free + "~"
                };
            }
            self.unlink(dir, &name)?;
            self.link(to, &free, ino)?;
        }
        Ok(())
    }
}

/// The name a contact asks for: the one a user chose, else the one its fields make.
pub(super) fn natural_name(card: &Card) -> String {
    match card.file_name_hint() {
        Some(hint) if names::is_card_name(hint) && !hint.contains('/') => hint.to_owned(),
        _ => names::file_name(&card.contact),
    }
}

/// An id to tell a name apart by, for what has none yet.
fn any_id() -> ContactId {
    ContactId::new(uuid::Uuid::new_v4().to_string())
}

/// Whether a text means a card. One without a UID means any: a move writes the UID down that the contact had before, and
/// the user's bytes stay (behaviour P2).
fn says(said: &Card, card: &Card) -> bool {
    if said.uid().is_none() {
        *said == card.without_uid()
    } else {
        said == card
    }
}
