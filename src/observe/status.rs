//! The status of a mount as one serialisable value.
//!
//! The JSON keys are the field names and are stable: they are documented in `contactfs(1)` and
//! scripts read them. Adding a key is fine, renaming or removing one is not.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::past::Version;

/// A snapshot of one mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The mount point.
    pub mount: PathBuf,
    /// The process that serves it.
    pub pid: u32,
    /// The account's name.
    pub account: String,
    /// The mailbox; `None` is the signed-in user's own.
    pub mailbox: Option<String>,
    /// Whether nothing can be changed through the mount.
    pub read_only: bool,
    /// How the service was found last time.
    pub connection: Connection,
    /// Every contact folder, in the mount's order.
    pub folders: Vec<FolderStatus>,
    /// Changes not yet at the service.
    pub pending: Vec<Item>,
    /// New files that are not yet an acceptable card.
    pub drafts: Vec<Item>,
    /// Contacts changed here and there.
    pub conflicts: Vec<Item>,
    /// Saves that were refused, here or by the service.
    pub rejected: Vec<Item>,
    /// Deletions that wait for a person, because they are so many.
    pub held: Vec<Item>,
    /// Requests sent to the service since the mount began.
    pub requests: u64,
    /// What these requests amount to.
    pub traffic: Traffic,
    /// Whether the service tells of changes; `None` when it was not asked to.
    pub notifications: Option<Notifications>,
}

/// What went to and came from the service since the mount began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes of answers, after decompression.
    pub bytes_in: u64,
    /// Bytes of requests.
    pub bytes_out: u64,
    /// How often the service asked for fewer requests.
    pub throttled: u64,
    /// For how long requests were held back, in milliseconds.
    pub throttled_ms: u64,
    /// How long answers took.
    pub latency_ms: Latency,
}

/// How long answers took, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many answers there were.
    pub answers: u64,
    /// How long all of them took.
    pub total: u64,
    /// How long one took on average.
    pub mean: u64,
    /// How long the slowest took.
    pub max: u64,
    /// How many came in time, for several times.
    pub steps: Vec<Step>,
}

/// How many answers came in time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The time, in milliseconds.
    pub within: u64,
    /// How many came within it.
    pub answers: u64,
}

/// How far the service tells of changes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notifications {
    /// Folders whose changes it tells of.
    pub subscribed: usize,
    /// Why it does not tell of all, in one sentence.
    pub reason: Option<String>,
}

/// The state of the link to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Connection {
    /// The last request was answered.
    Online,
    /// The last request got no answer.
    Offline {
        /// What is in the way, in a word or two: `DNS`, `no route`, `refused`, `TLS`, `proxy`, `timeout`, `connection
        /// lost`.
        cause: String,
        /// One sentence.
        reason: String,
    },
    /// The service answers, and fails.
    ServiceError {
        /// One sentence.
        reason: String,
    },
    /// The service asked to wait (429 or 503).
    Throttled {
        /// When the next request may go.
        until: Timestamp,
    },
    /// The service takes no more requests with this sign-in.
    SignInNeeded {
        /// One sentence, with the command to run.
        reason: String,
    },
}

/// One contact folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderStatus {
    /// Its directory, relative to the mount point.
    pub name: String,
    /// Contacts known so far.
    pub contacts: usize,
    /// Whether its first full load is complete.
    pub loaded: bool,
    /// When it was last read to the end.
    pub last_pull: Option<Timestamp>,
}

/// One file with something to say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The file, relative to the mount point.
    pub path: String,
    /// `synced`, `pending`, `draft`, `conflict`, `rejected` or `held`.
    pub state: String,
    /// Why, in one sentence.
    pub reason: Option<String>,
    /// The contact's id at the service, once it has one.
    pub id: Option<String>,
}

/// What is known of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStatus {
    /// The file and its state.
    #[serde(flatten)]
    pub item: Item,
    /// The contact's version at the service, as last heard of.
    pub change_key: Option<String>,
    /// When the contact was made at the service.
    pub created: Option<Timestamp>,
    /// Earlier versions that are kept, the newest first.
    pub versions: Vec<Version>,
}

