//! The login service: its endpoints, its replies, and which of them are a verdict on the sign-in.
//!
//! Redirects are not followed, replies are bounded; whatever is not a readable refusal counts as out of reach
//! (behaviour 7.5). A refusal becomes a sentence by its AADSTS number (`verdict`). Used by everything here that asks for
//! tokens.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use oauth2::basic::BasicClient;
use oauth2::{
    AsyncHttpClient, AuthUrl, ClientId, DeviceAuthorizationUrl, EndpointNotSet, EndpointSet,
    ErrorResponseType, HttpRequest, HttpResponse, RequestTokenError, Scope, StandardErrorResponse,
    TokenUrl,
};
use thiserror::Error;
use url::Url;

use super::{AuthError, BoxFuture, verdict, web};
use crate::config::{Account, GLOBAL};

/// The longest reply read, in bytes.
const MAX_REPLY: usize = 1 << 20;

/// Where an administrator is sent back to; every registration has it (graph-facts 10.4).
const CONSENT_REDIRECT: &str = "http://localhost";

/// A client of the oauth2 crate with every endpoint of this service.
pub(super) type Client =
    BasicClient<EndpointSet, EndpointSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// An application as it is registered, and the service it signs in at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Root of the login service.
    pub login_url: Url,
    /// Root of the API that tokens are for.
    pub graph_url: Url,
    /// Directory (tenant) id or domain, or a kind of accounts such as `common`.
    pub tenant: String,
    /// Application id.
    pub client_id: String,
}

impl Registration {
    /// What an account says of it.
    ///
    /// # Errors
    /// [`AuthError::Config`] for URLs that are none.
    pub fn of(account: &Account) -> Result<Self, AuthError> {
        let url =
            |text: &str| Url::parse(text).map_err(|error| config(&format!("{text}: {error}")));
        Ok(Self {
            login_url: url(&account.login_url)?,
            graph_url: url(&account.graph_url)?,
            tenant: account.tenant.clone(),
            client_id: account.client_id.clone(),
        })
    }

    /// An address of the login service for the tenant (graph-facts 10.1).
    ///
    /// # Errors
    /// [`AuthError::Config`] for a login URL that nothing can be below.
    pub(super) fn endpoint(&self, path: &[&str]) -> Result<Url, AuthError> {
        let mut url = self.login_url.clone();
        url.path_segments_mut()
            .map_err(|()| config("the login URL cannot be a base"))?
            .pop_if_empty()
            .push(&self.tenant)
            .extend(path);
        Ok(url)
    }

    /// Where an administrator allows the application for everybody. Personal accounts have no administrator, so this is
    /// for organisations.
    ///
    /// # Errors
    /// [`AuthError::Config`] for a login URL that nothing can be below.
    pub fn admin_consent_url(&self, permissions: &[&str]) -> Result<Url, AuthError> {
        let concrete = match self.tenant.as_str() {
            "common" | "consumers" => "organizations",
            tenant => tenant,
        };
        let of = Self {
            tenant: concrete.to_owned(),
            ..self.clone()
        };
        let scopes: Vec<String> = permissions.iter().map(|name| self.resource(name)).collect();
        let mut url = of.endpoint(&["v2.0", "adminconsent"])?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("redirect_uri", CONSENT_REDIRECT);
        Ok(url)
    }

    /// A permission as a scope. Without a host it is one of the worldwide Graph; other clouds have their own (graph-facts
    /// 10.9).
    pub(super) fn resource(&self, permission: &str) -> String {
        let origin = self.graph_url.origin().ascii_serialization();
        let is_usual = GLOBAL.graph_url.starts_with(&origin) || web::is_loopback(&self.graph_url);
        if is_usual || !permission.contains('.') {
            permission.to_owned()
        } else {
            format!("{origin}/{permission}")
        }
    }

    /// All that an application signing in as itself was given (graph-facts 10.6).
    pub(super) fn default_scope(&self) -> Scope {
        let origin = self.graph_url.origin().ascii_serialization();
        Scope::new(format!("{origin}/.default"))
    }
}

/// The service, ready to be asked.
pub(super) struct Service {
    pub(super) registration: Registration,
    http: LoginHttp,
}

