//! Inodes, names and bytes: the rows behind every directory entry.

use rusqlite::{OptionalExtension, Row};

use super::{ContactRow, Event, Fate, FolderRowId, Result, RowId, Store, Tx};
use crate::model::{Ino, Stamp};

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InodeKind {
    /// The mount's root.
    Root,
    /// The directory of a contact folder.
    Folder(FolderRowId),
    /// A scratch directory.
    Dir,
    /// A contact's file, or a draft that is none yet.
    Card(Option<RowId>),
    /// A scratch file.
    File,
    /// A scratch symbolic link and where it points.
    Symlink(String),
}

impl InodeKind {
    fn code(&self) -> i64 {
        match self {
            Self::Folder(_) => 0,
            Self::Dir => 1,
            Self::Card(_) => 2,
            Self::File => 3,
            Self::Symlink(_) => 4,
            Self::Root => 5,
        }
    }
}

/// The attributes that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Permission bits.
    pub mode: u16,
    /// Length in bytes. Of a file with a backing file this is only a hint: that file's length counts.
    pub size: u64,
    /// Last change of the bytes (behaviour 1.7).
    pub mtime: Stamp,
    /// Last change of bytes or attributes.
    pub ctime: Stamp,
}

/// One inode.
#[derive(Clone, Debug)]
pub struct InodeRow {
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: InodeKind,
    /// Of a card: whether its newest bytes are in the backing file and not yet accepted.
    pub dirty: bool,
    /// Its attributes.
    pub attr: Attr,
}

const COLUMNS: &str = "ino, kind, folder, contact, dirty, mode, size, mtime, ctime, target";

impl InodeRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind = match row.get::<_, i64>(1)? {
            0 => InodeKind::Folder(FolderRowId(row.get(2)?)),
            1 => InodeKind::Dir,
            2 => InodeKind::Card(row.get::<_, Option<i64>>(3)?.map(RowId)),
            3 => InodeKind::File,
            5 => InodeKind::Root,
            _ => InodeKind::Symlink(row.get(9)?),
        };
        Ok(Self {
            ino: Ino(row.get(0)?),
            kind,
            dirty: row.get(4)?,
            attr: Attr {
                mode: row.get(5)?,
                size: row.get(6)?,
                mtime: Stamp(row.get(7)?),
                ctime: Stamp(row.get(8)?),
            },
        })
    }
}

impl Store {
    /// Every inode, for a mirror to start from.
    ///
    /// # Errors
    /// When the database fails.
    pub fn each_inode(&self, mut each: impl FnMut(InodeRow)) -> Result<()> {
        self.read(|sql| {
            let mut rows = sql.prepare(&format!("SELECT {COLUMNS} FROM inode"))?;
            for row in rows.query_map([], InodeRow::from_row)? {
                each(row?);
            }
            Ok(())
        })
    }

    /// Every name: directory, name, inode.
    ///
    /// # Errors
    /// When the database fails.
    pub fn each_entry(&self, mut each: impl FnMut(Ino, String, Ino)) -> Result<()> {
        self.read(|sql| {
            let mut rows = sql.prepare("SELECT dir, name, ino FROM entry")?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                each(Ino(row.get(0)?), row.get(1)?, Ino(row.get(2)?));
            }
            Ok(())
        })
    }

    /// The accepted bytes of a card.
    ///
    /// # Errors
    /// When the database fails.
    pub fn text(&self, ino: Ino) -> Result<Option<Vec<u8>>> {
        self.read(|sql| {
            Ok(sql
                .prepare_cached("SELECT bytes FROM text WHERE ino = ?1")?
                .query_row([ino.0], |row| row.get(0))
                .optional()?)
        })
    }
}

