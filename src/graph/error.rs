//! What can go wrong with a request, by what a caller can do about it.
//!
//! Built from status and code, never from message text (graph-facts 9.4, trap 24).

use thiserror::Error;
use tokio::time::Instant;

use super::obstacle::{Blocked, Obstacle};
use crate::auth::AuthError;

/// The error below one of ours.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a request to Graph failed.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing was sent, or no reply came to a request that may be repeated.
    #[error("Microsoft Graph cannot be reached")]
    Offline {
        /// What went wrong on the way.
        #[source]
        source: Cause,
    },
    /// The service asked for a longer pause than this client waits out itself.
    #[error("Microsoft Graph asked for a pause")]
    Throttled {
        /// When the next request is welcome.
        until: Instant,
    },
    /// There is no token, and only a person can change that.
    #[error("sign-in needed: {reason}")]
    SignInNeeded {
        /// What the login or Graph service said; holds no secret.
        reason: String,
    },
    /// The account may not do this.
    #[error("access denied ({code})")]
    Denied {
        /// The service's code.
        code: String,
    },
    /// The contact is not there.
    #[error("not found")]
    NotFound,
    /// The folder is not there.
    #[error("the contact folder is gone")]
    FolderGone,
    /// A folder of that name is there already.
    #[error("a contact folder of that name exists")]
    FolderExists,
    /// The delta link is worth nothing any more: read the folder from the start (graph-facts 3.2).
    #[error("the sync state was lost")]
    SyncStateLost,
    /// The contact changed meanwhile: re-read, merge, retry (graph-facts 4.2).
    #[error("the contact changed meanwhile")]
    Changed,
    /// The request itself is not acceptable; sending it again will not help.
    #[error("refused by Microsoft Graph: {code}: {message}")]
    Refused {
        /// The service's code.
        code: String,
        /// The service's English text for developers, shortened.
        message: String,
    },
    /// The service is in trouble.
    #[error("Microsoft Graph is in trouble (status {status} {code})")]
    Service {
        /// HTTP status.
        status: u16,
        /// The service's code, empty when the reply had none.
        code: String,
    },
    /// The account or user has no mailbox.
    #[error("there is no such mailbox ({code})")]
    NoMailbox {
        /// The service's code.
        code: String,
    },
    /// The mailbox is full.
    #[error("the mailbox is full")]
    QuotaExceeded,
    /// A body is longer than the service or this client takes.
    #[error("too large: {what}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
    },
    /// A link leads outside the configured Graph URL; the token was not sent (behaviour 8.1).
    #[error("a link leads to another origin: {origin}")]
    ForeignOrigin {
        /// Where it leads.
        origin: String,
    },
    /// The service answered with a redirect, which is never followed (behaviour 8.1).
    #[error("Microsoft Graph answered with a redirect (status {status})")]
    Redirected {
        /// HTTP status.
        status: u16,
    },
    /// A reply makes no sense.
    #[error("unreadable reply from Microsoft Graph: {what}")]
    Malformed {
        /// What is missing or wrong.
        what: &'static str,
    },
    /// A request that must not be repeated blindly was sent and no verdict came back: look before trying again (graph-facts 4.1).
    #[error("the reply to a write was lost")]
    ReplyLost {
        /// How it was lost.
        #[source]
        source: Cause,
    },
    /// The settings cannot work.
    #[error("configuration: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
}

impl Error {
    /// Whether the same request may succeed later without anybody's doing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // An unreadable reply or a redirect comes from something on the way, so it says nothing about the request.
            Self::Offline { .. }
            | Self::Throttled { .. }
            | Self::Service { .. }
            | Self::Redirected { .. }
            | Self::Malformed { .. }
            | Self::ReplyLost { .. } => true,
            Self::SignInNeeded { .. }
            | Self::Denied { .. }
            | Self::NotFound
            | Self::FolderGone
            | Self::FolderExists
            | Self::SyncStateLost
            | Self::Changed
            | Self::Refused { .. }
            | Self::NoMailbox { .. }
            | Self::QuotaExceeded
            | Self::TooLarge { .. }
            | Self::ForeignOrigin { .. }
            | Self::Config { .. } => false,
        }
    }

    /// Whether a write that failed so may have been carried out all the same: look before sending a POST again.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        matches!(
            self,
            Self::ReplyLost { .. } | Self::Service { .. } | Self::Malformed { .. }
        )
    }

    /// Whether a request about one contact may fail so for the contact's sake, whatever becomes of others: wrong data makes
    /// the service fail as well (graph-facts 9.4).
    #[must_use]
    pub fn may_concern_one(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::TooLarge { .. }
                | Self::Malformed { .. }
                | Self::Service { status: 500, .. }
        )
    }

    /// What a person can do about it, as a sentence of its own.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::SignInNeeded { .. } => Some("Sign in with: contactfs login"),
            Self::Denied { .. } => Some(
                "The sign-in needs the permission Contacts.ReadWrite; an administrator may have to grant it.",
            ),
            Self::NoMailbox { .. } => {
                Some("Check --mailbox, and that the user has an Exchange Online mailbox.")
            }
            Self::ForeignOrigin { .. } | Self::Redirected { .. } => {
                Some("Check the configured Graph URL, and any proxy on the way.")
            }
            Self::QuotaExceeded => Some("Free some space in the mailbox."),
            _ => None,
        }
    }

    /// What is in the way, if the service was not reached.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        match self {
            Self::Offline { source } | Self::ReplyLost { source } => {
                Some(Obstacle::of(source.as_ref()))
            }
            _ => None,
        }
    }

    /// Whether every request of the mailbox would fail so, not this one alone.
    pub(super) fn concerns_all(&self) -> bool {
        matches!(
            self,
            Self::Offline { .. }
                | Self::Throttled { .. }
                | Self::SignInNeeded { .. }
                | Self::Config { .. }
        )
    }

    /// The same error for another request it concerns; its source is kept as text only.
    pub(super) fn copy(&self) -> Self {
        match self {
            Self::Throttled { until } => Self::Throttled { until: *until },
            Self::SignInNeeded { reason } => Self::SignInNeeded {
                reason: reason.clone(),
            },
            Self::Config { reason } => Self::Config {
                reason: reason.clone(),
            },
            Self::Offline { source } => Self::Offline {
                source: Blocked::by(source.as_ref()).cause(),
            },
            other => Self::Offline {
                source: Blocked::by(other).cause(),
            },
        }
    }
}

/// An error with all its sources as text.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

impl From<AuthError> for Error {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::SignInNeeded { reason } => Self::SignInNeeded { reason },
            AuthError::Offline { source } => Self::Offline { source },
            error @ AuthError::Vault(_) => Self::Offline {
                source: error.into(),
            },
            AuthError::Consent { reason } => Self::SignInNeeded { reason },
            error @ AuthError::Permission { .. } => Self::SignInNeeded {
                reason: error.to_string(),
            },
            AuthError::Config { reason } => Self::Config { reason },
        }
    }
}
