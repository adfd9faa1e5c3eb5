//! One HTTP exchange: builds the request, sends it, reads the reply, counts, logs.
//!
//! Sole place that touches the HTTP client. Logs method, path, status, request ids and duration, never tokens, queries or
//! bodies (behaviour 8.2).

use std::sync::{Mutex, PoisonError};

use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use uuid::Uuid;

use super::body::{self, ReadError};
use super::obstacle::Blocked;
use super::request::{Body, Call, Payload, Reply};
use super::traffic::Traffic;
use super::verdict::Outcome;
use super::{Endpoint, Error};
use super::{silence, throttle};
use crate::auth::{Challenge, web};

/// The pooled connections to the service.
pub(super) struct Connection {
    pub(super) endpoint: Endpoint,
    /// Replaced whole for a new connection. Never locked across an await.
    http: Mutex<reqwest::Client>,
    pub(super) traffic: Traffic,
}

impl Connection {
    pub(super) fn new(endpoint: Endpoint) -> Result<Self, Error> {
        let http = web::client(&endpoint.graph_url);
        let http = http.map_err(|error| Error::Config {
            reason: error.to_string(),
        })?;
        Ok(Self {
            endpoint,
            http: Mutex::new(http),
            traffic: Traffic::default(),
        })
    }

    /// Leaves the pooled connections behind; if no new client can be made the old one has to do.
    pub(super) fn renew(&self) {
        if let Ok(http) = web::client(&self.endpoint.graph_url) {
            *self.http.lock().unwrap_or_else(PoisonError::into_inner) = http;
        }
    }

    /// Puts one request on the wire.
    pub(super) async fn send(&self, call: &Call, token: &SecretString) -> Outcome {
        let (started, id) = (Instant::now(), Uuid::new_v4());
        let request = match self.request(call, token, id) {
            Ok(request) => request,
            Err(error) => return Outcome::NotSent(Blocked::by(&error)),
        };
        let log = |status, request_id| {
            tracing::debug!(
                method = %call.method, path = call.loggable(), status, request_id,
                client_request_id = %id, elapsed = ?started.elapsed(), "graph request"
            );
        };
        let sent = request.body().and_then(reqwest::Body::as_bytes);
        let sent = sent.map_or(0, <[u8]>::len);
        self.traffic.sent(sent);
        match silence::until_reply(sent, self.http().execute(request)).await {
            Err(elapsed) => {
                log(0, None);
                Outcome::NoReply(Blocked::by(&elapsed))
            }
            Ok(Ok(response)) => {
                log(response.status().as_u16(), header(&response, "request-id"));
                let outcome = self.receive(response, call.limit).await;
                if matches!(outcome, Outcome::Replied(_)) {
                    self.traffic.answered(started.elapsed());
                }
                outcome
            }
            Ok(Err(error)) => {
                log(0, None);
                let is_unsent = error.is_connect() || error.is_builder();
                let lost = Blocked::by(&error.without_url());
                if is_unsent {
                    Outcome::NotSent(lost)
                } else {
                    Outcome::NoReply(lost)
                }
            }
        }
    }

    fn http(&self) -> reqwest::Client {
        self.http
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn request(
        &self,
        call: &Call,
        token: &SecretString,
        id: Uuid,
    ) -> Result<reqwest::Request, Error> {
        let url = self.endpoint.absolute(&call.target)?;
        let mut request = self.http().request(call.method.clone(), url);
        request = request
            .bearer_auth(token.expose_secret())
            .header("client-request-id", id.to_string());
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        let body = match &call.payload {
            Payload::None => None,
            Payload::Json(value) => Some(value.to_string().into_bytes()),
            Payload::Bytes(bytes, _) => Some(bytes.clone()),
        };
        if let Some(body) = body {
            request = request.body(body);
        }
        request.build().map_err(|_| Error::Malformed {
            what: "a request cannot be built",
        })
    }

    async fn receive(&self, mut response: Response, limit: usize) -> Outcome {
        let status = response.status();
        let retry_after = header(&response, "retry-after").and_then(throttle::retry_after);
        let challenge = header(&response, "www-authenticate").and_then(Challenge::of_header);
        let reply = |body| Reply {
            status: status.as_u16(),
            retry_after,
            challenge: challenge.clone(),
            body: Body::Raw(body),
        };
        match body::read(&mut response, limit).await {
            Ok(bytes) => {
                self.traffic.received(bytes.len());
                Outcome::Replied(reply(bytes))
            }
            // The status has arrived, and says all there is to say about a failure.
            Err(_) if !status.is_success() => Outcome::Replied(reply(Vec::new())),
            Err(ReadError::TooLong) => Outcome::TooLong,
            Err(ReadError::Broken(error)) => Outcome::NoReply(Blocked::by(&error)),
            Err(ReadError::Silent(elapsed)) => Outcome::NoReply(Blocked::by(&elapsed)),
        }
    }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
