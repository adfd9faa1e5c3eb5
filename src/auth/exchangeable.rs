//! Tokens of one source now and of another later, when the sign-in was read again.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;

use super::{AuthError, BoxFuture, Challenge, TokenSource};

/// Hands out the tokens of the source it was given last.
pub struct Exchangeable(Mutex<Arc<dyn TokenSource>>);

impl Exchangeable {
    /// Begins with this source.
    #[must_use]
    pub fn new(source: Arc<dyn TokenSource>) -> Self {
        Self(Mutex::new(source))
    }

    /// Goes on with this source.
    pub fn exchange(&self, source: Arc<dyn TokenSource>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = source;
    }

    fn source(&self) -> Arc<dyn TokenSource> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenSource for Exchangeable {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        let source = self.source();
        Box::pin(async move { source.token().await })
    }

    /// A token of an earlier source is none of the present one's, which sees that.
    fn refused(&self, token: &SecretString, challenge: Option<Challenge>) {
        self.source().refused(token, challenge);
    }
}
