//! One token in hand: renewed before its end, by one caller at a time, and kept to its end when the renewal fails for want
//! of network (behaviour 7.5).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::TokenResponse;
use oauth2::basic::BasicTokenResponse;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{AuthError, BoxFuture, Challenge, TokenSource, challenge};

/// Renewal starts this long before the end of a token that lives longer than half an hour or so.
const MARGIN: Duration = Duration::from_secs(300);

/// Assumed when the reply names no lifetime (graph-facts 10.5: 60 to 90 minutes).
const DEFAULT_LIFE: Duration = Duration::from_secs(3600);

/// A longer lifetime is a mistake, and would overflow the clock.
const MAX_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A way to get a token.
pub(super) trait Grant: Send + Sync {
    /// Asks the login service; `claims` is the parameter of that name.
    fn request<'a>(&'a self, claims: &'a str) -> BoxFuture<'a, Result<Held, AuthError>>;
}

/// A token with its times.
pub(super) struct Held {
    token: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

impl Held {
    /// The token of a reply to what was asked at `asked`.
    pub(super) fn new(reply: &BasicTokenResponse, asked: Instant) -> Self {
        let life = reply.expires_in().unwrap_or(DEFAULT_LIFE).min(MAX_LIFE);
        let margin = MARGIN.min(life / 5);
        Self {
            token: SecretString::from(reply.access_token().secret().as_str()),
            renew_at: asked + (life - margin),
            ends_at: asked + life,
        }
    }
}

/// Hands out the tokens of a grant.
pub(super) struct Keeper<G> {
    grant: G,
    /// Never locked across an await.
    memory: Mutex<Memory>,
    /// Whoever holds this renews; the others wait for it and then find the new token. Taken before `memory`.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Memory {
    held: Option<Held>,
    /// To be answered with the next request.
    challenge: Option<Challenge>,
}

impl<G: Grant> Keeper<G> {
    pub(super) fn new(grant: G) -> Self {
        Self {
            grant,
            memory: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    async fn current_or_new(&self) -> Result<SecretString, AuthError> {
        if let Some(token) = self.held_until(|held| held.renew_at) {
            return Ok(token);
        }
        let _turn = self.turn.lock().await;
        if let Some(token) = self.held_until(|held| held.renew_at) {
            return Ok(token);
        }
        let claims = challenge::parameter(self.memory().challenge.as_ref());
        match self.grant.request(&claims).await {
            Ok(fresh) => {
                let token = fresh.token.clone();
                *self.memory() = Memory {
                    held: Some(fresh),
                    challenge: None,
                };
                tracing::debug!("new access token");
                Ok(token)
            }
            Err(error @ (AuthError::Offline { .. } | AuthError::Vault(_))) => {
                self.held_until(|held| held.ends_at).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    fn held_until(&self, end: impl Fn(&Held) -> Instant) -> Option<SecretString> {
        let memory = self.memory();
        let held = memory.held.as_ref();
        held.filter(|held| Instant::now() < end(held))
            .map(|held| held.token.clone())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<G: Grant> TokenSource for Keeper<G> {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        Box::pin(self.current_or_new())
    }

    /// Drops the token unless a newer one has taken its place already.
    fn refused(&self, token: &SecretString, challenge: Option<Challenge>) {
        let mut memory = self.memory();
        let is_it = |held: &Held| held.token.expose_secret() == token.expose_secret();
        if memory.held.as_ref().is_some_and(is_it) {
            *memory = Memory {
                held: None,
                challenge,
            };
        }
    }
}
