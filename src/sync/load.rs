//! Full loads: a folder's first, and the one after its sync state was lost.
//!
//! The delta query's pages must be asked for one after the other and show no residue; lists with `$expand` can be read
//! beside them (graph-facts 3.1, 3.2). A list may cut a residue, so what does not check out is read singly. Names are given
//! when all contacts are there, the oldest first, so that every machine gives the same (behaviour 1.4).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::{JoinSet, yield_now};

use super::pull::{Round, place};
use super::{Engine, Failure, server_contact};
use crate::graph::{Client, DeltaFrom, DeltaItem, DeltaNext, Error, Version};
use crate::model::{ChangeKey, ContactId, DeltaLink, FolderId, ResidueText};
use crate::store::{self, FolderRow, FolderRowId};
use crate::vcard::Residue;

/// Rows asked for in one list page.
const LIST_PAGE: usize = 200;
/// Lists read at a time, beside the delta query: the service takes four requests (graph-facts 9.2).
const LISTS: usize = 3;
/// Contacts read singly, or given names, in one go.
const CHUNK: usize = 500;

impl Engine {
    /// Loads folders, several at a time; the client keeps to four requests.
    pub(super) async fn load_all(self: &Arc<Self>, folders: Vec<FolderRow>) -> Result<(), Failure> {
        let mut loads = JoinSet::new();
        for folder in folders {
            let engine = Arc::clone(self);
            loads.spawn(async move { engine.load(&folder).await });
        }
        let mut failed = None;
        for done in loads.join_all().await {
            match done {
                // The next round's folder tree tells what became of it.
                Err(Failure::Graph(Error::FolderGone | Error::NotFound)) | Ok(()) => {}
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads a folder from the start, or goes on with an unfinished load.
    pub(super) async fn load(&self, folder: &FolderRow) -> Result<(), Failure> {
        let Some(graph) = &folder.graph else {
            return Ok(());
        };
        let lists = Lists::start(&self.client, graph);
        let found = Arc::clone(&lists.found);
        let link = match self.load_pages(folder, graph, &found).await {
            Err(Failure::Graph(Error::SyncStateLost)) => {
                self.load_pages(
                    &FolderRow {
                        resume: None,
                        ..folder.clone()
                    },
                    graph,
                    &found,
                )
                .await?
            }
            done => done?,
        };
        lists.finish().await;
        self.take_residues(folder.id, &found)?;
        self.read_missing(folder).await?;
        // A listing may lag behind (graph-facts 3.4), so what it left out is looked at before it disappears.
        let unseen = self
            .store
            .write::<_, store::Error>(|tx| tx.unseen(folder.id))?;
        for ids in unseen.chunks(CHUNK) {
            self.look_at(folder, ids).await?;
        }
        self.show_all(folder)?;
        self.store
            .write::<_, store::Error>(|tx| tx.foreign(|tx| tx.set_delta(folder.id, &link)))?;
        Ok(())
    }

    /// Reads all pages; returns where the next delta query starts.
    async fn load_pages(
        &self,
        folder: &FolderRow,
        graph: &FolderId,
        found: &Found,
    ) -> Result<DeltaLink, Failure> {
        let mut from = match &folder.resume {
            Some(link) => DeltaFrom::Link(link.clone()),
            None => {
                self.store
                    .write::<_, store::Error>(|tx| tx.begin_load(folder.id))?;
                DeltaFrom::Start(graph.clone())
            }
        };
        let (mut count, mut round) = (0, Round::default());
        let mut page = self.client.delta_page(&from).await?;
        loop {
            let items = std::mem::take(&mut page.items);
            count += items.len();
            let link = match page.next {
                DeltaNext::Done(link) => {
                    self.take_page(folder, &items, None, found, &mut round)
                        .await?;
                    self.take_removals(folder, round).await?;
                    (self.settings.progress)(&folder.name, count);
                    return Ok(link);
                }
                DeltaNext::More(link) => link,
            };
            // The next page is under way while this one is stored.
            from = DeltaFrom::Link(link.clone());
            let client = self.client.clone();
            let next = AbortOnDrop(tokio::spawn(async move { client.delta_page(&from).await }));
            yield_now().await;
            self.take_page(folder, &items, Some(&link), found, &mut round)
                .await?;
            (self.settings.progress)(&folder.name, count);
            page = next.join().await?;
        }
    }

    /// Stores one page and where to go on after it.
    async fn take_page(
        &self,
        folder: &FolderRow,
        items: &[DeltaItem],
        resume: Option<&DeltaLink>,
        found: &Found,
        round: &mut Round,
    ) -> Result<(), Failure> {
        if folder.loaded {
            self.take_items(folder, items, round).await?;
        }
        self.store.write::<_, store::Error>(|tx| {
            tx.foreign(|tx| {
                for item in items.iter().filter(|_| !folder.loaded) {
                    match item {
                        DeltaItem::Changed(contact) => {
                            let mut theirs = server_contact(contact);
                            theirs.residue = theirs
                                .residue
                                .or_else(|| found.residue(&contact.id, &contact.change_key));
                            tx.apply(folder.id, &theirs)?;
                        }
                        DeltaItem::Removed(id) => tx.vanish(folder.id, id)?,
                    }
                    if let DeltaItem::Changed(contact) = item
                        && contact.notes_cut
                    {
                        tx.mark_cut(&contact.id)?;
                    }
                }
                resume.map_or(Ok(()), |link| tx.set_resume(folder.id, link))
            })
        })?;
        Ok(())
    }

    /// Takes the residues of contacts that a list showed after the delta query did.
    fn take_residues(&self, folder: FolderRowId, found: &Found) -> Result<(), Failure> {
        self.store.write::<_, store::Error>(|tx| {
            let found = found.lock();
            for id in tx.without_residue(folder)? {
                if let Some((key, residue)) = found.get(&id) {
                    tx.set_residue(&id, key, residue)?;
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Reads singly what neither delta nor a list showed whole.
    async fn read_missing(&self, folder: &FolderRow) -> Result<(), Failure> {
        let missing = self
            .store
            .write::<_, store::Error>(|tx| tx.without_residue(folder.id))?;
        for ids in missing.chunks(CHUNK) {
            let mut gone = Vec::new();
            let snapshots = self.read_contacts(ids, &mut gone).await?;
            self.store.write::<_, store::Error>(|tx| {
                tx.foreign(|tx| {
                    for snapshot in &snapshots {
                        let mut contact = server_contact(snapshot);
                        contact.residue.get_or_insert_with(|| ResidueText::new(""));
                        match place(tx, folder, snapshot)? {
                            Some(place) => tx.apply(place, &contact)?,
                            None => tx.vanish(folder.id, &contact.id)?,
                        }
                    }
                    gone.iter().try_for_each(|id| tx.vanish(folder.id, id))
                })
            })?;
        }
        Ok(())
    }

    /// Gives every contact its file, in pieces so that local saves get their turn.
    fn show_all(&self, folder: &FolderRow) -> Result<(), Failure> {
        loop {
            let shown = self.store.write::<_, store::Error>(|tx| {
                let ids = tx.unshown(folder.id, CHUNK)?;
                tx.foreign(|tx| ids.iter().try_for_each(|id| tx.show(*id)))?;
                Ok(ids.len())
            })?;
            if shown < CHUNK {
                return Ok(());
            }
        }
    }
}

/// The residues that were read beside the delta query, each with the version it belongs to.
#[derive(Default)]
struct Found {
    whole: Mutex<HashMap<ContactId, (ChangeKey, ResidueText)>>,
    /// Contacts whose residue a list has cut.
    cut: Mutex<Vec<ContactId>>,
}

impl Found {
    fn lock(&self) -> MutexGuard<'_, HashMap<ContactId, (ChangeKey, ResidueText)>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) -> MutexGuard<'_, Vec<ContactId>> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a list shows of a residue, if it checks out.
    fn take(&self, version: Version) {
        let text = ResidueText::new(version.residue.0.unwrap_or_default());
        if Residue::decode(&text).is_ok() {
            self.lock().insert(version.id, (version.change_key, text));
        } else {
            self.cut().push(version.id);
        }
    }

    /// The residue of this version, if a list has shown it already.
    fn residue(&self, id: &ContactId, key: &ChangeKey) -> Option<ResidueText> {
        let found = self.lock();
        let (of, residue) = found.get(id)?;
        (of == key).then(|| residue.clone())
    }
}

/// List pages being read beside the delta query.
struct Lists {
    readers: JoinSet<()>,
    found: Arc<Found>,
}

impl Lists {
    fn start(client: &Client, folder: &FolderId) -> Self {
        let next = Arc::new(AtomicUsize::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let found = Arc::new(Found::default());
        let mut readers = JoinSet::new();
        for _ in 0..LISTS {
            readers.spawn(read_lists(
                client.clone(),
                folder.clone(),
                Arc::clone(&next),
                Arc::clone(&ended),
                Arc::clone(&found),
            ));
        }
        Self { readers, found }
    }

    async fn finish(self) {
        self.readers.join_all().await;
    }
}

/// Reads one page after the other until the list ends. A failure ends it too: what is missing is read singly.
async fn read_lists(
    client: Client,
    folder: FolderId,
    next: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    found: Arc<Found>,
) {
    while !ended.load(Ordering::Relaxed) {
        let skip = next.fetch_add(1, Ordering::Relaxed) * LIST_PAGE;
        match client.list_page(&folder, skip, LIST_PAGE).await {
            Ok(page) => {
                ended.fetch_or(page.len() < LIST_PAGE, Ordering::Relaxed);
                page.into_iter().for_each(|version| found.take(version));
            }
            Err(error) => {
                tracing::debug!(%error, "a list could not be read");
                ended.store(true, Ordering::Relaxed);
            }
        }
    }
    read_cut(&client, &found).await;
}

/// Reads what lists have cut, one by one: a `$batch` would hold up the delta query and save nothing, as its members
/// count like requests of their own (graph-facts 9.1).
async fn read_cut(client: &Client, found: &Found) {
    loop {
        let Some(id) = found.cut().pop() else { return };
        if let Ok(mut read) = client.contacts(std::slice::from_ref(&id)).await
            && let Some(Ok(contact)) = read.pop()
            && let Some(residue) = contact.residue
        {
            found.lock().insert(id, (contact.change_key, residue));
        }
    }
}

/// A request under way that is given up when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> AbortOnDrop<Result<T, Error>> {
    async fn join(mut self) -> Result<T, Error> {
        match (&mut self.0).await {
            Ok(done) => done,
            Err(error) => Err(Error::Offline {
                source: error.into(),
            }),
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
