//! Application sign-in: client id and secret against the tenant's token endpoint (graph-facts 10.6).
//!
//! One refresh runs at a time however many callers wait; a token is renewed before it ends, and kept in use until its
//! end when the renewal fails for want of network.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, RequestTokenError, Scope, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use tokio::time::Instant;
use url::Url;

use super::{AuthError, BoxFuture, TokenSource, web};

/// Renewal starts this long before the end of a token that lives longer than an hour or so.
const MARGIN: Duration = Duration::from_secs(300);

/// Assumed when the reply names no lifetime (graph-facts 10.5: 60 to 90 minutes).
const DEFAULT_LIFE: Duration = Duration::from_secs(3600);

/// A longer lifetime is a mistake, and would overflow the clock.
const MAX_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

const MAX_REPLY: usize = 1 << 20;
const MAX_REASON: usize = 300;

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
        let http =
            web::client(login_url).map_err(|error| config(&format!("no HTTP client: {error}")))?;
        Ok(Self {
            login,
            scope: Scope::new(format!(
                "{}/.default",
                graph_url.origin().ascii_serialization()
            )),
            http: LoginHttp(http),
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

/// The HTTP client in the form oauth2 takes.
struct LoginHttp(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for LoginHttp {
    type Error = PostError;
    type Future = BoxFuture<'c, Result<HttpResponse, PostError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(post(&self.0, request))
    }
}

#[derive(Debug, Error)]
enum PostError {
    #[error("the login service did not answer")]
    Http(#[from] reqwest::Error),
    #[error("the login service is in trouble (status {0})")]
    Unwell(u16),
    #[error("the login service sent too long a reply")]
    TooLong,
    #[error("the login service sent an unreadable reply")]
    Unreadable(#[from] oauth2::http::Error),
}

/// Sends a token request, keeping a service in trouble apart from one that refuses: a 503 with a JSON body is no verdict.
async fn post(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, PostError> {
    let mut reply = http
        .execute(request.try_into()?)
        .await
        .map_err(reqwest::Error::without_url)?;
    let status = reply.status();
    if status.is_server_error() || matches!(status.as_u16(), 408 | 429) {
        return Err(PostError::Unwell(status.as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(reqwest::Error::without_url)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_REPLY {
            return Err(PostError::TooLong);
        }
    }
    let mut response = oauth2::http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = reply.headers().clone();
    Ok(response)
}

fn token_url(login_url: &Url, tenant: &str) -> Result<Url, AuthError> {
    if tenant.is_empty() {
        return Err(config("no tenant is set"));
    }
    if !web::may_carry_secrets(login_url) {
        return Err(config(
            "the login URL must be https (plain http only on loopback)",
        ));
    }
    let mut url = login_url.clone();
    url.path_segments_mut()
        .map_err(|()| config("the login URL cannot be a base"))?
        .pop_if_empty()
        .extend([tenant, "oauth2", "v2.0", "token"]);
    Ok(url)
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

/// Only an error document is a verdict on the sign-in; everything else is a login service that cannot be asked.
fn explain(error: RequestTokenError<PostError, BasicErrorResponse>) -> AuthError {
    match error {
        RequestTokenError::ServerResponse(reply) if is_verdict(reply.error()) => {
            AuthError::SignInNeeded {
                reason: reason(&reply),
            }
        }
        other => AuthError::Offline {
            source: Box::new(other),
        },
    }
}

fn is_verdict(code: &BasicErrorResponseType) -> bool {
    !matches!(code.as_ref(), "temporarily_unavailable" | "server_error")
}

fn reason(reply: &BasicErrorResponse) -> String {
    let detail = reply
        .error_description()
        .and_then(|text| text.lines().next())
        .unwrap_or_default();
    let text = format!("{} {detail}", reply.error().as_ref());
    text.trim_end().chars().take(MAX_REASON).collect()
}

fn config(reason: &str) -> AuthError {
    AuthError::Config {
        reason: reason.to_owned(),
    }
}
