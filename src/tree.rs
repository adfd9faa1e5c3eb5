//! What a file operation means: the directory of contacts and scratch files, in terms of paths, bytes and attributes.
//!
//! The truth is in the store; `Memory` mirrors it, so that reads need no disk and no network
//! (behaviour P3). Each operation that changes something is one store transaction, and the mirror follows by the
//! transaction's events. Knows nothing of FUSE: `fs` turns kernel requests into these calls.
//!
//! Lock order: `edit`, the store's writer lock, `memory`, then the caches. No operation takes `memory` while it waits.

mod about;
mod accept;
mod cache;
mod commit;
mod data;
mod dir;
mod error;
mod memory;
mod rename;
mod room;
#[cfg(test)]
mod tests;
mod writers;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use crate::store::Problem;
pub use crate::vcard::CardErrorKind;
pub use about::About;
pub use commit::Ticket;
pub use data::SetAttr;
pub use dir::Entry;
pub use error::Error;
pub use rename::Target;
pub use room::Sought;

use crate::model::{Ino, Stamp};
use crate::names;
use crate::store::{Deed, Event, Events, InodeKind, Notice, Store};
use cache::Cache;
use memory::{Memory, Node};
use writers::Writers;

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Longest file name, in bytes, as on any Linux filesystem.
const NAME_MAX: usize = 255;

/// The unit in which a file's room on the disk is counted.
const BLOCK: u64 = 512;

/// What the tree is told by the mount's options.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether every change is refused.
    pub read_only: bool,
    /// How long an unlinked contact may still come back (behaviour 4.4).
    pub delete_grace: Duration,
    /// How many cards' bytes are kept in memory.
    pub cache_size: NonZeroUsize,
    /// The owner of every file.
    pub uid: u32,
    /// The group of every file.
    pub gid: u32,
    /// The permission bits of a contact's file.
    pub file_mode: u16,
    /// The permission bits of a folder's directory.
    pub dir_mode: u16,
    /// The folder that is the root, by its path in the mailbox; the mailbox itself when `None`.
    pub folder: Option<String>,
}

/// What kind of file an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// A symbolic link.
    Symlink,
}

/// An inode's attributes as `stat` shows them.
#[derive(Clone, Debug)]
pub struct Stat {
    /// Its number.
    pub ino: Ino,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u16,
    /// How many names it has.
    pub nlink: u32,
    /// Length in bytes.
    pub size: u64,
    /// Room on the disk, in units of 512 bytes.
    pub blocks: u64,
    /// Last access, as a program set it; the last change of the bytes unless one did.
    pub atime: Stamp,
    /// Last change of the bytes.
    pub mtime: Stamp,
    /// Last change of bytes or attributes.
    pub ctime: Stamp,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What changed without a request of the kernel's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A name is new or stands for another inode.
    Linked {
        /// The directory.
        dir: Ino,
        /// The name in it.
        name: String,
    },
    /// A name is gone.
    Unlinked {
        /// The directory.
        dir: Ino,
        /// The name that was in it.
        name: String,
        /// What it stood for.
        ino: Ino,
    },
    /// A directory can be listed now.
    Loaded(Ino),
}

/// The longest that the kernel may take to hear of changes: it waits for directories that are in use.
const TELLING: Duration = Duration::from_secs(1);

/// Told of every change that the kernel did not ask for, and of progress that somebody may wait for.
pub trait Observer: Send + Sync {
    /// Called without any lock of the tree, but under the store's writer lock: must return at once.
    fn changed(&self, changes: Vec<Change>);

    /// Returns when the kernel has heard of all changes so far, or after this time.
    fn await_told(&self, longest: Duration);
}

/// Told of what becomes of contacts and folders, here and elsewhere.
pub trait Witness: Send + Sync {
    /// Whether it wants to hear of anything now.
    fn is_watching(&self) -> bool;

    /// Something became of the file at a path below the root, which was at another path before if `from` says so. Called
    /// under the store's writer lock and the tree's: must return at once.
    fn saw(&self, deed: &Deed, path: String, from: Option<String>);
}

