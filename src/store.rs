//! The durable truth of one account and mailbox: folders, contacts, names, inodes, bytes and the outbox.
//!
//! Every change of state, by a local program or by the service, is one [`Tx`]: a database transaction that
//! also records [`Event`]s. The events are handed to the listener after the commit and before the next
//! transaction begins, so that a mirror in memory (the tree) sees every change once and in order.
//! Lock order: the writer lock here, then whatever the listener locks.
//!
//! This module is the only user of the database. It knows nothing of FUSE or HTTP.

mod apply;
mod blobs;
mod check;
mod checkpoint;
mod clash;
mod contacts;
mod deeds;
mod folders;
mod guard;
mod history;
mod inodes;
mod outbox;
mod photos;
mod reject;
mod schema;
mod sidecar;
mod unread;
mod upkeep;

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

pub use apply::{Seen, ServerContact};
pub use blobs::Blobs;
pub use check::check;
pub use clash::{Clash, Sides};
pub use contacts::{ContactRow, RowId};
pub use deeds::{Deed, Place};
pub use folders::{FolderRow, FolderRowId};
pub use history::{Fate, Version};
pub use inodes::{Attr, InodeKind, InodeRow};
pub use outbox::{Job, Op, Pending, Seq, TakenBack, Unlinked};
pub use photos::{PhotoDue, PhotoJob, Photos};
pub use reject::Problem;

use crate::model::{Ino, Stamp, Tier};
use crate::vcard::{Prefer, Style};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds this account's store.
    #[error("the mailbox is already mounted by another process (lock {0})")]
    Locked(PathBuf),
    /// The database was written by a later version of the program.
    #[error("the store is of a newer version ({found}, this program knows {known})")]
    Newer {
        /// Version found in the file.
        found: usize,
        /// Latest version this program knows.
        known: usize,
    },
    /// The store belongs to another mailbox.
    #[error("the store in this state directory belongs to {0}")]
    OtherMailbox(String),
    /// SQLite failed; a full disk is among the reasons.
    #[error("store: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The local disk failed.
    #[error("store: {0}")]
    Io(#[from] io::Error),
    /// A row does not make sense.
    #[error("store: {0}")]
    Corrupt(String),
}

impl Error {
    /// Whether the local disk is full (behaviour 7.6).
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sql(error) => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            Self::Io(error) => error.kind() == io::ErrorKind::StorageFull,
            Self::Locked(_) | Self::Newer { .. } | Self::OtherMailbox(_) | Self::Corrupt(_) => {
                false
            }
        }
    }
}

/// The result of most store calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One thing that changed, for mirrors of the store.
#[derive(Clone, Debug)]
pub enum Event {
    /// An inode is new or has other attributes.
    Inode(InodeRow),
    /// A name now stands for an inode, replacing whatever it stood for.
    Linked {
        /// The directory.
        dir: Ino,
        /// The name in it.
        name: String,
        /// What it stands for.
        ino: Ino,
        /// When.
        at: Stamp,
    },
    /// A name is gone.
    Unlinked {
        /// The directory.
        dir: Ino,
        /// The name that was in it.
        name: String,
        /// What it stood for.
        ino: Ino,
        /// When.
        at: Stamp,
    },
    /// An inode has no name any more. When the service replaced it, `replaced` holds.
    Dropped {
        /// The inode.
        ino: Ino,
        /// Whether a change made elsewhere put another inode in its place (behaviour 2.3).
        replaced: bool,
    },
    /// An inode's attributes changed in the store at this time, as its mirror knows but for the time itself.
    Stamped {
        /// The inode.
        ino: Ino,
        /// When.
        at: Stamp,
    },
    /// A folder's first full load is complete.
    Loaded(Ino),
    /// Something became of a contact or folder; only when somebody watches.
    Deed {
        /// What.
        deed: Deed,
        /// The directory of its file.
        dir: Ino,
        /// The name of its file.
        name: String,
    },
}

/// An event and whether the kernel has to be told: it knows what its own requests did.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What changed.
    pub event: Event,
    /// Whether the change came from elsewhere than the request being answered.
    pub foreign: bool,
}

/// A mirror of the store.
pub trait Events: Send + Sync {
    /// Called after each commit, in order, under the store's writer lock: must not call the store. Without notices
    /// when only the outbox or the connection changed.
    fn on_commit(&self, notices: Vec<Notice>);

    /// Whether anybody wants to hear of deeds.
    fn is_watched(&self) -> bool;
}

/// Whoever sends the outbox.
pub trait Wake: Send + Sync {
    /// There may be something to send.
    fn wake(&self);
}

/// Contacts that were not made, of which is remembered why: more than anybody waits for at a time.
const UNMADE: usize = 64;

