//! Whether the service answers, and how long to leave it alone when it does not.

use std::time::Duration;

use tokio::time::Instant;

use super::Explain;
use crate::graph::{Error, Obstacle};

/// First pause after a failure.
const FIRST: Duration = Duration::from_secs(1);
/// Longest pause while the service is not reached: a network that is back is noticed within seconds.
const UNREACHED: Duration = Duration::from_secs(5);
/// Longest pause while it is reached and fails.
const FAILING: Duration = Duration::from_secs(60);
/// A pause up to this is worth waiting for.
const SHORT: Duration = Duration::from_secs(10);
/// A sign-in done elsewhere is noticed within this, or within a poll interval that is shorter.
const SIGN_IN: Duration = Duration::from_secs(30);

/// The state of the connection, for people to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// The last request was answered.
    #[default]
    Online,
    /// Nothing answers.
    Offline {
        /// What is in the way.
        obstacle: Obstacle,
        /// The whole story.
        reason: String,
    },
    /// The service is reached, and fails.
    Failing {
        /// What it said.
        reason: String,
    },
    /// The service asked for a pause.
    Throttled {
        /// How long.
        until: Instant,
    },
    /// Only a person can go on.
    SignInNeeded {
        /// Why.
        reason: String,
    },
}

impl Connection {
    /// Whether requests are being answered.
    #[must_use]
    pub fn is_online(&self) -> bool {
        *self == Self::Online
    }

    /// What a change of is news.
    fn kind(&self) -> (std::mem::Discriminant<Self>, Option<Obstacle>) {
        let obstacle = match self {
            Self::Offline { obstacle, .. } => Some(*obstacle),
            _ => None,
        };
        (std::mem::discriminant(self), obstacle)
    }
}

/// The connection and its next try.
#[derive(Debug)]
pub struct Health {
    /// Pause between two looks for a sign-in.
    sign_in: Duration,
    connection: Connection,
    /// The next try is soon and may well succeed.
    is_hopeful: bool,
    failures: u32,
    failed: Option<Instant>,
    next_try: Option<Instant>,
}

impl Health {
    /// All is well until told otherwise.
    #[must_use]
    pub fn new(poll_interval: Duration) -> Self {
        Self {
            sign_in: SIGN_IN.min(poll_interval),
            connection: Connection::default(),
            is_hopeful: true,
            failures: 0,
            failed: None,
            next_try: None,
        }
    }

    /// The state of the connection.
    #[must_use]
    pub fn connection(&self) -> Connection {
        self.connection.clone()
    }

    /// Whether who waits for an answer should go on waiting.
    pub(super) fn is_hopeful(&self) -> bool {
        self.is_hopeful
    }

    /// How long requests are not welcome yet.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.next_try.map_or(Duration::ZERO, |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    /// A pull or a push succeeded as a whole; whether that is a change.
    pub(super) fn succeeded(&mut self) -> bool {
        let changed = self.progressed();
        self.failures = 0;
        changed
    }

    /// Part of what failed before was done; whether that is a change. What comes next may fail again, so the pause after
    /// that goes on growing.
    pub(super) fn progressed(&mut self) -> bool {
        self.next_try = None;
        self.is_hopeful = true;
        let before = std::mem::take(&mut self.connection);
        !before.is_online()
    }

    /// Some request was answered at this time: the service is within reach again, and does not ask for a pause any more.
    /// Whether that is a change. Other states are about what fails in spite of answers.
    pub(super) fn answered(&mut self, at: Instant) -> bool {
        let is_news = self.failed.is_none_or(|failed| at > failed);
        let is_over = match &self.connection {
            Connection::Offline { .. } => is_news,
            Connection::Throttled { until } => at >= *until,
            Connection::Online | Connection::Failing { .. } | Connection::SignInNeeded { .. } => {
                false
            }
        };
        is_over && self.progressed()
    }

