//! What is in the way to the service, told from an error and those below it.

use std::error::Error as StdError;
use std::io;

use thiserror::Error;
use tokio::time::error::Elapsed;

use super::error::{Cause, chain};

/// What is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The service's name cannot be resolved.
    Dns,
    /// There is no network, or no way from it.
    NoRoute,
    /// Nobody listens there, or a firewall says no.
    Refused,
    /// The two sides do not agree on encryption, or the certificate is not good.
    Tls,
    /// The proxy does not let the connection through.
    Proxy,
    /// Nothing came for too long.
    Timeout,
    /// A connection was there and broke.
    Lost,
}

impl Obstacle {
    /// A word or two for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::NoRoute => "no route",
            Self::Refused => "refused",
            Self::Tls => "TLS",
            Self::Proxy => "proxy",
            Self::Timeout => "timeout",
            Self::Lost => "connection lost",
        }
    }

    /// The first of an error and its sources that tells.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(obstacle) = told(error) {
                return obstacle;
            }
            next = error.source();
        }
        Self::Lost
    }
}

fn told(error: &(dyn StdError + 'static)) -> Option<Obstacle> {
    if let Some(blocked) = error.downcast_ref::<Blocked>() {
        return Some(blocked.obstacle);
    }
    if error.is::<Elapsed>() {
        return Some(Obstacle::Timeout);
    }
    if error.is::<rustls::Error>() {
        return Some(Obstacle::Tls);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return of_io(error);
    }
    // The connector's errors have no public type; these are the beginnings of their texts.
    let text = error.to_string();
    if text.starts_with("dns error") {
        return Some(Obstacle::Dns);
    }
    if text.starts_with("tunnel error") {
        return Some(Obstacle::Proxy);
    }
    let timed_out = error.downcast_ref::<reqwest::Error>()?.is_timeout();
    timed_out.then_some(Obstacle::Timeout)
}

fn of_io(error: &io::Error) -> Option<Obstacle> {
    // What an I/O error holds is not among its sources.
    if let Some(inner) = error.get_ref()
        && let Some(obstacle) = told(inner)
    {
        return Some(obstacle);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Obstacle::Refused),
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => Some(Obstacle::NoRoute),
        io::ErrorKind::TimedOut => Some(Obstacle::Timeout),
        _ => None,
    }
}

/// An obstacle with the whole chain of the error it was told from, as text.
#[derive(Clone, Debug, Error)]
#[error("{text}")]
pub(super) struct Blocked {
    obstacle: Obstacle,
    text: std::sync::Arc<str>,
}

impl Blocked {
    /// Keeps what an error says.
    pub(super) fn by(error: &(dyn StdError + 'static)) -> Self {
        Self {
            obstacle: Obstacle::of(error),
            text: chain(error).into(),
        }
    }

    /// A connection that broke, by our own observation.
    pub(super) fn lost(text: &str) -> Self {
        Self {
            obstacle: Obstacle::Lost,
            text: text.into(),
        }
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.obstacle == Obstacle::Timeout
    }

    pub(super) fn cause(&self) -> Cause {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] io::Error);

    #[test]
    fn the_obstacle_is_told_from_what_lies_below() {
        let of = |text, error| Obstacle::of(&Outer(text, error));
        let kind = io::Error::from;
        assert_eq!(of("dns error", io::Error::other("x")), Obstacle::Dns);
        assert_eq!(
            of("tunnel error: unsuccessful", io::Error::other("x")),
            Obstacle::Proxy
        );
        assert_eq!(
            of("x", kind(io::ErrorKind::ConnectionRefused)),
            Obstacle::Refused
        );
        assert_eq!(
            of("x", kind(io::ErrorKind::NetworkUnreachable)),
            Obstacle::NoRoute
        );
        assert_eq!(of("x", kind(io::ErrorKind::TimedOut)), Obstacle::Timeout);
        assert_eq!(
            of("x", kind(io::ErrorKind::ConnectionReset)),
            Obstacle::Lost
        );
        let tls = io::Error::other(rustls::Error::DecryptError);
        assert_eq!(of("x", tls), Obstacle::Tls);
    }

    #[test]
    fn it_is_kept_with_the_text() {
        let refused = Outer("connect", io::ErrorKind::ConnectionRefused.into());
        let kept = Blocked::by(&refused);
        assert_eq!(Obstacle::of(&kept), Obstacle::Refused);
        assert!(kept.to_string().starts_with("connect: "));
    }
}
