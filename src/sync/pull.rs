//! What changed at the service: one delta query per folder, all of a round in one `$batch`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Engine, Failure, server_contact};
use crate::graph::{DeltaFrom, DeltaItem, DeltaNext, DeltaPage, Error, Snapshot};
use crate::model::{ContactId, DeltaLink};
use crate::store::{self, FolderRow, FolderRowId, Seen};

impl Engine {
    /// Pulls every poll interval; never returns.
    pub(super) async fn pull_loop(self: &Arc<Self>) {
        loop {
            self.wait_welcome().await;
            let pause = match self.pull_all().await {
                Ok(()) => self.settings.poll_interval,
                Err(Failure::Graph(_)) => Duration::ZERO, // The pause is the connection's.
                Err(Failure::Store(error)) => {
                    tracing::error!(%error, "a pull could not be stored");
                    self.settings.poll_interval
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.resumed.notified() => {}
            }
        }
    }

    /// Reads the folder tree, finishes full loads, and asks every folder for its changes.
    pub(super) async fn pull_all(self: &Arc<Self>) -> Result<(), Failure> {
        let _one = self.pulling.lock().await;
        let done = self.pull_round().await;
        match &done {
            Ok(()) => self.note_success(),
            Err(Failure::Graph(error)) => self.note_failure(error),
            Err(Failure::Store(_)) => {}
        }
        done
    }

    async fn pull_round(self: &Arc<Self>) -> Result<(), Failure> {
        if !self.tree_is_fresh.swap(false, Ordering::Relaxed) {
            self.read_folders().await?;
        }
        let (fresh, known): (Vec<_>, Vec<_>) = self
            .store
            .folders()?
            .into_iter()
            .filter(|folder| folder.graph.is_some())
            .partition(|folder| folder.delta.is_none());
        self.load_all(fresh).await?;
        self.pull_deltas(&known).await
    }

    async fn pull_deltas(&self, folders: &[FolderRow]) -> Result<(), Failure> {
        let links: Vec<DeltaLink> = folders
            .iter()
            .filter_map(|folder| folder.delta.clone())
            .collect();
        let mut lost = Vec::new();
        for (folder, page) in folders.iter().zip(self.client.delta_round(&links).await?) {
            match self.take_pages(folder.id, page).await {
                Err(Failure::Graph(Error::SyncStateLost)) => lost.push(folder.clone()),
                // The next round's folder tree tells what became of it.
                Err(Failure::Graph(Error::FolderGone | Error::NotFound)) => {}
                done => done?,
            }
        }
        for folder in lost {
            tracing::info!(
                folder = folder.id.0,
                "the sync state was lost: reading the folder again"
            );
            self.load(&FolderRow {
                delta: None,
                resume: None,
                ..folder
            })
            .await?;
        }
        Ok(())
    }

    /// Applies a page and those that follow it.
    async fn take_pages(
        &self,
        folder: FolderRowId,
        first: Result<DeltaPage, Error>,
    ) -> Result<(), Failure> {
        let mut page = first?;
        loop {
            self.take_items(folder, &page.items).await?;
            match page.next {
                DeltaNext::Done(link) => {
                    return Ok(self
                        .store
                        .write::<_, store::Error>(|tx| tx.set_delta(folder, &link))?);
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
        folder: FolderRowId,
        items: &[DeltaItem],
    ) -> Result<(), Failure> {
        let (mut news, mut gone) = (Vec::new(), Vec::new());
        self.store.write::<_, store::Error>(|tx| {
            for item in items {
                match item {
                    DeltaItem::Changed(contact) => {
                        if tx.hear(folder, &contact.id, &contact.change_key)? == Seen::News {
                            news.push(contact.id.clone());
                        }
                    }
                    DeltaItem::Removed(id) => gone.push(id.clone()),
                }
            }
            Ok(())
        })?;
        let snapshots = self.read_contacts(&news, &mut gone).await?;
        self.store.write::<_, store::Error>(|tx| {
            tx.foreign(|tx| {
                for snapshot in &snapshots {
                    tx.apply(folder, &server_contact(snapshot))?;
                }
                gone.iter().try_for_each(|id| tx.vanish(folder, id))
            })
        })?;
        Ok(())
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
                Err(error) => return Err(error.into()),
            }
        }
        Ok(snapshots)
    }
}
