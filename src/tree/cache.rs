//! Bytes close at hand: accepted cards, and open backing files.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use crate::model::Ino;
use crate::store::{Result, Store};

/// Open backing files at a time.
const FILES: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// The two caches; each lock is held for one look-up only and taken last of all.
pub(super) struct Cache {
    cards: Mutex<LruCache<Ino, Arc<[u8]>>>,
    files: Mutex<LruCache<Ino, Arc<File>>>,
}

impl Cache {
    pub(super) fn new(cards: NonZeroUsize) -> Self {
        // Grown as needed: most mailboxes are smaller than the bound.
        let mut lru = LruCache::unbounded();
        lru.resize(cards);
        Self {
            cards: Mutex::new(lru),
            files: Mutex::new(LruCache::new(FILES)),
        }
    }

    /// The accepted bytes of a card.
    pub(super) fn card(&self, store: &Store, ino: Ino) -> Result<Arc<[u8]>> {
        if let Some(bytes) = self
            .cards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&ino)
        {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = store.text(ino)?.unwrap_or_default().into();
        self.cards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(ino, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// An inode's backing file, opened when it is not.
    pub(super) fn file(&self, store: &Store, ino: Ino) -> io::Result<Arc<File>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&ino) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(store.blobs().file(ino)?);
        files.put(ino, Arc::clone(&file));
        Ok(file)
    }

    /// An inode's bytes have moved or gone.
    pub(super) fn drop_ino(&self, ino: Ino) {
        self.cards
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop(&ino);
        self.files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop(&ino);
    }
}
