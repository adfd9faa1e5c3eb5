//! Sends requests: token, permits, `$batch`, retries, pauses.
//!
//! Everything the client sends goes through [`Transport::run`], alone or in batches, under the same rules. Refuses more than four
//! requests at a time for the mailbox, batch members counted (graph-facts 9.2, trap 21).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::body::{self, ReadError};
use super::job::Job;
use super::request::{Body, Call, Payload, Reply};
use super::throttle::{self, Gate, Patience};
use super::verdict::{Lost, Outcome, Remedy, Verdict};
use super::{Endpoint, Error, Stats, batch};
use crate::auth::{TokenSource, web};

/// Requests of one application under way for one mailbox (graph-facts 9.2).
const CONCURRENT: u32 = 4;

/// Members of a `$batch` (graph-facts 9.1).
pub(super) const BATCH: usize = 20;

pub(super) struct Transport {
    pub(super) endpoint: Endpoint,
    tokens: Arc<dyn TokenSource>,
    /// Replaced whole for a new connection. Never locked across an await.
    http: Mutex<reqwest::Client>,
    permits: Semaphore,
    gate: Gate,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    throttled: AtomicU64,
}

impl Transport {
    pub(super) fn new(endpoint: Endpoint, tokens: Arc<dyn TokenSource>) -> Result<Self, Error> {
        let http = web::client(&endpoint.graph_url).map_err(|error| Error::Config {
            reason: error.to_string(),
        })?;
        Ok(Self {
            endpoint,
            tokens,
            http: Mutex::new(http),
            permits: Semaphore::new(CONCURRENT as usize),
            gate: Gate::default(),
            counters: Counters::default(),
        })
    }

    /// Sends one call.
    pub(super) async fn send(&self, call: Call) -> Result<Reply, Error> {
        let results = self.run(&[call]).await?;
        results.into_iter().next().unwrap_or(Err(Error::Malformed {
            what: "no reply to one request",
        }))
    }

    /// Sends calls, several together in a `$batch`; results are in the order of the calls.
    ///
    /// # Errors
    /// Only when no call was carried out, for a reason that concerns them all.
    pub(super) async fn run(&self, calls: &[Call]) -> Result<Vec<Result<Reply, Error>>, Error> {
        let mut results = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(BATCH) {
            let mut job = Job::new(chunk);
            while job.is_open() {
                self.round(&mut job).await;
            }
            results.extend(job.into_results());
        }
        all_or_one(results)
    }

