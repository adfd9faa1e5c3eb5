//! Sends requests: token, permits, `$batch`, retries, pauses.
//!
//! Everything the client sends goes through [`Transport::run`], alone or in batches, under the same rules. Refuses more
//! than four requests at a time for the mailbox, batch members counted (graph-facts 9.2, trap 21).

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::Instant;

use super::connection::Connection;
use super::job::Job;
use super::request::{Call, Reply};
use super::throttle::{Gate, Patience};
use super::verdict::{Outcome, Remedy};
use super::work::Work;
use super::{Endpoint, Error, Stats, batch};
use crate::auth::TokenSource;

/// Requests of one application under way for one mailbox (graph-facts 9.2).
const CONCURRENT: u32 = 4;

/// Members of a `$batch` (graph-facts 9.1).
const BATCH: usize = 20;

pub(super) struct Transport {
    connection: Connection,
    tokens: Arc<dyn TokenSource>,
    permits: Semaphore,
    gate: Gate,
    /// When a request last succeeded.
    answered: watch::Sender<Option<Instant>>,
    /// Calls under way.
    work: Work,
}

impl Transport {
    pub(super) fn new(endpoint: Endpoint, tokens: Arc<dyn TokenSource>) -> Result<Self, Error> {
        Ok(Self {
            connection: Connection::new(endpoint)?,
            tokens,
            permits: Semaphore::new(CONCURRENT as usize),
            gate: Gate::default(),
            answered: watch::Sender::default(),
            work: Work::new(),
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.connection.endpoint
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
        let _task = self.work.begin();
        let mut results: Vec<Result<Reply, Error>> = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(BATCH) {
            let mut job = Job::new(chunk);
            // Once the service is out of reach, every further batch would wait for nothing.
            if let Some(Err(error)) = results.last().filter(|last| concerns_all(last)) {
                job.fail(error);
            }
            while job.is_open() {
                self.round(&mut job).await;
            }
            results.extend(job.into_results());
        }
        if results.iter().all(concerns_all)
            && let Some(Err(error)) = results.first()
        {
            return Err(error.copy());
        }
        Ok(results)
    }

    pub(super) fn throttled_until(&self) -> Option<Instant> {
        self.gate.closed_until()
    }

    pub(super) fn idle(&self) -> Option<Duration> {
        self.work.idle()
    }

    pub(super) fn answers(&self) -> watch::Receiver<Option<Instant>> {
        self.answered.subscribe()
    }

    pub(super) fn reconnect(&self) {
        self.connection.renew();
    }

    pub(super) fn stats(&self) -> Stats {
        Stats {
            held_back: self.gate.held_back(),
            ..self.connection.traffic.stats()
        }
    }

    /// Sends the open calls of a job once and settles them.
    async fn round(&self, job: &mut Job<'_>) {
        let token = match self.tokens.token().await {
            Ok(token) => token,
            Err(error) => return job.fail(&error.into()),
        };
        let open = job.open();
        let permits = match self.admit(&mut job.patience, open.len()).await {
            Ok(permits) => permits,
            Err(error) => return job.fail(&error),
        };
        let calls: Vec<&Call> = open.iter().map(|(_, call)| *call).collect();
        let mut outcomes = self.exchange(&calls, &token).await;
        drop(permits);
        self.heed(&mut outcomes);
        let challenge = outcomes.iter().find_map(Outcome::challenge);
        let settled = open
            .iter()
            .zip(outcomes)
            .filter_map(|((index, _), outcome)| job.settle(*index, outcome));
        let (pauses, remedies): (Vec<Duration>, Vec<Remedy>) = settled.unzip();
        let pause = pauses.into_iter().max().unwrap_or_default();
        if remedies.contains(&Remedy::Token) {
            self.tokens.refused(&token, challenge);
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
            let permits = self.permits.acquire_many(weight).await;
            let permits = permits.map_err(|error| Error::Offline {
                source: error.into(),
            })?;
            if self.gate.closed_until().is_none() {
                return Ok(permits);
            }
        }
    }

    /// One round trip for some calls: one plainly, several as a `$batch`. One outcome per call, in order.
    async fn exchange(&self, calls: &[&Call], token: &SecretString) -> Vec<Outcome> {
        match calls {
            [] => Vec::new(),
            [call] => vec![self.connection.send(call, token).await],
            several => {
                let whole = self.connection.send(&batch::request(several), token).await;
                batch::split(whole, several.len())
            }
        }
    }

    /// Obeys a pause the service asks for, also for requests that are over; a throttled one that was told none is given
    /// one. After a 503 the next request goes over a new connection (trap 22).
    fn heed(&self, outcomes: &mut [Outcome]) {
        let replies = || outcomes.iter().filter_map(Outcome::reply);
        let is_unnamed = |reply: &Reply| reply.status == 429 && reply.retry_after.is_none();
        let is_down = replies().any(|reply| reply.status == 503);
        if replies().any(Reply::is_success) {
            self.answered.send_replace(Some(Instant::now()));
        }
        let unnamed = replies().any(is_unnamed).then(|| self.gate.unnamed_pause());
        for reply in outcomes.iter_mut().filter_map(Outcome::reply_mut) {
            if reply.status == 429 {
                self.connection.traffic.throttled();
            }
            if is_unnamed(reply) {
                reply.retry_after = unnamed;
            }
            if let (429 | 503 | 504, Some(pause)) = (reply.status, reply.retry_after) {
                self.gate.close_for(pause);
            }
        }
        if is_down {
            self.connection.renew();
        }
    }
}

/// Whether every other request of the mailbox would fail so too.
fn concerns_all(result: &Result<Reply, Error>) -> bool {
    matches!(result, Err(error) if error.concerns_all())
}
