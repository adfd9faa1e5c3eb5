//! Pictures, which the service keeps apart from contacts (graph-facts 5): read when nothing else is to be done, sent in a
//! step of their own behind the fields.

use std::time::Duration;

use super::{Engine, Failure, chain, plan, server_contact};
use crate::graph::Error;
use crate::model::{ContactId, Photo};
use crate::store::{self, ContactRow, Job, PhotoDue, PhotoJob, Problem, RowId};

/// Pictures asked for in one `$batch` (graph-facts 9.1).
const BATCH: usize = 20;
/// How often somebody with something better to do is looked for.
const TURN: Duration = Duration::from_millis(50);

const NO_REMOVAL: &str = "PHOTO: Microsoft Graph does not remove the picture of a contact: remove it in Outlook; \
     the rest of the card was saved";
const NO_PICTURES: &str = "PHOTO: this account takes no pictures through Microsoft Graph";

impl Engine {
    /// Reads pictures whenever some are due; never returns.
    pub(super) async fn photo_loop(&self) {
        loop {
            self.wait_welcome().await;
            if let Err(failure) = self.read_photos().await {
                tracing::warn!(error = %chain(&failure), "pictures could not be read");
            }
            self.photos_due.notified().await;
        }
    }

    /// Reads every picture that is due, once, and shows what arrived.
    pub(super) async fn read_photos(&self) -> Result<(), Failure> {
        let _one = self.reading_photos.lock().await;
        self.store
            .write::<_, store::Error>(|tx| tx.show_late_photos())?;
        let mut after = RowId(0);
        loop {
            let due = self.store.photos_due(after, BATCH)?;
            let Some(last) = due.last() else {
                return Ok(self
                    .store
                    .write::<_, store::Error>(|tx| tx.tend_sidecars())?);
            };
            after = last.contact;
            self.wait_turn().await?;
            self.read_batch(&due).await?;
        }
    }

    /// Waits until nobody else wants the few requests the service takes at a time.
    async fn wait_turn(&self) -> Result<(), Failure> {
        while self.pulling.try_lock().is_err()
            || self.store.count_ready(1)? > 0
            || self.store.is_sending()?
        {
            tokio::time::sleep(TURN).await;
        }
        Ok(())
    }

    async fn read_batch(&self, due: &[PhotoDue]) -> Result<(), Failure> {
        let ids: Vec<ContactId> = due.iter().map(|due| due.graph.clone()).collect();
        let read = match self.client.photos(&ids).await {
            Ok(read) => read,
            Err(error) => {
                self.note_failure(&error);
                return Err(error.into());
            }
        };
        Ok(self.store.write::<_, store::Error>(|tx| {
            for (due, read) in due.iter().zip(read) {
                match read.map(|bytes| bytes.map(fit_to_show)) {
                    Ok(None) => tx.photo_read(due, None)?,
                    Ok(Some(Some(photo))) => tx.photo_read(due, Some(&photo))?,
                    Ok(Some(None)) => {
                        tracing::warn!("a contact's picture is too long or of an unknown format");
                        tx.photo_seen(due)?;
                    }
                    Err(error) if error.is_transient() => {
                        tracing::debug!(%error, "a picture could not be read");
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a picture cannot be read");
                        tx.photo_seen(due)?;
                    }
                }
            }
            Ok(())
        })?)
    }

    /// Sends a contact's picture, or its removal.
    pub(super) async fn push_photo(&self, job: &Job, contact: &ContactRow) -> Result<(), Failure> {
        match self.try_photo(job, contact).await {
            Err(Failure::Graph(error)) => match plan::judge(&error, job.attempts) {
                plan::Verdict::Retry { .. } | plan::Verdict::Changed => self.give_back(job, &error),
                plan::Verdict::Gone => Ok(self
                    .store
                    .write::<_, store::Error>(|tx| tx.make_again(contact))?),
                plan::Verdict::Refused(problem) => {
                    let problem = match error {
                        Error::Denied { code } => Problem::Rejected(format!(
                            "{NO_PICTURES} ({code}); the rest of the card was saved"
                        )),
                        _ => problem.with_sentence(format!(
                            "PHOTO: {}; the rest of the card was saved",
                            problem.sentence()
                        )),
                    };
                    self.refuse_photo(job, &problem)
                }
            },
            done => done,
        }
    }