/// The tree; share it by `Arc`.
pub struct Tree {
    store: Arc<Store>,
    settings: Settings,
    /// Taken first of all by whatever changes bytes or names.
    edit: Mutex<()>,
    /// Every inode and name. Taken after the store's writer lock.
    memory: Mutex<Memory>,
    /// As in the memory, whose lock it does without.
    root: Ino,
    cache: Cache,
    /// Who wrote what since the last commit. Taken last.
    writers: Mutex<Writers>,
    observer: std::sync::OnceLock<Arc<dyn Observer>>,
    witness: std::sync::OnceLock<Arc<dyn Witness>>,
    /// Inodes that nothing knows any more; their bytes are removed by the next transaction.
    forgotten: Mutex<Vec<Ino>>,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Tree {
    /// Reads the store's names and follows it from now on.
    ///
    /// # Errors
    /// When the store cannot be read; [`Error::NotFound`] when the folder that is to be the root is not there.
    pub fn new(store: Arc<Store>, settings: Settings) -> Result<Arc<Self>> {
        let tree = store.follow(|| {
            let mut memory = Memory::load(&store)?;
            if let Some(folder) = &settings.folder
                && !memory.enter(folder)
            {
                return Err(Error::NotFound);
            }
            Ok::<_, Error>(Arc::new(Self {
                cache: Cache::new(settings.cache_size),
                root: memory.root(),
                memory: Mutex::new(memory),
                writers: Mutex::default(),
                edit: Mutex::new(()),
                observer: std::sync::OnceLock::new(),
                witness: std::sync::OnceLock::new(),
                forgotten: Mutex::default(),
                store: Arc::clone(&store),
                settings,
            }))
        })?;
        tree.adopt_leftovers();
        Ok(tree)
    }

    /// Names who is told of changes; only the first call counts.
    pub fn set_observer(&self, observer: Arc<dyn Observer>) {
        let _already = self.observer.set(observer);
    }

    /// Returns when programs see all that has changed so far. Not to be called from a request of the kernel, which may have
    /// to be answered first.
    pub fn await_told(&self) {
        if let Some(observer) = self.observer.get() {
            observer.await_told(TELLING);
        }
    }

    /// Names who watches; only the first call counts.
    pub fn set_witness(&self, witness: Arc<dyn Witness>) {
        let _already = self.witness.set(witness);
    }

    /// An inode's attributes.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an inode that is gone.
    pub fn stat(&self, ino: Ino) -> Result<Stat> {
        let memory = self.memory();
        memory
            .get(ino)
            .map(|node| self.stat_of(ino, node))
            .ok_or(Error::NotFound)
    }

    /// Whether a directory can be listed now; anything that is no directory fails in its own way later.
    ///
    /// # Errors
    /// [`Error::NotLoaded`] when its first full load waits for a service that does not answer (behaviour P4).
    pub fn is_listable(&self, dir: Ino) -> Result<bool> {
        let loaded = self.memory().dir(dir).is_none_or(|entries| entries.loaded);
        if loaded || self.store.is_reachable() {
            Ok(loaded)
        } else {
            Err(Error::NotLoaded)
        }
    }

    /// The kernel forgot an inode `count` times.
    pub fn forget(&self, ino: Ino, count: u64) {
        let gone = self.memory().forget(ino, count);
        if let Some(gone) = gone {
            self.let_go(gone);
        }
    }

    /// Why the save a ticket stands for was not taken; `Ok(None)` while it is not decided.
    ///
    /// # Errors
    /// When the store fails.
    pub fn verdict(&self, ticket: Ticket) -> Result<Option<std::result::Result<(), Problem>>> {
        let waits = self.store.waiting(ticket.contact, ticket.seq)?.is_some();
        // Looked at second: a refusal is recorded together with the removal of its row.
        let problem = self.store.problem(ticket.contact, ticket.seq)?;
        if waits && problem.is_none() {
            return Ok((!self.store.is_reachable()).then_some(Ok(())));
        }
        let is_contact = self.store.contact(ticket.contact)?.is_some();
        self.store.told(); // Whoever hears the verdict finds the files that go with it.
        if let Some(problem) = problem {
            return Ok(Some(Err(problem)));
        }
        let is_draft = self
            .kind(ticket.ino)
            .is_ok_and(|kind| kind == InodeKind::Card(None));
        if is_draft && !is_contact {
            // A new contact that the service refused is a draft again.
            let problem = self.store.not_made(ticket.contact).unwrap_or_else(|| {
                Problem::Rejected("refused: the .error file beside it says why".to_owned())
            });
            return Ok(Some(Err(problem)));
        }
        Ok(Some(Ok(())))
    }

    /// The directory that is mounted.
    #[must_use]
    pub fn root(&self) -> Ino {
        self.root
    }

    /// The inode at a path below the root.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Ino> {
        self.memory().find(path)
    }

    /// The path of an inode below the root, for people to read.
    #[must_use]
    pub fn path_of(&self, ino: Ino) -> Option<String> {
        let memory = self.memory();
        let (dir, name) = memory.name_of(ino)?;
        Some(memory.path(dir, &name))
    }

    /// The path of a name in a directory, for people to read.
    #[must_use]
    pub fn path_in(&self, dir: Ino, name: &str) -> String {
        self.memory().path(dir, name)
    }

    /// Every file with text that is not (yet) an accepted card, by path.
    #[must_use]
    pub fn drafts(&self) -> Vec<String> {
        let memory = self.memory();
        let dirs = memory
            .iter()
            .filter_map(|(ino, node)| Some((ino, node.dir.as_deref()?)));
        dirs.flat_map(|(dir, names)| {
            names
                .names()
                .map(move |(name, ino)| (dir, name.to_owned(), ino))
        })
        .filter(|(_, _, ino)| memory.get(*ino).is_some_and(|node| node.dirty))
        .map(|(dir, name, _)| memory.path(dir, &name))
        .collect()
    }

