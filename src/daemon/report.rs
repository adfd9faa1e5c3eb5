//! What a running mount says of itself, and what it does when asked over the control socket.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::control::{Handler, SyncOutcome};
use super::run::Wake;
use super::watch::{Watch, Watchers};
use crate::config::{Account, MountSettings};
use crate::graph::{STEPS_MS, Stats};
use crate::model::Stamp;
use crate::observe::categories::Categories;
use crate::observe::happening::Event;
use crate::observe::past::{Conflict, Version};
use crate::observe::status::{
    Connection, FileStatus, FolderStatus, Item, Latency, Notifications, Status, Step, Traffic,
};
use crate::store::{self, Pending, Problem, Store, Tx};
use crate::sync::{self, Command, Engine};
use crate::tree::Tree;

const HELD: &str = "one of many deletions; see: contactfs deletes";

/// Looks at a running mount.
pub(super) struct Report {
    pub(super) account: Account,
    pub(super) settings: MountSettings,
    pub(super) store: Arc<Store>,
    pub(super) tree: Arc<Tree>,
    pub(super) engine: Arc<Engine>,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) wake: Sender<Wake>,
    pub(super) watchers: Arc<Watchers>,
}

impl Report {
    /// What the service has not been told yet.
    pub(super) fn pending(&self) -> Vec<Item> {
        let rows = self.store.pending().unwrap_or_default();
        rows.iter().map(|row| self.pending_item(row)).collect()
    }

    /// Deletions that wait for a person.
    pub(super) fn held(&self) -> Vec<Item> {
        let rows = self.store.held().unwrap_or_default();
        let item = |row: &Pending| Item {
            state: "held".to_owned(),
            reason: Some(HELD.to_owned()),
            ..self.pending_item(row)
        };
        rows.iter().map(item).collect()
    }

    fn pending_item(&self, row: &Pending) -> Item {
        let path = match (&row.unlinked, row.ino) {
            (Some((dir, name)), _) => self.tree.path_in(*dir, name),
            (None, Some(ino)) => self.tree.path_of(ino).unwrap_or_default(),
            (None, None) => String::new(),
        };
        let reason = row
            .error
            .clone()
            .unwrap_or_else(|| row.op.word().to_owned());
        Item {
            path,
            state: "pending".to_owned(),
            reason: Some(reason),
            id: row.graph.clone(),
        }
    }

    fn problems(&self, word: &str) -> Vec<Item> {
        let problems = self.store.problems().unwrap_or_default();
        let wanted = problems
            .into_iter()
            .filter(|(_, problem)| problem.word() == word);
        wanted
            .map(|(ino, problem)| {
                self.problem_item(ino.and_then(|ino| self.tree.path_of(ino)), &problem)
            })
            .collect()
    }

    fn problem_item(&self, path: Option<String>, problem: &Problem) -> Item {
        Item {
            path: path.unwrap_or_default(),
            state: problem.word().to_owned(),
            reason: Some(problem.sentence().to_owned()),
            id: None,
        }
    }

    fn folders(&self) -> Vec<FolderStatus> {
        let counts = self.store.contact_counts().unwrap_or_default();
        let folders = self.store.folders().unwrap_or_default();
        let status = folders.into_iter().map(|folder| FolderStatus {
            name: self.tree.path_of(folder.ino).unwrap_or(folder.name),
            contacts: counts
                .iter()
                .find(|(id, _)| *id == folder.id)
                .map_or(0, |(_, count)| *count),
            loaded: folder.loaded,
            last_pull: folder.pulled.map(Stamp::to_timestamp),
        });
        status.collect()
    }

    fn drafts(&self) -> Vec<Item> {
        let drafts = self.tree.drafts().into_iter();
        drafts
            .map(|path| Item {
                path,
                state: "draft".to_owned(),
                ..Item::default()
            })
            .collect()
    }

    fn notifications(&self) -> Option<Notifications> {
        let told = self.engine.notifications()?;
        Some(Notifications {
            subscribed: told.subscribed,
            reason: told.trouble,
        })
    }

    fn connection(&self) -> Connection {
        shown(self.engine.connection())
    }