    async fn try_photo(&self, job: &Job, contact: &ContactRow) -> Result<(), Failure> {
        let wanted = self.store.write::<_, store::Error>(|tx| {
            let Some(wanted) = tx.photo_job(job.seq)? else {
                return Ok(None);
            };
            let photo = wanted.photo.as_ref().map(|id| tx.photo(id)).transpose()?;
            let is_last = tx.is_last_photo(contact.id, wanted.base.as_ref())?;
            Ok(Some((photo.flatten(), wanted, is_last)))
        })?;
        let (Some(id), Some((photo, wanted, is_last))) = (&contact.graph, wanted) else {
            return Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.finish(job.seq))?);
        };
        let mut keys = self.client.change_keys(std::slice::from_ref(id)).await?;
        let key = keys.pop().unwrap_or(Err(Error::NotFound))?;
        // Saved back to what it was: there is nothing to send.
        let is_back = wanted.photo == wanted.base;
        if is_back || !is_last || job.base_key.as_ref() != Some(&key) {
            let there = self.client.photo(id).await?.and_then(fit_to_show);
            match meet(&wanted, there.as_ref()) {
                Meeting::Send => {}
                Meeting::Done => return self.photo_taken(job, id, there.as_ref()).await,
                Meeting::Clash => {
                    let there = there.as_ref();
                    let is_sent = self
                        .store
                        .write::<_, store::Error>(|tx| tx.meet_photo(job, &wanted, there))?;
                    if !is_sent {
                        tracing::warn!("a picture was changed elsewhere as well");
                        self.note_success();
                        return Ok(());
                    }
                }
            }
        }
        self.store
            .write::<_, store::Error>(|tx| tx.photo_sent(job.seq, true))?;
        match &photo {
            Some(photo) => {
                let put = self.put_photo(id, photo).await;
                if let Err(Error::Throttled { .. } | Error::SignInNeeded { .. }) = put {
                    // Refused unseen: what is there by the next attempt is not ours on that account.
                    self.store
                        .write::<_, store::Error>(|tx| tx.photo_sent(job.seq, wanted.sent))?;
                }
                put?;
            }
            None => match self.client.delete_photo(id).await {
                Err(Error::Refused { .. } | Error::Denied { .. }) => {
                    return self.refuse_photo(job, &Problem::Rejected(NO_REMOVAL.to_owned()));
                }
                done => done?,
            },
        }
        self.photo_taken(job, id, photo.as_ref()).await
    }

    /// The contact was there a moment ago, so "not found" is not about it.
    async fn put_photo(&self, id: &ContactId, photo: &Photo) -> Result<(), Error> {
        let put = self.client.put_photo(id, photo.bytes(), photo.media_type());
        put.await.map_err(|error| match error {
            Error::NotFound => Error::Refused {
                code: "ErrorItemNotFound".to_owned(),
                message: "it has no place for a picture".to_owned(),
            },
            error => error,
        })
    }

    /// Reads the contact again, for its version is another now. What the service made of the picture is read later, with
    /// all others that are due.
    async fn photo_taken(
        &self,
        job: &Job,
        id: &ContactId,
        photo: Option<&Photo>,
    ) -> Result<(), Failure> {
        let contact = self.read_one(id).await?;
        self.store
            .write::<_, store::Error>(|tx| tx.photo_taken(job, photo, &server_contact(&contact)))?;
        self.note_success();
        Ok(())
    }

    fn refuse_photo(&self, job: &Job, problem: &Problem) -> Result<(), Failure> {
        tracing::warn!("the service did not take a picture");
        self.note_success();
        Ok(self
            .store
            .write::<_, store::Error>(|tx| tx.photo_not_taken(job, problem))?)
    }
}

/// What the picture found at the service means for one that is to be sent.
#[derive(Debug, PartialEq, Eq)]
enum Meeting {
    Send,
    Done,
    Clash,
}

/// Compares a picture to be with the one that is there now. After an attempt that may have arrived, another picture than
/// before is taken for ours, encoded anew by the service.
fn meet(wanted: &PhotoJob, there: Option<&Photo>) -> Meeting {
    let there = there.map(Photo::id);
    if there == wanted.photo {
        Meeting::Done
    } else if there == wanted.base {
        Meeting::Send
    } else if wanted.sent && wanted.photo.is_some() && there.is_some() {
        Meeting::Done
    } else {
        Meeting::Clash
    }
}

/// A picture that a card can show and that could be saved again.
fn fit_to_show(bytes: Vec<u8>) -> Option<Photo> {
    Photo::new(bytes).filter(|photo| photo.bytes().len() <= Photo::MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PhotoId;

    fn photo(text: &str) -> Photo {
        Photo::new(format!("BM{text}").into_bytes()).unwrap()
    }

    #[test]
    fn a_picture_meets_the_one_that_is_there() {
        let id = |text: &str| -> PhotoId { photo(text).id() };
        let wanted = |new: Option<&str>, sent| PhotoJob {
            photo: new.map(id),
            base: Some(id("old")),
            sent,
        };
        let (new, sent) = (wanted(Some("new"), false), wanted(Some("new"), true));
        assert_eq!(meet(&new, Some(&photo("old"))), Meeting::Send);
        assert_eq!(meet(&new, Some(&photo("new"))), Meeting::Done);
        assert_eq!(meet(&new, Some(&photo("x"))), Meeting::Clash);
        assert_eq!(meet(&sent, Some(&photo("x"))), Meeting::Done);
        assert_eq!(meet(&sent, None), Meeting::Clash);
        let removal = wanted(None, true);
        assert_eq!(meet(&removal, None), Meeting::Done);
        assert_eq!(meet(&removal, Some(&photo("x"))), Meeting::Clash);
    }
}
