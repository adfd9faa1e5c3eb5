//! Stand-in for the built-in Graph service.
#![allow(missing_docs, reason = "stand-in")]

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Options {
    pub listen: SocketAddr,
    pub contacts: Option<usize>,
    pub empty: bool,
    pub folders: Vec<String>,
    pub seed: u64,
    pub data: Option<PathBuf>,
    pub latency: Duration,
    pub record: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            contacts: None,
            empty: false,
            folders: Vec::new(),
            seed: 0,
            data: None,
            latency: Duration::ZERO,
            record: false,
        }
    }
}

pub struct Sandbox(std::net::TcpListener);

impl Sandbox {
    /// # Errors
    /// When the address is taken.
    pub fn start(options: Options) -> io::Result<Self> {
        std::net::TcpListener::bind(options.listen).map(Self)
    }

    #[must_use]
    pub fn graph_url(&self) -> String {
        self.0.local_addr().map_or_else(
            |_| String::new(),
            |address| format!("http://{address}/v1.0"),
        )
    }

    #[must_use]
    pub fn login_url(&self) -> String {
        self.0
            .local_addr()
            .map_or_else(|_| String::new(), |address| format!("http://{address}"))
    }

    #[must_use]
    pub fn access_token(&self) -> String {
        "sandbox".to_owned()
    }

    #[must_use]
    pub fn client_id(&self) -> String {
        "sandbox".to_owned()
    }

    #[must_use]
    pub fn client_secret(&self) -> String {
        "sandbox".to_owned()
    }

    #[must_use]
    pub fn tenant(&self) -> String {
        "sandbox".to_owned()
    }

    #[must_use]
    pub fn mailbox(&self) -> String {
        "sandbox@example.com".to_owned()
    }
}
