//! What changed at the service: one delta query per folder, all of a round in one `$batch`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Engine, Failure, server_contact};
use crate::graph::{DeltaFrom, DeltaItem, DeltaNext, DeltaPage, Error, Snapshot};
use crate::model::{ContactId, DeltaLink};
use crate::store::{self, FolderRow, FolderRowId, Seen, ServerContact, Tx};

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
        let _task = self.work.begin();
        let _one = self.pulling.lock().await;
        self.pull_once().await
    }

    /// The same, and asks again for all contacts that the service failed to show. A round under way may still find it
    /// failing; so it comes to its end first.
    pub(super) async fn pull_all_again(self: &Arc<Self>) -> Result<(), Failure> {
        let _task = self.work.begin();
        let _one = self.pulling.lock().await;
        self.store
            .write::<_, store::Error>(|tx| tx.read_all_again())?;
        self.pull_once().await
    }

    async fn pull_once(self: &Arc<Self>) -> Result<(), Failure> {
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
        self.load_beside_deltas(fresh, known).await?;
        self.read_again().await
    }

    /// A first load takes long, and must not keep the other folders from being fresh.
    async fn load_beside_deltas(
        self: &Arc<Self>,
        fresh: Vec<FolderRow>,
        mut known: Vec<FolderRow>,
    ) -> Result<(), Failure> {
        let mut load = std::pin::pin!(self.load_all(fresh));
        loop {
            let pulled = self.pull_deltas(&known).await;
            tokio::select! {
                biased;
                loaded = &mut load => return loaded.and(pulled),
                () = tokio::time::sleep(self.settings.poll_interval) => {}
            }
            known = self.store.folders()?;
            known.retain(|folder| folder.delta.is_some());
        }
    }

    /// Asks again for contacts that the service failed to show.
    async fn read_again(&self) -> Result<(), Failure> {
        let mut folders: HashMap<FolderRowId, Vec<ContactId>> = HashMap::new();
        for (folder, id) in self.store.unread()? {
            folders.entry(folder).or_default().push(id);
        }
        for folder in self.store.folders()? {
            if let Some(ids) = folders.get(&folder.id) {
                self.look_at_known(&folder, ids).await?;
            }
        }
        Ok(())
    }

    async fn pull_deltas(&self, folders: &[FolderRow]) -> Result<(), Failure> {
        let links: Vec<DeltaLink> = folders
            .iter()
            .filter_map(|folder| folder.delta.clone())
            .collect();
        let (mut lost, mut failed) = (Vec::new(), None);
        for (folder, page) in folders.iter().zip(self.client.delta_round(&links).await?) {
            match self.take_pages(folder, page).await {
                // A link that leads elsewhere is as good as none: once the service is well again, the folder must be.
                Err(Failure::Graph(Error::SyncStateLost | Error::ForeignOrigin { .. })) => {
                    lost.push(folder.clone());
                }
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
        let mut news = HashMap::new();
        self.store.write::<_, store::Error>(|tx| {
            for item in items {
                match item {
                    DeltaItem::Changed(contact) => {
                        if tx.hear(folder.id, &contact.id, &contact.change_key)? == Seen::News {
                            news.insert(&contact.id, contact);
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
        let ids: Vec<ContactId> = news.keys().map(|id| (*id).clone()).collect();
        let failed = self.look_at(folder, &ids).await?;
        // What the service fails to show whole is shown as the row has it.
        self.keep_unread(folder, &failed, |id| {
            news.get(id).map(|row| server_contact(row))
        })
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
        self.look_at_known(folder, &doubtful).await
    }

    /// As [`Engine::look_at`], for contacts that are known already.
    pub(super) async fn look_at_known(
        &self,
        folder: &FolderRow,
        ids: &[ContactId],
    ) -> Result<(), Failure> {
        let failed = self.look_at(folder, ids).await?;
        self.keep_unread(folder, &failed, |_| None)
    }

    /// Reads contacts and applies what is found: a contact is where it says it is. Returns those that cannot be read, and
    /// why.
    async fn look_at(&self, folder: &FolderRow, ids: &[ContactId]) -> Result<Unread, Failure> {
        let ContactsRead {
            mut snapshots,
            gone,
            failed,
        } = self.read_contacts(ids).await?;
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
                    tx.was_read(&contact.id)?;
                }
                Ok(())
            })
        })?;
        self.vanish(folder, &gone)?;
        Ok(failed)
    }

    /// Remembers contacts that cannot be read; `row` says what else is known of one.
    pub(super) fn keep_unread(
        &self,
        folder: &FolderRow,
        failed: &Unread,
        row: impl Fn(&ContactId) -> Option<ServerContact>,
    ) -> Result<(), Failure> {
        Ok(self.store.write::<_, store::Error>(|tx| {
            for (id, why) in failed {
                tx.foreign(|tx| tx.cannot_read(folder.id, id, row(id).as_ref(), why))?;
            }
            Ok(())
        })?)
    }

    fn vanish(&self, folder: &FolderRow, gone: &[ContactId]) -> Result<(), Failure> {
        Ok(self.store.write::<_, store::Error>(|tx| {
            tx.foreign(|tx| gone.iter().try_for_each(|id| tx.vanish(folder.id, id)))
        })?)
    }

    /// Reads contacts whole.
    pub(super) async fn read_contacts(&self, ids: &[ContactId]) -> Result<ContactsRead, Failure> {
        let mut all = ContactsRead::default();
        if ids.is_empty() {
            return Ok(all);
        }
        for (id, read) in ids.iter().zip(self.client.contacts(ids).await?) {
            match read {
                Ok(snapshot) => all.snapshots.push(snapshot),
                Err(Error::NotFound) => all.gone.push(id.clone()),
                // One contact that cannot be read must not keep the others from being fresh.
                Err(error) if error.may_concern_one() => {
                    let why = super::chain(&error);
                    tracing::warn!(error = %why, "a contact cannot be read");
                    all.failed.push((id.clone(), why));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all)
    }
}

/// Contacts that the service fails to show, and why.
pub(super) type Unread = Vec<(ContactId, String)>;

/// What came of reading contacts.
#[derive(Default)]
pub(super) struct ContactsRead {
    pub(super) snapshots: Vec<Snapshot>,
    /// They are not there any more.
    pub(super) gone: Vec<ContactId>,
    pub(super) failed: Unread,
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
