//! Talking to the login service: its token endpoint, its replies, and which of them are a verdict on the sign-in.
//!
//! Redirects are not followed, replies are bounded; whatever is not a readable refusal counts as out of reach
//! (behaviour 7.5). Used by the token sources that ask for tokens.

use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse, RequestTokenError};
use thiserror::Error;
use url::Url;

use super::{AuthError, BoxFuture, web};

/// The longest reply read, in bytes.
const MAX_REPLY: usize = 1 << 20;

/// How much of an explanation is kept, in characters.
const MAX_REASON: usize = 300;

/// The HTTP client in the form oauth2 takes.
pub(super) struct LoginHttp(reqwest::Client);

impl LoginHttp {
    pub(super) fn new(login_url: &Url) -> Result<Self, AuthError> {
        let http = web::client(login_url);
        http.map(Self)
            .map_err(|error| config(&format!("no HTTP client: {error}")))
    }
}

impl<'c> AsyncHttpClient<'c> for LoginHttp {
    type Error = PostError;
    type Future = BoxFuture<'c, Result<HttpResponse, PostError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(post(&self.0, request))
    }
}

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

/// The token endpoint of a tenant (graph-facts 10.1).
///
/// # Errors
/// [`AuthError::Config`] for an empty tenant and for plain http off loopback.
pub(super) fn token_url(login_url: &Url, tenant: &str) -> Result<Url, AuthError> {
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

/// Only an error document is a verdict on the sign-in; everything else is a login service that cannot be asked.
pub(super) fn explain(error: RequestTokenError<PostError, BasicErrorResponse>) -> AuthError {
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

/// The settings cannot work.
pub(super) fn config(reason: &str) -> AuthError {
    AuthError::Config {
        reason: reason.to_owned(),
    }
}
