//! Tells the kernel what changed without its asking.
//!
//! An inode is one version of a card: a change made elsewhere puts another inode under the name, so dropping the name
//! from the kernel's cache is enough, and a program that has the old inode open goes on reading the old version
//! (behaviour 2.3). The directory's own cache is dropped too, or a listing would show the old names.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use fuser::{INodeNo, Notifier};

use crate::model::Ino;
use crate::tree::Change;

/// Batches of changes sent in one go before their directories are dropped as well.
const BATCH: usize = 64;

/// Hands changes to the notifier's thread; never blocks.
pub(super) type Changes = Sender<Vec<Change>>;

/// Starts the thread; it ends when every sender is gone.
pub(super) fn start(notifier: Notifier) -> io::Result<Changes> {
    let (sender, receiver) = channel();
    thread::Builder::new()
        .name("notify".to_owned())
        .spawn(move || run(&notifier, &receiver))?;
    Ok(sender)
}

fn run(notifier: &Notifier, receiver: &Receiver<Vec<Change>>) {
    while let Ok(first) = receiver.recv() {
        let mut dirs = BTreeSet::new();
        for change in first
            .into_iter()
            .chain(receiver.try_iter().take(BATCH).flatten())
        {
            dirs.insert(tell(notifier, change));
        }
        for Ino(dir) in dirs {
            report(notifier.inval_inode(INodeNo(dir), 0, 0));
        }
    }
}

/// Drops a name from the kernel's cache; returns its directory.
fn tell(notifier: &Notifier, change: Change) -> Ino {
    match change {
        Change::Linked { dir, name } => {
            report(notifier.inval_entry(INodeNo(dir.0), OsStr::new(&name)));
            dir
        }
        Change::Unlinked { dir, name, ino } => {
            report(notifier.delete(INodeNo(dir.0), INodeNo(ino.0), OsStr::new(&name)));
            dir
        }
        Change::Loaded(dir) => dir,
    }
}

fn report(done: io::Result<()>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the kernel refused an invalidation");
    }
}
