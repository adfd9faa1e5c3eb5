//! Full loads: a folder's first, and the one after its sync state was lost.
//!
//! The delta query's pages must be asked for one after the other, and show neither residues nor whole notes; what they
//! leave out is read beside them (`beside`). A contact gets its file as soon as it is known whole: nobody sees the
//! folder's names before all are there, so they may still change hands (behaviour 1.4, P4).

mod beside;

use std::sync::Arc;

use tokio::task::{JoinSet, yield_now};

use super::pull::{ContactsRead, Round, Unread, place};
use super::{Engine, Failure, server_contact};
use crate::graph::{DeltaFrom, DeltaItem, DeltaNext, Error, Snapshot};
use crate::model::{DeltaLink, FolderId, ResidueText};
use crate::store::{self, FolderRow, Seen, Tx};
use beside::Beside;

/// Contacts read singly, or given files, in one go.
const CHUNK: usize = 500;

impl Engine {
    /// Loads folders, several at a time; the client keeps to four requests.
    pub(super) async fn load_all(self: &Arc<Self>, folders: Vec<FolderRow>) -> Result<(), Failure> {
        let mut loads = JoinSet::new();
        let together = folders.len();
        for folder in folders {
            let engine = Arc::clone(self);
            loads.spawn(async move { engine.load(&folder, together).await });
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

    /// Reads a folder from the start, or goes on with an unfinished load; it is one of so many that are loaded together.
    pub(super) async fn load(&self, folder: &FolderRow, together: usize) -> Result<(), Failure> {
        let Some(graph) = &folder.graph else {
            return Ok(());
        };
        let beside = Beside::start(&self.client, graph, together);
        let link = match self.load_pages(folder, graph, &beside).await {
            Err(Failure::Graph(Error::SyncStateLost)) => {
                let anew = FolderRow {
                    resume: None,
                    ..folder.clone()
                };
                self.load_pages(&anew, graph, &beside).await?
            }
            done => done?,
        };
        let found = beside.finish().await;
        let row = folder.clone();
        self.store_aside(move |tx| {
            for id in tx.without_residue(row.id)? {
                if let Some((key, rest)) = found.rests.get(&id) {
                    tx.set_residue(&id, key, &rest.residue, &rest.extended)?;
                }
            }
            take_whole(tx, &row, &found.whole)?;
            let mut pictures = found.pictures.iter();
            pictures.try_for_each(|(id, key)| tx.note_picture(id, key))
        })
        .await?;
        let failed = self.read_missing(folder).await?;
        // A listing may lag behind (graph-facts 3.4), so what it left out is looked at before it disappears.
        let unseen = self
            .store
            .write::<_, store::Error>(|tx| tx.unseen(folder.id))?;
        for ids in unseen.chunks(CHUNK) {
            self.look_at_known(folder, ids).await?;
        }
        self.show_all(folder)?;
        self.keep_unread(folder, &failed, |_| None)?;
        self.store
            .write::<_, store::Error>(|tx| tx.foreign(|tx| tx.set_delta(folder.id, &link)))?;
        Ok(self.client.check_link(&link)?)
    }

    /// Reads all pages; returns where the next delta query starts.
    async fn load_pages(
        &self,
        folder: &FolderRow,
        graph: &FolderId,
        beside: &Beside,
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
                    self.take_page(folder, items, None, beside, &mut round)
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
            self.take_page(folder, items, Some(link), beside, &mut round)
                .await?;
            (self.settings.progress)(&folder.name, count);
            page = next.join().await?;
        }
    }

    /// Stores one page and where to go on after it.
    async fn take_page(
        &self,
        folder: &FolderRow,
        mut items: Vec<DeltaItem>,
        resume: Option<DeltaLink>,
        beside: &Beside,
        round: &mut Round,
    ) -> Result<(), Failure> {
        if folder.loaded {
            self.take_items(folder, &items, round).await?;
            items.clear();
        }
        for item in &mut items {
            if let DeltaItem::Changed(row) = item
                && !row.notes_cut
                && let Some(rest) = beside.rest(row)
            {
                row.residue = Some(rest.residue);
                row.contact.take_extended(&rest.extended);
            }
        }
        let (folder, whole) = (folder.clone(), beside.take_whole());
        let cut = self.store_aside(move |tx| {
            let mut cut = Vec::new();
            for item in &items {
                match item {
                    DeltaItem::Removed(id) => tx.vanish(folder.id, id)?,
                    DeltaItem::Changed(row) if row.notes_cut => {
                        if take_cut_row(tx, &folder, row)? {
                            cut.push(row.id.clone());
                        }
                    }
                    DeltaItem::Changed(row) => tx.apply(folder.id, &server_contact(row))?,
                }
            }
            take_whole(tx, &folder, &whole)?;
            resume.map_or(Ok(()), |link| tx.set_resume(folder.id, &link))?;
            Ok(cut)
        });
        cut.await?.iter().for_each(|id| beside.ask(id));
        self.note_progress();
        Ok(())
    }

    /// Takes in what came from elsewhere while requests go on: a page is more than a moment's work.
    async fn store_aside<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Tx<'_>) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let _storing = self.storing.begin();
        let store = Arc::clone(&self.store);
        let write = move || store.write(|tx| tx.foreign(change));
        match tokio::task::spawn_blocking(write).await {
            Ok(done) => Ok(done?),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Reads singly what neither delta nor a list showed whole; returns what cannot be read.
    async fn read_missing(&self, folder: &FolderRow) -> Result<Unread, Failure> {
        let mut unread = Unread::new();
        let missing = self
            .store
            .write::<_, store::Error>(|tx| tx.without_residue(folder.id))?;
        for ids in missing.chunks(CHUNK) {
            let ContactsRead {
                snapshots,
                gone,
                failed,
            } = self.read_contacts(ids).await?;
            unread.extend(failed);
            self.store.write::<_, store::Error>(|tx| {
                tx.foreign(|tx| {
                    take_whole(tx, folder, &snapshots)?;
                    gone.iter().try_for_each(|id| tx.vanish(folder.id, id))
                })
            })?;
        }
        Ok(unread)
    }

    /// Gives those a file that have none yet, in pieces so that local saves get their turn.
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

/// Takes a row that does not say everything; it stands for the contact until that was read whole. Whether that is to be done.
fn take_cut_row(tx: &mut Tx<'_>, folder: &FolderRow, row: &Snapshot) -> Result<bool, store::Error> {
    if tx.hear(folder.id, &row.id, &row.change_key)? == Seen::Known {
        return Ok(false);
    }
    tx.apply(folder.id, &server_contact(row))?;
    tx.mark_cut(&row.id)?;
    Ok(true)
}

/// Stores contacts that were read whole: each is where it says it is.
fn take_whole(
    tx: &mut Tx<'_>,
    folder: &FolderRow,
    contacts: &[Snapshot],
) -> Result<(), store::Error> {
    for snapshot in contacts {
        let mut contact = server_contact(snapshot);
        contact.residue.get_or_insert_with(|| ResidueText::new(""));
        match place(tx, folder, snapshot)? {
            Some(place) => tx.apply(place, &contact)?,
            None => tx.vanish(folder.id, &contact.id)?,
        }
    }
    Ok(())
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
