//! Sends the outbox: in order per contact, many contacts in one `$batch`.
//!
//! Before a change or a deletion the contact's version is compared with the one the edit started from, because the
//! service may not do it (graph-facts 4.2). A create whose reply was lost is looked for before it is tried again.

use std::sync::Arc;
use std::time::Duration;

use super::outcome::may_have_arrived;
use super::{Chunks, Engine, Failure, plan, server_contact};
use crate::graph::{Error, Write};
use crate::model::{ChangeKey, ContactId, Stamp};
use crate::store::{self, ContactRow, Job, Op};

/// Members of one `$batch` (graph-facts 9.1).
const BATCH: usize = 20;
/// Batches under way: one is checked while another is written.
const CHUNKS: usize = 2;
/// Until what failed here is tried again: a full disk, say.
const LOCAL_PAUSE: Duration = Duration::from_secs(1);

/// A row with the contact it is about.
pub(super) struct Work {
    pub(super) job: Job,
    pub(super) contact: ContactRow,
}

impl Engine {
    /// Sends whatever is due; never returns.
    pub(super) async fn push_loop(self: &Arc<Self>, chunks: &mut Chunks) {
        loop {
            self.wait_welcome().await;
            if let Err(error) = self.start_chunks(chunks) {
                tracing::error!(%error, "the outbox cannot be read");
                tokio::time::sleep(LOCAL_PAUSE).await;
            }
            tokio::select! {
                Some(done) = chunks.join_next() => if let Ok(Err(error)) = done {
                    tracing::warn!(error = %super::chain(&error), "sending failed");
                    tokio::time::sleep(LOCAL_PAUSE).await;
                },
                () = self.outbox.notified() => {}
                () = self.until_due(), if chunks.is_empty() => {}
            }
        }
    }

    /// Starts full batches at once, and a part of one only while nothing else is under way: what comes meanwhile joins it.
    fn start_chunks(self: &Arc<Self>, chunks: &mut Chunks) -> Result<(), store::Error> {
        if chunks.is_empty() && self.store.is_sending()? {
            // Left by a batch that the local disk failed.
            self.store.write::<_, store::Error>(|tx| tx.release())?;
        }
        while chunks.len() < CHUNKS {
            let ready = self.store.count_ready(BATCH)?;
            if ready == 0 || (ready < BATCH && !chunks.is_empty()) {
                return Ok(());
            }
            let jobs = self
                .store
                .write::<_, store::Error>(|tx| tx.take_ready(BATCH))?;
            let engine = Arc::clone(self);
            chunks.spawn(async move { engine.push(jobs).await });
        }
        Ok(())
    }

    /// Sends one batch of what is due; how many rows that were.
    pub(super) async fn push_some(&self) -> Result<usize, Failure> {
        let jobs = self
            .store
            .write::<_, store::Error>(|tx| tx.take_ready(BATCH))?;
        self.push(jobs).await
    }

    async fn until_due(&self) {
        match self.store.next_due() {
            Ok(Some(due)) => {
                let wait = due.remaining(Stamp::now());
                // Rows that are due but wait for others are woken by those; a look now and then costs nothing.
                tokio::time::sleep(if wait.is_zero() {
                    Duration::from_secs(1)
                } else {
                    wait
                })
                .await;
            }
            _ => std::future::pending().await,
        }
    }

    async fn push(&self, jobs: Vec<Job>) -> Result<usize, Failure> {
        let _task = self.work.begin();
        let count = jobs.len();
        let mut batch = Vec::new();
        for job in jobs {
            match (job.op, self.contact_of(&job)?) {
                (Op::MakeFolder | Op::RemoveFolder | Op::RenameFolder, _) => {
                    self.push_folder(&job).await?;
                }
                (Op::Move, Some(contact)) => self.push_move(&job, &contact).await?,
                (Op::Photo, Some(contact)) => self.push_photo(&job, &contact).await?,
                (_, Some(contact)) => batch.push(Work { job, contact }),
                (_, None) => self
                    .store
                    .write::<_, store::Error>(|tx| tx.finish(job.seq))?,
            }
        }
        if !batch.is_empty() {
            self.push_batch(batch).await?;
        }
        Ok(count)
    }

    fn contact_of(&self, job: &Job) -> Result<Option<ContactRow>, store::Error> {
        job.contact.map_or(Ok(None), |id| self.store.contact(id))
    }

