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
use crate::store::{Event, Notice};

/// Invalidations sent in one go before the directories of the batch are dropped as well.
const BATCH: usize = 64;

/// Hands notices to the notifier's thread; never blocks.
pub(super) type Notices = Sender<Vec<Notice>>;

/// Starts the thread; it ends when every sender is gone.
pub(super) fn start(notifier: Notifier) -> io::Result<Notices> {
    let (sender, receiver) = channel();
    thread::Builder::new()
        .name("notify".to_owned())
        .spawn(move || run(&notifier, &receiver))?;
    Ok(sender)
}

fn run(notifier: &Notifier, receiver: &Receiver<Vec<Notice>>) {
    while let Ok(first) = receiver.recv() {
        let notices = first
            .into_iter()
            .chain(receiver.try_iter().take(BATCH).flatten());
        let mut dirs = BTreeSet::new();
        for notice in notices.filter(|notice| notice.foreign) {
            match notice.event {
                Event::Linked { dir, name, .. } => {
                    dirs.insert(dir);
                    report(notifier.inval_entry(INodeNo(dir.0), OsStr::new(&name)));
                }
                Event::Unlinked { dir, name, ino, .. } => {
                    dirs.insert(dir);
                    report(notifier.delete(INodeNo(dir.0), INodeNo(ino.0), OsStr::new(&name)));
                }
                Event::Loaded(dir) => drop(dirs.insert(dir)),
                Event::Inode(_) | Event::Dropped { .. } => {}
            }
        }
        for Ino(dir) in dirs {
            report(notifier.inval_inode(INodeNo(dir), 0, 0));
        }
    }
}

fn report(done: io::Result<()>) {
    if let Err(error) = done {
        tracing::debug!(%error, "the kernel refused an invalidation");
    }
}
