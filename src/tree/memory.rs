//! The mirror of the store in memory: every inode and name, so that lookups and listings touch no disk.
//!
//! It changes only by the store's events; what it adds is what the kernel holds (lookup counts) and what need
//! not survive the process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::{Ino, Stamp};
use crate::store::{Attr, Event, InodeKind, InodeRow, Result, Store};

/// One inode.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: InodeKind,
    /// Of a card: the newest bytes are in the backing file.
    pub(super) dirty: bool,
    pub(super) attr: Attr,
    /// How many names it has.
    pub(super) nlink: u32,
    /// How often the kernel was told of it and has not forgotten it.
    pub(super) lookups: u64,
    /// A change made elsewhere put another inode in its place (behaviour 2.3).
    pub(super) replaced: bool,
    /// The name it had last, once that stands for something else.
    pub(super) was: Option<Box<(Ino, String)>>,
    /// Attributes changed in memory only.
    pub(super) unsaved: bool,
    /// Of a card: its accepted text was read.
    pub(super) read: bool,
    /// Of a scratch file: when it was made, if that was since the mount began.
    pub(super) made: Option<Stamp>,
    /// Permission bits that last as long as the mount: of contacts and folders (behaviour 5.5).
    pub(super) mode: Option<u16>,
    /// A time of last access that a program set; it lasts as long as the mount.
    pub(super) atime: Option<Stamp>,
    /// Of a file with a backing file: the room that takes, which holes make less than the length.
    pub(super) blocks: Option<u64>,
    /// Its entries, when it is a directory.
    pub(super) dir: Option<Box<Dir>>,
}

impl Node {
    /// The row that keeps it.
    pub(super) fn row(&self, ino: Ino) -> InodeRow {
        InodeRow {
            ino,
            kind: self.kind.clone(),
            dirty: self.dirty,
            attr: self.attr,
        }
    }

    /// Whether its bytes are in a backing file.
    pub(super) fn has_blob(&self) -> bool {
        self.dirty || self.kind == InodeKind::File
    }

    /// How many names a directory has, counting its own "." and each subdirectory's "..".
    pub(super) fn dir_links(&self) -> u32 {
        match &self.dir {
            Some(dir) if dir.parent.is_none() || self.nlink > 0 => 2 + dir.subdirs,
            _ => 0,
        }
    }

    fn lost(&mut self, dir: Ino, name: &str) {
        self.nlink = self.nlink.saturating_sub(1);
        self.was = Some(Box::new((dir, name.to_owned())));
    }
}

/// A directory's entries.
#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) parent: Option<Ino>,
    /// Whether it may be listed: of a folder, its first full load is complete (behaviour P4).
    pub(super) loaded: bool,
    /// How many of its entries are directories.
    subdirs: u32,
    /// By a cookie that only grows, so that a listing goes on where it was however the directory changes.
    list: BTreeMap<u64, (Arc<str>, Ino)>,
    cookies: HashMap<Arc<str>, u64>,
    next: u64,
}

/// Cookies below this are "." and "..".
const FIRST_COOKIE: u64 = 3;

impl Dir {
    pub(super) fn get(&self, name: &str) -> Option<Ino> {
        self.cookies
            .get(name)
            .and_then(|cookie| self.list.get(cookie))
            .map(|(_, ino)| *ino)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = (&str, Ino)> {
        self.list.values().map(|(name, ino)| (&**name, *ino))
    }

    /// Entries after a cookie, each with its own.
    pub(super) fn after(&self, cookie: u64) -> impl Iterator<Item = (u64, &str, Ino)> {
        self.list
            .range(cookie + 1..)
            .map(|(cookie, (name, ino))| (*cookie, &**name, *ino))
    }

    fn insert(&mut self, name: &str, ino: Ino) -> Option<Ino> {
        if let Some(cookie) = self.cookies.get(name)
            && let Some(entry) = self.list.get_mut(cookie)
        {
            return Some(std::mem::replace(&mut entry.1, ino));
        }
        let cookie = self.next.max(FIRST_COOKIE);
        self.next = cookie + 1;
        let name: Arc<str> = name.into();
        self.cookies.insert(Arc::clone(&name), cookie);
        self.list.insert(cookie, (name, ino));
        None
    }

    fn remove(&mut self, name: &str) -> Option<Ino> {
        let cookie = self.cookies.remove(name)?;
        self.list.remove(&cookie).map(|(_, ino)| ino)
    }
}

/// All inodes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    nodes: HashMap<Ino, Node>,
    /// The folder that is mounted, when it is not the whole mailbox.
    entered: Option<Ino>,
}