impl Service {
    /// Prepares it; nothing is sent.
    ///
    /// # Errors
    /// [`AuthError::Config`] for an empty tenant or client id and for plain http off loopback.
    pub(super) fn new(registration: Registration) -> Result<Self, AuthError> {
        if registration.client_id.is_empty() {
            return Err(config("no client id is set"));
        }
        if registration.tenant.is_empty() {
            return Err(config("no tenant is set"));
        }
        if !web::may_carry_secrets(&registration.login_url) {
            return Err(config(
                "the login URL must be https (plain http only on loopback)",
            ));
        }
        let http = web::client(&registration.login_url)
            .map_err(|error| config(&format!("no HTTP client: {error}")))?;
        Ok(Self {
            registration,
            http: LoginHttp {
                client: http,
                ahead: AtomicI64::new(0),
            },
        })
    }

    pub(super) fn client(&self) -> Result<Client, AuthError> {
        let of = |name| self.registration.endpoint(&["oauth2", "v2.0", name]);
        Ok(
            BasicClient::new(ClientId::new(self.registration.client_id.clone()))
                .set_auth_uri(AuthUrl::from_url(of("authorize")?))
                .set_device_authorization_url(DeviceAuthorizationUrl::from_url(of("devicecode")?))
                .set_token_uri(TokenUrl::from_url(of("token")?)),
        )
    }

    pub(super) fn http(&self) -> &LoginHttp {
        &self.http
    }

    /// Only an error document is a verdict on the sign-in; everything else is a login service that cannot be asked.
    pub(super) fn explain<T>(
        &self,
        error: RequestTokenError<PostError, StandardErrorResponse<T>>,
    ) -> AuthError
    where
        T: ErrorResponseType + std::fmt::Display + 'static,
    {
        match error {
            RequestTokenError::ServerResponse(reply) => {
                let code = reply.error().to_string();
                let text = reply.error_description().map_or("", String::as_str);
                self.judge(&code, text)
            }
            RequestTokenError::Request(error) => offline(error),
            // Its text may quote the reply, which may hold a token.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                offline(PostError::NoSense)
            }
        }
    }

    /// What an `error` with its description means.
    pub(super) fn judge(&self, code: &str, description: &str) -> AuthError {
        if matches!(code, "temporarily_unavailable" | "server_error") {
            return offline(PostError::NoSense);
        }
        let ahead = self.http.ahead.load(Ordering::Relaxed);
        let reason = verdict::sentence(&self.registration, code, description, ahead);
        if verdict::is_consent(description) {
            AuthError::Consent { reason }
        } else {
            AuthError::SignInNeeded { reason }
        }
    }
}

fn offline(error: PostError) -> AuthError {
    AuthError::Offline {
        source: Box::new(error),
    }
}

/// The HTTP client in the form oauth2 takes.
pub(super) struct LoginHttp {
    client: reqwest::Client,
    /// Seconds by which the service's clock is ahead of this machine's, as its last reply had it.
    ahead: AtomicI64,
}

impl<'c> AsyncHttpClient<'c> for LoginHttp {
    type Error = PostError;
    type Future = BoxFuture<'c, Result<HttpResponse, PostError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.post(request))
    }
}

/// Request and reply are a few kilobytes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the login service could not be asked.
#[derive(Debug, Error)]
pub(super) enum PostError {
    #[error("the login service did not answer")]
    Http(#[from] reqwest::Error),
    #[error("the login service is in trouble (status {0})")]
    Unwell(u16),
    #[error("the login service sent too long a reply")]
    TooLong,
    #[error("the login service sent an unreadable reply")]
    Unreadable(#[from] oauth2::http::Error),
    #[error("the login service sent a reply that makes no sense")]
    NoSense,
}

impl LoginHttp {
    /// Sends a request, keeping a service in trouble apart from one that refuses: a 503 with a JSON body is no verdict.
    async fn post(&self, request: HttpRequest) -> Result<HttpResponse, PostError> {
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(PATIENCE);
        let mut reply = self
            .client
            .execute(request)
            .await
            .map_err(reqwest::Error::without_url)?;
        self.compare_clocks(&reply);
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

    fn compare_clocks(&self, reply: &reqwest::Response) {
        let date = reply
            .headers()
            .get("date")
            .and_then(|date| date.to_str().ok());
        let theirs = date.and_then(|date| rfc2822::parse(date).ok());
        if let Some(theirs) = theirs {
            let ahead = theirs.timestamp().as_second() - Timestamp::now().as_second();
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }
}

/// The settings cannot work.
pub(super) fn config(reason: &str) -> AuthError {
    AuthError::Config {
        reason: reason.to_owned(),
    }
}
