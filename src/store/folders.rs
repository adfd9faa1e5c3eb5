//! Contact folders: rows, their directories, and how far each has been read.

use rusqlite::{OptionalExtension, Row};

use super::deeds::{Deed, Of};
use super::{Attr, Event, InodeKind, Result, Store, Tx};
use crate::model::{DeltaLink, Folder, FolderId, Ino, Stamp};
use crate::names;

/// A folder's number in this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderRowId(pub i64);

/// One contact folder.
#[derive(Clone, Debug)]
pub struct FolderRow {
    /// Its number here.
    pub id: FolderRowId,
    /// Its id at the service; `None` until it has been made there.
    pub graph: Option<FolderId>,
    /// The folder above, `None` for a top-level directory.
    pub parent: Option<FolderRowId>,
    /// The name as the service shows it.
    pub name: String,
    /// Whether it is the mailbox's own Contacts folder.
    pub is_default: bool,
    /// Its directory.
    pub ino: Ino,
    /// Where the next delta query goes on; `None` until the first full load is complete.
    pub delta: Option<DeltaLink>,
    /// Where an unfinished full load goes on.
    pub resume: Option<DeltaLink>,
    /// Counts full loads.
    pub generation: i64,
    /// When it was last pulled completely.
    pub pulled: Option<Stamp>,
    /// Whether it can be listed: its first full load is complete, or it was made here.
    pub loaded: bool,
}

const COLUMNS: &str =
    "id, graph, parent, name, is_default, ino, delta, resume, generation, pulled, loaded";

impl FolderRow {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: FolderRowId(row.get(0)?),
            graph: row.get::<_, Option<String>>(1)?.map(FolderId::new),
            parent: row.get::<_, Option<i64>>(2)?.map(FolderRowId),
            name: row.get(3)?,
            is_default: row.get(4)?,
            ino: Ino(row.get(5)?),
            delta: row.get::<_, Option<String>>(6)?.map(DeltaLink::new),
            resume: row.get::<_, Option<String>>(7)?.map(DeltaLink::new),
            generation: row.get(8)?,
            pulled: row.get::<_, Option<i64>>(9)?.map(Stamp),
            loaded: row.get(10)?,
        })
    }
}

