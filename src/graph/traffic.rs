//! Counts what goes over the wire and how long answers take.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The upper ends, in milliseconds, of the steps in which answers are counted.
pub const STEPS_MS: [u64; 9] = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000];

/// What the client did since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// HTTP requests sent; a `$batch` is one.
    pub requests: u64,
    /// Bytes of reply bodies, after decompression.
    pub bytes_in: u64,
    /// Bytes of request bodies.
    pub bytes_out: u64,
    /// Replies with status 429, batch members included.
    pub throttled: u64,
    /// For how long requests were held back in all.
    pub held_back: Duration,
    /// How long answers took.
    pub latency: Latency,
}

/// How long answers took, from the sending of the request to the last byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many answers there were.
    pub answers: u64,
    /// How long all of them took.
    pub total: Duration,
    /// How long the slowest took.
    pub longest: Duration,
    /// How many were within each of [`STEPS_MS`]; each counts in every step it is within.
    pub within: [u64; STEPS_MS.len()],
}

impl Latency {
    fn add(&mut self, took: Duration) {
        self.answers += 1;
        self.total += took;
        self.longest = self.longest.max(took);
        for (step, count) in STEPS_MS.iter().zip(&mut self.within) {
            *count += u64::from(took <= Duration::from_millis(*step));
        }
    }
}

/// The counters of one client.
#[derive(Default)]
pub(super) struct Traffic(Mutex<Stats>);

impl Traffic {
    pub(super) fn stats(&self) -> Stats {
        *self.lock()
    }

    pub(super) fn sent(&self, body: usize) {
        let mut stats = self.lock();
        stats.requests += 1;
        stats.bytes_out += body as u64;
    }

    pub(super) fn received(&self, body: usize) {
        self.lock().bytes_in += body as u64;
    }

    pub(super) fn answered(&self, took: Duration) {
        self.lock().latency.add(took);
    }

    pub(super) fn throttled(&self) {
        self.lock().throttled += 1;
    }

    /// Held for moments only.
    fn lock(&self) -> MutexGuard<'_, Stats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_in_every_step_it_is_within() {
        let traffic = Traffic::default();
        for took in [50, 51, 40_000] {
            traffic.answered(Duration::from_millis(took));
        }
        let latency = traffic.stats().latency;
        assert_eq!(latency.within, [1, 2, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(latency.answers, 3);
        assert_eq!(latency.total, Duration::from_millis(40_101));
        assert_eq!(latency.longest, Duration::from_secs(40));
    }
}