    pub(super) fn throttled_until(&self) -> Option<Instant> {
        self.gate.closed_until()
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            requests: read(&self.counters.requests),
            bytes_in: read(&self.counters.bytes_in),
            bytes_out: read(&self.counters.bytes_out),
            throttled: read(&self.counters.throttled),
        }
    }

    /// Sends the open calls of a job once and settles them.
    async fn round(&self, job: &mut Job<'_>) {
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(error) => return job.fail(error.into()),
        };
        let open = job.open();
        let permits = match self.admit(&mut job.patience, open.len()).await {
            Ok(permits) => permits,
            Err(error) => return job.fail(error),
        };
        let calls: Vec<&Call> = open
            .iter()
            .filter_map(|&index| job.calls.get(index))
            .collect();
        let outcomes = self.exchange(&calls, &token).await;
        drop(permits);
        let mut pause = Duration::ZERO;
        for (index, outcome) in open.into_iter().zip(outcomes) {
            pause = pause.max(self.settle(job, index, outcome, &token));
        }
        // What the gate holds back is waited for there.
        if job.is_open() && self.gate.closed_until().is_none() {
            job.wait(pause).await;
        }
    }

    /// Waits until the gate is open and there is room for so many requests, both at once.
    async fn admit(
        &self,
        patience: &mut Patience,
        requests: usize,
    ) -> Result<SemaphorePermit<'_>, Error> {
        let weight = u32::try_from(requests)
            .unwrap_or(CONCURRENT)
            .min(CONCURRENT);
        loop {
            self.gate.pass(patience).await?;
            let closed = || Error::Offline {
                source: "the client is shut down".into(),
            };
            let permits = self
                .permits
                .acquire_many(weight)
                .await
                .map_err(|_| closed())?;
            if self.gate.closed_until().is_none() {
                return Ok(permits);
            }
        }
    }

    /// Takes in one outcome; returns the pause before the call may be sent again.
    fn settle(
        &self,
        job: &mut Job<'_>,
        index: usize,
        outcome: Outcome,
        token: &SecretString,
    ) -> Duration {
        if let Outcome::Replied(reply) = &outcome {
            self.heed(reply);
        }
        match job.judge(index, outcome) {
            Verdict::Done(result) => {
                job.finish(index, result);
                Duration::ZERO
            }
            Verdict::Again {
                pause,
                remedy,
                otherwise,
            } => {
                job.postpone(index, remedy, otherwise);
                self.apply(remedy, pause, token);
                pause
            }
        }
    }

    /// Obeys a pause the service asks for, also when this request is over.
    fn heed(&self, reply: &Reply) {
        if reply.status == 429 {
            self.counters.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if let (429 | 503 | 504, Some(pause)) = (reply.status, reply.retry_after) {
            self.gate.close_for(pause);
        }
    }

    fn apply(&self, remedy: Remedy, pause: Duration, token: &SecretString) {
        match remedy {
            Remedy::Wait => {}
            Remedy::WaitAll => self.gate.close_for(pause),
            Remedy::Reconnect => self.reconnect(),
            Remedy::Token => self.tokens.refused(token),
        }
    }

    /// Leaves the pooled connections behind; if no new client can be made the old one has to do.
    fn reconnect(&self) {
        if let Ok(http) = web::client(&self.endpoint.graph_url) {
            *self.http.lock().unwrap_or_else(PoisonError::into_inner) = http;
        }
    }

    /// One round trip for some calls: one plainly, several as a `$batch`. One outcome per call, in order.
    async fn exchange(&self, calls: &[&Call], token: &SecretString) -> Vec<Outcome> {
        match calls {
            [] => Vec::new(),
            [call] => vec![self.send_once(call, token).await],
            several => batch::split(
                self.send_once(&batch::request(several), token).await,
                several.len(),
            ),
        }
    }

    /// Puts one HTTP request on the wire.
    async fn send_once(&self, call: &Call, token: &SecretString) -> Outcome {
        let started = Instant::now();
        let outcome = self.transfer(call, token).await;
        let status = match &outcome {
            Outcome::Replied(reply) => reply.status,
            Outcome::NotSent(_) | Outcome::NoReply(_) | Outcome::TooLong => 0,
        };
        tracing::debug!(method = %call.method, path = call.loggable(), status, elapsed = ?started.elapsed(), "graph request");
        outcome
    }

    async fn transfer(&self, call: &Call, token: &SecretString) -> Outcome {
        let request = match self.request(call, token) {
            Ok(request) => request,
            Err(error) => return Outcome::NotSent(Lost::new(&error)),
        };
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let http = self
            .http
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match http.execute(request).await {
            Ok(response) => self.receive(response, call.limit).await,
            Err(error) if error.is_connect() || error.is_builder() => {
                Outcome::NotSent(Lost::new(&error.without_url()))
            }
            Err(error) => Outcome::NoReply(Lost::new(&error.without_url())),
        }
    }

    fn request(&self, call: &Call, token: &SecretString) -> Result<reqwest::Request, Error> {
        let url = self.endpoint.absolute(&call.target)?;
        let http = self
            .http
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut request = http
            .request(call.method.clone(), url)
            .bearer_auth(token.expose_secret())
            .header("client-request-id", uuid::Uuid::new_v4().to_string());
        for (name, value) in call.headers() {
            request = request.header(name, value);
        }
        let body = match &call.payload {
            Payload::None => Vec::new(),
            Payload::Json(value) => value.to_string().into_bytes(),
            Payload::Bytes(bytes, _) => bytes.clone(),
        };
        self.counters
            .bytes_out
            .fetch_add(body.len() as u64, Ordering::Relaxed);
        if !matches!(call.payload, Payload::None) {
            request = request.body(body);
        }
        request.build().map_err(|_| Error::Malformed {
            what: "a request cannot be built",
        })
    }

    async fn receive(&self, mut response: reqwest::Response, limit: usize) -> Outcome {
        let status = response.status().as_u16();
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let retry_after = header("retry-after").and_then(throttle::retry_after);
        if !(200..300).contains(&status) {
            tracing::debug!(status, request_id = header("request-id"), "graph refused");
        }
        match body::read(&mut response, limit).await {
            Ok(bytes) => {
                self.counters
                    .bytes_in
                    .fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Outcome::Replied(Reply {
                    status,
                    retry_after,
                    body: Body::Raw(bytes),
                })
            }
            // The status has arrived, and says all there is to say about a failure.
            Err(_) if !(200..300).contains(&status) => Outcome::Replied(Reply {
                status,
                retry_after,
                body: Body::Raw(Vec::new()),
            }),
            Err(ReadError::TooLong) => Outcome::TooLong,
            Err(ReadError::Broken(error)) => Outcome::NoReply(Lost::new(&error)),
        }
    }
}

/// Turns "everything failed for a common reason" into one error.
fn all_or_one(results: Vec<Result<Reply, Error>>) -> Result<Vec<Result<Reply, Error>>, Error> {
    let common = !results.is_empty()
        && results
            .iter()
            .all(|result| matches!(result, Err(error) if error.concerns_all()));
    if !common {
        return Ok(results);
    }
    match results.into_iter().next() {
        Some(Err(error)) => Err(error),
        _ => Ok(Vec::new()),
    }
}
