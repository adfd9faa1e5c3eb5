//! Renames: how most programs save.
//!
//! A contact's identity follows its name, an inode's identity follows the bytes (behaviour 4.6). So a scratch file
//! renamed over a contact's file is an update of that contact, and a contact's file renamed to a scratch name is an
//! unlink that leaves a scratch file behind.

mod exchange;

use std::time::Duration;

use super::accept::accept;
use super::data::MAX_TEXT;
use super::dir::{again_when_overtaken, check_entry, remove_name};
use super::{Error, Place, Result, Tree, check_name, place};
use crate::model::{Ino, Stamp};
use crate::names;
use crate::store::{FolderRowId, InodeKind, InodeRow, Op, Tx, Unlinked};
use crate::vcard;

/// How a rename treats a name that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Replaces it.
    Replace,
    /// Fails (`RENAME_NOREPLACE`).
    MustBeFree,
    /// Swaps the two (`RENAME_EXCHANGE`).
    Exchange,
}

/// Longest time between the making of a file and its rename over the one it replaces that makes the two one save.
const SAVING: Duration = Duration::from_secs(60);

/// One side of a rename.
struct Side<'a> {
    dir: Ino,
    name: &'a str,
    place: Place,
}

impl Tree {
    /// Renames a file or directory.
    ///
    /// # Errors
    /// [`Error::CrossDevice`] where the service has no such move and `mv` must copy, [`Error::Card`] when a scratch
    /// file that becomes a contact is complete but no acceptable card; both files stay as they are then.
    pub fn rename(&self, from: (Ino, &str), to: (Ino, &str), target: Target) -> Result<()> {
        let _edit = self.edit();
        again_when_overtaken(|| self.rename_once(from, to, target))
    }

    fn rename_once(&self, from: (Ino, &str), to: (Ino, &str), target: Target) -> Result<()> {
        let (from, to) = (self.side(from)?, self.side(to)?);
        if to.place == Place::Nowhere {
            return Err(Error::NotPermitted(
                "contacts live in folders; put the file into one of them",
            ));
        }
        let ino = self.child(from.dir, from.name)?;
        let over = self.child(to.dir, to.name).ok();
        match (over, target) {
            (Some(_), Target::MustBeFree) => return Err(Error::Exists),
            (Some(over), _) if over == ino => return Ok(()),
            (None, Target::Exchange) => return Err(Error::NotFound),
            (Some(over), Target::Exchange) => return self.exchange(&from, ino, &to, over),
            _ => {}
        }
        match self.kind(ino)? {
            InodeKind::Root => Err(Error::NotPermitted("the root has no name")),
            InodeKind::Folder(folder) => self.rename_folder(folder, &from, &to, over),
            InodeKind::Dir => self.rename_scratch_dir(&from, ino, &to, over),
            InodeKind::Card(_) | InodeKind::File | InodeKind::Symlink(_) => {
                self.rename_file(&from, ino, &to, over)
            }
        }
    }

