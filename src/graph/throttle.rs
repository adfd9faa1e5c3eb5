//! Pauses: what the service asked for, and what this client imposes on itself (behaviour 7.2, graph-facts 9.3).
//!
//! A pause concerns the whole client, for requests made while throttled count against the limit too.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Error;

/// The longest a call waits in all before it returns [`Error::Throttled`].
const PATIENCE: Duration = Duration::from_secs(30);

const BACKOFF_BASE: Duration = Duration::from_millis(500);
const BACKOFF_CEILING: Duration = Duration::from_secs(60);

/// A longer pause is taken for a mistake, and would overflow the clock.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Holds back every request until a moment.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// When requests may go out again. Never locked across an await.
    until: Mutex<Option<Instant>>,
}

impl Gate {
    /// Closes the gate, never for a shorter time than it is closed already.
    pub(super) fn close_for(&self, pause: Duration) {
        let new = Instant::now() + pause.min(MAX_PAUSE);
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(until.map_or(new, |old| old.max(new)));
    }

    /// When it opens, if it is closed now.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// [`Error::Throttled`] at once if that would take longer than the patience left.
    pub(super) async fn pass(&self, patience: &mut Patience) -> Result<(), Error> {
        while let Some(until) = self.closed_until() {
            if !patience.take(until.duration_since(Instant::now())) {
                return Err(Error::Throttled {
                    until: until.into_std(),
                });
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

/// The pause before attempt `attempt + 1`: exponential with full jitter, so that many clients do not come back together.
pub(super) fn backoff(attempt: u32) -> Duration {
    let most = BACKOFF_BASE
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)))
        .min(BACKOFF_CEILING);
    most.mul_f64(rand::random::<f64>())
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
}
