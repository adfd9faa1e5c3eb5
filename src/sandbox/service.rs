//! From a whole request to its outcome: faults, sign-in, throttling, latency, the mailbox, the journal, the log.
//!
//! The state is behind one mutex that is never held across an await; everything under it is short.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exchange::Exchange;
use super::faults::{FaultAction, Faults};
use super::http::{Refusal, Reply, Request};
use super::log::Log;
use super::login::Login;
use super::mailbox::Mailbox;
use super::people::Home;
use super::persist::Journal;
use super::routes::{self, Mailboxes};
use super::seats::Seats;
use super::subscriptions::{self, Subscriptions};
use super::tokens::Caller;
use super::{admin, batch, delta};

/// Switches of behaviour that cannot be established from the outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    /// Whether a stale `If-Match` on a contact is a 412. That is not established, so it is not unless asked for: a client
    /// has to look for itself (graph-facts 4.2).
    pub(super) enforce_if_match: bool,
    /// Whether a 429 says when to come back (graph-facts 9.3).
    pub(super) retry_after: bool,
    /// Whether pictures may be put, as personal accounts may not let one (graph-facts 5).
    pub(super) takes_photos: bool,
    /// Whether pictures can be deleted, which is documented as not supported (graph-facts 5).
    pub(super) removes_photos: bool,
    /// Whether a picture is stored as other bytes than were sent (vcard-mapping 5).
    pub(super) encodes_photos: bool,
    /// How long a change takes to show in the next round of a delta query (graph-facts 3.2).
    pub(super) delta_lag: Duration,
    /// Requests of one application to one mailbox in ten minutes.
    pub(super) budget: u64,
}

/// What changes while the service runs.
pub(super) struct State {
    pub(super) mailbox: Mailbox,
    /// Of a second person, who shares it.
    pub(super) shared: Mailbox,
    pub(super) login: Login,
    pub(super) faults: Faults,
    pub(super) log: Log,
    /// Of the mailbox and the shared one.
    pub(super) journals: Option<[Journal; 2]>,
    pub(super) subscriptions: Subscriptions,
    pub(super) switches: Switches,
}

/// The service behind the socket.
pub(super) struct Service {
    state: Mutex<State>,
    pub(super) seats: Seats,
    latency: Duration,
}

/// What becomes of a connection after a request.
pub(super) enum Outcome {
    Reply(Reply),
    /// The reply announces its length and ends half way.
    Cut(Reply),
    /// The reply comes in pieces over this time.
    Slow(Reply, Duration),
    HangUp,
}

impl Outcome {
    fn in_bytes(self) -> Self {
        match self {
            Self::Reply(reply) => Self::Reply(reply.in_bytes()),
            Self::Cut(reply) => Self::Cut(reply.in_bytes()),
            Self::Slow(reply, time) => Self::Slow(reply.in_bytes(), time),
            Self::HangUp => Self::HangUp,
        }
    }
}

impl Service {
    pub(super) fn new(state: State, latency: Duration) -> Self {
        Self {
            state: Mutex::new(state),
            seats: Seats::new(),
            latency,
        }
    }

    /// The state; a handler that panicked leaves it usable.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request from a connection.
    pub(super) async fn handle(&self, request: Request) -> Outcome {
        if request.path().starts_with("/sandbox/") {
            return Outcome::Reply(admin::answer(self, &request));
        }
        let (exchange, strike) = Exchange::begin(self, &request);
        let outcome = self.struck(&request, &exchange, strike).await.in_bytes();
        exchange.end(match &outcome {
            Outcome::Reply(reply) | Outcome::Cut(reply) | Outcome::Slow(reply, _) => Some(reply),
            Outcome::HangUp => None,
        });
        outcome
    }

    async fn struck(
        &self,
        request: &Request,
        exchange: &Exchange<'_>,
        strike: Option<FaultAction>,
    ) -> Outcome {
        let process = |extra| self.process(request, exchange, extra);
        let none = Duration::ZERO;
        match strike {
            None => Outcome::Reply(process(none).await),
            Some(FaultAction::Delay(time)) => Outcome::Reply(process(time).await),
            Some(FaultAction::Late(time)) => {
                let reply = process(none).await;
                tokio::time::sleep(time).await;
                Outcome::Reply(reply)
            }
            Some(FaultAction::Trickle(time)) => Outcome::Slow(process(none).await, time),
            Some(FaultAction::DropBefore) => Outcome::HangUp,
            Some(FaultAction::DropAfter) => {
                process(none).await;
                Outcome::HangUp
            }
            Some(FaultAction::Truncate) => Outcome::Cut(process(none).await),
            Some(FaultAction::Redirect(to)) => {
                Outcome::Reply(Reply::empty(302).with_header("location", to))
            }
            Some(FaultAction::Malformed) => Outcome::Reply(Reply::bytes(
                "application/json",
                b"{\"value\":[{\"displayName\":\"\x01\x0B".to_vec(),
            )),
            Some(action @ (FaultAction::Status { .. } | FaultAction::ExpireDelta(_))) => {
                Outcome::Reply(self.refused_on_request(request, action))
            }
        }
    }

