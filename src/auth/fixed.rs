//! A ready bearer token given from outside (`CONTACTFS_ACCESS_TOKEN`).

use secrecy::SecretString;

use super::{AuthError, BoxFuture, Challenge, TokenSource};

/// One token that never changes; for scripts and tests.
#[derive(Debug)]
pub struct StaticToken(SecretString);

impl StaticToken {
    /// Hands out this token.
    #[must_use]
    pub fn new(token: SecretString) -> Self {
        Self(token)
    }
}

impl TokenSource for StaticToken {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    /// There is no other token to get: the client asks once more with the same one and then reports the sign-in.
    fn refused(&self, _token: &SecretString, _challenge: Option<Challenge>) {}
}