    async fn push_batch(&self, batch: Vec<Work>) -> Result<(), Failure> {
        let mut requests = Vec::new();
        let keys = self.current_keys(&batch).await;
        let keys = self.or_retry(&batch, keys)?;
        let Some(keys) = keys else { return Ok(()) };
        for (work, key) in batch.into_iter().zip(keys) {
            if let Some(write) = self.prepare(&work, key).await? {
                requests.push((work, write));
            }
        }
        if requests.is_empty() {
            return Ok(());
        }
        if requests.iter().any(|(work, _)| work.job.op == Op::Create) {
            // A create must be known to have been tried even after a power cut.
            self.store.sync_durable()?;
        }
        let (batch, writes): (Vec<_>, Vec<_>) = requests.into_iter().unzip();
        let written = match self.client.write(&writes).await {
            Ok(written) => written,
            Err(error) => {
                let unsure = |work: &Work| may_have_arrived(work, &error);
                let jobs: Vec<_> = batch.iter().map(|work| (&work.job, unsure(work))).collect();
                return self.give_all_back(&jobs, &error);
            }
        };
        self.note_success();
        for (work, done) in batch.iter().zip(written) {
            self.take_reply(work, done).await?;
        }
        Ok(())
    }

    /// The versions of the contacts that are to be changed or deleted; `None` in the place of creates.
    async fn current_keys(
        &self,
        batch: &[Work],
    ) -> Result<Vec<Option<Result<ChangeKey, Error>>>, Error> {
        let ids: Vec<ContactId> = batch
            .iter()
            .filter_map(|work| work.contact.graph.clone())
            .collect();
        let mut keys = if ids.is_empty() {
            Vec::new()
        } else {
            let keys = self.client.change_keys(&ids).await?;
            self.note_success();
            keys
        }
        .into_iter();
        Ok(batch
            .iter()
            .map(|work| work.contact.graph.as_ref().and_then(|_| keys.next()))
            .collect())
    }

    /// Gives all rows back when a request failed as a whole.
    fn or_retry<T>(&self, batch: &[Work], done: Result<T, Error>) -> Result<Option<T>, Failure> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) => {
                let unsure = error.may_have_happened();
                let jobs: Vec<_> = batch.iter().map(|work| (&work.job, unsure)).collect();
                self.give_all_back(&jobs, &error)?;
                Ok(None)
            }
        }
    }

    /// What to send for a row now; `None` when it has come to its end without.
    async fn prepare(
        &self,
        work: &Work,
        key: Option<Result<ChangeKey, Error>>,
    ) -> Result<Option<Write>, Failure> {
        let key = match key {
            None => return self.prepare_create(work).await,
            Some(Ok(key)) => key,
            Some(Err(error)) => {
                self.conclude(work, &error).await?;
                return Ok(None);
            }
        };
        let unchanged = work.job.base_key.as_ref() == Some(&key);
        match (work.job.op, &work.contact.graph, unchanged) {
            (_, None, _) => Ok(None),
            (Op::Delete, Some(id), true) => Ok(Some(Write::Delete {
                id: id.clone(),
                change_key: Some(key),
            })),
            (_, Some(id), true) => self.prepare_update(work, id, &key),
            (_, Some(_), false) => {
                self.meet_change(work).await?;
                Ok(None)
            }
        }
    }

    fn prepare_update(
        &self,
        work: &Work,
        id: &ContactId,
        key: &ChangeKey,
    ) -> Result<Option<Write>, Failure> {
        let (Some(base), Some(mut ours)) = (work.job.base.clone(), work.job.ours.clone()) else {
            self.store
                .write::<_, store::Error>(|tx| tx.finish(work.job.seq))?;
            return Ok(None);
        };
        ours.inherit_invented(&base);
        let write = plan::update(id, key, &base, &ours);
        if write.is_none() {
            self.store
                .write::<_, store::Error>(|tx| tx.finish(work.job.seq))?;
        }
        Ok(write)
    }

    async fn prepare_create(&self, work: &Work) -> Result<Option<Write>, Failure> {
        let folder = self.store.write::<_, store::Error>(|tx| {
            let target = tx.target(&work.contact, work.job.seq)?;
            tx.folder(target)
        })?;
        let (Some(folder), Some(ours), Some(client)) = (
            folder.and_then(|folder| folder.graph),
            &work.job.ours,
            &work.job.client,
        ) else {
            self.store
                .write::<_, store::Error>(|tx| tx.finish(work.job.seq))?;
            return Ok(None);
        };
        if work.job.unsure {
            match self.client.find_created(&folder, client).await {
                Ok(Some(found)) => {
                    self.store.write::<_, store::Error>(|tx| {
                        tx.born(work.job.seq, &server_contact(&found))
                    })?;
                    return Ok(None);
                }
                Ok(None) => {}
                Err(error) => {
                    self.give_back(&work.job, &error)?;
                    return Ok(None);
                }
            }
        }
        let (contact, residue) = ours.for_create();
        Ok(Some(Write::Create {
            folder,
            contact,
            residue,
            client: client.clone(),
            extra: Vec::new(),
        }))
    }
}
