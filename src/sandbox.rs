//! A Microsoft Graph of our own: contacts over real HTTP on loopback.
//!
//! Plays the service for `mount --sandbox`, for the `sandbox` command and for every integration test, as strictly as
//! the facts allow, with failures on request. It imports nothing of this crate and shares no type with the client, so
//! a misreading cannot hide on both sides. Callers start it with [`Sandbox::start`] and otherwise speak HTTP.

mod admin;
mod base64_bytes;
mod batch;
mod categories;
mod clock;
mod contact_rules;
mod contacts;
mod delivery;
mod delta;
mod exchange;
mod extended;
mod faults;
mod folders;
mod http;
mod ids;
mod log;
mod login;
mod mailbox;
mod odata;
mod people;
mod persist;
mod photo;
mod properties;
mod render;
mod routes;
mod seats;
mod seed;
mod server;
mod service;
mod storm;
mod subscriptions;
mod tokens;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

use self::faults::Faults;
use self::log::Log;
use self::login::Login;
use self::mailbox::Mailbox;
use self::persist::Journal;
use self::service::{Service, State, Switches};
use self::subscriptions::Subscriptions;

pub use self::delta::DeltaExpiry;
pub use self::faults::{Fault, FaultAction};
pub use self::log::LogEntry;

/// How long a stop waits for the service to end.
const STOP: Duration = Duration::from_secs(5);

/// How to run the service.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Generated people besides the sample ones.
    pub contacts: Option<usize>,
    /// Leaves the sample mailbox out.
    pub empty: bool,
    /// Extra folders over which generated people are spread; 0 puts them into the default folder.
    pub folders: usize,
    /// Same seed, same people, ids and whims.
    pub seed: u64,
    /// Directory in which the mailbox outlives the service; a mailbox found there wins over the options above.
    pub data: Option<PathBuf>,
    /// Time every request takes.
    pub latency: Duration,
    /// File to which every exchange is appended as a JSON line.
    pub record: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            contacts: None,
            empty: false,
            folders: 0,
            seed: 1,
            data: None,
            latency: Duration::ZERO,
            record: None,
        }
    }
}

/// A running service; stops when dropped. What it has answered is on disk already, if anything is kept.
pub struct Sandbox {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Arc<Notify>,
    ended: Receiver<()>,
}

impl Sandbox {
    /// Starts the service on its own thread; it answers as soon as this returns.
    ///
    /// # Errors
    /// The address cannot be bound, or the data directory or the record cannot be used.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let service = Arc::new(Service::new(state(&options)?, options.latency));
        let stop = Arc::new(Notify::new());
        let (end, ended) = channel();
        let (served, stopping) = (Arc::clone(&service), Arc::clone(&stop));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || {
                runtime.block_on(run(listener, served, stopping));
                runtime.shutdown_background();
                // Nobody waits any more if the stop took too long.
                let _ = end.send(());
            })?;
        Ok(Self {
            address,
            service,
            stop,
            ended,
        })
    }

    /// The root of Graph: `http://127.0.0.1:PORT/v1.0`.
    #[must_use]
    pub fn graph_url(&self) -> String {
        format!("http://{}/v1.0", self.address)
    }

    /// The root of the sign-in service: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn login_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A bearer token that acts for the person of the mailbox and may write.
    #[must_use]
    pub fn access_token(&self) -> String {
        self.service.state().login.ready_token(login::CLIENT_ID)
    }

    /// A bearer token of another application that acts for the same person: limits are counted for each application.
    #[must_use]
    pub fn other_access_token(&self) -> String {
        let state = self.service.state();
        state.login.ready_token(login::OTHER_CLIENT_ID)
    }

    /// The registered application.
    #[must_use]
    pub fn client_id(&self) -> &str {
        login::CLIENT_ID
    }

    /// Its secret, for client credentials.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        login::CLIENT_SECRET
    }

    /// The directory of the mailbox.
    #[must_use]
    pub fn tenant(&self) -> &str {
        login::TENANT
    }

    /// The user principal name of the mailbox.
    #[must_use]
    pub fn mailbox(&self) -> &str {
        people::ALEX.upn
    }

    /// The user principal name of a second person, who shares a mailbox with everybody.
    #[must_use]
    pub fn shared_mailbox(&self) -> &str {
        people::ROBIN.upn
    }

    /// The exchanges so far, in order of arrival; the oldest of very many are gone.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.service.state().log.entries()
    }

    /// Forgets the exchanges so far.
    pub fn clear_log(&self) {
        self.service.state().log.clear();
    }

    /// Plans a failure.
    pub fn add_fault(&self, fault: Fault) {
        self.service.state().faults.add(fault);
    }

    /// Drops every planned failure.
    pub fn clear_faults(&self) {
        self.service.state().faults.clear();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.notify_one();
        // A thread that does not end in time is left behind: dropping must not hang.
        let _ = self.ended.recv_timeout(STOP);
    }
}

async fn run(listener: TcpListener, service: Arc<Service>, stop: Arc<Notify>) {
    if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
        tokio::select! {
            () = server::serve(listener, Arc::clone(&service), stop) => {}
            () = delivery::run(service) => {}
        }
    }
}

fn state(options: &Options) -> io::Result<State> {
    let mut mailbox = match kept(options, persist::MAIN)? {
        Some(mailbox) => mailbox,
        None => fresh(options)?,
    };
    let mut shared = match kept(options, persist::SHARED)? {
        Some(mailbox) => mailbox,
        None => second(options),
    };
    mailbox.changes.clear();
    shared.changes.clear();
    let journals = match options.data.as_deref() {
        Some(directory) => Some([
            Journal::begin(directory, persist::MAIN, &mut mailbox)?,
            Journal::begin(directory, persist::SHARED, &mut shared)?,
        ]),
        None => None,
    };
    Ok(State {
        mailbox,
        shared,
        login: Login::new(),
        faults: Faults::default(),
        log: Log::open(options.record.as_deref())?,
        journals,
        subscriptions: Subscriptions::default(),
        switches: Switches {
            enforce_if_match: false,
            retry_after: true,
            takes_photos: true,
            removes_photos: false,
            encodes_photos: false,
            delta_lag: Duration::ZERO,
            budget: seats::BUDGET,
        },
    })
}

fn kept(options: &Options, name: &str) -> io::Result<Option<Mailbox>> {
    match options.data.as_deref() {
        Some(directory) => persist::load(directory, name),
        None => Ok(None),
    }
}

/// A few people of another seed: the ids must differ.
fn second(options: &Options) -> Mailbox {
    let mut mailbox = Mailbox::new(options.seed.wrapping_add(1));
    seed::generate(&mut mailbox, if options.empty { 0 } else { 3 }, 0);
    mailbox
}

fn fresh(options: &Options) -> io::Result<Mailbox> {
    let mut mailbox = Mailbox::new(options.seed);
    if !options.empty {
        seed::sample(&mut mailbox)?;
    }
    seed::generate(&mut mailbox, options.contacts.unwrap_or(0), options.folders);
    Ok(mailbox)
}
