//! Whether something is under way, and since when nothing else happened.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts what is under way of one kind.
#[derive(Debug)]
pub struct Work(Mutex<State>);

#[derive(Debug)]
struct State {
    under_way: usize,
    /// When something last began or ended.
    moved: Instant,
}

/// Something that is under way for as long as this lives.
#[derive(Debug)]
pub struct Task<'a>(&'a Work);

impl Work {
    /// Nothing is under way.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(State {
            under_way: 0,
            moved: Instant::now(),
        }))
    }

    /// Begins something.
    #[must_use]
    pub fn begin(&self) -> Task<'_> {
        let mut state = self.state();
        state.under_way += 1;
        state.moved = Instant::now();
        Task(self)
    }

    /// For how long what is under way has neither ended nor been joined by more; `None` when nothing is.
    #[must_use]
    pub fn unmoved(&self) -> Option<Duration> {
        let state = self.state();
        (state.under_way > 0).then(|| state.moved.elapsed())
    }

    /// Since when nothing is under way; `None` when something is.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        let state = self.state();
        (state.under_way == 0).then(|| state.moved.elapsed())
    }

    /// Held for moments only.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Work {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way -= 1;
        state.moved = Instant::now();
    }
}