    /// A request failed. Errors that concern one request only say nothing about the connection. Returns whether the
    /// state changed.
    pub(super) fn failed(&mut self, error: &Error, explain: &Explain) -> bool {
        let says_something = error.is_transient() || matches!(error, Error::SignInNeeded { .. });
        if !says_something {
            return false;
        }
        let changed = self.pull_failed(error, explain);
        // Changes are not repeated by the client itself, so the first failure of one may be a hiccup.
        let may_be_hiccup = match &self.connection {
            Connection::Failing { .. } => true,
            Connection::Offline { obstacle, .. } => *obstacle == Obstacle::Lost,
            _ => false,
        };
        self.is_hopeful |= may_be_hiccup && self.failures == 1;
        changed
    }

    /// A pull failed as a whole: whatever the reason, nothing new is seen until one succeeds, and nobody should wait for
    /// it. Returns whether the state changed.
    pub(super) fn pull_failed(&mut self, error: &Error, explain: &Explain) -> bool {
        let now = Instant::now();
        let (connection, next_try) = match error {
            Error::Throttled { until } => (Connection::Throttled { until: *until }, *until),
            Error::SignInNeeded { .. } | Error::Denied { .. } | Error::NoMailbox { .. } => (
                Connection::SignInNeeded {
                    reason: explain(error),
                },
                now + self.sign_in,
            ),
            error => {
                let reason = super::chain(error);
                match error.obstacle() {
                    Some(obstacle) => (
                        Connection::Offline { obstacle, reason },
                        now + self.backoff(UNREACHED),
                    ),
                    None => (Connection::Failing { reason }, now + self.backoff(FAILING)),
                }
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.failed = Some(now);
        self.next_try = Some(next_try);
        self.is_hopeful =
            matches!(connection, Connection::Throttled { .. }) && self.pause() <= SHORT;
        let before = std::mem::replace(&mut self.connection, connection);
        before.kind() != self.connection.kind()
    }

    /// Somebody asks for a try at once.
    pub(super) fn resume(&mut self) {
        if !matches!(self.connection, Connection::Throttled { .. }) {
            self.next_try = None;
        }
    }

    /// Exponential, with jitter over its upper half so that many mounts do not return at one instant.
    fn backoff(&self, longest: Duration) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(6)).min(longest);
        full.mul_f64(rand::random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offline() -> Error {
        Error::Offline {
            source: std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
        }
    }

    fn explain() -> Explain {
        Box::new(ToString::to_string)
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_pass_and_grow_until_all_is_well() {
        let mut health = Health::new(Duration::from_secs(30));
        assert!(health.failed(&offline(), &explain()));
        let first = health.pause();
        assert!(first <= FIRST && first >= FIRST / 2, "{first:?}");
        tokio::time::advance(first).await;
        assert_eq!(health.pause(), Duration::ZERO);
        assert!(!health.failed(&offline(), &explain()));
        assert!(health.pause() >= FIRST, "{:?}", health.pause());
        // Something of it was done, and the next fails.
        assert!(health.progressed());
        assert_eq!(health.pause(), Duration::ZERO);
        assert!(health.failed(&offline(), &explain()));
        assert!(health.pause() >= FIRST * 2, "{:?}", health.pause());
        assert!(health.succeeded());
        assert!(health.failed(&offline(), &explain()));
        assert!(health.pause() <= FIRST);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_what_it_shows_to_be_over() {
        let mut health = Health::new(Duration::from_secs(30));
        let before = Instant::now();
        assert!(health.failed(&offline(), &explain()));
        assert!(!health.answered(before));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(health.answered(Instant::now()));
        assert!(health.connection().is_online());

        let until = Instant::now() + Duration::from_secs(60);
        assert!(health.failed(&Error::Throttled { until }, &explain()));
        assert!(!health.answered(Instant::now()), "one that was under way");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(health.answered(Instant::now()));

        let needed = Error::SignInNeeded {
            reason: "expired".to_owned(),
        };
        assert!(health.failed(&needed, &explain()));
        assert!(!health.answered(Instant::now() + Duration::from_secs(1)));
    }
}
