//! The control socket of a mount: one JSON request line, one JSON reply line; a watcher gets lines until the mount ends.
//!
//! Owns the protocol and both of its ends. The socket is 0600 in a 0700 directory and the peer's user
//! is checked besides, because a request can unmount. Plain threads, not async: requests are rare and
//! a handler may block. Called by the daemon (serve) and the command line (call).

mod client;
mod server;

use serde::{Deserialize, Serialize};

use super::watch::Watch;
use crate::observe::categories::Categories;
use crate::observe::happening::Happening;
use crate::observe::past::{Conflict, Version};
use crate::observe::status::{FileStatus, Item, Status};

pub use client::{CallError, Watching, call, watch};
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
    /// Every contact in conflict.
    Conflicts,
    /// The versions kept of one file, which may be gone.
    History {
        /// Relative to the mount point.
        path: String,
    },
    /// The bytes of one version.
    Version {
        /// Its number.
        version: i64,
    },
    /// Let every held deletion be sent.
    ConfirmDeletions,
    /// Take every held deletion back.
    RestoreDeletions,
    /// The categories of contacts, with the colours of the mailbox's list.
    Categories,
    /// Push everything pending, pull every folder, then answer.
    Sync,
    /// Tell of everything that happens, until the mount ends.
    Watch,
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
    FileStatus(Option<Box<FileStatus>>),
    /// To [`Request::Conflicts`].
    Conflicts(Vec<Conflict>),
    /// To [`Request::History`], the newest first.
    History(Vec<Version>),
    /// To [`Request::Version`]; `None` when it is not kept any more.
    Version(Option<Vec<u8>>),
    /// To [`Request::ConfirmDeletions`] and [`Request::RestoreDeletions`]: how many those were.
    Deletions(usize),
    /// To [`Request::Categories`].
    Categories(Categories),
    /// To [`Request::Sync`].
    Sync(SyncOutcome),
    /// To [`Request::Watch`], many times.
    Happening(Happening),
    /// To [`Request::Watch`], at last: the mount ends in an orderly way.
    Ended,
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
    fn file_status(&self, path: &str) -> Option<FileStatus>;

    /// Every contact in conflict.
    fn conflicts(&self) -> Vec<Conflict>;

    /// The versions kept of one file, the newest first.
    fn history(&self, path: &str) -> Vec<Version>;

    /// The bytes of one version.
    fn version(&self, version: i64) -> Option<Vec<u8>>;

    /// Lets every held deletion be sent; how many those are.
    fn confirm_deletions(&self) -> usize;

    /// Takes every held deletion back; how many those were.
    fn restore_deletions(&self) -> usize;

    /// The categories of contacts; asks the service.
    fn categories(&self) -> Categories;

    /// Begins to tell of what happens.
    fn watch(&self) -> Watch;

    /// Pushes and pulls everything; may take as long as the network does.
    fn sync(&self) -> SyncOutcome;

    /// Starts the orderly end and returns at once; the asker waits for [`ControlServer::unmounted`].
    fn unmount(&self);
}
