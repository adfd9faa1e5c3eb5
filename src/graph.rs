//! The Microsoft Graph client: contacts, folders, delta queries, photos.
//!
//! Owns everything that is said to the service and how its answers are understood (graph-facts, all 25 traps); sole user of the
//! HTTP client for Graph. It knows nothing of the store and decides no conflict: callers (`sync`, the composition root)
//! get typed values and typed errors. Waits out short pauses the service asks for and repeats what may be repeated; a POST
//! goes out once. Works on a current-thread runtime.

mod batch;
mod body;
mod categories;
mod connection;
mod contacts;
mod delta;
mod endpoint;
mod error;
mod folders;
mod job;
mod obstacle;
mod photos;
mod profile;
mod properties;
mod request;
mod silence;
mod subscriptions;
mod throttle;
mod traffic;
mod transport;
mod types;
mod verdict;
mod wire;
mod work;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use categories::Category;
pub use endpoint::{Endpoint, Mailbox};
pub use error::{Cause, Error};
pub use obstacle::Obstacle;
pub use subscriptions::{Hook, Subscription};
pub use traffic::{Latency, STEPS_MS, Stats};
pub use types::{
    DeltaFrom, DeltaItem, DeltaNext, DeltaPage, ResidueHint, Snapshot, Version, Write,
};
pub use work::Work;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::auth::TokenSource;
use crate::model::{FolderId, Tier};
use transport::Transport;

/// A handle on one mailbox; clones share connections, limits and counters.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    transport: Transport,
    /// How far the extended properties of contacts are read.
    tier: Tier,
    /// The default folder's id, once a listing has shown it.
    default_folder: OnceLock<FolderId>,
}

impl Client {
    /// Prepares a client that reads contacts as far as `tier`; nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Config`] for an endpoint that [`Endpoint::new`] would refuse.
    pub fn new(
        endpoint: Endpoint,
        tokens: Arc<dyn TokenSource>,
        tier: Tier,
    ) -> Result<Self, Error> {
        endpoint.check()?;
        let transport = Transport::new(endpoint, tokens)?;
        Ok(Self(Arc::new(Inner {
            transport,
            tier,
            default_folder: OnceLock::new(),
        })))
    }

    /// Until when the service asked for silence, if it did.
    #[must_use]
    pub fn throttled_until(&self) -> Option<Instant> {
        self.0.transport.throttled_until()
    }

    /// When the service last did what it was asked, and every time that it does.
    #[must_use]
    pub fn answers(&self) -> watch::Receiver<Option<Instant>> {
        self.0.transport.answers()
    }

    /// Since when nothing is asked, answered or waited for; `None` while something is, which always comes to an end.
    #[must_use]
    pub fn idle(&self) -> Option<Duration> {
        self.0.transport.idle()
    }

    /// Makes new connections for the requests to come.
    pub fn reconnect(&self) {
        self.0.transport.reconnect();
    }

    /// What was sent and received so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.transport.stats()
    }

    fn transport(&self) -> &Transport {
        &self.0.transport
    }

    fn path(&self, rest: &str) -> String {
        self.0.transport.endpoint().path(rest)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", self.0.transport.endpoint())
            .finish_non_exhaustive()
    }
}
