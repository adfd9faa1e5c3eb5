//! Who wrote to which inode since its last commit, and since when it has been quiet.
//!
//! The kernel sends a FLUSH for every closed descriptor, readers' too. Only the close of a process that wrote
//! commits, and only to it an error is reported (behaviour 3.1).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::model::Ino;

/// How long a text may stay unacceptable before it is put aside (behaviour 3.2).
const IDLE: Duration = Duration::from_secs(10);

/// Stands for a process that is gone: only the quiet time ends its edit.
pub(super) const NOBODY: u32 = u32::MAX;

/// Inodes with uncommitted text.
#[derive(Debug, Default)]
pub(super) struct Writers {
    open: HashMap<Ino, Writing>,
}

#[derive(Debug)]
struct Writing {
    /// Process ids; 0 stands for the kernel's own write-back.
    pids: Vec<u32>,
    last: Instant,
}

impl Writers {
    /// A process wrote; whether it is the first to do so since the last commit.
    pub(super) fn wrote(&mut self, ino: Ino, pid: u32) -> bool {
        let first = !self.open.contains_key(&ino);
        let now = Instant::now();
        let writing = self.open.entry(ino).or_insert_with(|| Writing {
            pids: Vec::new(),
            last: now,
        });
        writing.last = now;
        if !writing.pids.contains(&pid) {
            writing.pids.push(pid);
        }
        first
    }

    /// Whether a close by this process ends an edit.
    pub(super) fn is_writer(&self, ino: Ino, pid: u32) -> bool {
        let Some(writing) = self.open.get(&ino) else {
            return false;
        };
        writing.pids.contains(&0)
            || writing.pids.contains(&pid)
            || writing
                .pids
                .iter()
                .any(|writer| process_of(*writer) == process_of(pid))
    }

    /// The text was committed, put aside or removed.
    pub(super) fn forget(&mut self, ino: Ino) {
        self.open.remove(&ino);
    }

    /// Inodes that have been quiet long enough; all of them when `all`.
    pub(super) fn quiet(&self, all: bool) -> Vec<Ino> {
        let quiet = |ino: &Ino| self.is_quiet(*ino, all);
        self.open.keys().copied().filter(quiet).collect()
    }

    /// Whether an inode has uncommitted text and has been quiet long enough; at once when `all`.
    pub(super) fn is_quiet(&self, ino: Ino, all: bool) -> bool {
        let quiet = |writing: &Writing| all || writing.last.elapsed() >= IDLE;
        self.open.get(&ino).is_some_and(quiet)
    }

    /// When the next inode will have been quiet long enough.
    pub(super) fn next_quiet(&self) -> Option<Instant> {
        self.open.values().map(|writing| writing.last + IDLE).min()
    }
}

/// The process a thread belongs to; the thread itself when that cannot be told.
fn process_of(thread: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let tgid = status.lines().find_map(|line| line.strip_prefix("Tgid:"));
    tgid.and_then(|tgid| tgid.trim().parse().ok())
        .unwrap_or(thread)
}
