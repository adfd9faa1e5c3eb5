//! Names: look-up, listing, and making and removing files and directories.

use super::{Error, Place, Result, Stat, Tree, check_name, place};
use crate::model::{Ino, Stamp};
use crate::names;
use crate::store::{Attr, InodeKind, InodeRow, Op, Tx, Unlinked};

/// One entry of a listing.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where a listing that stops here goes on.
    pub cookie: u64,
    /// Its name.
    pub name: String,
    /// Its attributes.
    pub stat: Stat,
}

impl Tree {
    /// The file a name stands for; the kernel is about to be told of it.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::NotLoaded`] in a folder whose first full load is not complete.
    pub fn lookup(&self, dir: Ino, name: &str) -> Result<Stat> {
        check_name(name)?;
        let mut memory = self.memory();
        let entries = memory.dir(dir).ok_or(Error::NotFound)?;
        let Some(ino) = entries.get(name) else {
            return Err(if entries.loaded {
                Error::NotFound
            } else {
                Error::NotLoaded
            });
        };
        if !entries.loaded && names::is_card_name(name) {
            return Err(Error::NotLoaded);
        }
        memory.remember(ino);
        memory
            .get(ino)
            .map(|node| self.stat_of(ino, node))
            .ok_or(Error::NotFound)
    }

    /// Lists a directory from a cookie on, giving entries to `take` until it has enough; it says whether it took one.
    /// `remember` when the kernel will hold the entries (readdirplus).
    ///
    /// # Errors
    /// [`Error::NotLoaded`]: a folder is never shown half (behaviour P4).
    pub fn list(
        &self,
        dir: Ino,
        from: u64,
        remember: bool,
        mut take: impl FnMut(&Entry) -> bool,
    ) -> Result<()> {
        let mut memory = self.memory();
        let entries = memory.dir(dir).ok_or(Error::NotDir)?;
        if !entries.loaded {
            return Err(Error::NotLoaded);
        }
        let parent = entries.parent.unwrap_or(Ino::ROOT);
        for (cookie, name, ino) in [(1, ".", dir), (2, "..", parent)] {
            if from < cookie
                && let Some(node) = memory.get(ino)
                && !take(&Entry {
                    cookie,
                    name: name.to_owned(),
                    stat: self.stat_of(ino, node),
                })
            {
                return Ok(());
            }
        }
        let mut taken = Vec::new();
        let entries = memory.dir(dir).ok_or(Error::NotDir)?;
        for (cookie, name, ino) in entries.after(from.max(2)) {
            let Some(node) = memory.get(ino) else {
                continue;
            };
            if !take(&Entry {
                cookie,
                name: name.to_owned(),
                stat: self.stat_of(ino, node),
            }) {
                break;
            }
            taken.push(ino);
        }
        if remember {
            taken.into_iter().for_each(|ino| memory.remember(ino));
        }
        Ok(())
    }

    /// Makes a file: a draft at a contact's name, a scratch file elsewhere.
    ///
    /// # Errors
    /// [`Error::Exists`], or a failure of the local disk.
    pub fn create(&self, dir: Ino, name: &str, mode: u16, pid: u32) -> Result<Stat> {
        let _edit = self.edit();
        let now = Stamp::now();
        let place = self.free_place(dir, name)?;
        let ino = self.change(|tx| {
            check_free(tx, dir, name)?;
            if place == Place::Card {
                return create_card(tx, dir, name);
            }
            let ino = tx.new_inode(InodeKind::File, empty(tx, mode))?;
            tx.blobs().write(ino, &[])?;
            tx.link(dir, name, ino)?;
            Ok(ino)
        })?;
        if place == Place::Card {
            self.wrote(ino, pid);
        } else if let Some(node) = self.memory().get_mut(ino) {
            node.made = Some(now);
        }
        self.born(ino)
    }

    /// Makes a directory: a contact folder, or a scratch directory when the name is hidden or lies in one.
    ///
    /// # Errors
    /// [`Error::Exists`], or a failure of the local disk.
    pub fn mkdir(&self, dir: Ino, name: &str, mode: u16) -> Result<Stat> {
        let _edit = self.edit();
        self.free_place(dir, name)?;
        let kind = self.kind(dir)?;
        let ino = self.change(|tx| {
            check_free(tx, dir, name)?;
            if kind == InodeKind::Dir || names::is_hidden(name) {
                let ino = tx.new_inode(InodeKind::Dir, empty(tx, mode))?;
                tx.link(dir, name, ino)?;
                return Ok(ino);
            }
            let parent = tx.folder_of_dir(dir)?.map(|folder| folder.id);
            let folder = tx.add_folder(None, parent, name)?;
            tx.queue_folder(Op::MakeFolder, folder.id, name)?;
            Ok(folder.ino)
        })?;
        self.born(ino)
    }

