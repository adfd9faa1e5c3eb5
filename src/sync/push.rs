//! Sends the outbox: in order per contact, many contacts in one `$batch`.
//!
//! Before a change or a deletion the contact's version is compared with the one the edit started from, because the
//! service may not do it (graph-facts 4.2). A create whose reply was lost is looked for before it is tried again.

use std::sync::Arc;
use std::time::Duration;

use super::plan::{self, Next, Verdict};
use super::{Chunks, Engine, Failure, server_contact};
use crate::graph::{Error, Snapshot, Write};
use crate::model::{ChangeKey, ContactId, Stamp};
use crate::store::{self, ContactRow, Job, Op, ServerContact, Tx};
use crate::vcard::{Card, Residue};

/// Members of one `$batch` (graph-facts 9.1).
const BATCH: usize = 20;
/// Batches under way: one is checked while another is written.
const CHUNKS: usize = 2;
/// Pauses of a row that fails again and again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A create whose reply was lost may still be under way, and searches lag behind (graph-facts 3.4).
const LOST_PAUSE: Duration = Duration::from_secs(2);

/// Why a row waits whose contact was read from a copy that lags behind (graph-facts 3.4).
const LAGS: &str = "the service shows an older version of the contact for now";

/// A row with the contact it is about.
struct Work {
    job: Job,
    contact: ContactRow,
}