    /// The status as far as the store and the engine know it, which takes no look at every name.
    pub(super) fn counted(&self) -> Status {
        let stats = self.engine.traffic();
        Status {
            mount: self.settings.dir.clone(),
            pid: std::process::id(),
            account: self.account.name.clone(),
            mailbox: self.account.mailbox.clone(),
            read_only: self.settings.read_only,
            connection: self.connection(),
            folders: self.folders(),
            pending: self.pending(),
            drafts: Vec::new(),
            conflicts: self.problems("conflict"),
            rejected: self.problems("rejected"),
            held: self.held(),
            requests: stats.requests,
            traffic: traffic(&stats),
            notifications: None,
        }
    }
}

fn traffic(stats: &Stats) -> Traffic {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let latency = &stats.latency;
    let steps = STEPS_MS.into_iter().zip(latency.within);
    Traffic {
        bytes_in: stats.bytes_in,
        bytes_out: stats.bytes_out,
        throttled: stats.throttled,
        throttled_ms: millis(stats.held_back),
        latency_ms: Latency {
            answers: latency.answers,
            total: millis(latency.total),
            mean: millis(latency.total)
                .checked_div(latency.answers)
                .unwrap_or(0),
            max: millis(latency.longest),
            steps: steps
                .map(|(within, answers)| Step { within, answers })
                .collect(),
        },
    }
}

/// The connection as people are told of it.
pub(super) fn shown(connection: sync::Connection) -> Connection {
    match connection {
        sync::Connection::Online => Connection::Online,
        sync::Connection::Offline { obstacle, reason } => Connection::Offline {
            cause: obstacle.word().to_owned(),
            reason,
        },
        sync::Connection::Failing { reason } => Connection::ServiceError { reason },
        sync::Connection::Throttled { until } => {
            let until = Stamp::now().after(until.saturating_duration_since(Instant::now()));
            Connection::Throttled {
                until: until.to_timestamp(),
            }
        }
        sync::Connection::SignInNeeded { reason } => Connection::SignInNeeded { reason },
    }
}

impl Handler for Report {
    fn status(&self) -> Status {
        Status {
            drafts: self.drafts(),
            notifications: self.notifications(),
            ..self.counted()
        }
    }

    fn file_status(&self, path: &str) -> Option<FileStatus> {
        let ino = self.tree.find(path)?;
        let about = self.tree.about(ino).ok().flatten()?;
        Some(FileStatus {
            item: Item {
                path: path.to_owned(),
                state: about.state.to_owned(),
                reason: about.error,
                id: about.id.map(|id| id.to_string()),
            },
            change_key: about.change_key.map(|key| key.to_string()),
            created: about.created.map(Stamp::to_timestamp),
            versions: self.history(path),
        })
    }

    fn conflicts(&self) -> Vec<Conflict> {
        self.contacts_in_conflict().unwrap_or_default()
    }

    fn history(&self, path: &str) -> Vec<Version> {
        self.versions_of(path).unwrap_or_default()
    }

    fn version(&self, version: i64) -> Option<Vec<u8>> {
        self.store.version_text(version).ok().flatten()
    }

    fn confirm_deletions(&self) -> usize {
        let confirm = |tx: &mut Tx<'_>| tx.confirm_deletions();
        self.store.write::<_, store::Error>(confirm).unwrap_or(0)
    }

    fn restore_deletions(&self) -> usize {
        let restore = |tx: &mut Tx<'_>| tx.restore_deletions();
        self.store.write::<_, store::Error>(restore).unwrap_or(0)
    }

    fn categories(&self) -> Categories {
        self.all_categories()
    }

    fn watch(&self) -> Watch {
        self.watchers.join(Event::Connection {
            connection: self.connection(),
        })
    }

    fn sync(&self) -> SyncOutcome {
        let (done, finished) = oneshot::channel();
        if self.commands.send(Command::Sync(done)).is_err() {
            return SyncOutcome::Offline("the mount is ending".to_owned());
        }
        match finished.blocking_recv() {
            Ok(Err(reason)) => return SyncOutcome::Offline(reason),
            Ok(Ok(())) => self.tree.await_told(),
            Err(_) => return SyncOutcome::Offline("the mount is ending".to_owned()),
        }
        let left: Vec<Item> = self
            .pending()
            .into_iter()
            .chain(self.problems("conflict"))
            .chain(self.problems("rejected"))
            .chain(self.held())
            .collect();
        if left.is_empty() {
            SyncOutcome::InStep
        } else {
            SyncOutcome::Left(left)
        }
    }

    fn unmount(&self) {
        let _ended = self.wake.send(Wake::Stop);
    }
}
