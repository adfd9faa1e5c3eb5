//! What becomes of contacts and folders, told to whoever watches the mount. Costs nothing while nobody does.

use super::{Event, Op, Problem, Result, RowId, Tx};
use crate::model::Ino;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A contact is new, made elsewhere.
    Added,
    /// A contact was changed elsewhere; where its file was, if that has another name now.
    Changed(Option<Place>),
    /// A contact was deleted elsewhere.
    Removed,
    /// A folder is new, made elsewhere.
    FolderAdded,
    /// A folder has another name or lies in another, by a change elsewhere; where its directory was.
    FolderRenamed(Place),
    /// A folder was deleted elsewhere.
    FolderRemoved,
    /// The service will be told of this.
    Queued(Op),
    /// The service knows of this.
    Sent(Op),
    /// A save was not taken.
    NotTaken(Problem),
}

/// A directory and a name in it.
pub type Place = (Ino, String);

/// What a deed concerns.
pub(super) enum Of {
    /// A contact, wherever its file is when the transaction ends.
    Contact(RowId),
    /// An inode, the same.
    Inode(Ino),
    /// A name.
    Place(Place),
}

impl Tx<'_> {
    /// Tells of a deed when the transaction ends.
    pub(super) fn did(&mut self, deed: Deed, of: Of) {
        if let Some(deeds) = &mut self.deeds {
            deeds.push((deed, of));
        }
    }

    /// Tells of a contact that is about to lose its file.
    pub(super) fn did_remove(&mut self, ino: Option<Ino>) -> Result<()> {
        if self.deeds.is_some()
            && let Some(place) = ino.map(|ino| self.card_name(ino)).transpose()?.flatten()
        {
            self.tell_deed(Deed::Removed, place); // While the directory has a name.
        }
        Ok(())
    }

    /// Tells of a folder whose directory is about to get another name, or one elsewhere.
    pub(super) fn did_rename_folder(&mut self, ino: Ino) -> Result<()> {
        if self.deeds.is_some()
            && let Some(was) = self.names(ino)?.pop()
        {
            self.did(Deed::FolderRenamed(was), Of::Inode(ino));
        }
        Ok(())
    }

    /// Tells of a folder that is about to lose its directory, if it has one.
    pub(super) fn did_remove_folder(&mut self, ino: Ino) -> Result<()> {
        if self.deeds.is_some()
            && let Some(place) = self.names(ino)?.pop()
        {
            self.tell_deed(Deed::FolderRemoved, place);
        }
        Ok(())
    }

    /// Where a contact's file is, if anybody wants to know.
    pub(super) fn watched_place(&self, ino: Option<Ino>) -> Result<Option<Place>> {
        match ino.filter(|_| self.deeds.is_some()) {
            Some(ino) => self.card_name(ino),
            None => Ok(None),
        }
    }

    /// Finds the names that the deeds concern, and tells.
    pub(super) fn tell_deeds(&mut self) -> Result<()> {
        let mut told: Vec<(Deed, Place)> = Vec::new();
        for (mut deed, of) in self.deeds.take().unwrap_or_default() {
            let Some(place) = self.place_of(of)? else {
                continue;
            };
            if let Deed::Changed(was) = &mut deed {
                *was = was.take().filter(|was| *was != place);
            }
            // One that got another name and lies in another folder was first where it was first.
            let is_rename = |deed: &Deed| matches!(deed, Deed::FolderRenamed(_));
            if is_rename(&deed)
                && (deed == Deed::FolderRenamed(place.clone())
                    || told
                        .iter()
                        .any(|said| is_rename(&said.0) && said.1 == place))
            {
                continue;
            }
            if !told.iter().any(|said| said.0 == deed && said.1 == place) {
                told.push((deed, place));
            }
        }
        let refused: Vec<Place> = told
            .iter()
            .filter(|(deed, _)| matches!(deed, Deed::NotTaken(_)))
            .map(|(_, place)| place.clone())
            .collect();
        for (deed, place) in told {
            // The row of a refused save is finished as well.
            if !(matches!(deed, Deed::Sent(_)) && refused.contains(&place)) {
                self.tell_deed(deed, place);
            }
        }
        Ok(())
    }

    fn tell_deed(&mut self, deed: Deed, (dir, name): Place) {
        self.emit(Event::Deed { deed, dir, name });
    }

    fn place_of(&self, of: Of) -> Result<Option<Place>> {
        match of {
            Of::Place(place) => Ok(Some(place)),
            Of::Inode(ino) => Ok(self.names(ino)?.pop()),
            Of::Contact(id) => {
                let ino = self.contact(id)?.and_then(|row| row.ino);
                Ok(ino.map(|ino| self.card_name(ino)).transpose()?.flatten())
            }
        }
    }
}
