//! What the service tells by itself, and what follows from it: a delta query, nothing more.
//!
//! A notice is a hint that may come twice, late or not at all (graph-facts 8).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Engine, Failure};
use crate::model::FolderId;
use crate::notify::{Event, Notice};

/// Notices within this time lead to one query.
const GATHER: Duration = Duration::from_millis(300);
/// The same while they keep coming, so that they cost few requests.
const GATHER_MORE: Duration = Duration::from_secs(2);
/// So long after the last notice comes another query: what a notice is about may not be in the first (graph-facts 3.4).
const LAG: Duration = Duration::from_secs(10);
/// Without a notice for so long, the next one is the first again.
const CALM: Duration = Duration::from_secs(5);

/// Where to look for changes.
#[derive(Debug, Default)]
struct Look {
    folders: HashSet<FolderId>,
    everywhere: bool,
}

impl Engine {
    /// Looks where something is said to have changed; never returns.
    pub(super) async fn notice_loop(self: &Arc<Self>, heard: Option<mpsc::Receiver<Vec<Notice>>>) {
        if let Some(mut heard) = heard {
            let (mut last, mut late) = (None::<Instant>, Look::default());
            loop {
                let notices = tokio::select! {
                    notices = heard.recv() => notices,
                    () = sleep(LAG), if !late.folders.is_empty() => {
                        self.look(std::mem::take(&mut late)).await;
                        continue;
                    }
                };
                let Some(notices) = notices else { break };
                let is_calm = last.is_none_or(|last| last.elapsed() > CALM);
                let end = Instant::now() + if is_calm { GATHER } else { GATHER_MORE };
                let mut look = Look::default();
                self.heed(notices, &mut look);
                while let Ok(Some(more)) = timeout_at(end, heard.recv()).await {
                    self.heed(more, &mut look);
                }
                late.folders.extend(look.folders.iter().cloned());
                self.look(look).await;
                last = Some(Instant::now());
            }
        }
        std::future::pending::<()>().await;
    }

    fn heed(&self, notices: Vec<Notice>, look: &mut Look) {
        let mut held = self.subscriptions();
        for Notice {
            subscription,
            event,
        } in notices
        {
            if event == Event::Changed {
                held.trust();
            }
            match (event, held.folder_of(&subscription)) {
                (Event::Changed, Some(folder)) => drop(look.folders.insert(folder)),
                (Event::Changed, None) | (Event::Missed, _) => look.everywhere = true,
                (Event::Removed, _) => {
                    held.forget(&subscription);
                    look.everywhere = true;
                    self.subscriptions_due.notify_one();
                }
                (Event::MustRenew, _) => {
                    held.must_renew(&subscription);
                    self.subscriptions_due.notify_one();
                }
            }
        }
    }

    async fn look(self: &Arc<Self>, look: Look) {
        if !self.is_online() {
            // Whoever can tell us can be asked, too.
            return self.nudge();
        }
        // What fails here is tried again by the other loop, which knows what to do about failures.
        if look.everywhere || self.pull_only(&look.folders).await.is_err() {
            self.pull_now.notify_one();
        }
    }

    /// Pulls these folders and no others.
    async fn pull_only(self: &Arc<Self>, wanted: &HashSet<FolderId>) -> Result<(), Failure> {
        if wanted.is_empty() {
            return Ok(());
        }
        let _one = self.pulling.lock().await;
        let mut folders = self.store.folders()?;
        folders.retain(|folder| folder.graph.as_ref().is_some_and(|id| wanted.contains(id)));
        self.pull_folders(folders).await
    }
}
