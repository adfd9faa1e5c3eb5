//! Application sign-in: client id and secret against the tenant's token endpoint (graph-facts 10.6).
//!
//! One refresh runs at a time however many callers wait; a token is renewed before it ends, and kept in use until its
//! end when the renewal fails for want of network.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, Scope, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

use super::login::{LoginHttp, config, explain, token_url};
use super::{AuthError, BoxFuture, TokenSource};

/// Renewal starts this long before the end of a token that lives longer than an hour or so.
const MARGIN: Duration = Duration::from_secs(300);

/// Assumed when the reply names no lifetime (graph-facts 10.5: 60 to 90 minutes).
const DEFAULT_LIFE: Duration = Duration::from_secs(3600);

/// A longer lifetime is a mistake, and would overflow the clock.
const MAX_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

type LoginClient =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Tokens of an application's own (no user), for one tenant.
pub struct ClientCredentials {
    login: LoginClient,
    scope: Scope,
    http: LoginHttp,
    /// The token in hand. Never locked across an await.
    held: Mutex<Option<Held>>,
    /// Whoever holds this renews; the others wait for it and then find the new token. Taken before `held`.
    turn: tokio::sync::Mutex<()>,
}

struct Held {
    token: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

impl ClientCredentials {
    /// Prepares the sign-in; nothing is sent before the first token is asked for.
    ///
    /// `graph_url` names the resource: the scope is its origin's `.default` (graph-facts 10.9).
    ///
    /// # Errors
    /// [`AuthError::Config`] for an empty tenant or client id and for plain http off loopback.
    pub fn new(
        login_url: &Url,
        graph_url: &Url,
        tenant: &str,
        client_id: &str,
        secret: &SecretString,
    ) -> Result<Self, AuthError> {
        if client_id.is_empty() {
            return Err(config("no client id is set"));
        }
        let token_url = token_url(login_url, tenant)?;
        let login = BasicClient::new(ClientId::new(client_id.to_owned()))
            .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(TokenUrl::from_url(token_url));
        Ok(Self {
            login,
            scope: Scope::new(format!(
                "{}/.default",
                graph_url.origin().ascii_serialization()
            )),
            http: LoginHttp::new(login_url)?,
            held: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    async fn current_or_new(&self) -> Result<SecretString, AuthError> {
        if let Some(token) = self.held_until(|held| held.renew_at) {
            return Ok(token);
        }
        let _turn = self.turn.lock().await;
        if let Some(token) = self.held_until(|held| held.renew_at) {
            return Ok(token);
        }
        match self.request().await {
            Ok(fresh) => {
                let token = fresh.token.clone();
                *self.held() = Some(fresh);
                Ok(token)
            }
            Err(error @ AuthError::Offline { .. }) => {
                self.held_until(|held| held.ends_at).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn request(&self) -> Result<Held, AuthError> {
        let asked = Instant::now();
        let request = self
            .login
            .exchange_client_credentials()
            .add_scope(self.scope.clone());
        let reply = request.request_async(&self.http).await.map_err(explain)?;
        tracing::debug!(lifetime = ?reply.expires_in(), "new access token");
        Ok(hold(&reply, asked))
    }

    fn held_until(&self, end: impl Fn(&Held) -> Instant) -> Option<SecretString> {
        let held = self.held();
        held.as_ref()
            .filter(|held| Instant::now() < end(held))
            .map(|held| held.token.clone())
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenSource for ClientCredentials {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        Box::pin(self.current_or_new())
    }

    /// Drops the token unless a newer one has taken its place already.
    fn refused(&self, token: &SecretString) {
        let mut held = self.held();
        if held
            .as_ref()
            .is_some_and(|held| held.token.expose_secret() == token.expose_secret())
        {
            *held = None;
        }
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

fn hold(reply: &BasicTokenResponse, asked: Instant) -> Held {
    let life = reply.expires_in().unwrap_or(DEFAULT_LIFE).min(MAX_LIFE);
    let margin = MARGIN.min(life / 5);
    Held {
        token: SecretString::from(reply.access_token().secret().as_str()),
        renew_at: asked + (life - margin),
        ends_at: asked + life,
    }
}