impl Tx<'_> {
    /// Makes an inode without a name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn new_inode(&mut self, kind: InodeKind, attr: Attr) -> Result<Ino> {
        let ino = Ino(self.next("ino", Ino::ROOT.0 + 1)?);
        let dirty = matches!(kind, InodeKind::Card(None));
        self.put_inode(InodeRow {
            ino,
            kind,
            dirty,
            attr,
        })?;
        Ok(ino)
    }

    /// Writes an inode's row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_inode(&mut self, row: InodeRow) -> Result<()> {
        let (folder, contact, target) = match &row.kind {
            InodeKind::Folder(id) => (Some(id.0), None, None),
            InodeKind::Card(id) => (None, id.map(|id| id.0), None),
            InodeKind::Symlink(target) => (None, None, Some(target)),
            InodeKind::Root | InodeKind::Dir | InodeKind::File => (None, None, None),
        };
        let Attr {
            mode,
            size,
            mtime,
            ctime,
        } = row.attr;
        self.sql
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO inode({COLUMNS}) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"
            ))?
            .execute((
                row.ino.0,
                row.kind.code(),
                folder,
                contact,
                row.dirty,
                mode,
                size,
                mtime.0,
                ctime.0,
                target,
            ))?;
        self.emit(Event::Inode(row));
        Ok(())
    }

    /// Writes the attributes of an inode that the mirror has already changed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_attr(&mut self, ino: Ino, attr: Attr) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE inode SET mode = ?2, size = ?3, mtime = ?4, ctime = ?5 WHERE ino = ?1",
            )?
            .execute((ino.0, attr.mode, attr.size, attr.mtime.0, attr.ctime.0))?;
        Ok(())
    }

    /// Writes the attributes of an inode whose names change now; of one that has no row any more nothing is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub fn stamp(&mut self, ino: Ino, attr: Attr) -> Result<()> {
        let at = self.now;
        self.keep_attr(ino, Attr { ctime: at, ..attr })?;
        self.emit(Event::Stamped { ino, at });
        Ok(())
    }

    /// An inode's row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn inode(&self, ino: Ino) -> Result<Option<InodeRow>> {
        Ok(self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM inode WHERE ino = ?1"))?
            .query_row([ino.0], InodeRow::from_row)
            .optional()?)
    }

    /// The inode a name stands for.
    ///
    /// # Errors
    /// When the database fails.
    pub fn entry(&self, dir: Ino, name: &str) -> Result<Option<Ino>> {
        Ok(self
            .sql
            .prepare_cached("SELECT ino FROM entry WHERE dir = ?1 AND name = ?2")?
            .query_row((dir.0, name), |row| row.get(0).map(Ino))
            .optional()?)
    }

    /// Every name in a directory, with its inode.
    ///
    /// # Errors
    /// When the database fails.
    pub fn entries_of(&self, dir: Ino) -> Result<Vec<(String, Ino)>> {
        let mut rows = self
            .sql
            .prepare_cached("SELECT name, ino FROM entry WHERE dir = ?1")?;
        let rows = rows.query_map([dir.0], |row| Ok((row.get(0)?, Ino(row.get(1)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every name of an inode, with its directory.
    ///
    /// # Errors
    /// When the database fails.
    pub fn names(&self, ino: Ino) -> Result<Vec<(Ino, String)>> {
        let mut names = self
            .sql
            .prepare_cached("SELECT dir, name FROM entry WHERE ino = ?1")?;
        let names = names.query_map([ino.0], |row| Ok((Ino(row.get(0)?), row.get(1)?)))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Lets a name stand for an inode; what it stood for before keeps its row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn link(&mut self, dir: Ino, name: &str, ino: Ino) -> Result<()> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO entry(dir, name, ino) VALUES(?1, ?2, ?3)")?
            .execute((dir.0, name, ino.0))?;
        self.touch_dir(dir)?;
        self.emit(Event::Linked {
            dir,
            name: name.to_owned(),
            ino,
            at: self.now,
        });
        Ok(())
    }

    /// Removes a name; the inode keeps its row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unlink(&mut self, dir: Ino, name: &str) -> Result<()> {
        let gone: Option<u64> = self
            .sql
            .prepare_cached("DELETE FROM entry WHERE dir = ?1 AND name = ?2 RETURNING ino")?
            .query_row((dir.0, name), |row| row.get(0))
            .optional()?;
        if let Some(ino) = gone.map(Ino) {
            self.touch_dir(dir)?;
            self.emit(Event::Unlinked {
                dir,
                name: name.to_owned(),
                ino,
                at: self.now,
            });
        }
        Ok(())
    }

    /// What a first load puts into a folder was there before: no listing has been without it.
    fn touch_dir(&self, dir: Ino) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE inode SET mtime = ?2, ctime = ?2 WHERE ino = ?1
                 AND NOT EXISTS (SELECT 1 FROM folder WHERE folder.id = inode.folder AND loaded = 0)",
            )?
            .execute((dir.0, self.now.0))?;
        Ok(())
    }

    /// Removes an inode's row when it has no name left. Its bytes stay for open descriptors until
    /// [`Tx::forget`]; `replaced` says that a change made elsewhere took its place.
    ///
    /// # Errors
    /// When the database fails.
    pub fn drop_if_unnamed(&mut self, ino: Ino, replaced: bool) -> Result<()> {
        if self.names(ino)?.is_empty() {
            self.sql
                .prepare_cached("DELETE FROM inode WHERE ino = ?1")?
                .execute([ino.0])?;
            self.note_orphan(ino)?;
            self.emit(Event::Dropped { ino, replaced });
        }
        Ok(())
    }

    /// The text of an inode outlives it for now; what a crash keeps from being forgotten is dropped at the next start.
    fn note_orphan(&self, ino: Ino) -> Result<()> {
        self.sql
            .prepare_cached("INSERT OR IGNORE INTO orphan VALUES(?1)")?
            .execute([ino.0])?;
        Ok(())
    }

    /// Removes the bytes of inodes that neither a name nor the kernel knows any more.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget(&mut self, inos: &[Ino]) -> Result<()> {
        for ino in inos {
            self.sql
                .prepare_cached(
                    "DELETE FROM text WHERE ino = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE old_ino = ?1)",
                )?
                .execute([ino.0])?;
        }
        self.garbage.extend_from_slice(inos);
        Ok(())
    }

    /// The accepted bytes of a card.
    ///
    /// # Errors
    /// When the database fails.
    pub fn text(&self, ino: Ino) -> Result<Option<Vec<u8>>> {
        Ok(self
            .sql
            .prepare_cached("SELECT bytes FROM text WHERE ino = ?1")?
            .query_row([ino.0], |row| row.get(0))
            .optional()?)
    }

    /// Sets the accepted bytes of a card.
    ///
    /// # Errors
    /// When the database fails.
    pub fn put_text(&mut self, ino: Ino, bytes: &[u8]) -> Result<()> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO text VALUES(?1, ?2)")?
            .execute((ino.0, bytes))?;
        self.note_shown(ino, bytes)
    }

    /// Removes an inode's backing file once this change is committed.
    pub fn drop_blob(&mut self, ino: Ino) {
        self.garbage.push(ino);
    }

    /// Puts a scratch file with these bytes at a name, replacing any other.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn put_scratch(&mut self, dir: Ino, name: &str, bytes: &[u8]) -> Result<()> {
        self.remove_scratch(dir, name)?;
        let attr = Attr {
            mode: 0o600,
            size: bytes.len() as u64,
            mtime: self.now,
            ctime: self.now,
        };
        let ino = self.new_inode(InodeKind::File, attr)?;
        self.blobs.write(ino, bytes)?;
        self.link(dir, name, ino)
    }

    /// Removes a scratch file, if there is one of that name.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove_scratch(&mut self, dir: Ino, name: &str) -> Result<()> {
        if let Some(old) = self.entry(dir, name)? {
            self.unlink(dir, name)?;
            self.drop_if_unnamed(old, self.foreign)?;
        }
        Ok(())
    }

    /// Puts a card's newest accepted text under a fresh inode at the same names, so that whoever has the old one
    /// open sees one version only (behaviour 2.3). The old inode's bytes stay until it is forgotten, and in the history with their `fate`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn replace_inode(
        &mut self,
        contact: &ContactRow,
        old: Ino,
        bytes: &[u8],
        mtime: Stamp,
        fate: Fate,
    ) -> Result<Ino> {
        self.keep_text(contact.id, old, bytes, fate)?;
        self.put_in_place(contact, old, bytes, mtime)
    }

    /// As [`Tx::replace_inode`], for a text that says all the old one did: nothing is kept in the history.
    pub(super) fn put_in_place(
        &mut self,
        contact: &ContactRow,
        old: Ino,
        bytes: &[u8],
        mtime: Stamp,
    ) -> Result<Ino> {
        let attr = Attr {
            mode: 0o600,
            size: bytes.len() as u64,
            mtime,
            ctime: mtime,
        };
        let ino = self.new_inode(InodeKind::Card(Some(contact.id)), attr)?;
        self.put_text(ino, bytes)?;
        self.inherit_known(ino, old)?;
        for (dir, name) in self.names(old)? {
            if self.is_card_entry(dir, &name)? {
                self.link(dir, &name, ino)?;
            }
        }
        self.set_contact_ino(contact.id, Some(ino))?;
        self.orphan(old, true)?;
        Ok(ino)
    }

    /// Lets go of an inode that is no contact's file any more: dropped, or a scratch file if it has other names.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn orphan(&mut self, ino: Ino, replaced: bool) -> Result<()> {
        if !self.names(ino)?.is_empty() {
            return self.become_scratch(ino);
        }
        self.drop_if_unnamed(ino, replaced)
    }

    /// Makes a card's inode a scratch file with the same bytes.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn become_scratch(&mut self, ino: Ino) -> Result<()> {
        let Some(mut row) = self.inode(ino)? else {
            return Ok(());
        };
        if !row.dirty
            && let Some(bytes) = self.text(ino)?
        {
            self.blobs.write(ino, &bytes)?;
        }
        self.note_orphan(ino)?;
        row.kind = InodeKind::File;
        row.dirty = false;
        self.put_inode(row)
    }

    /// Whether this name in this directory is a contact's: a card name directly in a contact folder (behaviour 5.1).
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_card_entry(&self, dir: Ino, name: &str) -> Result<bool> {
        Ok(crate::names::is_card_name(name)
            && matches!(
                self.inode(dir)?,
                Some(InodeRow {
                    kind: InodeKind::Folder(_),
                    ..
                })
            ))
    }
}
