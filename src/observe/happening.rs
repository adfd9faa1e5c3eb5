//! One line of `contactfs watch`: something that happened in a mount.
//!
//! The JSON keys are as stable as those of the status.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::status::Connection;

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When the mount knew of it.
    pub time: Timestamp,
    /// What it was.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened. Paths are relative to the mount point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A contact was made elsewhere.
    Added {
        /// Its file.
        path: String,
    },
    /// A contact was changed elsewhere.
    Changed {
        /// Its file.
        path: String,
        /// Its file before, if that had another name.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// A contact was deleted elsewhere.
    Removed {
        /// The file it had.
        path: String,
    },
    /// A folder was made elsewhere.
    FolderAdded {
        /// Its directory.
        path: String,
    },
    /// A folder was renamed or moved elsewhere.
    FolderRenamed {
        /// Its directory.
        path: String,
        /// Its directory before.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// A folder was deleted elsewhere.
    FolderRemoved {
        /// The directory it had.
        path: String,
    },
    /// A change made here waits to be sent.
    Queued {
        /// The file or folder.
        path: String,
        /// The kind of change.
        op: String,
    },
    /// The service has taken a change made here.
    Sent {
        /// The file or folder.
        path: String,
        /// The kind of change.
        op: String,
    },
    /// A contact was changed here and elsewhere, in ways that do not go together.
    Conflict {
        /// Its file.
        path: String,
        /// One sentence.
        reason: String,
    },
    /// A save was refused, here or by the service.
    Rejected {
        /// The file.
        path: String,
        /// One sentence.
        reason: String,
    },
    /// The service is found in another way than before.
    Connection {
        /// How.
        connection: Connection,
    },
    /// The reader was too slow: so much happened that some of it was not told.
    Lost,
}
