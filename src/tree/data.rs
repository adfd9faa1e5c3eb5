//! Bytes and attributes of files: read, write, truncate, times and modes.

use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use super::{Error, Result, Stat, Tree};
use crate::model::{Ino, Stamp};
use crate::store::{InodeKind, InodeRow, Tx};
use crate::vcard;

/// What `setattr` asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SetAttr {
    /// New permission bits.
    pub mode: Option<u16>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New length.
    pub size: Option<u64>,
    /// New time of last access.
    pub atime: Option<Stamp>,
    /// New time of last change.
    pub mtime: Option<Stamp>,
}

/// Longest text a card's file takes; well above what is accepted as a card, because it is read as a whole.
pub(super) const MAX_TEXT: u64 = 16 << 20;

/// Where an inode's bytes are.
enum Bytes {
    Card(Arc<[u8]>),
    File(Arc<std::fs::File>),
}

impl Tree {
    /// Up to `size` bytes from `offset`, given to `deliver`.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::IsDir`], or a failure of the local disk.
    pub fn read<T>(
        &self,
        ino: Ino,
        offset: u64,
        size: usize,
        deliver: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        match self.bytes(ino)? {
            Bytes::Card(bytes) => {
                self.note_read(ino, &bytes);
                let start = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let end = start.saturating_add(size).min(bytes.len());
                Ok(deliver(bytes.get(start..end).unwrap_or_default()))
            }
            Bytes::File(file) => {
                let mut buffer = vec![0; size];
                let read = read_full(&file, &mut buffer, offset)?;
                Ok(deliver(buffer.get(..read).unwrap_or_default()))
            }
        }
    }

    /// A program sees a card's text; the first time, so does it the picture in it.
    fn note_read(&self, ino: Ino, text: &[u8]) {
        let is_first = self
            .memory()
            .get_mut(ino)
            .is_some_and(|node| !std::mem::replace(&mut node.read, true));
        if is_first && vcard::may_hold_photo(text) {
            self.store.note_known(ino);
        }
    }

    fn bytes(&self, ino: Ino) -> Result<Bytes> {
        loop {
            if !self.has_blob(ino)? {
                return Ok(Bytes::Card(self.cache.card(&self.store, ino)?));
            }
            match self.cache.file(&self.store, ino) {
                // Committed just now, on another thread: the bytes are in the store.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !self.has_blob(ino)? => {}
                file => return Ok(Bytes::File(file?)),
            }
        }
    }