    /// The failures that are replies; the only ones a member of a batch can meet.
    pub(super) fn refused_on_request(&self, request: &Request, action: FaultAction) -> Reply {
        match action {
            FaultAction::Status {
                code,
                empty_body: true,
                retry_after,
                ..
            } => {
                let reply = Reply::empty(code);
                match retry_after {
                    Some(seconds) => reply.with_header("retry-after", seconds.to_string()),
                    None => reply,
                }
            }
            FaultAction::Status {
                code,
                error_code,
                retry_after,
                ..
            } => stamped(
                request,
                Err(FaultAction::refusal(code, &error_code, retry_after)),
            ),
            FaultAction::ExpireDelta(expiry) => {
                let mut state = self.state();
                delta::expire(&mut state.mailbox, request);
                stamped(request, Err(delta::lost(expiry, request)))
            }
            _ => stamped(request, Err(Refusal::internal())),
        }
    }

    async fn process(&self, request: &Request, exchange: &Exchange<'_>, extra: Duration) -> Reply {
        if let Some((tenant, endpoint)) = login_path(request) {
            tokio::time::sleep(extra).await;
            return self.state().login.answer(&tenant, &endpoint, request);
        }
        stamped(request, self.on_graph(request, exchange, extra).await)
    }

    async fn on_graph(
        &self,
        request: &Request,
        exchange: &Exchange<'_>,
        extra: Duration,
    ) -> Result<Reply, Refusal> {
        if !request.path().starts_with("/v1.0/") {
            return Err(Refusal::unknown_segment(
                request.path().trim_start_matches('/'),
            ));
        }
        let caller = self.state().login.caller(request)?;
        if request.path().eq_ignore_ascii_case("/v1.0/$batch") {
            tokio::time::sleep(self.latency + extra).await;
            return batch::answer(self, request, exchange, &caller).await;
        }
        if let (0, refusal) = exchange.room() {
            return Err(refusal);
        }
        tokio::time::sleep(extra).await;
        self.wait().await;
        self.on_resource(request, &caller).await
    }

    /// Runs a request that may have to wait for others.
    pub(super) async fn on_resource(
        &self,
        request: &Request,
        caller: &Caller,
    ) -> Result<Reply, Refusal> {
        if request.path().starts_with("/v1.0/subscriptions") {
            subscriptions::answer(self, request, caller).await
        } else {
            self.on_mailbox(request, caller)
        }
    }

    /// Lets the configured time pass, and in any case lets others arrive, so that overlap is noticed.
    pub(super) async fn wait(&self) {
        if self.latency.is_zero() {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.latency).await;
        }
    }

    /// Too much at a time, or a budget that is spent for so many seconds more.
    pub(super) fn throttled(&self, spent: Option<u64>) -> Refusal {
        let refusal = Refusal::throttled(if spent.is_some() {
            "MailboxRequests"
        } else {
            "MailboxConcurrency"
        });
        if self.state().switches.retry_after {
            refusal.with_header("retry-after", spent.unwrap_or(1).to_string())
        } else {
            refusal
        }
    }

    /// Runs a request on the mailbox; what it changed is on disk before it is answered.
    fn on_mailbox(&self, request: &Request, caller: &Caller) -> Result<Reply, Refusal> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mailboxes = Mailboxes {
            main: &mut state.mailbox,
            shared: &mut state.shared,
        };
        let reply = routes::answer(mailboxes, caller, state.switches, request);
        state.save()?;
        reply
    }
}

impl State {
    /// Appends what changed to the journal, or forgets it when nothing is kept; subscribers will be told.
    pub(super) fn save(&mut self) -> Result<(), Refusal> {
        self.subscriptions.announce(Home::Main, &self.mailbox);
        self.subscriptions.announce(Home::Shared, &self.shared);
        let Some([main, shared]) = &mut self.journals else {
            self.mailbox.changes.clear();
            self.shared.changes.clear();
            return Ok(());
        };
        main.append(&mut self.mailbox)
            .and_then(|()| shared.append(&mut self.shared))
            .map_err(|error| Refusal::new(507, "ErrorQuotaExceeded", error.to_string()))
    }
}

/// Adds the request ids to a reply, in headers and in error bodies (graph-facts 9.4).
pub(super) fn stamped(request: &Request, answered: Result<Reply, Refusal>) -> Reply {
    let id = uuid::Uuid::new_v4().to_string();
    let client = request
        .header("client-request-id")
        .unwrap_or(&id)
        .to_owned();
    let reply = answered.unwrap_or_else(|refusal| refusal.into_reply(&id, &client));
    reply
        .with_header("request-id", id)
        .with_header("client-request-id", client)
}

/// Tenant and endpoint of a request to sign in.
fn login_path(request: &Request) -> Option<(String, String)> {
    let rest = request.path().strip_prefix('/')?;
    let (tenant, endpoint) = rest
        .split_once("/oauth2/v2.0/")
        .or_else(|| rest.split_once("/v2.0/"))?;
    let is_page = ["authorize", "adminconsent"].contains(&endpoint);
    let fits = match request.method.as_str() {
        "GET" => is_page,
        "POST" => endpoint != "adminconsent",
        _ => false,
    };
    fits.then(|| (tenant.to_owned(), endpoint.to_owned()))
}
