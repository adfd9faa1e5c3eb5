//! Pauses: what the service asked for, and what this client imposes on itself (behaviour 7.2, graph-facts 9.3).
//!
//! A pause concerns the whole client, for requests made while throttled count against the limit too.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Error;

/// The longest a call waits in all before it returns [`Error::Throttled`].
const PATIENCE: Duration = Duration::from_secs(30);

const BACKOFF_BASE: Duration = Duration::from_millis(500);
const BACKOFF_CEILING: Duration = Duration::from_secs(60);

/// A refusal this soon after a pause shows that the pause was too short, whatever was answered in between.
const SOON: Duration = Duration::from_secs(60);

/// A longer pause is taken for a mistake, and would overflow the clock.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Holds back every request until a moment.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// When requests may go out again, and what that adds up to. Never locked across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    until: Option<Instant>,
    /// For how long it was closed in all, and will be.
    closed: Duration,
    /// Refusals that named no pause, each soon after the one before.
    unnamed: u32,
}

impl Gate {
    /// Closes the gate, never for a shorter time than it is closed already.
    pub(super) fn close_for(&self, pause: Duration) {
        let now = Instant::now();
        let new = now + pause.min(MAX_PAUSE);
        let mut state = self.state();
        let old = state.until.unwrap_or(now).max(now);
        state.closed += new.saturating_duration_since(old);
        state.until = Some(old.max(new));
    }

    /// The pause after a refusal that named none: longer each time (graph-facts 9.3).
    pub(super) fn unnamed_pause(&self) -> Duration {
        let mut state = self.state();
        let is_soon = state.until.is_some_and(|until| until.elapsed() < SOON);
        state.unnamed = if is_soon {
            state.unnamed.saturating_add(1)
        } else {
            1
        };
        backoff(state.unnamed.saturating_add(1))
    }

    /// For how long requests were held back so far.
    pub(super) fn held_back(&self) -> Duration {
        let state = self.state();
        let left = state
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        state.closed.saturating_sub(left.unwrap_or_default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it opens, if it is closed now.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        let until = self.state().until;
        until.filter(|until| *until > Instant::now())
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// [`Error::Throttled`] at once if that would take longer than the patience left.
    pub(super) async fn pass(&self, patience: &mut Patience) -> Result<(), Error> {
        while let Some(until) = self.closed_until() {
            if !patience.take(until.duration_since(Instant::now())) {
                return Err(Error::Throttled { until });
            }
            tokio::time::sleep_until(until).await;
        }
        Ok(())
    }
}

/// How much longer a call is willing to wait.
#[derive(Debug)]
pub(super) struct Patience(Duration);

impl Patience {
    pub(super) fn new() -> Self {
        Self(PATIENCE)
    }

    /// Spends some, unless there is less left.
    pub(super) fn take(&mut self, wait: Duration) -> bool {
        match self.0.checked_sub(wait) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// The pause before attempt `attempt + 1`: exponential, with jitter over its upper half so that many clients do not come
/// back together.
pub(super) fn backoff(attempt: u32) -> Duration {
    let most = BACKOFF_BASE
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
        .min(BACKOFF_CEILING);
    most.mul_f64(rand::random_range(0.5..=1.0))
}

/// Reads a `Retry-After` header: seconds, or a date.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MAX_PAUSE));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value)
        .ok()?;
    let pause = date.duration_since(Timestamp::now());
    Some(pause.try_into().unwrap_or(Duration::ZERO).min(MAX_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("99999999999"), Some(MAX_PAUSE));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(
            retry_after("Fri, 01 Jan 2100 00:00:00 GMT"),
            Some(MAX_PAUSE)
        );
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }

    #[test]
    fn backoff_grows_to_a_ceiling() {
        for _ in 0..100 {
            assert!(backoff(1) <= BACKOFF_BASE);
            assert!(backoff(3) <= BACKOFF_BASE * 4);
            assert!(backoff(2) >= BACKOFF_BASE && backoff(3) >= BACKOFF_BASE * 2);
            assert!(backoff(u32::MAX) <= BACKOFF_CEILING);
        }
    }

    #[test]
    fn the_longest_pause_counts() {
        let gate = Gate::default();
        assert!(gate.closed_until().is_none());
        gate.close_for(Duration::from_secs(1000));
        let until = gate.closed_until();
        gate.close_for(Duration::from_secs(1));
        assert_eq!(gate.closed_until(), until);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_was_too_short_is_followed_by_a_longer_one() {
        let gate = Gate::default();
        let mut last = Duration::ZERO;
        for _ in 0..4 {
            let pause = gate.unnamed_pause();
            assert!(pause >= last, "{pause:?} after {last:?}");
            gate.close_for(pause);
            tokio::time::advance(pause + Duration::from_secs(1)).await;
            last = pause;
        }
        assert!(last >= BACKOFF_BASE * 8);
        tokio::time::advance(SOON * 2).await;
        assert!(gate.unnamed_pause() <= BACKOFF_BASE * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_that_overlap_count_once_and_only_as_far_as_they_are_over() {
        let gate = Gate::default();
        gate.close_for(Duration::from_secs(10));
        gate.close_for(Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(gate.held_back(), Duration::from_secs(6));
        gate.close_for(Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(gate.held_back(), Duration::from_secs(11));
    }
}
