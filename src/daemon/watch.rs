//! Those who watch a mount: each has a bounded queue of what happened, which the mount never waits for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::observe::happening::{Event, Happening};
use crate::store::{Deed, Problem};
use crate::tree::Witness;

/// How far a watcher may lag behind.
const QUEUE: usize = 1024;

/// Everybody who watches.
#[derive(Default)]
pub struct Watchers(Mutex<Vec<Sender>>);

struct Sender {
    queue: SyncSender<Happening>,
    /// Something did not fit. Shared with the receiver, which says so.
    lost: Arc<AtomicBool>,
}

/// What one watcher has still to hear.
pub struct Watch {
    queue: Receiver<Happening>,
    lost: Arc<AtomicBool>,
}

/// What a [`Watch`] says next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This happened.
    Happening(Happening),
    /// Nothing happened for a while.
    Quiet,
    /// The mount ends.
    End,
}

impl Watchers {
    /// Begins to watch, with how things are.
    pub fn join(&self, now: Event) -> Watch {
        let (sender, queue) = sync_channel(QUEUE);
        let _fits = sender.try_send(happening(now));
        let lost = Arc::new(AtomicBool::new(false));
        self.list().push(Sender {
            queue: sender,
            lost: Arc::clone(&lost),
        });
        Watch { queue, lost }
    }

    /// Tells everybody; returns at once. Those who are gone are forgotten.
    pub fn tell(&self, event: &Event) {
        let mut list = self.list();
        if list.is_empty() {
            return;
        }
        let happening = happening(event.clone());
        list.retain(|watcher| watcher.hear(&happening));
    }

    /// Lets everybody hear the rest, and then that it is the end.
    pub fn end(&self) {
        self.list().clear();
    }

    /// Held for moments only.
    fn list(&self) -> MutexGuard<'_, Vec<Sender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// Whether there is still somebody.
    fn hear(&self, happening_now: &Happening) -> bool {
        if self.lost.load(Ordering::SeqCst) && self.queue.try_send(happening(Event::Lost)).is_ok() {
            self.lost.store(false, Ordering::SeqCst);
        }
        match self.queue.try_send(happening_now.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.lost.store(true, Ordering::SeqCst);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

fn happening(event: Event) -> Happening {
    Happening {
        time: Timestamp::now(),
        event,
    }
}

impl Watch {
    /// Waits a while for what comes next. A gap is told of where it is.
    #[must_use]
    pub fn next(&self, patience: Duration) -> Next {
        if let Ok(happening) = self.queue.try_recv() {
            return Next::Happening(happening);
        }
        if self.lost.swap(false, Ordering::SeqCst) {
            return Next::Happening(happening(Event::Lost));
        }
        match self.queue.recv_timeout(patience) {
            Ok(happening) => Next::Happening(happening),
            Err(RecvTimeoutError::Timeout) => Next::Quiet,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }
}

impl Witness for Watchers {
    fn is_watching(&self) -> bool {
        !self.list().is_empty()
    }

    fn saw(&self, deed: &Deed, path: String, from: Option<String>) {
        self.tell(&match deed {
            Deed::Added => Event::Added { path },
            Deed::Changed(_) => Event::Changed { path, from },
            Deed::Removed => Event::Removed { path },
            Deed::FolderAdded => Event::FolderAdded { path },
            Deed::FolderRenamed(_) => Event::FolderRenamed { path, from },
            Deed::FolderRemoved => Event::FolderRemoved { path },
            Deed::Queued(op) => Event::Queued {
                path,
                op: op.word().to_owned(),
            },
            Deed::Sent(op) => Event::Sent {
                path,
                op: op.word().to_owned(),
            },
            Deed::NotTaken(Problem::Conflict(reason)) => Event::Conflict {
                path,
                reason: reason.clone(),
            },
            Deed::NotTaken(problem) => Event::Rejected {
                path,
                reason: problem.sentence().to_owned(),
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(number: usize) -> Event {
        Event::Added {
            path: format!("{number}.vcf"),
        }
    }

    fn next(watch: &Watch) -> Option<Event> {
        match watch.next(Duration::ZERO) {
            Next::Happening(happening) => Some(happening.event),
            Next::Quiet | Next::End => None,
        }
    }

    #[test]
    fn everybody_hears_everything_and_then_the_end() {
        let watchers = Watchers::default();
        watchers.tell(&added(0));
        let (one, other) = (watchers.join(added(7)), watchers.join(added(7)));
        assert_eq!(next(&one), Some(added(7)));
        watchers.tell(&added(1));
        drop(other);
        watchers.tell(&added(2));
        assert_eq!(watchers.list().len(), 1);
        watchers.end();
        assert_eq!((next(&one), next(&one)), (Some(added(1)), Some(added(2))));
        assert_eq!(one.next(Duration::ZERO), Next::End);
        assert!(!watchers.is_watching());
    }

    #[test]
    fn who_is_too_slow_hears_that_something_was_lost_where_it_was() {
        let watchers = Watchers::default();
        let watch = watchers.join(added(0));
        (1..QUEUE + 5).for_each(|number| watchers.tell(&added(number)));
        let heard: Vec<_> = std::iter::from_fn(|| next(&watch)).take(QUEUE).collect();
        assert_eq!(heard.last(), Some(&added(QUEUE - 1)));
        watchers.tell(&added(9999));
        assert_eq!(next(&watch), Some(Event::Lost));
        assert_eq!(next(&watch), Some(added(9999)));
        (0..=QUEUE).for_each(|number| watchers.tell(&added(number)));
        assert_eq!(std::iter::from_fn(|| next(&watch)).count(), QUEUE + 1);
    }
}
