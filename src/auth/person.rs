//! A person's tokens: the kept refresh token is exchanged for an access token and its own successor, which is kept before
//! the access token is used (graph-facts 10.5).
//!
//! A killed process between the exchange and the keeping leaves the old refresh token, which the service does not revoke
//! at once. Each exchange reads what is kept anew, so a login done elsewhere is picked up.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::{RefreshToken, Scope, TokenResponse};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::keeper::{Grant, Held, Keeper};
use super::service::{Registration, Service};
use super::{AuthError, BoxFuture, Challenge, SavedSignIn, TokenSource, Vault};

/// A refused refresh token is not tried again before this: nothing changes it but a login, which is noticed at once.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

/// Tokens of a person who signed in with `contactfs login`.
pub struct Person(Keeper<Refresh>);

impl Person {
    /// Prepares it; nothing is read or sent before the first token is asked for.
    ///
    /// # Errors
    /// [`AuthError::Config`] for an empty tenant or client id and for plain http off loopback.
    pub fn new(registration: Registration, vault: Vault) -> Result<Self, AuthError> {
        Ok(Self(Keeper::new(Refresh {
            service: Service::new(registration)?,
            vault,
            memory: Mutex::default(),
        })))
    }
}

impl TokenSource for Person {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        self.0.token()
    }

    fn refused(&self, token: &SecretString, challenge: Option<Challenge>) {
        self.0.refused(token, challenge);
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").finish_non_exhaustive()
    }
}

struct Refresh {
    service: Service,
    vault: Vault,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The last refresh token that was refused.
    refused: Option<Refused>,
    /// A successor that could not be kept, with the token it follows.
    unkept: Option<(SecretString, SavedSignIn)>,
}

struct Refused {
    refresh_token: SecretString,
    at: Instant,
    reason: String,
}

impl Refresh {
    async fn ask(&self, claims: &str) -> Result<Held, AuthError> {
        let _lock = self.vault.lock().await?;
        let saved = self.current().await?;
        if let Some(reason) = self.refused_lately(&saved) {
            return Err(AuthError::SignInNeeded { reason });
        }
        let asked = Instant::now();
        let client = self.service.client()?;
        let token = RefreshToken::new(saved.refresh_token.expose_secret().to_owned());
        let scopes = saved
            .scope
            .split_whitespace()
            .map(|scope| Scope::new(scope.to_owned()));
        let request = client
            .exchange_refresh_token(&token)
            .add_scopes(scopes)
            .add_extra_param("claims", claims);
        let reply = match request.request_async(self.service.http()).await {
            Ok(reply) => reply,
            Err(error) => return Err(self.remember(&saved, self.service.explain(error))),
        };
        if let Some(successor) = reply.refresh_token() {
            let successor = SavedSignIn {
                refresh_token: SecretString::from(successor.secret().as_str()),
                ..saved.clone()
            };
            self.keep(saved.refresh_token, successor).await?;
        }
        Ok(Held::new(&reply, asked))
    }

    /// The sign-in as it is kept, or its successor that could not be.
    async fn current(&self) -> Result<SavedSignIn, AuthError> {
        let needed = |reason: &str| AuthError::SignInNeeded {
            reason: reason.to_owned(),
        };
        let kept = self.vault.load().await?;
        let kept = kept.ok_or_else(|| needed("nobody is signed in"))?;
        if !kept.is_for(&self.service.registration) {
            return Err(needed(
                "the sign-in is one for another application or service",
            ));
        }
        let unkept = self.memory().unkept.clone();
        match unkept {
            Some((before, successor)) if same(&before, &kept.refresh_token) => {
                self.keep(before, successor.clone()).await?;
                Ok(successor)
            }
            // Somebody has signed in meanwhile.
            _ => Ok(kept),
        }
    }

    /// Without a place for the successor the access token is not used: it would be the last one.
    async fn keep(&self, before: SecretString, successor: SavedSignIn) -> Result<(), AuthError> {
        let kept = self.vault.store(&successor).await;
        self.memory().unkept = kept.is_err().then_some((before, successor));
        Ok(kept?)
    }

    fn refused_lately(&self, saved: &SavedSignIn) -> Option<String> {
        let memory = self.memory();
        let refused = memory.refused.as_ref()?;
        let still = same(&refused.refresh_token, &saved.refresh_token)
            && refused.at.elapsed() < REFUSED_PAUSE;
        still.then(|| refused.reason.clone())
    }

    fn remember(&self, saved: &SavedSignIn, error: AuthError) -> AuthError {
        if let AuthError::SignInNeeded { reason } | AuthError::Consent { reason } = &error {
            self.memory().refused = Some(Refused {
                refresh_token: saved.refresh_token.clone(),
                at: Instant::now(),
                reason: reason.clone(),
            });
        }
        error
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same(left: &SecretString, right: &SecretString) -> bool {
    left.expose_secret() == right.expose_secret()
}

impl Grant for Refresh {
    fn request<'a>(&'a self, claims: &'a str) -> BoxFuture<'a, Result<Held, AuthError>> {
        Box::pin(self.ask(claims))
    }
}
