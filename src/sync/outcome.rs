//! What becomes of rows that were sent, or that need not be: taken, merged, made again, refused, or given back.

use std::time::Duration;

use super::plan::{self, Next, Verdict};
use super::push::Work;
use super::{Engine, Failure, card_of, server_contact};
use crate::graph::{Error, Snapshot};
use crate::store::{self, Job, Op, ServerContact, Tx};

/// Pauses of a row that fails again and again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A create whose reply was lost may still be under way, and searches lag behind (graph-facts 3.4).
const LOST_PAUSE: Duration = Duration::from_secs(2);

/// Why a row waits whose contact was read from a copy that lags behind (graph-facts 3.4).
const LAGS: &str = "the service shows an older version of the contact for now";

impl Engine {
    /// What the service answered to one row.
    pub(super) async fn take_reply(
        &self,
        work: &Work,
        done: Result<Option<Snapshot>, Error>,
    ) -> Result<(), Failure> {
        match done {
            Err(error @ Error::Offline { .. }) => {
                self.give_all_back(&[(&work.job, may_have_arrived(work, &error))], &error)
            }
            Err(error) => self.conclude(work, &error).await,
            Ok(_) if work.job.op == Op::Delete => {
                self.settle(work, |tx| tx.buried(work.contact.id))
            }
            Ok(Some(snapshot)) => self.taken(work, &snapshot).await,
            // The service said yes and did not show the result: look.
            Ok(None) if work.job.op == Op::Create => self.give_back(
                &work.job,
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
    pub(super) async fn meet_change(&self, work: &Work) -> Result<(), Failure> {
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
            Err(error) => return self.give_back(&work.job, &error),
        };
        let theirs = server_contact(&snapshot);
        if work.job.base_key.as_ref() == Some(&theirs.change_key) {
            // The service speaks of a conflict where there is none (trap 20).
            return self.give_back(&work.job, &Error::Changed);
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
    pub(super) async fn conclude(&self, work: &Work, error: &Error) -> Result<(), Failure> {
        let is_homeless = work.job.op == Op::Create && matches!(error, Error::FolderGone);
        if is_homeless && work.job.attempts < plan::LAST_ATTEMPT {
            return self.meet_missing_folder(work).await;
        }
        match plan::judge(error, work.job.attempts) {
            Verdict::Retry { .. } => self.give_back(&work.job, error),
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
    pub(super) fn give_back(&self, job: &Job, error: &Error) -> Result<(), Failure> {
        self.give_all_back(&[(job, error.may_have_happened())], error)
    }

    /// Gives back the rows that one error concerns: it is one failure of the connection, and they stay together.
    pub(super) fn give_all_back(
        &self,
        jobs: &[(&Job, bool)],
        error: &Error,
    ) -> Result<(), Failure> {
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
pub(super) fn may_have_arrived(work: &Work, error: &Error) -> bool {
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