    /// Makes a symbolic link, scratch only.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] at a contact's name, [`Error::Exists`].
    pub fn symlink(&self, dir: Ino, name: &str, target: &str) -> Result<Stat> {
        let _edit = self.edit();
        if self.free_place(dir, name)? == Place::Card {
            return Err(Error::NotPermitted("a contact is a regular file"));
        }
        let ino = self.change(|tx| {
            check_free(tx, dir, name)?;
            let ino = tx.new_inode(InodeKind::Symlink(target.to_owned()), empty(tx, 0o777))?;
            tx.link(dir, name, ino)?;
            Ok(ino)
        })?;
        self.born(ino)
    }

    /// Gives a file another name. A scratch file linked to a contact's name becomes a contact: a create (behaviour 4.10).
    ///
    /// # Errors
    /// [`Error::NotPermitted`] between contacts and for directories, [`Error::Exists`], [`Error::Card`].
    pub fn link(&self, ino: Ino, dir: Ino, name: &str) -> Result<Stat> {
        let _edit = self.edit();
        let place = self.free_place(dir, name)?;
        match (self.kind(ino)?, place) {
            (InodeKind::Root | InodeKind::Folder(_) | InodeKind::Dir, _) => {
                return Err(Error::NotPermitted("directories have one name"));
            }
            (InodeKind::Card(_) | InodeKind::Symlink(_), Place::Card) => {
                return Err(Error::NotPermitted("a contact has one name"));
            }
            (InodeKind::File, Place::Card) => {
                let since = self.made_lately(ino);
                self.change(|tx| {
                    check_free(tx, dir, name)?;
                    self.stamp(tx, ino)?;
                    tx.link(dir, name, ino)?;
                    super::rename::become_card(tx, ino, (dir, name), since)
                })?;
            }
            (InodeKind::File | InodeKind::Card(_) | InodeKind::Symlink(_), _) => {
                self.change(|tx| {
                    check_free(tx, dir, name)?;
                    self.stamp(tx, ino)?;
                    Ok(tx.link(dir, name, ino)?)
                })?;
            }
        }
        self.born(ino)
    }

    /// Removes a file's name. A contact's deletion is queued and waits for its grace (behaviour 4.4).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsDir`].
    pub fn unlink(&self, dir: Ino, name: &str) -> Result<()> {
        let _edit = self.edit();
        again_when_overtaken(|| self.unlink_once(dir, name))
    }