impl Store {
    /// Every folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn folders(&self) -> Result<Vec<FolderRow>> {
        self.read(all)
    }

    /// How many contacts each folder shows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn contact_counts(&self) -> Result<Vec<(FolderRowId, usize)>> {
        self.read(|sql| {
            let mut rows =
                sql.prepare_cached("SELECT folder, count(*) FROM contact GROUP BY folder")?;
            let rows = rows.query_map([], |row| Ok((FolderRowId(row.get(0)?), row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl Tx<'_> {
    /// A folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn folder(&self, id: FolderRowId) -> Result<Option<FolderRow>> {
        self.one_folder("id = ?1", id.0)
    }

    /// Every folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn folders(&self) -> Result<Vec<FolderRow>> {
        all(&self.sql)
    }

    /// The folder a directory shows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn folder_of_dir(&self, dir: Ino) -> Result<Option<FolderRow>> {
        self.one_folder("ino = ?1", dir.0)
    }

    /// The folder with an id of the service.
    ///
    /// # Errors
    /// When the database fails.
    pub fn folder_by_graph(&self, id: &FolderId) -> Result<Option<FolderRow>> {
        self.one_folder("graph = ?1", id.as_str())
    }

    fn one_folder(&self, condition: &str, key: impl rusqlite::ToSql) -> Result<Option<FolderRow>> {
        Ok(self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM folder WHERE {condition}"))?
            .query_row([key], FolderRow::from_row)
            .optional()?)
    }

    /// Makes a folder and its directory; `graph` is missing when a local program made it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn add_folder(
        &mut self,
        graph: Option<&Folder>,
        parent: Option<FolderRowId>,
        name: &str,
    ) -> Result<FolderRow> {
        let above = self.dir_of(parent)?;
        let attr = Attr {
            mode: 0o700,
            size: 0,
            mtime: self.now,
            ctime: self.now,
        };
        let id = FolderRowId(self.next("folder", 1)?.cast_signed());
        let ino = self.new_inode(InodeKind::Folder(id), attr)?;
        self.sql.prepare_cached(
            "INSERT INTO folder(id, graph, parent, name, is_default, ino, loaded) VALUES(?1,?2,?3,?4,?5,?6,?7)",
        )?.execute((
            id.0,
            graph.map(|folder| folder.id.as_str()),
            parent.map(|id| id.0),
            name,
            graph.is_some_and(|folder| folder.is_default),
            ino.0,
            graph.is_none(),
        ))?;
        let shown = self.free_folder_name(above, name)?;
        self.link(above, &shown, ino)?;
        if graph.is_some() {
            self.did(Deed::FolderAdded, Of::Inode(ino));
        } else {
            self.emit(Event::Loaded(ino)); // Made here, so nothing can be missing in it.
        }
        self.folder(id)?
            .ok_or_else(|| super::Error::Corrupt(format!("folder {} vanished", id.0)))
    }

    /// The directory a folder's directory lies in.
    pub(super) fn dir_of(&self, parent: Option<FolderRowId>) -> Result<Ino> {
        Ok(match parent {
            Some(parent) => self.folder(parent)?.map_or(Ino::ROOT, |parent| parent.ino),
            None => Ino::ROOT,
        })
    }

    /// A name for a folder that nothing in the directory has yet (behaviour 1.3, 1.4).
    fn free_folder_name(&self, above: Ino, name: &str) -> Result<String> {
        let wanted = names::folder_name(name);
        let mut shown = wanted.clone();
        let mut count = 1;
        while self.entry(above, &shown)?.is_some() {
            count += 1;
            shown = format!("{wanted} ({count})");
        }
        Ok(shown)
    }

    /// Shows a folder under its own name if that was taken and is free now.
    ///
    /// # Errors
    /// When the database fails.
    pub fn regain_folder_name(&mut self, folder: &FolderRow) -> Result<()> {
        let wanted = names::folder_name(&folder.name);
        for (dir, shown) in self.names(folder.ino)? {
            if shown != wanted && self.entry(dir, &wanted)?.is_none() {
                self.did_rename_folder(folder.ino)?;
                self.unlink(dir, &shown)?;
                self.link(dir, &wanted, folder.ino)?;
            }
        }
        Ok(())
    }

    /// The service named a folder that was made here.
    ///
    /// # Errors
    /// When the database fails.
    pub fn folder_made(&mut self, id: FolderRowId, graph: &FolderId) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE folder SET graph = ?2 WHERE id = ?1")?
            .execute((id.0, graph.as_str()))?;
        self.wakes = true;
        Ok(())
    }

    /// Sets the name the service shows, and renames the directory when `shown` says so.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rename_folder(&mut self, id: FolderRowId, name: &str, shown: bool) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE folder SET name = ?2 WHERE id = ?1")?
            .execute((id.0, name))?;
        if shown && let Some(folder) = self.folder(id)? {
            self.did_rename_folder(folder.ino)?;
            for (dir, old) in self.names(folder.ino)? {
                self.unlink(dir, &old)?;
                let new = self.free_folder_name(dir, name)?;
                self.link(dir, &new, folder.ino)?;
            }
        }
        Ok(())
    }

    /// The folder now lies in another.
    ///
    /// # Errors
    /// When the database fails.
    pub fn reparent_folder(&mut self, id: FolderRowId, parent: Option<FolderRowId>) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE folder SET parent = ?2 WHERE id = ?1")?
            .execute((id.0, parent.map(|id| id.0)))?;
        if let Some(folder) = self.folder(id)? {
            self.did_rename_folder(folder.ino)?;
            for (dir, old) in self.names(folder.ino)? {
                self.unlink(dir, &old)?;
            }
            let above = self.dir_of(parent)?;
            let name = self.free_folder_name(above, &folder.name)?;
            self.link(above, &name, folder.ino)?;
        }
        Ok(())
    }

    /// Takes a folder's directory away while its removal is queued.
    ///
    /// # Errors
    /// When the database fails.
    pub fn hide_folder(&mut self, id: FolderRowId) -> Result<()> {
        let Some(folder) = self.folder(id)? else {
            return Ok(());
        };
        for (dir, name) in self.names(folder.ino)? {
            self.unlink(dir, &name)?;
        }
        self.drop_if_unnamed(folder.ino, false)
    }

    /// Shows a folder's directory again whose removal was refused.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unhide_folder(&mut self, id: FolderRowId) -> Result<()> {
        let Some(folder) = self.folder(id)? else {
            return Ok(());
        };
        let above = self.dir_of(folder.parent)?;
        let attr = Attr {
            mode: 0o700,
            size: 0,
            mtime: self.now,
            ctime: self.now,
        };
        let ino = self.new_inode(InodeKind::Folder(id), attr)?;
        self.sql
            .prepare_cached("UPDATE folder SET ino = ?2, delta = NULL, loaded = 0 WHERE id = ?1")?
            .execute((id.0, ino.0))?;
        let shown = self.free_folder_name(above, &folder.name)?;
        self.link(above, &shown, ino)
    }

    /// Removes a folder's row and directory; its contacts must be gone.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove_folder(&mut self, id: FolderRowId) -> Result<()> {
        if let Some(folder) = self.folder(id)? {
            self.did_remove_folder(folder.ino)?;
        }
        self.hide_folder(id)?;
        self.sql
            .prepare_cached("DELETE FROM folder WHERE id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// Records a pull: where to go on, and whether it was complete.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_delta(&mut self, id: FolderRowId, delta: &DeltaLink) -> Result<()> {
        let first = self.folder(id)?.is_some_and(|folder| !folder.loaded);
        self.sql
            .prepare_cached("UPDATE folder SET delta = ?2, resume = NULL, pulled = ?3, loaded = 1 WHERE id = ?1")?
            .execute((id.0, delta.as_str(), self.now.0))?;
        if first && let Some(folder) = self.folder(id)? {
            self.emit(Event::Loaded(folder.ino));
        }
        Ok(())
    }

    /// Begins a full load: everything not seen in it will be gone at its end. `None` for a resumed one's next page.
    ///
    /// # Errors
    /// When the database fails.
    pub fn begin_load(&mut self, id: FolderRowId) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE folder SET generation = generation + 1, resume = NULL WHERE id = ?1",
            )?
            .execute([id.0])?;
        Ok(())
    }

    /// Records where an unfinished full load goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_resume(&mut self, id: FolderRowId, link: &DeltaLink) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE folder SET resume = ?2 WHERE id = ?1")?
            .execute((id.0, link.as_str()))?;
        Ok(())
    }
}

fn all(sql: &rusqlite::Connection) -> Result<Vec<FolderRow>> {
    let mut rows = sql.prepare_cached(&format!("SELECT {COLUMNS} FROM folder ORDER BY id"))?;
    let rows = rows.query_map([], FolderRow::from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