impl Engine {
    /// Sends whatever is due; never returns.
    pub(super) async fn push_loop(self: &Arc<Self>, chunks: &mut Chunks) {
        loop {
            self.wait_welcome().await;
            if let Err(error) = self.start_chunks(chunks) {
                tracing::error!(%error, "the outbox cannot be read");
            }
            tokio::select! {
                Some(done) = chunks.join_next() => if let Ok(Err(error)) = done {
                    tracing::warn!(error = %super::chain(&error), "sending failed");
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
                    self.fail(work, &error)?;
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

    async fn take_reply(
        &self,
        work: &Work,
        done: Result<Option<Snapshot>, Error>,
    ) -> Result<(), Failure> {
        match done {
            Err(error @ Error::Offline { .. }) => {
                self.give_back_as(&work.job, &error, may_have_arrived(work, &error))
            }
            Err(error) => self.conclude(work, &error).await,
            Ok(_) if work.job.op == Op::Delete => {
                self.settle(work, |tx| tx.buried(work.contact.id))
            }
            Ok(Some(snapshot)) => self.taken(work, &snapshot).await,
            // The service said yes and did not show the result: look.
            Ok(None) if work.job.op == Op::Create => self.fail(
                work,
                &Error::Malformed {
                    what: "a created contact",
                },
            ),
            Ok(None) => self.meet_change(work).await,
        }
    }

    async fn taken(&self, work: &Work, snapshot: &Snapshot) -> Result<(), Failure> {
        let contact = server_contact(snapshot);
        let known = [work.job.base_key.as_ref(), Some(&contact.change_key)];
        let mut overtaken = false;
        self.settle(work, |tx| {
            let row = tx.contact(work.contact.id)?;
            overtaken = row.is_some_and(|row| !known.contains(&row.change_key.as_ref()));
            match work.job.op {
                Op::Create => tx.born(work.job.seq, &contact),
                _ => tx.taken(work.job.seq, &contact),
            }
        })?;
        if !overtaken {
            return Ok(());
        }
        // A pull heard of another version meanwhile; which of the two is newer only the service can say.
        let read = self
            .client
            .contacts(std::slice::from_ref(&contact.id))
            .await;
        let Some(Ok(newest)) = read.ok().and_then(|mut read| read.pop()) else {
            return Ok(());
        };
        Ok(self.store.write::<_, store::Error>(|tx| {
            tx.foreign(|tx| apply_in_place(tx, work, &server_contact(&newest)))
        })?)
    }

    /// Records what became of a row, unless somebody else did: a pull may have heard of it first.
    fn settle(
        &self,
        work: &Work,
        change: impl FnOnce(&mut Tx<'_>) -> Result<(), store::Error>,
    ) -> Result<(), Failure> {
        Ok(self.store.write::<_, store::Error>(|tx| {
            if tx.job(work.job.seq)?.is_some() {
                change(tx)?;
            }
            Ok(())
        })?)
    }

    /// The contact is not as it was when the edit began.
    async fn meet_change(&self, work: &Work) -> Result<(), Failure> {
        let Some(id) = &work.contact.graph else {
            return Ok(());
        };
        let read = self
            .client
            .contacts(std::slice::from_ref(id))
            .await
            .and_then(|mut read| {
                read.pop()
                    .unwrap_or(Err(Error::Malformed { what: "a contact" }))
            });
        let snapshot = match read {
            Ok(snapshot) => snapshot,
            Err(Error::NotFound) => return self.meet_absence(work),
            Err(error) => return self.fail(work, &error),
        };
        let theirs = server_contact(&snapshot);
        if work.job.base_key.as_ref() == Some(&theirs.change_key) {
            // The service speaks of a conflict where there is none (trap 20).
            return self.fail(work, &Error::Changed);
        }
        if work.job.op == Op::Delete {
            // Deleted here, edited there: the edit wins (behaviour 6.4).
            return self.settle(work, |tx| {
                apply_in_place(tx, work, &theirs)?;
                let parent = snapshot.parent.as_ref();
                let at = parent
                    .map(|id| tx.folder_by_graph(id))
                    .transpose()?
                    .flatten();
                tx.revive(work.contact.id, at.map(|folder| folder.id), None)
            });
        }
        let card = card_of(&snapshot);
        self.settle(work, |tx| {
            if tx.is_older(work.contact.id, &theirs.change_key)? {
                let pause = own_pause(&work.job, &Error::NotFound);
                return tx.retry(work.job.seq, pause, LAGS, false);
            }
            let is_last = tx
                .last_save(work.contact.id)?
                .is_some_and(|job| job.seq == work.job.seq);
            match plan::compare(&work.job, &card, is_last) {
                Next::Done => tx.taken(work.job.seq, &theirs),
                Next::Send => tx.rebase(work.job.seq, &theirs),
                Next::Merge => tx.meet(work.job.seq, &theirs, &card),
            }
        })
    }

    /// The contact was deleted elsewhere. An edit wins over that: it is made again (behaviour 6.4).
    fn meet_absence(&self, work: &Work) -> Result<(), Failure> {
        self.settle(work, |tx| match work.job.op {
            Op::Delete => tx.buried(work.contact.id),
            _ => tx.make_again(&work.contact),
        })
    }

    /// The folder a contact shall be made in was deleted elsewhere. A look at the folders finds the contact another one
    /// (behaviour 6.4); until the service agrees with itself it is tried again.
    async fn meet_missing_folder(&self, work: &Work) -> Result<(), Failure> {
        match self.read_folders().await {
            Err(Failure::Graph(error)) => self.give_back(&work.job, &error),
            Err(error) => Err(error),
            Ok(()) => self.settle(work, |tx| {
                let pause = own_pause(&work.job, &Error::FolderGone);
                tx.retry(
                    work.job.seq,
                    pause,
                    "the folder is not there for now",
                    false,
                )
            }),
        }
    }

    /// Deals with an error that one row met.
    async fn conclude(&self, work: &Work, error: &Error) -> Result<(), Failure> {
        let is_homeless = work.job.op == Op::Create && matches!(error, Error::FolderGone);
        if is_homeless && work.job.attempts < plan::LAST_ATTEMPT {
            return self.meet_missing_folder(work).await;
        }
        match plan::judge(error, work.job.attempts) {
            Verdict::Retry { .. } => self.fail(work, error),
            Verdict::Changed => self.meet_change(work).await,
            Verdict::Gone => self.meet_absence(work),
            Verdict::Refused(problem) => {
                tracing::warn!(op = work.job.op.word(), "the service refused a change");
                self.settle(work, |tx| match work.job.op {
                    Op::Delete => tx.revive(work.contact.id, None, Some(problem.clone())),
                    _ => tx.not_taken(work.job.seq, &problem),
                })
            }
        }
    }

    /// Gives a row back to be tried again, and notes what the error says about the connection.
    fn fail(&self, work: &Work, error: &Error) -> Result<(), Failure> {
        self.give_back(&work.job, error)
    }

    pub(super) fn give_back(&self, job: &Job, error: &Error) -> Result<(), Failure> {
        self.give_back_as(job, error, error.may_have_happened())
    }

    fn give_back_as(&self, job: &Job, error: &Error, unsure: bool) -> Result<(), Failure> {
        self.give_all_back(&[(job, unsure)], error)
    }

    /// Gives back the rows that one error concerns: it is one failure of the connection, and they stay together.
    fn give_all_back(&self, jobs: &[(&Job, bool)], error: &Error) -> Result<(), Failure> {
        // Wrong data makes the service fail as well (graph-facts 9.4): that is this row's trouble, not the connection's.
        if !matches!(error, Error::Service { status: 500, .. }) {
            self.note_failure(error);
        }
        let is_counted = !matches!(
            error,
            Error::Offline { .. } | Error::Throttled { .. } | Error::SignInNeeded { .. }
        );
        let health = self.health().pause();
        let text = super::chain(error);
        Ok(self.store.write::<_, store::Error>(|tx| {
            for (job, unsure) in jobs {
                if !is_counted {
                    tx.uncount(job.seq)?;
                }
                let pause = health.max(own_pause(job, error));
                tx.retry(job.seq, pause, &text, *unsure)?;
            }
            Ok(())
        })?)
    }
}

/// Whether a change may have been carried out although it failed. An update or a deletion is repeated by the client, so
/// an attempt before the last one may have arrived.
fn may_have_arrived(work: &Work, error: &Error) -> bool {
    error.may_have_happened()
        || (work.job.op != Op::Create && matches!(error, Error::Offline { .. }))
}

/// How long a row waits after an error, whatever the connection does.
fn own_pause(job: &Job, error: &Error) -> Duration {
    let own = FIRST_PAUSE
        .saturating_mul(1 << job.attempts.min(8))
        .min(LONGEST_PAUSE);
    if matches!(job.op, Op::Create | Op::Move) && error.may_have_happened() {
        own.max(LOST_PAUSE)
    } else {
        own
    }
}

/// Takes a contact in without moving it: only a pull tells folders apart.
fn apply_in_place(
    tx: &mut Tx<'_>,
    work: &Work,
    theirs: &ServerContact,
) -> Result<(), store::Error> {
    let row = tx.contact(work.contact.id)?;
    let folder = row.map_or(work.contact.folder, |row| row.folder);
    tx.apply(folder, theirs)
}

/// The card of a contact that was read whole.
pub(super) fn card_of(snapshot: &Snapshot) -> Card {
    let residue = snapshot
        .residue
        .as_ref()
        .and_then(|text| Residue::decode(text).ok())
        .unwrap_or_default();
    Card::from_server(snapshot.contact.clone(), residue)
}