/// The store; share it by `Arc`.
pub struct Store {
    /// The one writer; taken before any lock of a listener.
    writer: Mutex<Connection>,
    /// For reads beside a running write.
    reader: Mutex<Connection>,
    blobs: Blobs,
    reachable: AtomicBool,
    style: Style,
    prefer: Prefer,
    photos: Photos,
    is_guarded: bool,
    /// Files whose picture was read since the last change; that change records it. Held for moments only.
    known: Mutex<Vec<Ino>>,
    /// The last contacts that the service did not make, the newest first. Held for moments only.
    unmade: Mutex<VecDeque<(RowId, Problem)>>,
    path: PathBuf,
    checkpointer: checkpoint::Checkpointer,
    events: OnceLock<Arc<dyn Events>>,
    wake: OnceLock<Arc<dyn Wake>>,
    _lock: File,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the store in `dir` (mode 0700) for one mailbox and locks it for this process. `origin` is where the
    /// service is: delta links of another origin are worth nothing, so every folder is read again then.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it, [`Error::Newer`], [`Error::OtherMailbox`], or a failure of the disk.
    pub fn open(dir: &Path, mailbox: &str, origin: &str, style: Style) -> Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let lock = lock(&dir.join("lock"))?;
        let path = dir.join("store.db");
        drop(
            OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&path)?,
        );
        let mut writer = connect(&path)?;
        schema::migrate(&mut writer)?;
        claim(&writer, mailbox, origin, style.tier)?;
        let store = Self {
            reader: Mutex::new(connect(&path)?),
            writer: Mutex::new(writer),
            blobs: Blobs::open(&dir.join("scratch"))?,
            reachable: AtomicBool::new(true),
            style,
            prefer: Prefer::default(),
            photos: Photos::default(),
            is_guarded: true,
            known: Mutex::default(),
            unmade: Mutex::default(),
            checkpointer: checkpoint::Checkpointer::start(path.clone())?,
            path,
            events: OnceLock::new(),
            wake: OnceLock::new(),
            _lock: lock,
        };
        store.recover()?;
        File::open(dir)?.sync_all()?; // The files' own names; `sync_durable` syncs what is in them.
        Ok(store)
    }

    /// Says whose value stands where both sides changed the same property (behaviour 6.2).
    #[must_use]
    pub fn preferring(self, prefer: Prefer) -> Self {
        Self { prefer, ..self }
    }

    /// Makes the mirror and names it, with nothing committed between what it reads and what it hears; only the first
    /// mirror counts.
    ///
    /// # Errors
    /// What `load` returns; it must not write to the store.
    pub fn follow<M: Events + 'static, E>(
        &self,
        load: impl FnOnce() -> Result<Arc<M>, E>,
    ) -> Result<Arc<M>, E> {
        let _writer = self.writer();
        let mirror = load()?;
        let _already = self.events.set(Arc::<M>::clone(&mirror));
        Ok(mirror)
    }

    /// Names the sender of the outbox; only the first call counts.
    pub fn set_wake(&self, wake: Arc<dyn Wake>) {
        let _already = self.wake.set(wake);
    }

    /// Tells the sender that there may be something to send.
    pub fn wake(&self) {
        if let Some(wake) = self.wake.get() {
            wake.wake();
        }
    }

    /// The backing files.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// How cards are rendered on this mount.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Runs one change of state: all of it is committed, or nothing.
    ///
    /// # Errors
    /// What `change` returns, or a failure of the database; nothing has changed then.
    pub fn write<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer();
        let (done, wakes) = self.write_locked(&mut writer, change)?;
        drop(writer);
        if wakes {
            self.wake();
        }
        Ok(done)
    }

    fn write_locked<T, E: From<Error>>(
        &self,
        writer: &mut Connection,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<(T, bool), E> {
        let sql = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let mut tx = Tx {
            sql,
            blobs: &self.blobs,
            style: self.style,
            prefer: self.prefer,
            photos: self.photos,
            is_guarded: self.is_guarded,
            now: Stamp::now(),
            foreign: false,
            notices: Vec::new(),
            garbage: Vec::new(),
            unmade: Vec::new(),
            deeds: self.is_watched().then(Vec::new),
            wakes: false,
        };
        let known = std::mem::take(&mut *self.known());
        let done = tx.record_known(&known).map_err(E::from);
        let done = done.and_then(|()| change(&mut tx));
        let done = done.and_then(|done| tx.tell_deeds().map(|()| done).map_err(E::from));
        if done.is_err() {
            self.known().extend(known);
        }
        let done = done?;
        let Tx {
            sql,
            notices,
            garbage,
            unmade,
            wakes,
            ..
        } = tx;
        // Before the rows are seen to be gone.
        self.note_unmade(unmade);
        let rows = sql.total_changes();
        sql.commit().map_err(Error::from)?;
        self.checkpointer.note(rows);
        self.tell(notices);
        for ino in garbage {
            self.blobs.remove(ino);
        }
        Ok((done, wakes))
    }

    fn unmade(&self) -> MutexGuard<'_, VecDeque<(RowId, Problem)>> {
        self.unmade.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_unmade(&self, contacts: Vec<(RowId, Problem)>) {
        let mut unmade = self.unmade();
        for contact in contacts {
            unmade.push_front(contact);
        }
        unmade.truncate(UNMADE);
    }

    fn is_watched(&self) -> bool {
        self.events.get().is_some_and(|events| events.is_watched())
    }

    fn tell(&self, notices: Vec<Notice>) {
        if let Some(events) = self.events.get() {
            events.on_commit(notices);
        }
    }

    /// A program has read a file that shows a picture. Touches no disk.
    pub fn note_known(&self, ino: Ino) {
        self.known().push(ino);
    }

    fn known(&self) -> MutexGuard<'_, Vec<Ino>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the service answered last time; a save does not wait for one that does not (behaviour 3.4).
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        self.reachable.load(Ordering::Relaxed)
    }

    /// Says whether the service answers.
    pub fn set_reachable(&self, reachable: bool) {
        if self.reachable.swap(reachable, Ordering::Relaxed) != reachable {
            let _writer = self.writer();
            self.tell(Vec::new());
        }
    }

    /// Returns when the listener knows of every change that a read has seen.
    pub(crate) fn told(&self) {
        drop(self.writer());
    }

    /// Runs a read over the last committed state.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        look(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes everything committed so far survive a power cut, as `fsync` promises (behaviour P1). Holds up no change.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync_durable(&self) -> Result<()> {
        // At `synchronous = NORMAL` a commit is written to the log and only a checkpoint syncs it. Syncing the log beside
        // SQLite makes nobody wait for the disk; the locks of SQLite are on other files, so closing this one drops none.
        File::open(self.path.with_extension("db-wal"))?.sync_data()?;
        Ok(())
    }

    /// Moves the whole log into the database file, so that the next start finds it short. For the end of a mount: it waits
    /// for the disk.
    pub fn checkpoint(&self) {
        checkpoint::checkpoint(&self.writer(), "TRUNCATE");
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One change of state under way. Its methods are spread over the files of this module by what they touch.
pub struct Tx<'a> {
    sql: Transaction<'a>,
    blobs: &'a Blobs,
    style: Style,
    prefer: Prefer,
    photos: Photos,
    is_guarded: bool,
    now: Stamp,
    foreign: bool,
    notices: Vec<Notice>,
    garbage: Vec<Ino>,
    /// Contacts that the service did not make.
    unmade: Vec<(RowId, Problem)>,
    /// What became of contacts; `None` when nobody watches.
    deeds: Option<Vec<(Deed, deeds::Of)>>,
    wakes: bool,
}

