//! Application sign-in: client id with a secret or a certificate, against the tenant's token endpoint (graph-facts 10.6).

use std::fmt;

use oauth2::{AuthType, ClientSecret};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::keeper::{Grant, Held, Keeper};
use super::service::{Registration, Service};
use super::{AuthError, BoxFuture, Certificate, Challenge, TokenSource};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Proves that a request comes from the application.
#[derive(Debug)]
pub enum Proof {
    /// By what only it knows.
    Secret(SecretString),
    /// By what only it can sign.
    Certificate(Box<Certificate>),
}

/// Tokens of an application's own (no user), for one tenant.
pub struct Application(Keeper<ClientCredentials>);

impl Application {
    /// Prepares the sign-in; nothing is sent before the first token is asked for.
    ///
    /// # Errors
    /// [`AuthError::Config`] for an empty tenant or client id and for plain http off loopback.
    pub fn new(registration: Registration, proof: Proof) -> Result<Self, AuthError> {
        let service = Service::new(registration)?;
        Ok(Self(Keeper::new(ClientCredentials { service, proof })))
    }
}

impl TokenSource for Application {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        self.0.token()
    }

    fn refused(&self, token: &SecretString, challenge: Option<Challenge>) {
        self.0.refused(token, challenge);
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").finish_non_exhaustive()
    }
}

struct ClientCredentials {
    service: Service,
    proof: Proof,
}

impl ClientCredentials {
    async fn ask(&self, claims: &str) -> Result<Held, AuthError> {
        let asked = Instant::now();
        let mut client = self.service.client()?.set_auth_type(AuthType::RequestBody);
        if let Proof::Secret(secret) = &self.proof {
            client = client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()));
        }
        let mut request = client
            .exchange_client_credentials()
            .add_scope(self.service.registration.default_scope())
            .add_extra_param("claims", claims);
        if let Proof::Certificate(certificate) = &self.proof {
            let endpoint = self
                .service
                .registration
                .endpoint(&["oauth2", "v2.0", "token"])?;
            let client_id = &self.service.registration.client_id;
            request = request
                .add_extra_param("client_assertion_type", ASSERTION_TYPE)
                .add_extra_param(
                    "client_assertion",
                    certificate.assertion(endpoint.as_str(), client_id)?,
                );
        }
        let reply = request.request_async(self.service.http()).await;
        let reply = reply.map_err(|error| self.service.explain(error))?;
        Ok(Held::new(&reply, asked))
    }
}

impl Grant for ClientCredentials {
    fn request<'a>(&'a self, claims: &'a str) -> BoxFuture<'a, Result<Held, AuthError>> {
        Box::pin(self.ask(claims))
    }
}
