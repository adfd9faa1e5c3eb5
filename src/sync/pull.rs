//! What changed at the service: one delta query per folder, all of a round in one `$batch`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Engine, Failure, server_contact};
use crate::graph::{DeltaFrom, DeltaItem, DeltaNext, DeltaPage, Error, Snapshot};
use crate::model::{ContactId, DeltaLink};
use crate::store::{self, FolderRow, FolderRowId, Seen, Tx};

impl Engine {
    /// Pulls every poll interval; never returns.
    pub(super) async fn pull_loop(self: &Arc<Self>) {
        loop {
            self.wait_welcome().await;
            let pause = match self.pull_all().await {
                Ok(()) => self.poll_pause(),
                // The pause is the connection's, if the error said something about it.
                Err(Failure::Graph(_)) if !self.health().pause().is_zero() => Duration::ZERO,
                Err(Failure::Graph(error)) => {
                    tracing::warn!(error = %super::chain(&error), "a pull failed");
                    self.settings.poll_interval
                }
                Err(error) => {
                    tracing::error!(%error, "a pull could not be stored");
                    self.settings.poll_interval
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.pull_now.notified() => {}
            }
        }
    }

    /// Reads the folder tree, finishes full loads, and asks every folder for its changes.
    pub(super) async fn pull_all(self: &Arc<Self>) -> Result<(), Failure> {
        let _one = self.pulling.lock().await;
        self.news.store(false, Ordering::Relaxed);
        let done = self.pull_round().await;
        match &done {
            Ok(()) => {
                self.note_success();
                self.note_round(self.news.load(Ordering::Relaxed));
                self.subscriptions_due.notify_one();
            }
            Err(Failure::Graph(error)) => self.note_pull_failure(error),
            Err(Failure::Store(_)) => {}
        }
        done
    }

    async fn pull_round(self: &Arc<Self>) -> Result<(), Failure> {
        if !self.tree_is_fresh.swap(false, Ordering::Relaxed) {
            self.read_folders().await?;
        }
        let mut folders = self.store.folders()?;
        folders.retain(|folder| folder.graph.is_some());
        self.pull_folders(folders).await
    }

    /// Finishes the full loads of folders, and asks the others for their changes.
    pub(super) async fn pull_folders(
        self: &Arc<Self>,
        folders: Vec<FolderRow>,
    ) -> Result<(), Failure> {
        let (fresh, known): (Vec<_>, Vec<_>) = folders
            .into_iter()
            .partition(|folder| folder.delta.is_none());
        let loaded = self.load_all(fresh).await;
        self.pull_deltas(&known).await?;
        loaded
    }

    async fn pull_deltas(&self, folders: &[FolderRow]) -> Result<(), Failure> {
        let links: Vec<DeltaLink> = folders
            .iter()
            .filter_map(|folder| folder.delta.clone())
            .collect();
        let (mut lost, mut failed) = (Vec::new(), None);
        for (folder, page) in folders.iter().zip(self.client.delta_round(&links).await?) {
            match self.take_pages(folder, page).await {
                Err(Failure::Graph(Error::SyncStateLost)) => lost.push(folder.clone()),
                // The next round's folder tree tells what became of it.
                Err(Failure::Graph(Error::FolderGone | Error::NotFound)) | Ok(()) => {}
                // One folder's trouble must not keep the others from being fresh.
                Err(failure) => failed = Some(failure),
            }
        }
        for folder in lost {
            tracing::info!(
                folder = folder.id.0,
                "the sync state was lost: reading the folder again"
            );
            let anew = FolderRow {
                delta: None,
                resume: None,
                ..folder
            };
            self.load(&anew, 1).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Applies a page and those that follow it. Nothing disappears before the last one (graph-facts 3.2).
    async fn take_pages(
        &self,
        folder: &FolderRow,
        first: Result<DeltaPage, Error>,
    ) -> Result<(), Failure> {
        let mut page = first?;
        let mut round = Round::default();
        loop {
            self.take_items(folder, &page.items, &mut round).await?;
            match page.next {
                DeltaNext::Done(link) => {
                    self.take_removals(folder, round).await?;
                    return Ok(self
                        .store
                        .write::<_, store::Error>(|tx| tx.set_delta(folder.id, &link))?);
                }
                DeltaNext::More(link) => {
                    page = self.client.delta_page(&DeltaFrom::Link(link)).await?;
                }
            }
        }
    }

    /// Applies one page's items. A row that is news is read again, whole: delta shows neither residue nor long notes.
    pub(super) async fn take_items(
        &self,
        folder: &FolderRow,
        items: &[DeltaItem],
        round: &mut Round,
    ) -> Result<(), Failure> {
        let mut news = Vec::new();
        self.store.write::<_, store::Error>(|tx| {
            for item in items {
                match item {
                    DeltaItem::Changed(contact) => {
                        if tx.hear(folder.id, &contact.id, &contact.change_key)? == Seen::News {
                            news.push(contact.id.clone());
                        }
                        round.changed.insert(contact.id.clone());
                    }
                    DeltaItem::Removed(id) => drop(round.removed.insert(id.clone())),
                }
            }
            Ok(())
        })?;
        if !news.is_empty() {
            self.news.store(true, Ordering::Relaxed);
        }
        self.look_at(folder, &news).await
    }

    /// Lets the contacts go that a whole round said were removed. Rows come in any order and may be old, so one that the
    /// round also showed is looked at, and so is one with something queued: it may only have been moved, and making it
    /// again would double it.
    pub(super) async fn take_removals(
        &self,
        folder: &FolderRow,
        round: Round,
    ) -> Result<(), Failure> {
        let (mut doubtful, mut gone) = (Vec::new(), Vec::new());
        self.store.write::<_, store::Error>(|tx| {
            for id in round.removed {
                let is_doubtful = round.changed.contains(&id) || tx.is_queued(&id)?;
                if is_doubtful {
                    &mut doubtful
                } else {
                    &mut gone
                }
                .push(id);
            }
            Ok(())
        })?;
        self.vanish(folder, &gone)?;
        self.look_at(folder, &doubtful).await
    }

    /// Reads contacts and applies what is found: a contact is where it says it is.
    pub(super) async fn look_at(
        &self,
        folder: &FolderRow,
        ids: &[ContactId],
    ) -> Result<(), Failure> {
        let mut gone = Vec::new();
        let mut snapshots = self.read_contacts(ids, &mut gone).await?;
        // Of several new contacts of one name the oldest gets it, as in a full load (behaviour 1.4).
        snapshots.sort_by(|a, b| (a.created, a.id.as_str()).cmp(&(b.created, b.id.as_str())));
        self.store.write::<_, store::Error>(|tx| {
            tx.foreign(|tx| {
                for snapshot in &snapshots {
                    let contact = server_contact(snapshot);
                    match place(tx, folder, snapshot)? {
                        Some(place) => tx.apply(place, &contact)?,
                        None => tx.vanish(folder.id, &contact.id)?,
                    }
                }
                Ok(())
            })
        })?;
        self.vanish(folder, &gone)
    }

    fn vanish(&self, folder: &FolderRow, gone: &[ContactId]) -> Result<(), Failure> {
        Ok(self.store.write::<_, store::Error>(|tx| {
            tx.foreign(|tx| gone.iter().try_for_each(|id| tx.vanish(folder.id, id)))
        })?)
    }

    /// Reads contacts whole; those that are not there any more are added to `gone`.
    pub(super) async fn read_contacts(
        &self,
        ids: &[ContactId],
        gone: &mut Vec<ContactId>,
    ) -> Result<Vec<Snapshot>, Failure> {
        let mut snapshots = Vec::with_capacity(ids.len());
        if ids.is_empty() {
            return Ok(snapshots);
        }
        for (id, read) in ids.iter().zip(self.client.contacts(ids).await?) {
            match read {
                Ok(snapshot) => snapshots.push(snapshot),
                Err(Error::NotFound) => gone.push(id.clone()),
                // One contact that cannot be read must not keep the others from being fresh.
                Err(error @ (Error::Refused { .. } | Error::TooLarge { .. })) => {
                    tracing::warn!(%error, "a contact cannot be read");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(snapshots)
    }
}

/// What one round of a folder's delta query said so far.
#[derive(Default)]
pub(super) struct Round {
    changed: HashSet<ContactId>,
    removed: HashSet<ContactId>,
}

/// The folder a contact read from `folder`'s changes is in now; `None` when it is in none of ours.
pub(super) fn place(
    tx: &Tx<'_>,
    folder: &FolderRow,
    snapshot: &Snapshot,
) -> Result<Option<FolderRowId>, store::Error> {
    match &snapshot.parent {
        Some(parent) if folder.graph.as_ref() != Some(parent) => {
            Ok(tx.folder_by_graph(parent)?.map(|folder| folder.id))
        }
        _ => Ok(Some(folder.id)),
    }
}