impl Tx<'_> {
    /// The time of this change.
    #[must_use]
    pub fn now(&self) -> Stamp {
        self.now
    }

    /// The backing files.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        self.blobs
    }

    /// How cards are rendered on this mount.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// Runs a part of the change whose results the kernel does not expect and must be told.
    ///
    /// # Errors
    /// What `part` returns.
    pub fn foreign<T, E>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let before = std::mem::replace(&mut self.foreign, true);
        let done = part(self);
        self.foreign = before;
        done
    }

    fn emit(&mut self, event: Event) {
        self.notices.push(Notice {
            event,
            foreign: self.foreign,
        });
    }

    /// Takes the next number of a persistent counter.
    fn next(&self, counter: &str, first: u64) -> Result<u64> {
        let next = self
            .sql
            .prepare_cached(
                "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = value + 1 RETURNING value",
            )?
            .query_row((counter, first), |row| row.get(0))?;
        Ok(next)
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let sql = Connection::open(path)?;
    sql.busy_timeout(Duration::from_secs(30))?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "NORMAL")?;
    // A checkpoint syncs the disk: it is done beside the kernel's requests, see `checkpoint`.
    sql.pragma_update(None, "wal_autocheckpoint", 0)?;
    sql.set_prepared_statement_cache_capacity(128);
    Ok(sql)
}

/// Binds a new store to its mailbox, refuses one that belongs to another, and forgets what this mount cannot go on from.
fn claim(sql: &Connection, mailbox: &str, origin: &str, tier: Tier) -> Result<()> {
    let meta = |key: &str| -> Result<Option<String>> {
        Ok(sql
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()?)
    };
    if let Some(owner) = meta("mailbox")?.filter(|owner| owner != mailbox) {
        return Err(Error::OtherMailbox(owner));
    }
    if meta("origin")?.is_some_and(|known| known != origin) {
        sql.execute("UPDATE folder SET delta = NULL, resume = NULL", [])?;
    }
    let tier = format!("{tier:?}");
    if meta("tier")?.is_none_or(|known| known != tier) {
        // Of each contact more, or less, is to be shown: every version is news.
        sql.execute("UPDATE contact SET change_key = NULL", [])?;
        sql.execute("UPDATE folder SET delta = NULL, resume = NULL", [])?;
    }
    for (key, value) in [("mailbox", mailbox), ("origin", origin), ("tier", &tier)] {
        sql.execute("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", [key, value])?;
    }
    Ok(())
}

/// Takes the lock that keeps a second process out; released by the kernel when the process ends.
fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked(path.to_owned())),
        Err(errno) => Err(io::Error::from(errno).into()),
    }
}

#[cfg(test)]
mod tests;