    fn has_blob(&self, ino: Ino) -> Result<bool> {
        let memory = self.memory();
        let node = memory.get(ino).ok_or(Error::NotFound)?;
        if node.dir.is_some() {
            Err(Error::IsDir)
        } else {
            Ok(node.has_blob())
        }
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// [`Error::Invalid`] for anything else.
    pub fn readlink(&self, ino: Ino) -> Result<String> {
        match self.memory().get(ino).map(|node| &node.kind) {
            Some(InodeKind::Symlink(target)) => Ok(target.clone()),
            Some(_) => Err(Error::Invalid),
            None => Err(Error::NotFound),
        }
    }

    /// Writes bytes at an offset; returns how many.
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for a picture beside its card, or a failure of the local disk, ENOSPC among it.
    pub fn write(&self, ino: Ino, offset: u64, data: &[u8], pid: u32) -> Result<usize> {
        let _edit = self.edit();
        let end = offset.saturating_add(data.len() as u64);
        self.check_write(ino, end)?;
        self.bring_back(ino)?;
        self.begin_edit(ino, true)?;
        let file = self.cache.file(&self.store, ino)?;
        file.write_all_at(data, offset)?;
        self.edited(ino, &file, pid, |size| size.max(end));
        Ok(data.len())
    }

    fn truncate(&self, ino: Ino, size: u64, pid: u32) -> Result<()> {
        let _edit = self.edit();
        self.check_write(ino, size)?;
        self.bring_back(ino)?;
        self.begin_edit(ino, size > 0)?;
        let file = self.cache.file(&self.store, ino)?;
        file.set_len(size)?;
        self.edited(ino, &file, pid, |_| size);
        Ok(())
    }

    fn check_write(&self, ino: Ino, end: u64) -> Result<()> {
        match self.kind(ino)? {
            InodeKind::Card(_) if end > MAX_TEXT => Err(Error::TooBig),
            InodeKind::File => self.refuse_sidecar(ino),
            _ => Ok(()),
        }
    }

    /// The mode of a picture beside its card keeps others from writing to it, but not root.
    pub(super) fn refuse_sidecar(&self, ino: Ino) -> Result<()> {
        if self.store.is_sidecar(ino)? {
            return Err(Error::NotPermitted("a picture is changed in its card"));
        }
        Ok(())
    }

    /// A scratch file that the mount itself took away goes back to its name when it is written to, if that is free: the
    /// kernel may not have heard of it yet, and a program that makes a file there must not write into nothing.
    fn bring_back(&self, ino: Ino) -> Result<()> {
        let lost = {
            let memory = self.memory();
            let node = memory.get(ino).ok_or(Error::NotFound)?;
            let is_lost = node.kind == InodeKind::File && node.nlink == 0 && node.replaced;
            node.was
                .as_deref()
                .filter(|_| is_lost)
                .map(|was| (was.clone(), node.row(ino)))
        };
        let Some(((dir, name), mut row)) = lost else {
            return Ok(());
        };
        row.attr.mode = 0o600;
        self.change(|tx| {
            if tx.inode(dir)?.is_some() && tx.entry(dir, &name)?.is_none() {
                tx.put_inode(row)?;
                tx.link(dir, &name, ino)?;
            }
            Ok(())
        })
    }

    /// Moves a clean card's bytes to a backing file. Its accepted text stays: it is what the edit starts from.
    fn begin_edit(&self, ino: Ino, keep_bytes: bool) -> Result<()> {
        if !self.is_clean_card(ino)? {
            return Ok(());
        }
        let bytes = if keep_bytes {
            self.cache.card(&self.store, ino)?
        } else {
            Arc::default()
        };
        self.change(|tx| {
            tx.blobs().write(ino, &bytes)?;
            if let Some(mut row) = tx.inode(ino)? {
                row.dirty = true;
                row.attr.size = bytes.len() as u64;
                return Ok(tx.put_inode(row)?);
            }
            Ok(())
        })?;
        // An inode without a name has no row any more: it is edited in memory and on its backing file only.
        if let Some(node) = self.memory().get_mut(ino) {
            node.dirty = true;
        }
        Ok(())
    }

    /// Whether an inode is a card without uncommitted text; everything else can be written at once.
    fn is_clean_card(&self, ino: Ino) -> Result<bool> {
        if self.settings.read_only {
            return Err(Error::ReadOnly);
        }
        let memory = self.memory();
        let node = memory.get(ino).ok_or(Error::NotFound)?;
        match &node.kind {
            InodeKind::Card(_) => Ok(!node.dirty),
            InodeKind::File => Ok(false),
            InodeKind::Symlink(_) => Err(Error::Invalid),
            InodeKind::Root | InodeKind::Folder(_) | InodeKind::Dir => Err(Error::IsDir),
        }
    }

    /// Notes what a change of its backing file means for a file.
    pub(super) fn edited(
        &self,
        ino: Ino,
        file: &std::fs::File,
        pid: u32,
        size: impl FnOnce(u64) -> u64,
    ) {
        let blocks = file.metadata().ok().map(|meta| meta.blocks());
        let is_card = {
            let mut memory = self.memory();
            let Some(node) = memory.get_mut(ino) else {
                return;
            };
            let now = Stamp::now();
            node.attr.size = size(node.attr.size);
            node.blocks = blocks;
            node.attr.mtime = now;
            node.attr.ctime = now;
            node.unsaved = true;
            matches!(node.kind, InodeKind::Card(_))
        };
        if is_card {
            self.wrote(ino, pid);
        }
    }

    /// A process has uncommitted text in a card; the first time, whoever settles quiet edits must hear of it.
    pub(super) fn wrote(&self, ino: Ino, pid: u32) {
        let first = self.writers().wrote(ino, pid);
        if first && let Some(observer) = self.observer.get() {
            observer.changed(Vec::new());
        }
    }

    /// Changes attributes.
    ///
    /// The mode of a card or a folder is remembered as long as the mount lasts, and so is the time of access of any file;
    /// an owner never changes (behaviour 5.5).
    ///
    /// # Errors
    /// [`Error::NotPermitted`] for another owner or another length of a picture beside its card, or a failure of the local disk.
    pub fn set_attr(&self, ino: Ino, wanted: SetAttr, pid: u32) -> Result<Stat> {
        if self.settings.read_only {
            return Err(Error::ReadOnly);
        }
        let other_owner = wanted.uid.is_some_and(|uid| uid != self.settings.uid);
        let other_group = wanted.gid.is_some_and(|gid| gid != self.settings.gid);
        if other_owner || other_group {
            return Err(Error::NotPermitted(
                "every file here belongs to the mounting user",
            ));
        }
        if let Some(size) = wanted.size {
            self.truncate(ino, size, pid)?;
        }
        if wanted.mode.is_some() || wanted.mtime.is_some() || wanted.atime.is_some() {
            self.set_mode_and_times(ino, wanted)?;
        }
        self.stat(ino)
    }

    fn set_mode_and_times(&self, ino: Ino, wanted: SetAttr) -> Result<()> {
        let row = {
            let mut memory = self.memory();
            let node = memory.get_mut(ino).ok_or(Error::NotFound)?;
            node.attr.ctime = Stamp::now();
            node.atime = wanted.atime.or(node.atime);
            node.attr.mtime = wanted.mtime.unwrap_or(node.attr.mtime);
            match node.kind {
                InodeKind::Dir | InodeKind::File | InodeKind::Symlink(_) => {
                    node.attr.mode = wanted.mode.unwrap_or(node.attr.mode);
                }
                InodeKind::Root | InodeKind::Folder(_) | InodeKind::Card(_) => {
                    node.mode = wanted.mode.or(node.mode);
                }
            }
            node.row(ino)
        };
        self.save_row(row)
    }

    /// Writes attributes that changed in memory only; an inode without a name has no row to write.
    pub(super) fn save_row(&self, row: InodeRow) -> Result<()> {
        self.change(|tx| Ok(tx.keep_attr(row.ino, row.attr)?))
    }

    /// Writes the attributes of an inode whose names a change of state changes: they may be newer in memory.
    pub(super) fn stamp(&self, tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
        let attr = self.memory().get(ino).map(|node| node.attr);
        attr.map_or(Ok(()), |attr| Ok(tx.stamp(ino, attr)?))
    }
}

fn read_full(file: &std::fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
