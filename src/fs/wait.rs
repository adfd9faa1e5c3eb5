//! Requests that must wait, and edits that have become quiet: one thread, asleep until something is due.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::model::Ino;
use crate::tree::{Error, Result, Ticket, Tree};

/// Longest wait for a folder's first load; every request must end some time (fuse.md 0, 11).
const LOAD_LIMIT: Duration = Duration::from_secs(600);

/// What is done when a wait is over.
pub(super) type Then = Box<dyn FnOnce(Result<()>) + Send>;

/// What a request waits for.
enum For {
    Loaded(Ino),
    Verdict(Ticket),
}

struct Waiting {
    what: For,
    until: Instant,
    then: Then,
}

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Something may have changed since the last look.
    poked: bool,
    closed: bool,
}

/// The waiting requests.
#[derive(Default)]
pub(super) struct Waits {
    /// Held for moments only; no other lock is taken under it.
    state: Mutex<State>,
    changed: Condvar,
}

impl Waits {
    /// Starts the thread.
    pub(super) fn start(self: &Arc<Self>, tree: Arc<Tree>) -> io::Result<JoinHandle<()>> {
        let waits = Arc::clone(self);
        thread::Builder::new()
            .name("wait".to_owned())
            .spawn(move || waits.run(&tree))
    }

    /// Goes on when a directory can be listed.
    pub(super) fn until_loaded(&self, dir: Ino, then: Then) {
        self.push(Waiting {
            what: For::Loaded(dir),
            until: Instant::now() + LOAD_LIMIT,
            then,
        });
    }

    /// Goes on when a save is decided, or when the limit has passed: it is safe in the outbox then.
    pub(super) fn until_decided(&self, ticket: Ticket, limit: Duration, then: Then) {
        self.push(Waiting {
            what: For::Verdict(ticket),
            until: Instant::now() + limit,
            then,
        });
    }

    fn push(&self, waiting: Waiting) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return (waiting.then)(given_up(&waiting.what)); // The mount ends: nobody looks any more.
        }
        state.waiting.push(waiting);
        drop(state);
        self.poke();
    }

    /// Something may have changed.
    pub(super) fn poke(&self) {
        self.state().poked = true;
        self.changed.notify_one();
    }

    /// Ends the thread; whoever still waits is answered.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    fn run(&self, tree: &Tree) {
        loop {
            let (waiting, closed) = self.sleep(tree);
            let now = Instant::now();
            for waiting in waiting {
                match outcome(tree, &waiting.what, closed || now >= waiting.until) {
                    Some(done) => (waiting.then)(done),
                    None => self.state().waiting.push(waiting),
                }
            }
            tree.settle(false);
            if closed {
                return;
            }
        }
    }

    /// Sleeps until there is something to look at; takes all that wait.
    fn sleep(&self, tree: &Tree) -> (Vec<Waiting>, bool) {
        let quiet = tree.next_quiet();
        let mut state = self.state();
        while !state.poked && !state.closed {
            let next = state
                .waiting
                .iter()
                .map(|waiting| waiting.until)
                .chain(quiet)
                .min();
            let now = Instant::now();
            state = match next {
                Some(next) if next <= now => break,
                Some(next) => {
                    self.changed
                        .wait_timeout(state, next - now)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.poked = false;
        (std::mem::take(&mut state.waiting), state.closed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a wait has come to, if to anything yet.
fn outcome(tree: &Tree, what: &For, give_up: bool) -> Option<Result<()>> {
    match what {
        For::Loaded(dir) => match tree.is_listable(*dir) {
            Ok(true) => Some(Ok(())),
            Ok(false) if give_up => Some(given_up(what)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        },
        For::Verdict(ticket) => match tree.verdict(*ticket) {
            Ok(Some(verdict)) => Some(verdict.map_err(Error::NotTaken)),
            Ok(None) if give_up => Some(given_up(what)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        },
    }
}

/// What a wait without an end comes to: a save is safe in the outbox, a folder must not look empty.
fn given_up(what: &For) -> Result<()> {
    match what {
        For::Loaded(_) => Err(Error::NotLoaded),
        For::Verdict(_) => Ok(()),
    }
}