    fn unlink_once(&self, dir: Ino, name: &str) -> Result<()> {
        let ino = self.child(dir, name)?;
        let kind = self.kind(ino)?;
        if matches!(
            kind,
            InodeKind::Root | InodeKind::Folder(_) | InodeKind::Dir
        ) {
            return Err(Error::IsDir);
        }
        let grace = self.settings.delete_grace;
        self.change(|tx| {
            self.stamp(tx, ino)?;
            remove_name(tx, dir, name, ino, grace)
        })?;
        if !self.memory().get(ino).is_some_and(|node| node.dirty) {
            self.writers().forget(ino);
        }
        Ok(())
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::DefaultFolder`], [`Error::NotDir`], [`Error::NotLoaded`].
    pub fn rmdir(&self, dir: Ino, name: &str) -> Result<()> {
        let _edit = self.edit();
        let ino = self.child(dir, name)?;
        let folder = {
            let memory = self.memory();
            let entries = memory.dir(ino).ok_or(Error::NotDir)?;
            if !entries.loaded {
                return Err(Error::NotLoaded);
            }
            if !entries.is_empty() {
                return Err(Error::NotEmpty);
            }
            match memory.get(ino).map(|node| &node.kind) {
                Some(InodeKind::Folder(id)) => Some(*id),
                _ => None,
            }
        };
        self.change(|tx| {
            let Some(folder) = folder.map(|id| tx.folder(id)).transpose()?.flatten() else {
                tx.unlink(dir, name)?;
                return Ok(tx.drop_if_unnamed(ino, false)?);
            };
            if folder.is_default {
                return Err(Error::DefaultFolder);
            }
            if !tx.entries_of(ino)?.is_empty() {
                return Err(Error::NotEmpty);
            }
            tx.hide_folder(folder.id)?;
            Ok(tx.queue_folder(Op::RemoveFolder, folder.id, &folder.name)?)
        })
    }

    /// What an inode is.
    pub(super) fn kind(&self, ino: Ino) -> Result<InodeKind> {
        self.memory()
            .get(ino)
            .map(|node| node.kind.clone())
            .ok_or(Error::NotFound)
    }

    /// The inode of a name.
    pub(super) fn child(&self, dir: Ino, name: &str) -> Result<Ino> {
        let memory = self.memory();
        memory
            .dir(dir)
            .ok_or(Error::NotDir)?
            .get(name)
            .ok_or(Error::NotFound)
    }

    /// What a free name would stand for.
    fn free_place(&self, dir: Ino, name: &str) -> Result<Place> {
        check_name(name)?;
        let memory = self.memory();
        let node = memory.get(dir).ok_or(Error::NotFound)?;
        let entries = node.dir.as_deref().ok_or(Error::NotDir)?;
        if entries.get(name).is_some() {
            return Err(Error::Exists);
        }
        match place(&node.kind, name) {
            Place::Nowhere => Err(Error::NotPermitted(
                "contacts live in folders; put the file into one of them",
            )),
            Place::Card if !entries.loaded => Err(Error::NotLoaded),
            place => Ok(place),
        }
    }

    /// The kernel is about to be told of a new file.
    fn born(&self, ino: Ino) -> Result<Stat> {
        self.memory().remember(ino);
        self.stat(ino)
    }
}

fn empty(tx: &Tx<'_>, mode: u16) -> Attr {
    Attr {
        mode: mode & 0o7777,
        size: 0,
        mtime: tx.now(),
        ctime: tx.now(),
    }
}

/// Runs an operation again whose names the engine changed between its look at the mirror and its transaction. Not for
/// ever: a mirror gone wrong must not stop the mount.
pub(super) fn again_when_overtaken<T>(mut operation: impl FnMut() -> Result<T>) -> Result<T> {
    let mut done = operation();
    for _ in 0..8 {
        if !matches!(done, Err(Error::Overtaken)) {
            break;
        }
        done = operation();
    }
    done
}

/// Fails when a name does not stand any more for what the mirror said.
pub(super) fn check_entry(tx: &Tx<'_>, dir: Ino, name: &str, ino: Option<Ino>) -> Result<()> {
    if tx.entry(dir, name)? == ino {
        Ok(())
    } else {
        Err(Error::Overtaken)
    }
}

/// As the mirror's answer, which may be older than a change made elsewhere: a contact must not be hidden by a new file.
fn check_free(tx: &Tx<'_>, dir: Ino, name: &str) -> Result<()> {
    if tx.inode(dir)?.is_none() {
        return Err(Error::NotFound);
    }
    if tx.entry(dir, name)?.is_some() {
        return Err(Error::Exists);
    }
    Ok(())
}

/// A new file at a contact's name is a draft; within the grace after an unlink of that name it is the same contact
/// again (behaviour 4.5).
fn create_card(tx: &mut Tx<'_>, dir: Ino, name: &str) -> Result<Ino> {
    let attr = empty(tx, 0o600);
    let ino = tx.new_inode(InodeKind::Card(None), attr)?;
    tx.blobs().write(ino, &[])?;
    tx.link(dir, name, ino)?;
    super::rename::adopt(tx, ino, dir, name)?;
    Ok(ino)
}

/// Removes a name; when it was a contact's, its deletion is queued.
pub(super) fn remove_name(
    tx: &mut Tx<'_>,
    dir: Ino,
    name: &str,
    ino: Ino,
    grace: std::time::Duration,
) -> Result<()> {
    check_entry(tx, dir, name, Some(ino))?;
    let was_card = tx.is_card_entry(dir, name)?;
    tx.unlink(dir, name)?;
    if !was_card {
        return Ok(tx.drop_if_unnamed(ino, false)?);
    }
    if let Some(InodeRow {
        kind: InodeKind::Card(Some(contact)),
        ..
    }) = tx.inode(ino)?
        && let Some(contact) = tx.contact(contact)?
    {
        tx.queue_delete(&contact, Unlinked { dir, name, ino }, grace)?;
    }
    tx.clear_rejected_error(dir, name)?;
    Ok(tx.orphan(ino, false)?)
}
