//! Why there is no token.

use thiserror::Error;

/// Why a token source has no token to give.
#[derive(Debug, Error)]
pub enum AuthError {
    /// The login service answered and will not give a token until a person acts.
    #[error("sign-in needed: {reason}")]
    SignInNeeded {
        /// The login service's code and first line of explanation; holds no secret.
        reason: String,
    },
    /// The login service could not be asked, or is itself in trouble; ask again later.
    #[error("the login service cannot be reached")]
    Offline {
        /// What went wrong on the way.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The settings cannot work.
    #[error("sign-in is configured wrongly: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
}
