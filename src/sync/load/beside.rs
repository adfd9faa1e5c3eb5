//! What the delta query leaves out, read beside it: lists with `$expand` show the residues and the fields kept as extended
//! properties (graph-facts 3.1, 3.2), and what a row or a list has cut is read singly. The service takes four requests at a
//! time (graph-facts 9.2): one is the delta query's, the others are used here, and the fourth as well once the pages have
//! ended.
//!
//! A failure ends nothing: what is missing at the end is read by the loader.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::graph::{Client, Snapshot, Version};
use crate::model::{ChangeKey, Contact, ContactId, FolderId, ResidueText};
use crate::vcard::Residue;

/// Rows asked for in one list page.
const LIST_PAGE: usize = 200;
/// Requests under way beside the delta query, when no other folder is loaded.
const READERS: usize = 3;

/// What was read beside the pages and not taken yet.
#[derive(Default)]
pub(super) struct Found {
    /// What lists showed whole, each with the version it belongs to.
    pub(super) rests: HashMap<ContactId, (ChangeKey, Rest)>,
    /// Contacts that have a picture, by the lists, in this version.
    pub(super) pictures: Vec<(ContactId, ChangeKey)>,
    /// Contacts that were read singly.
    pub(super) whole: Vec<Snapshot>,
}

/// What a row of the delta query does not show of a contact.
#[derive(Clone)]
pub(super) struct Rest {
    pub(super) residue: ResidueText,
    /// The fields kept as extended properties.
    pub(super) extended: Contact,
}

/// Readers at work beside one folder's delta query; they end with it.
pub(super) struct Beside {
    shared: Arc<Shared>,
    ask: UnboundedSender<ContactId>,
    readers: JoinSet<()>,
}

struct Shared {
    client: Client,
    folder: FolderId,
    /// Held for moments only.
    found: Mutex<Found>,
    next_page: AtomicUsize,
    lists_ended: AtomicBool,
    /// Contacts to be read singly. Whoever waits for one holds it; the others wait for their turn.
    asked: tokio::sync::Mutex<UnboundedReceiver<ContactId>>,
}

impl Beside {
    /// Begins to read, for one of so many folders that are loaded together: several readers of one list may ask beyond its
    /// end, which is a waste as soon as other folders have use for the request.
    pub(super) fn start(client: &Client, folder: &FolderId, folders: usize) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            client: client.clone(),
            folder: folder.clone(),
            found: Mutex::default(),
            next_page: AtomicUsize::new(0),
            lists_ended: AtomicBool::new(false),
            asked: tokio::sync::Mutex::new(asked),
        });
        let mut readers = JoinSet::new();
        for _ in 0..(READERS / folders.max(1)).max(1) {
            let (shared, ask) = (Arc::clone(&shared), ask.clone());
            readers.spawn(async move {
                shared.read_lists(ask).await;
                shared.read_asked().await;
            });
        }
        Self {
            shared,
            ask,
            readers,
        }
    }

    /// Wants a contact to be read singly.
    pub(super) fn ask(&self, id: &ContactId) {
        // It cannot be refused: the receiver lives as long as this does.
        let _asked = self.ask.send(id.clone());
    }

    /// The rest of this version, if a list has shown it already.
    pub(super) fn rest(&self, row: &Snapshot) -> Option<Rest> {
        let found = self.shared.found();
        let (of, rest) = found.rests.get(&row.id)?;
        (*of == row.change_key).then(|| rest.clone())
    }

    /// The contacts read singly since the last call.
    pub(super) fn take_whole(&self) -> Vec<Snapshot> {
        std::mem::take(&mut self.shared.found().whole)
    }

    /// The pages have ended: waits for what is still being read.
    pub(super) async fn finish(self) -> Found {
        drop(self.ask);
        self.shared.read_asked().await;
        self.readers.join_all().await;
        std::mem::take(&mut self.shared.found())
    }
}

impl Shared {
    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one list page after the other until the list ends.
    async fn read_lists(&self, ask: UnboundedSender<ContactId>) {
        while !self.lists_ended.load(Ordering::Relaxed) {
            let skip = self.next_page.fetch_add(1, Ordering::Relaxed) * LIST_PAGE;
            match self.client.list_page(&self.folder, skip, LIST_PAGE).await {
                Ok(page) => {
                    let is_last = page.len() < LIST_PAGE;
                    self.lists_ended.fetch_or(is_last, Ordering::Relaxed);
                    page.into_iter().for_each(|row| self.take_row(row, &ask));
                }
                Err(error) => {
                    tracing::debug!(%error, "a list could not be read");
                    self.lists_ended.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Takes what a list shows, if it checks out.
    fn take_row(&self, row: Version, ask: &UnboundedSender<ContactId>) {
        if row.picture {
            let known = (row.id.clone(), row.change_key.clone());
            self.found().pictures.push(known);
        }
        let residue = ResidueText::new(row.residue.0.unwrap_or_default());
        if !row.is_cut && Residue::decode(&residue).is_ok() {
            let rest = Rest {
                residue,
                extended: row.extended,
            };
            self.found().rests.insert(row.id, (row.change_key, rest));
        } else {
            let _asked = ask.send(row.id);
        }
    }

    /// Reads what is asked for, one by one, until nobody can ask any more. A `$batch` would hold up the delta query and save
    /// nothing, as its members count like requests of their own (graph-facts 9.1).
    async fn read_asked(&self) {
        loop {
            let Some(id) = self.asked.lock().await.recv().await else {
                return;
            };
            let read = self.client.contacts(std::slice::from_ref(&id)).await;
            if let Ok(Some(Ok(contact))) = read.map(|mut read| read.pop()) {
                self.found().whole.push(contact);
            }
        }
    }
}