    fn side<'a>(&self, (dir, name): (Ino, &'a str)) -> Result<Side<'a>> {
        check_name(name)?;
        let kind = self.kind(dir)?;
        let place = place(&kind, name);
        Ok(Side { dir, name, place })
    }

    /// Runs one change of two names if they still stand for what the mirror said.
    fn change_sides<T>(
        &self,
        (from, ino): (&Side<'_>, Ino),
        (to, over): (&Side<'_>, Option<Ino>),
        change: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        self.change(|tx| {
            check_entry(tx, from.dir, from.name, Some(ino))?;
            check_entry(tx, to.dir, to.name, over)?;
            self.stamp(tx, ino)?;
            if let Some(over) = over {
                self.stamp(tx, over)?;
            }
            change(tx)
        })
    }

    fn rename_file(
        &self,
        from: &Side<'_>,
        ino: Ino,
        to: &Side<'_>,
        over: Option<Ino>,
    ) -> Result<()> {
        if over.is_some_and(|over| self.memory().dir(over).is_some()) {
            return Err(Error::IsDir);
        }
        if to.place == Place::Card && matches!(self.kind(ino)?, InodeKind::Symlink(_)) {
            return Err(Error::NotPermitted("a contact is a regular file"));
        }
        let (grace, since) = (self.settings.delete_grace, self.made_lately(ino));
        self.change_sides((from, ino), (to, over), |tx| match (from.place, to.place) {
            (Place::Card, Place::Card) => {
                if let Some(over) = over {
                    remove_name(tx, to.dir, to.name, over, grace)?;
                }
                move_card(tx, from, ino, to)
            }
            (Place::Card, _) => {
                replace_scratch(tx, to, over)?;
                card_to_scratch(tx, from, ino, to, grace)
            }
            (_, Place::Card) => scratch_to_card(tx, from, ino, to, over, (grace, since)),
            _ => move_scratch(tx, from, ino, to, over),
        })?;
        if !self.is_uncommitted(ino) {
            self.writers().forget(ino);
        }
        Ok(())
    }

    /// When a scratch file was made, if it was made to take another's place: programs that save so do it at once. What
    /// the file there showed then is what the new text was edited from; an older file is a text of its own.
    pub(super) fn made_lately(&self, ino: Ino) -> Option<Stamp> {
        let made = self.memory().get(ino)?.made?;
        (made.after(SAVING) > Stamp::now()).then_some(made)
    }

    fn is_uncommitted(&self, ino: Ino) -> bool {
        let uncommitted = self
            .memory()
            .get(ino)
            .is_some_and(|node| node.dirty && matches!(node.kind, InodeKind::Card(_)));
        if uncommitted {
            self.wrote(ino, 0);
        }
        uncommitted
    }

    fn rename_folder(
        &self,
        folder: FolderRowId,
        from: &Side<'_>,
        to: &Side<'_>,
        over: Option<Ino>,
    ) -> Result<()> {
        if over.is_some() {
            return Err(Error::Exists);
        }
        if from.dir != to.dir || names::is_hidden(to.name) {
            return Err(Error::CrossDevice); // The service ignores a folder's new parent (graph-facts 2.4).
        }
        let ino = self.child(from.dir, from.name)?;
        self.change_sides((from, ino), (to, None), |tx| {
            if tx.folder(folder)?.is_none_or(|folder| folder.is_default) {
                return Err(Error::DefaultFolder);
            }
            tx.unlink(from.dir, from.name)?;
            tx.link(to.dir, to.name, ino)?;
            tx.rename_folder(folder, to.name, false)?;
            Ok(tx.queue_folder(Op::RenameFolder, folder, to.name)?)
        })
    }

    fn rename_scratch_dir(
        &self,
        from: &Side<'_>,
        ino: Ino,
        to: &Side<'_>,
        over: Option<Ino>,
    ) -> Result<()> {
        if !self.takes_dirs(to)? {
            return Err(Error::CrossDevice);
        }
        if self.is_below(to.dir, ino) {
            return Err(Error::Invalid);
        }
        if let Some(over) = over {
            let memory = self.memory();
            let entries = memory.dir(over).ok_or(Error::NotDir)?;
            if !entries.is_empty() {
                return Err(Error::NotEmpty);
            }
        }
        self.change_sides((from, ino), (to, over), |tx| {
            move_scratch(tx, from, ino, to, over)
        })
    }

    /// Whether a directory of this name is a program's own; any other is a contact folder (behaviour 5.1).
    fn takes_dirs(&self, side: &Side<'_>) -> Result<bool> {
        Ok(names::is_hidden(side.name) || self.kind(side.dir)? == InodeKind::Dir)
    }

    fn is_below(&self, mut dir: Ino, ancestor: Ino) -> bool {
        let memory = self.memory();
        loop {
            if dir == ancestor {
                return true;
            }
            match memory.dir(dir).and_then(|entries| entries.parent) {
                Some(parent) => dir = parent,
                None => return false,
            }
        }
    }
}

/// Something of a program's own gets another name.
fn move_scratch(
    tx: &mut Tx<'_>,
    from: &Side<'_>,
    ino: Ino,
    to: &Side<'_>,
    over: Option<Ino>,
) -> Result<()> {
    replace_scratch(tx, to, over)?;
    tx.unlink(from.dir, from.name)?;
    Ok(tx.link(to.dir, to.name, ino)?)
}

fn replace_scratch(tx: &mut Tx<'_>, to: &Side<'_>, over: Option<Ino>) -> Result<()> {
    if let Some(over) = over {
        tx.unlink(to.dir, to.name)?;
        tx.drop_if_unnamed(over, false)?;
    }
    Ok(())
}

/// A contact's file gets another name, perhaps in another folder (behaviour 4.8, 4.9).
fn move_card(tx: &mut Tx<'_>, from: &Side<'_>, ino: Ino, to: &Side<'_>) -> Result<()> {
    tx.unlink(from.dir, from.name)?;
    tx.link(to.dir, to.name, ino)?;
    if tx
        .inode(ino)?
        .is_some_and(|row| row.kind == InodeKind::Card(None))
    {
        return adopt(tx, ino, to.dir, to.name); // A draft is the new text of what was there, as a scratch file is.
    }
    if from.dir != to.dir
        && let Some(InodeRow {
            kind: InodeKind::Card(Some(contact)),
            ..
        }) = tx.inode(ino)?
        && let (Some(contact), Some(folder)) = (tx.contact(contact)?, tx.folder_of_dir(to.dir)?)
    {
        tx.queue_move(&contact, folder.id)?;
    }
    if from.name == to.name {
        Ok(())
    } else {
        remember_name(tx, ino, to.name)
    }
}

/// Puts the name a user chose into the residue, for every other mount (behaviour 1.6).
fn remember_name(tx: &mut Tx<'_>, ino: Ino, name: &str) -> Result<()> {
    let Some(InodeRow {
        kind: InodeKind::Card(Some(contact)),
        ..
    }) = tx.inode(ino)?
    else {
        return Ok(());
    };
    let Some(contact) = tx.contact(contact)? else {
        return Ok(());
    };
    let Some(mut card) = tx.expected(&contact)? else {
        return Ok(());
    };
    let natural = names::file_name(&card.contact) == name;
    card.set_file_name_hint((!natural).then_some(name));
    tx.queue_update(&contact, &card)?;
    Ok(())
}

/// A contact's file becomes a scratch file; the contact is as good as unlinked (behaviour 4.7).
fn card_to_scratch(
    tx: &mut Tx<'_>,
    from: &Side<'_>,
    ino: Ino,
    to: &Side<'_>,
    grace: Duration,
) -> Result<()> {
    tx.unlink(from.dir, from.name)?;
    tx.link(to.dir, to.name, ino)?;
    if let Some(InodeRow {
        kind: InodeKind::Card(Some(contact)),
        ..
    }) = tx.inode(ino)?
        && let Some(contact) = tx.contact(contact)?
    {
        tx.queue_delete(
            &contact,
            Unlinked {
                dir: from.dir,
                name: from.name,
                ino,
            },
            grace,
        )?;
    }
    Ok(tx.become_scratch(ino)?)
}

/// A scratch file becomes a contact's file, or the new text of one that is there (behaviour 4.6).
fn scratch_to_card(
    tx: &mut Tx<'_>,
    from: &Side<'_>,
    ino: Ino,
    to: &Side<'_>,
    over: Option<Ino>,
    (grace, since): (Duration, Option<Stamp>),
) -> Result<()> {
    if let Some(over) = over {
        remove_name(tx, to.dir, to.name, over, grace)?;
    }
    tx.unlink(from.dir, from.name)?;
    tx.link(to.dir, to.name, ino)?;
    become_card(tx, ino, (to.dir, to.name), since)
}

/// Makes a scratch inode that now has a contact's name a card, and commits it if it is complete.
///
/// # Errors
/// [`Error::Card`] when the text is complete but no acceptable card.
pub(super) fn become_card(
    tx: &mut Tx<'_>,
    ino: Ino,
    (dir, name): (Ino, &str),
    since: Option<Stamp>,
) -> Result<()> {
    let Some(mut row) = tx.inode(ino)? else {
        return Err(Error::NotFound);
    };
    match row.kind {
        InodeKind::File if tx.blobs().len(ino) > MAX_TEXT => return Err(Error::TooBig),
        InodeKind::File => {}
        // Another name of a contact's file: what `mv` copies is a contact of its own (behaviour 4.10).
        InodeKind::Card(_) => return Err(Error::CrossDevice),
        _ => return Err(Error::NotPermitted("a contact is a regular file")),
    }
    row.kind = InodeKind::Card(None);
    row.dirty = true;
    tx.put_inode(row)?;
    adopt(tx, ino, dir, name)?;
    let bytes = tx.blobs().read(ino)?;
    let Some(row) = tx.inode(ino)? else {
        return Err(Error::NotFound);
    };
    if !vcard::is_complete(&bytes) {
        return Ok(()); // Held: a text that is not complete is never an error (behaviour 3.2).
    }
    accept(tx, row, &bytes, since).map(drop)
}

/// Lets an inode stand for the contact whose file of this name was just unlinked, if there is one.
pub(super) fn adopt(tx: &mut Tx<'_>, ino: Ino, dir: Ino, name: &str) -> Result<()> {
    let Some(back) = tx.take_back(dir, name)? else {
        return Ok(());
    };
    let (Some(contact), Some(mut row)) = (tx.contact(back.contact)?, tx.inode(ino)?) else {
        return Ok(());
    };
    tx.set_contact_ino(contact.id, Some(ino))?;
    row.kind = InodeKind::Card(Some(contact.id));
    tx.put_inode(row)?;
    if let Some(text) = tx.text(back.ino)? {
        tx.put_text(ino, &text)?; // What the new text was edited from, and the last good one should it be no card.
        tx.inherit_known(ino, back.ino)?;
    }
    Ok(())
}