impl Status {
    /// 0 healthy, 1 degraded (work is waiting), 2 a person is needed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let stuck =
            !self.conflicts.is_empty() || !self.rejected.is_empty() || !self.held.is_empty();
        let waiting = !self.pending.is_empty()
            || !self.drafts.is_empty()
            || self.folders.iter().any(|f| !f.loaded);
        match self.connection {
            Connection::SignInNeeded { .. } => 2,
            _ if stuck => 2,
            Connection::Offline { .. }
            | Connection::ServiceError { .. }
            | Connection::Throttled { .. } => 1,
            Connection::Online => u8::from(waiting),
        }
    }
}

impl Item {
    /// As [`Status::exit_code`], for one file. A state this version does not know needs a person.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.state.as_str() {
            "synced" => 0,
            "pending" | "draft" => 1,
            _ => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Status {
        Status {
            mount: PathBuf::from("/m"),
            pid: 1,
            account: "default".to_owned(),
            mailbox: None,
            read_only: false,
            connection: Connection::Online,
            folders: vec![FolderStatus {
                name: "Contacts".to_owned(),
                contacts: 1,
                loaded: true,
                last_pull: None,
            }],
            pending: Vec::new(),
            drafts: Vec::new(),
            conflicts: Vec::new(),
            rejected: Vec::new(),
            held: Vec::new(),
            requests: 3,
            traffic: Traffic::default(),
            notifications: None,
        }
    }

    #[test]
    fn exit_codes_grow_with_the_need_for_a_person() {
        let offline = Connection::Offline {
            cause: String::new(),
            reason: String::new(),
        };
        let sign_in = Connection::SignInNeeded {
            reason: String::new(),
        };
        let throttled = Connection::Throttled {
            until: Timestamp::UNIX_EPOCH,
        };
        let item = || vec![Item::default()];
        let mut loading = healthy();
        loading.folders[0].loaded = false;
        assert_eq!(healthy().exit_code(), 0);
        assert_eq!(loading.exit_code(), 1);
        assert_eq!(
            Status {
                pending: item(),
                ..healthy()
            }
            .exit_code(),
            1
        );
        assert_eq!(
            Status {
                drafts: item(),
                ..healthy()
            }
            .exit_code(),
            1
        );
        assert_eq!(
            Status {
                connection: throttled,
                ..healthy()
            }
            .exit_code(),
            1
        );
        assert_eq!(
            Status {
                connection: offline.clone(),
                ..healthy()
            }
            .exit_code(),
            1
        );
        assert_eq!(
            Status {
                connection: offline,
                rejected: item(),
                ..healthy()
            }
            .exit_code(),
            2
        );
        assert_eq!(
            Status {
                conflicts: item(),
                ..healthy()
            }
            .exit_code(),
            2
        );
        assert_eq!(
            Status {
                connection: sign_in,
                ..healthy()
            }
            .exit_code(),
            2
        );
    }

    #[test]
    fn the_json_keys_are_the_documented_ones() {
        let json = serde_json::to_value(healthy()).unwrap();
        let expected = serde_json::json!({
            "mount": "/m", "pid": 1, "account": "default", "mailbox": null, "read_only": false,
            "connection": {"state": "online"},
            "folders": [{"name": "Contacts", "contacts": 1, "loaded": true, "last_pull": null}],
            "pending": [], "drafts": [], "conflicts": [], "rejected": [], "held": [], "requests": 3,
            "traffic": {
                "bytes_in": 0, "bytes_out": 0, "throttled": 0, "throttled_ms": 0,
                "latency_ms": {"answers": 0, "total": 0, "mean": 0, "max": 0, "steps": []},
            },
            "notifications": null,
        });
        assert_eq!(json, expected);
        let throttled = serde_json::to_value(Connection::Throttled {
            until: Timestamp::UNIX_EPOCH,
        })
        .unwrap();
        assert_eq!(
            throttled,
            serde_json::json!({"state": "throttled", "until": "1970-01-01T00:00:00Z"})
        );
    }
}