impl Memory {
    /// Reads the whole store.
    pub(super) fn load(store: &Store) -> Result<Self> {
        let mut memory = Self::default();
        store.each_inode(|row| memory.put(row))?;
        store.each_entry(|dir, name, ino| {
            memory.link(dir, &name, ino, None);
        })?;
        for folder in store.folders()? {
            if let Some(dir) = memory.dir_mut(folder.ino) {
                dir.loaded = folder.loaded;
            }
        }
        for (ino, node) in &mut memory.nodes {
            if node.has_blob() {
                (node.attr.size, node.blocks) = store.blobs().size(*ino);
            }
        }
        Ok(memory)
    }

    /// Makes a folder the root; whether it is there.
    pub(super) fn enter(&mut self, folder: &str) -> bool {
        let is_folder = |ino: &Ino| {
            let node = self.get(*ino);
            node.is_some_and(|node| matches!(node.kind, InodeKind::Folder(_)))
        };
        let found = self.find(folder).filter(is_folder);
        self.entered = found;
        found.is_some()
    }

    /// The directory that is mounted.
    pub(super) fn root(&self) -> Ino {
        self.entered.unwrap_or(Ino::ROOT)
    }

    /// The inode at a path below the root.
    pub(super) fn find(&self, path: &str) -> Option<Ino> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(self.root(), |dir, name| self.dir(dir)?.get(name))
    }

    pub(super) fn get(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(&ino)
    }

    pub(super) fn get_mut(&mut self, ino: Ino) -> Option<&mut Node> {
        self.nodes.get_mut(&ino)
    }

    pub(super) fn dir(&self, ino: Ino) -> Option<&Dir> {
        self.get(ino)?.dir.as_deref()
    }

    fn dir_mut(&mut self, ino: Ino) -> Option<&mut Dir> {
        self.get_mut(ino)?.dir.as_deref_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Ino, &Node)> {
        self.nodes.iter().map(|(ino, node)| (*ino, node))
    }

    /// A name of a node, and the directory it is in.
    pub(super) fn name_of(&self, ino: Ino) -> Option<(Ino, String)> {
        self.iter().find_map(|(dir, node)| {
            let mut names = node.dir.as_deref()?.names();
            let (name, _) = names.find(|(_, child)| *child == ino)?;
            Some((dir, name.to_owned()))
        })
    }

    /// A node's path below the root, for people to read; empty when it has no name.
    pub(super) fn path(&self, dir: Ino, name: &str) -> String {
        let mut path = name.to_owned();
        let mut at = dir;
        // Bounded: a damaged store must not turn this into a loop.
        for _ in 0..64 {
            if at == self.root() {
                break;
            }
            let Some(above) = self.dir(at).and_then(|dir| dir.parent) else {
                break;
            };
            let Some((name, _)) = self
                .dir(above)
                .and_then(|dir| dir.names().find(|(_, ino)| *ino == at))
            else {
                break;
            };
            path = format!("{name}/{path}");
            at = above;
        }
        path
    }

    /// Takes in one event; returns an inode that neither a name nor the kernel knows any more.
    pub(super) fn apply(&mut self, event: &Event) -> Option<Ino> {
        match event {
            Event::Inode(row) => {
                self.put(row.clone());
                None
            }
            Event::Linked { dir, name, ino, at } => {
                self.link(*dir, name, *ino, Some(*at));
                None
            }
            Event::Unlinked {
                dir,
                name,
                at,
                ino: _,
            } => {
                self.unlink(*dir, name, *at);
                None
            }
            Event::Dropped { ino, replaced } => self.dropped(*ino, *replaced),
            Event::Stamped { ino, at } => {
                if let Some(node) = self.get_mut(*ino) {
                    node.attr.ctime = *at;
                }
                None
            }
            Event::Loaded(ino) => {
                if let Some(dir) = self.dir_mut(*ino) {
                    dir.loaded = true;
                }
                None
            }
            Event::Deed { .. } => None,
        }
    }

    /// Whether the kernel may have cached what an event changes: a folder that is not loaded was never listed.
    pub(super) fn is_listed(&self, event: &Event) -> bool {
        match event {
            Event::Linked { dir, .. } | Event::Unlinked { dir, .. } => {
                self.dir(*dir).is_some_and(|dir| dir.loaded)
            }
            Event::Loaded(_) => true,
            Event::Inode(_)
            | Event::Dropped { .. }
            | Event::Stamped { .. }
            | Event::Deed { .. } => false,
        }
    }

    fn put(&mut self, row: InodeRow) {
        let is_dir = matches!(
            row.kind,
            InodeKind::Root | InodeKind::Folder(_) | InodeKind::Dir
        );
        let loaded = !matches!(row.kind, InodeKind::Folder(_));
        let node = self.nodes.entry(row.ino).or_insert_with(|| Node {
            kind: row.kind.clone(),
            dirty: false,
            attr: row.attr,
            nlink: 0,
            lookups: 0,
            replaced: false,
            was: None,
            unsaved: false,
            read: false,
            made: None,
            mode: None,
            atime: None,
            blocks: None,
            dir: is_dir.then(|| {
                Box::new(Dir {
                    loaded,
                    ..Dir::default()
                })
            }),
        });
        node.mode = match (&node.kind, &row.kind) {
            (InodeKind::File, InodeKind::Card(_)) => Some(node.attr.mode), // As the program made it.
            (_, InodeKind::File) => None,
            _ => node.mode,
        };
        node.kind = row.kind;
        node.dirty = row.dirty;
        if !node.has_blob() {
            node.blocks = None;
        }
        // Attributes of a text being written are newer here than in the store.
        if !(node.unsaved && node.has_blob()) {
            node.attr = row.attr;
            node.unsaved = false;
        }
    }

    fn link(&mut self, dir: Ino, name: &str, ino: Ino, at: Option<Stamp>) {
        if let Some(child) = self.dir_mut(ino) {
            child.parent = Some(dir);
        }
        if let Some(node) = self.get_mut(ino) {
            node.nlink += 1;
            node.replaced = false;
        }
        let before = self.dir_mut(dir).and_then(|dir| dir.insert(name, ino));
        if let Some(before) = before {
            self.lost(dir, name, before);
        }
        if self.dir(ino).is_some()
            && let Some(dir) = self.dir_mut(dir)
        {
            dir.subdirs += 1;
        }
        self.touch(dir, at);
    }

    /// A name does not stand for an inode any more.
    fn lost(&mut self, dir: Ino, name: &str, gone: Ino) {
        let Some(node) = self.get_mut(gone) else {
            return;
        };
        node.lost(dir, name);
        if node.dir.is_some()
            && let Some(dir) = self.dir_mut(dir)
        {
            dir.subdirs = dir.subdirs.saturating_sub(1);
        }
    }

    fn unlink(&mut self, dir: Ino, name: &str, at: Stamp) {
        let gone = self.dir_mut(dir).and_then(|dir| dir.remove(name));
        if let Some(gone) = gone {
            self.lost(dir, name, gone);
        }
        self.touch(dir, Some(at));
    }

    /// A folder's time stands still until it is loaded, as in the store.
    fn touch(&mut self, dir: Ino, at: Option<Stamp>) {
        if let (Some(node), Some(at)) = (self.get_mut(dir), at)
            && node.dir.as_ref().is_some_and(|dir| dir.loaded)
        {
            node.attr.mtime = at;
            node.attr.ctime = at;
        }
    }

    fn dropped(&mut self, ino: Ino, replaced: bool) -> Option<Ino> {
        let node = self.get_mut(ino)?;
        node.nlink = 0;
        node.replaced |= replaced;
        self.release(ino)
    }

    /// The kernel was told of an inode.
    pub(super) fn remember(&mut self, ino: Ino) {
        if let Some(node) = self.get_mut(ino) {
            node.lookups += 1;
        }
    }

    /// The kernel forgot an inode; returns it when nothing knows it any more.
    pub(super) fn forget(&mut self, ino: Ino, count: u64) -> Option<Ino> {
        let node = self.get_mut(ino)?;
        node.lookups = node.lookups.saturating_sub(count);
        self.release(ino)
    }

    fn release(&mut self, ino: Ino) -> Option<Ino> {
        let node = self.get(ino)?;
        if node.nlink > 0 || node.lookups > 0 || ino == Ino::ROOT {
            return None;
        }
        self.nodes.remove(&ino);
        Some(ino)
    }
}
