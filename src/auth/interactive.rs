//! Signing a person in: with a code typed at a page on any machine, or with a browser on this one.

mod loopback;

use std::time::Duration;

use oauth2::basic::BasicTokenResponse;
use oauth2::{
    AuthorizationCode, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope,
    StandardDeviceAuthorizationResponse, TokenResponse,
};
use secrecy::SecretString;
use tokio::time::{Instant, MissedTickBehavior};

use super::service::{Registration, Service};
use super::{AuthError, SavedSignIn, Wish, challenge};
use loopback::Loopback;

/// Tells the person what to do.
pub trait Prompt {
    /// Opens this page on any machine and types the code.
    fn enter_code(&self, page: &str, code: &str);
    /// Opens this page on this machine.
    fn open_page(&self, page: &str);
    /// There is this much time left; called about once a second.
    fn time_left(&self, left: Duration);
}

/// A finished sign-in.
#[derive(Debug)]
pub struct SignedIn {
    /// What is to be kept.
    pub saved: SavedSignIn,
    /// A token for the first requests.
    pub access_token: SecretString,
}

/// Signs a person in, in one of two ways.
#[derive(Debug)]
pub struct Interactive<'a> {
    /// The application.
    pub registration: Registration,
    /// What to ask for.
    pub wish: Wish,
    /// When to give up.
    pub timeout: Duration,
    /// Whom to tell.
    pub prompt: &'a dyn Prompt,
}

impl std::fmt::Debug for dyn Prompt + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompt")
    }
}

impl Interactive<'_> {
    /// With a code (graph-facts 10.3).
    ///
    /// # Errors
    /// [`AuthError::SignInNeeded`] when the person or the service declines or the time is over.
    pub async fn by_code(&self) -> Result<SignedIn, AuthError> {
        let service = Service::new(self.registration.clone())?;
        let client = service.client()?;
        let request = client.exchange_device_code().add_scopes(self.scopes());
        let details: StandardDeviceAuthorizationResponse = request
            .request_async(service.http())
            .await
            .map_err(|error| service.explain(error))?;
        self.prompt.enter_code(
            details.verification_uri().as_str(),
            details.user_code().secret(),
        );
        let limit = details.expires_in().min(self.timeout);
        let claims = challenge::parameter(None);
        let polling = client
            .exchange_device_access_token(&details)
            .add_extra_param("claims", claims)
            .request_async(service.http(), tokio::time::sleep, None);
        let reply = self.within(limit, polling).await?;
        self.signed_in(&reply.map_err(|error| service.explain(error))?)
    }

    /// With a browser (graph-facts 10.4).
    ///
    /// # Errors
    /// [`AuthError::SignInNeeded`] when the person or the service declines, the answer is not one to this sign-in, or the
    /// time is over.
    pub async fn by_browser(&self) -> Result<SignedIn, AuthError> {
        let service = Service::new(self.registration.clone())?;
        let loopback = Loopback::open().await?;
        let redirect = RedirectUrl::new(loopback.redirect());
        let redirect = redirect.map_err(|error| super::service::config(&error.to_string()))?;
        let client = service.client()?.set_redirect_uri(redirect);
        let (pkce, verifier) = PkceCodeChallenge::new_random_sha256();
        let (page, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes())
            .add_extra_param("prompt", "select_account")
            .set_pkce_challenge(pkce)
            .url();
        self.prompt.open_page(page.as_str());
        let answer = self.within(self.timeout, loopback.answer()).await?;
        let outcome = match answer.code(&service, state.secret()) {
            Ok(code) => {
                let exchange = client
                    .exchange_code(AuthorizationCode::new(code))
                    .set_pkce_verifier(verifier)
                    .add_extra_param("claims", challenge::parameter(None));
                let reply = exchange.request_async(service.http()).await;
                reply.map_err(|error| service.explain(error))
            }
            Err(error) => Err(error),
        };
        answer.show(outcome.as_ref().err()).await;
        self.signed_in(&outcome?)
    }

    fn scopes(&self) -> impl Iterator<Item = Scope> {
        let names = self.wish.scopes().into_iter();
        names.map(|name| Scope::new(self.registration.resource(name)))
    }

    /// Waits for something, telling the person how much time is left.
    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, AuthError> {
        let end = Instant::now() + limit;
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep_until(end) => {
                    return Err(AuthError::SignInNeeded {
                        reason: "nobody signed in in time".to_owned(),
                    });
                }
                _ = second.tick() => self.prompt.time_left(end - Instant::now()),
            }
        }
    }

    /// Checks that what was given is what is needed.
    fn signed_in(&self, reply: &BasicTokenResponse) -> Result<SignedIn, AuthError> {
        let asked = self.wish.scopes().join(" ");
        let given = reply.scopes().map_or(asked, |scopes| {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            names.join(" ")
        });
        if let Some(permission) = self.wish.missing(&given) {
            return Err(AuthError::Permission { permission });
        }
        let refresh_token = reply
            .refresh_token()
            .ok_or_else(|| AuthError::SignInNeeded {
                reason: "the service gives no lasting sign-in (offline_access)".to_owned(),
            })?;
        // What was not given and is not needed must not be asked for at each refresh.
        let is_kept = |name: &&str| !Wish::can_do_without(name) || given.contains(*name);
        let kept = self.wish.scopes().into_iter().filter(is_kept);
        let scopes: Vec<String> = kept.map(|name| self.registration.resource(name)).collect();
        Ok(SignedIn {
            saved: SavedSignIn {
                login_url: self.registration.login_url.to_string(),
                client_id: self.registration.client_id.clone(),
                scope: scopes.join(" "),
                user: None,
                refresh_token: SecretString::from(refresh_token.secret().as_str()),
            },
            access_token: SecretString::from(reply.access_token().secret().as_str()),
        })
    }
}
