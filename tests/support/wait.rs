//! Waiting on conditions, and an end to tests that hang.
//!
//! A test that hangs in a system call on a mount cannot be interrupted from within; killing the process behind the mount
//! makes the call fail, and the test with it. The list of live mounts exists for that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::UnmountFlags;
use rustix::process::{Pid, Signal, kill_process};

const PAUSE: Duration = Duration::from_millis(20);
/// What a test gets to fail by itself after its mounts were killed.
const GRACE: Duration = Duration::from_secs(15);

/// What [`eventually`] polls: `bool` or `Option`.
pub trait Eventually {
    /// What it becomes.
    type Value;
    /// The value, once it is there.
    fn ready(self) -> Option<Self::Value>;
}

impl Eventually for bool {
    type Value = ();
    fn ready(self) -> Option<()> {
        self.then_some(())
    }
}

impl<T> Eventually for Option<T> {
    type Value = T;
    fn ready(self) -> Self {
        self
    }
}

/// Polls every 20 ms until there is a value, which it returns; fails the test with `what` after `within`.
#[track_caller]
pub fn eventually<E: Eventually>(
    within: Duration,
    what: &str,
    mut poll: impl FnMut() -> E,
) -> E::Value {
    let end = Instant::now() + within;
    loop {
        if let Some(value) = poll().ready() {
            return value;
        }
        assert!(Instant::now() < end, "not within {within:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// A time limit on the test that holds it.
pub struct Limit {
    time: Duration,
    over: Arc<AtomicBool>,
    _done: Sender<()>,
}

/// A limit for a test without a world; a world has its own. Held in a variable: `let _limit = limit(...)`.
#[must_use]
pub fn limit(time: Duration) -> Limit {
    Limit::new(time, new_owner())
}

impl Limit {
    /// Ends the mounts of `owner` after `time`, and the whole test program if that does not help.
    pub(super) fn new(time: Duration, owner: u64) -> Self {
        let test = thread::current().name().unwrap_or("a test").to_owned();
        let over = Arc::new(AtomicBool::new(false));
        let (done, ended) = channel::<()>();
        let expired = Arc::clone(&over);
        thread::spawn(move || {
            let left = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if !left(time) {
                return;
            }
            expired.store(true, Ordering::SeqCst);
            eprintln!("{test}: over its limit of {time:?}; its mounts are killed");
            kill_mounts(|live| live.owner == owner);
            if left(GRACE) {
                eprintln!("{test}: does not end; giving up on all tests of this program");
                kill_mounts(|_| true);
                std::process::exit(101);
            }
        });
        Self {
            time,
            over,
            _done: done,
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        if self.over.load(Ordering::SeqCst) && !thread::panicking() {
            panic!("the test took longer than {:?}", self.time);
        }
    }
}

/// A mount that a process started here serves.
struct Live {
    owner: u64,
    pid: Pid,
    dir: PathBuf,
}

static LIVE: Mutex<Vec<Live>> = Mutex::new(Vec::new());

pub(super) fn new_owner() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::SeqCst)
}

/// Puts a mount on the list.
pub(super) fn mount_began(owner: u64, pid: Pid, dir: &Path) {
    let dir = dir.to_owned();
    live().push(Live { owner, pid, dir });
}

/// Takes it off, before the process is waited for: its id is nobody else's until then.
pub(super) fn mount_ended(pid: Pid) {
    live().retain(|live| live.pid != pid);
}

/// Takes a mount off the tree whatever state it is in.
pub(super) fn detach(dir: &Path) {
    // Forced, because a killed process may hang in its own mount.
    let flags = UnmountFlags::DETACH | UnmountFlags::FORCE;
    if rustix::mount::unmount(dir, flags).is_err() {
        let helper = Command::new("fusermount3")
            .args(["-u", "-z", "--"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // Usually it is not mounted any more; a leftover shows when the directory cannot be removed.
        drop(helper);
    }
}

fn live() -> MutexGuard<'static, Vec<Live>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill_mounts(which: impl Fn(&Live) -> bool) {
    for live in live().iter().filter(|live| which(live)) {
        // It may have ended by itself.
        let _ = kill_process(live.pid, Signal::KILL);
        detach(&live.dir);
    }
}
