//! Replies that need the disk to settle first: an `fsync` must not hold up the loop.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does one job after the other; it ends when this is dropped.
pub(super) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = channel::<Job>();
        thread::Builder::new()
            .name("fsync".to_owned())
            .spawn(move || queue.iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }

    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        // The thread outlives every sender: it ends only when there is none.
        let _gone = self.jobs.send(Box::new(job));
    }
}
