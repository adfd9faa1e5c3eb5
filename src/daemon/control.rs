//! The control socket of a mount: one JSON request line, one JSON reply line.
//!
//! Owns the protocol and both of its ends. The socket is 0600 in a 0700 directory and the peer's user
//! is checked besides, because a request can unmount. Plain threads, not async: requests are rare and
//! a handler may block. Called by the daemon (serve) and the command line (call).

mod client;
mod server;

use serde::{Deserialize, Serialize};

use crate::observe::status::{Item, Status};

pub use client::{CallError, call};
pub use server::{ControlServer, serve};

/// What a command asks of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The whole mount's status.
    Status,
    /// One file's state.
    FileStatus {
        /// Relative to the mount point.
        path: String,
    },
    /// Push everything pending, pull every folder, then answer.
    Sync,
    /// Drain and unmount. The answer comes when the mount is gone.
    Unmount,
}

/// What the mount answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", content = "value", rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::FileStatus`]; `None` when there is no such file.
    FileStatus(Option<Item>),
    /// To [`Request::Sync`].
    Sync(SyncOutcome),
    /// To [`Request::Unmount`], with what stays queued for the next mount.
    Unmounted(Vec<Item>),
    /// The request makes no sense to this version.
    Refused(String),
}

/// How a `sync` ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "snake_case")]
pub enum SyncOutcome {
    /// Both sides hold the same.
    InStep,
    /// These are not at the service.
    Left(Vec<Item>),
    /// The service did not answer; one sentence.
    Offline(String),
}

/// What a mount does when asked.
pub trait Handler: Send + Sync {
    /// A snapshot; answers at once.
    fn status(&self) -> Status;

    /// The state of one file, by its path relative to the mount point.
    fn file_status(&self, path: &str) -> Option<Item>;

    /// Pushes and pulls everything; may take as long as the network does.
    fn sync(&self) -> SyncOutcome;

    /// Starts the orderly end and returns at once; the asker waits for [`ControlServer::unmounted`].
    fn unmount(&self);
}
