//! Why there is no token.

use thiserror::Error;

use super::VaultError;

/// Why a token source has no token to give.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The login service answered and will not give a token until a person acts.
    #[error("sign-in needed: {reason}")]
    SignInNeeded {
        /// What is the matter, with the login service's code; holds no secret.
        reason: String,
    },
    /// The login service gives nothing before somebody consents to what the application asks.
    #[error("{reason}")]
    Consent {
        /// What is the matter, with the login service's code.
        reason: String,
    },
    /// A person signed in without giving what is needed.
    #[error("the permission {permission} was not given")]
    Permission {
        /// The permission.
        permission: &'static str,
    },
    /// The login service could not be asked, or is itself in trouble; ask again later.
    #[error("the login service cannot be reached")]
    Offline {
        /// What went wrong on the way.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is kept of a sign-in cannot be read, or its successor cannot be kept; it may work later.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The settings cannot work.
    #[error("sign-in is configured wrongly: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
}
