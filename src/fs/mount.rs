//! Mounting, and taking the mount down again whatever state it is in.

use std::io;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use rustix::fs::{AtFlags, CWD, StatxFlags};
use rustix::mount::UnmountFlags;

use super::notify::{Message, Messages, Telling, await_told};
use super::ops::Ops;
use super::wait::Waits;
use crate::tree::{Change, Observer, Tree};

/// What the mount's options say to the kernel's side.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the kernel refuses every change.
    pub read_only: bool,
    /// Whether every user may enter; the kernel checks permissions.
    pub allow_other: bool,
    /// Whether root may enter a user's mount.
    pub allow_root: bool,
    /// How long `fsync` waits for the server's verdict.
    pub fsync_timeout: Duration,
    /// Whether `close` waits as `fsync` does.
    pub sync: bool,
    /// Whether contacts' files have extended attributes.
    pub xattr: bool,
}

/// Called when a mount has ended.
pub type OnEnd = Box<dyn Fn() + Send + Sync>;

/// A live mount.
pub struct Mounted {
    dir: PathBuf,
    /// The kernel's number of the mount.
    number: Option<u64>,
    /// Never dropped: dropping would unmount whatever is mounted at that path by then.
    _session: ManuallyDrop<BackgroundSession>,
    telling: Telling,
    ended: Receiver<()>,
    waits: Arc<Waits>,
    wait_thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mounted")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// Passes the tree's changes on to the two threads that need them.
struct Passed {
    messages: Mutex<Messages>,
    waits: Arc<Waits>,
}

impl Passed {
    fn messages(&self) -> Messages {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.clone()
    }
}

impl Observer for Passed {
    fn changed(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            let _ended = self.messages().send(Message::Changes(changes));
        }
        self.waits.poke();
    }

    fn await_told(&self, longest: Duration) {
        await_told(&self.messages(), longest);
    }
}

impl Mounted {
    /// Mounts a tree at a directory; the kernel's requests are answered from now on. `on_end` is called when the mount
    /// has ended, by whatever means.
    ///
    /// # Errors
    /// When the kernel or `fusermount3` refuses.
    pub fn new(tree: Arc<Tree>, dir: &Path, options: &Options, on_end: OnEnd) -> io::Result<Self> {
        let waits = Arc::new(Waits::default());
        let (end, ended) = channel();
        let on_end: OnEnd = Box::new(move || {
            let _nobody_waits = end.send(());
            on_end();
        });
        let ops = Ops::new(Arc::clone(&tree), Arc::clone(&waits), options, on_end)?;
        let session = Session::new(ops, dir, &config(options)).map_err(|error| explain(&error))?;
        let telling = Telling::start(session.notifier(), tree.root())?;
        let messages = Mutex::new(telling.messages());
        tree.set_observer(Arc::new(Passed {
            messages,
            waits: Arc::clone(&waits),
        }));
        let wait_thread = Some(waits.start(tree)?);
        let session = ManuallyDrop::new(session.spawn()?);
        Ok(Self {
            dir: dir.to_owned(),
            number: mount_number(dir),
            _session: session,
            telling,
            ended,
            waits,
            wait_thread,
        })
    }

    /// Takes the mount down, lazily if a program still uses it, and answers whoever waits.
    pub fn unmount(mut self) {
        self.waits.close();
        if !self.is_gone()
            && let Err(error) = detach(&self.dir)
        {
            tracing::warn!(%error, "unmounting failed");
        }
        let _still_used = self.ended.recv_timeout(Duration::from_secs(2));
        self.telling.end(Duration::from_secs(2));
        if let Some(thread) = self.wait_thread.take() {
            let _panicked = thread.join();
        }
    }

    /// Whether it was taken down from outside. What is seen there then is not ours: the mount that mounts on demand, say.
    fn is_gone(&self) -> bool {
        let numbers = mount_number(&self.dir).zip(self.number);
        numbers.is_some_and(|(now, own)| now != own)
    }
}

fn config(options: &Options) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("contactfs".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::NoAtime,
    ];
    if options.read_only {
        config.mount_options.push(MountOption::RO);
    }
    config.acl = match (options.allow_other, options.allow_root) {
        (true, _) => SessionACL::All,
        (false, true) => SessionACL::RootAndOwner,
        (false, false) => SessionACL::Owner,
    };
    config
}

/// fuser tries no helper when the device cannot be opened, so the text has to say what is wrong (fuse.md 1.2, 11).
fn explain(error: &io::Error) -> io::Error {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "is /dev/fuse there and fusermount3 (package fuse3) installed?",
        io::ErrorKind::PermissionDenied => {
            "may this user open /dev/fuse, and write to the mount point?"
        }
        _ => "see `contactfs doctor`",
    };
    io::Error::new(error.kind(), format!("cannot mount: {error}; {hint}"))
}

/// The number of the topmost mount at a directory, asked of nobody but the kernel; `None` from one that is too old to tell.
fn mount_number(dir: &Path) -> Option<u64> {
    let flags = AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let found = rustix::fs::statx(CWD, dir, flags, StatxFlags::MNT_ID).ok()?;
    let is_told = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::MNT_ID);
    is_told.then_some(found.stx_mnt_id)
}

/// Takes down whatever is mounted at `dir`, even while programs use it.
///
/// # Errors
/// When neither the system call nor `fusermount3` succeeds.
fn detach(dir: &Path) -> io::Result<()> {
    if rustix::mount::unmount(dir, UnmountFlags::DETACH).is_ok() {
        return Ok(());
    }
    let done = Command::new("fusermount3")
        .args(["-u", "-z", "--"])
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if done.success() {
        Ok(())
    } else {
        Err(io::Error::other("fusermount3 failed"))
    }
}
