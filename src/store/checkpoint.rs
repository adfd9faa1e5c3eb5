//! Moves the write-ahead log into the database file, away from whoever writes: it syncs the disk.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::{Result, connect};

/// Rows written between two checkpoints; about as many pages.
const ROWS: u64 = 4000;

/// A log of this size is emptied at the price of keeping writers waiting meanwhile: a bulk load writes faster than the
/// gentle way can follow.
const LARGE: u64 = 64 << 20;

/// The thread that does it.
#[derive(Debug)]
pub(super) struct Checkpointer {
    due: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Rows written at the last checkpoint.
    mark: AtomicU64,
}

impl Checkpointer {
    /// Starts the thread.
    pub(super) fn start(path: PathBuf) -> Result<Self> {
        let (due, asked) = channel();
        let sql = connect(&path)?;
        let log = path.with_extension("db-wal");
        let body = move || {
            for () in asked {
                let size = std::fs::metadata(&log).map_or(0, |meta| meta.len());
                checkpoint(&sql, if size > LARGE { "TRUNCATE" } else { "PASSIVE" });
            }
        };
        let thread = thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(body)?;
        Ok(Self {
            due: Some(due),
            thread: Some(thread),
            mark: AtomicU64::new(0),
        })
    }

    /// A transaction ended; `rows` have been written since the start.
    pub(super) fn note(&self, rows: u64) {
        let mark = self.mark.load(Ordering::Relaxed);
        if rows.saturating_sub(mark) > ROWS
            && let Some(due) = &self.due
        {
            self.mark.store(rows, Ordering::Relaxed);
            let _ended = due.send(());
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.due = None;
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// A checkpoint that cannot be made now is made later: the log is as good as the file.
pub(super) fn checkpoint(sql: &Connection, mode: &str) {
    let done = sql.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()));
    if let Err(error) = done {
        tracing::debug!(%error, "no checkpoint");
    }
}