    fn stat_of(&self, ino: Ino, node: &Node) -> Stat {
        let (kind, nlink, size) = match &node.kind {
            InodeKind::Root | InodeKind::Folder(_) | InodeKind::Dir => {
                (FileKind::Directory, node.dir_links(), 4096)
            }
            InodeKind::Card(_) | InodeKind::File => (FileKind::Regular, node.nlink, node.attr.size),
            InodeKind::Symlink(target) => (FileKind::Symlink, node.nlink, target.len() as u64),
        };
        Stat {
            ino,
            kind,
            mode: node.mode.unwrap_or(match &node.kind {
                InodeKind::Card(_) => self.settings.file_mode,
                InodeKind::Root | InodeKind::Folder(_) => self.settings.dir_mode,
                InodeKind::Dir | InodeKind::File | InodeKind::Symlink(_) => node.attr.mode,
            }),
            nlink,
            size,
            blocks: node.blocks.unwrap_or_else(|| size.div_ceil(BLOCK)),
            atime: node.atime.unwrap_or(node.attr.mtime),
            mtime: node.attr.mtime,
            ctime: node.attr.ctime,
            uid: self.settings.uid,
            gid: self.settings.gid,
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writers(&self) -> MutexGuard<'_, Writers> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while bytes or names change, so that the settling of a quiet edit does not cut into a running one.
    fn edit(&self) -> MutexGuard<'_, ()> {
        self.edit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn let_go(&self, ino: Ino) {
        self.cache.drop_ino(ino);
        self.writers().forget(ino);
        self.forgotten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(ino);
    }

    /// Runs one change; refused as a whole on a read-only mount.
    fn change<T>(&self, change: impl FnOnce(&mut crate::store::Tx<'_>) -> Result<T>) -> Result<T> {
        if self.settings.read_only {
            return Err(Error::ReadOnly);
        }
        let forgotten = std::mem::take(
            &mut *self
                .forgotten
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        let done = self.store.write(|tx| {
            tx.forget(&forgotten)?;
            change(tx)
        });
        if done.is_err() {
            self.forgotten
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(forgotten);
        }
        done
    }
}

impl Events for Tree {
    fn on_commit(&self, notices: Vec<Notice>) {
        let mut gone = Vec::new();
        let mut changes = Vec::new();
        {
            let mut memory = self.memory();
            for notice in notices {
                if let (Event::Deed { deed, dir, name }, Some(witness)) =
                    (&notice.event, self.witness.get())
                {
                    let from = match deed {
                        Deed::Changed(Some((dir, name))) | Deed::FolderRenamed((dir, name)) => {
                            Some(memory.path(*dir, name))
                        }
                        _ => None,
                    };
                    witness.saw(deed, memory.path(*dir, name), from);
                }
                if let Event::Inode(row) = &notice.event {
                    self.cache.drop_ino(row.ino);
                }
                gone.extend(memory.apply(&notice.event));
                if notice.foreign && memory.is_listed(&notice.event) {
                    changes.extend(change(notice.event));
                }
            }
        }
        for ino in gone {
            self.let_go(ino);
        }
        if let Some(observer) = self.observer.get() {
            observer.changed(changes);
        }
    }

    fn is_watched(&self) -> bool {
        self.witness.get().is_some_and(|it| it.is_watching())
    }
}

/// What the kernel has to be told of an event. An inode is one version of a card, so its attributes never change
/// without its being replaced under its name.
fn change(event: Event) -> Option<Change> {
    match event {
        Event::Linked { dir, name, .. } => Some(Change::Linked { dir, name }),
        Event::Unlinked { dir, name, ino, .. } => Some(Change::Unlinked { dir, name, ino }),
        Event::Loaded(dir) => Some(Change::Loaded(dir)),
        Event::Inode(_) | Event::Dropped { .. } | Event::Stamped { .. } | Event::Deed { .. } => {
            None
        }
    }
}

/// Refuses names that no file here can have.
fn check_name(name: &str) -> Result<()> {
    if name.len() > NAME_MAX {
        return Err(Error::NameTooLong);
    }
    Ok(())
}

/// What a name in a directory of some kind stands for (behaviour 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A contact in a contact folder.
    Card,
    /// Something of a program's own.
    Scratch,
    /// A card name where no contact can be: in the root.
    Nowhere,
}

fn place(dir: &InodeKind, name: &str) -> Place {
    match dir {
        InodeKind::Folder(_) if names::is_card_name(name) => Place::Card,
        InodeKind::Root if names::is_card_name(name) => Place::Nowhere,
        _ => Place::Scratch,
    }
}
