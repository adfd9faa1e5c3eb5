//! Tells the kernel what changed without its asking.
//!
//! An inode is one version of a card: a change made elsewhere puts another inode under the name, so dropping the name
//! from the kernel's cache is enough, and a program that has the old inode open goes on reading the old version
//! (behaviour 2.3). The directory's own cache is dropped too, or a listing would show the old names.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fuser::{INodeNo, Notifier};

use crate::model::Ino;
use crate::tree::Change;

/// Batches of changes sent in one go before their directories are dropped as well.
const BATCH: usize = 64;

/// Hands messages to the notifier's thread; never blocks.
pub(super) type Messages = Sender<Message>;

/// What the notifier's thread is handed.
pub(super) enum Message {
    /// The kernel has to hear of these.
    Changes(Vec<Change>),
    /// Dropped as soon as the kernel has heard of all that came before.
    Asked(Sender<Never>),
}

/// Nothing: who asks waits for the end of the channel.
pub(super) enum Never {}

/// Waits until the kernel has heard of all that was handed in so far, or until it took so long.
pub(super) fn await_told(messages: &Messages, longest: Duration) {
    let (asked, answer) = channel();
    if messages.send(Message::Asked(asked)).is_ok() {
        let _ended = answer.recv_timeout(longest);
    }
}

/// The notifier's thread.
pub(super) struct Telling {
    messages: Messages,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Telling {
    /// Starts the thread.
    pub(super) fn start(notifier: Notifier, root: Ino) -> io::Result<Self> {
        let (messages, receiver) = channel();
        let stopping = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopping);
        let kernel = Kernel { notifier, root };
        let thread = thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || run(&kernel, &receiver, &seen))?;
        Ok(Self {
            messages,
            stopping,
            thread,
        })
    }

    /// Where messages are handed in.
    pub(super) fn messages(&self) -> Messages {
        self.messages.clone()
    }

    /// Ends the thread while requests are still answered. In the kernel it may wait for a directory that a program holds
    /// which waits for our answer; a process that ended then would never be gone.
    pub(super) fn end(&self, within: Duration) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ended = self.messages.send(Message::Changes(Vec::new()));
        let until = Instant::now() + within;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn run(kernel: &Kernel, receiver: &Receiver<Message>, stopping: &AtomicBool) {
    while let Ok(first) = receiver.recv() {
        let (mut dirs, mut asked) = (BTreeSet::new(), Vec::new());
        for message in std::iter::once(first).chain(receiver.try_iter().take(BATCH)) {
            let changes = match message {
                Message::Changes(changes) => changes,
                Message::Asked(by) => {
                    asked.push(by);
                    continue;
                }
            };
            for change in changes {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                dirs.insert(kernel.tell(change));
            }
        }
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        for dir in dirs {
            report(kernel.notifier.inval_inode(kernel.number(dir), 0, 0));
        }
    }
}

/// The kernel's side of the mount.
struct Kernel {
    notifier: Notifier,
    root: Ino,
}

impl Kernel {
    /// Drops a name from the kernel's cache; returns its directory.
    fn tell(&self, change: Change) -> Ino {
        match change {
            Change::Linked { dir, name } => {
                report(
                    self.notifier
                        .inval_entry(self.number(dir), OsStr::new(&name)),
                );
                dir
            }
            Change::Unlinked { dir, name, ino } => {
                let (dir_number, number) = (self.number(dir), self.number(ino));
                report(self.notifier.delete(dir_number, number, OsStr::new(&name)));
                dir
            }
            Change::Loaded(dir) => dir,
        }
    }

    /// The kernel's number of an inode: its root may be a folder, and then it knows nothing of what is above.
    fn number(&self, ino: Ino) -> INodeNo {
        if ino == self.root {
            INodeNo::ROOT
        } else {
            INodeNo(ino.0)
        }
    }
}

fn report(done: io::Result<()>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the kernel refused an invalidation");
    }
}
