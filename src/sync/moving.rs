//! Contacts that move from one folder to another, which takes several steps at the service (behaviour 4.9).
//!
//! Between the first step and the last the contact is there twice, and either may be edited elsewhere meanwhile.

use super::{Engine, Failure, card_of, plan, server_contact};
use crate::graph::{Error, Snapshot, Write};
use crate::model::{ChangeKey, Contact, ContactId, FolderId, Photo, ResidueText};
use crate::store::{self, ContactRow, Job, Problem};
use crate::vcard::{self, Card, Residue};

/// How often an attempt lets the copy catch up with edits of the original made elsewhere.
const CATCHES: u32 = 3;

impl Engine {
    /// Moves a contact: made there, photo carried, verified, deleted here. Each step can be repeated (behaviour 4.9).
    pub(super) async fn push_move(&self, job: &Job, contact: &ContactRow) -> Result<(), Failure> {
        match self.try_move(job, contact).await {
            Err(Failure::Graph(error)) if plan::judge(&error, job.attempts).is_retry() => {
                self.give_back(job, &error)
            }
            Err(Failure::Graph(Error::Changed)) => Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.restart_move(job.seq))?),
            Err(Failure::Graph(Error::NotFound)) => Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.make_again(contact))?),
            Err(Failure::Graph(error)) => {
                match self.undo_copy(job, contact).await {
                    Ok(()) => {}
                    Err(Failure::Graph(error)) => return self.give_back(job, &error),
                    error => return error,
                }
                let problem = Problem::Rejected(format!("the server refused the move: {error}"));
                let from = job.folder.unwrap_or(contact.folder);
                Ok(self.store.write::<_, store::Error>(|tx| {
                    tx.finish(job.seq)?;
                    tx.set_problem(contact.id, Some(job.seq), &problem)?;
                    tx.foreign(|tx| tx.move_back(contact.id, from))
                })?)
            }
            done => done,
        }
    }

    async fn try_move(&self, job: &Job, contact: &ContactRow) -> Result<(), Failure> {
        let target = self.store.write::<_, store::Error>(|tx| {
            let target = tx.target(contact, job.seq)?;
            tx.folder(target)
        })?;
        let (Some(old), Some(target)) = (&contact.graph, target.and_then(|to| to.graph)) else {
            return Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.finish(job.seq))?);
        };
        let (new, copied) = match &job.moved {
            Some(new) => (new.clone(), job.base_key.clone()),
            None => self.copy(job, contact, old, &target).await?,
        };
        let mut copied = copied;
        for _ in 0..CATCHES {
            self.carry_photo(old, &new).await?;
            let verified = match self.read_one(&new).await {
                Err(Error::NotFound) => return Err(Error::Changed.into()),
                verified => verified?,
            };
            match self.delete_copied(old, copied.as_ref()).await {
                Ok(()) | Err(Error::NotFound) => {
                    self.note_success();
                    return Ok(self.store.write::<_, store::Error>(|tx| {
                        tx.moved(job.seq, &server_contact(&verified))
                    })?);
                }
                Err(Error::Changed) => {
                    copied = self.catch_up(job, contact, old, &verified).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(unsettled().into())
    }

    async fn carry_photo(&self, old: &ContactId, new: &ContactId) -> Result<(), Error> {
        match self.client.photo(old).await {
            // An earlier attempt deleted it and could not note that down; all that is left is to verify.
            Err(Error::NotFound) | Ok(None) => Ok(()),
            Ok(Some(photo)) => {
                let put = self.client.put_photo(new, &photo, media_type(&photo));
                put.await.map_err(|error| match error {
                    Error::NotFound => Error::Changed, // The copy is gone: made once more.
                    error => error,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// The contact was edited in its old folder since it was copied. A copy that is as it was made goes, and the move begins
    /// again from the newer contact ([`Error::Changed`]); one that was edited as well takes the edit in. Returns the version
    /// of the contact that the copy stands for then.
    async fn catch_up(
        &self,
        job: &Job,
        contact: &ContactRow,
        old: &ContactId,
        copy: &Snapshot,
    ) -> Result<Option<ChangeKey>, Failure> {
        let (row, copied) = self
            .store
            .write::<_, store::Error>(|tx| Ok((tx.job(job.seq)?, tx.copied(job.seq)?)))?;
        let ours = row.and_then(|row| row.base);
        let Some(copied) =
            copied.filter(|copied| card_of(copy) != made_of(ours.as_ref().unwrap_or(copied), old))
        else {
            return Err(self.discard_copy(copy).await);
        };
        let original = match self.read_one(old).await {
            Err(Error::NotFound) => return Ok(None), // And so it need not be deleted.
            original => original?,
        };
        let now = card_of(&original);
        let merged = self.store.write::<_, store::Error>(|tx| {
            tx.keep_copy(contact.id, &card_of(copy))?;
            let (base, theirs) = (made_of(&copied, old), made_of(&now, old));
            Ok(tx.merged(&base, &card_of(copy), &theirs).0)
        })?;
        let write = plan::update(&copy.id, &copy.change_key, &card_of(copy), &merged);
        let done = self.client.write(write.as_slice()).await?;
        match done.into_iter().next().unwrap_or(Ok(None)) {
            Ok(_) => {}
            Err(Error::Changed) => return Err(unsettled().into()),
            Err(Error::NotFound) => return Err(Error::Changed.into()),
            Err(error) => return Err(error.into()),
        }
        self.store.write::<_, store::Error>(|tx| {
            tx.set_copied(job.seq, &original.change_key, &now, ours.as_ref())
        })?;
        Ok(Some(original.change_key))
    }

    /// Deletes a copy, after which the move begins again ([`Error::Changed`]). One that does not go stays in the row, or it
    /// would be a second contact.
    async fn discard_copy(&self, copy: &Snapshot) -> Failure {
        // A pull that has just read the copy must not take it for a stranger.
        let noted = |tx: &mut store::Tx<'_>| tx.note_gone(&copy.id, &copy.change_key);
        if let Err(error) = self.store.write::<_, store::Error>(noted) {
            return error.into();
        }
        match self.delete_version(&copy.id, Some(&copy.change_key)).await {
            Ok(()) | Err(Error::NotFound) => Error::Changed.into(),
            Err(Error::Changed) => unsettled().into(),
            Err(error) => error.into(),
        }
    }

    /// Deletes a contact in the version that was copied. The service may not compare them itself (graph-facts 4.2).
    async fn delete_copied(&self, id: &ContactId, copied: Option<&ChangeKey>) -> Result<(), Error> {
        let mut keys = self.client.change_keys(std::slice::from_ref(id)).await?;
        let key = keys.pop().unwrap_or(Err(Error::NotFound))?;
        if copied != Some(&key) {
            return Err(Error::Changed);
        }
        self.delete_version(id, copied).await
    }

    async fn delete_version(&self, id: &ContactId, key: Option<&ChangeKey>) -> Result<(), Error> {
        let delete = Write::Delete {
            id: id.clone(),
            change_key: key.cloned(),
        };
        let mut done = self.client.write(&[delete]).await?;
        done.pop().map_or(Ok(()), |done| done.map(drop))
    }

    /// A move that is given up must leave one contact, not two. What the copy said last is kept.
    async fn undo_copy(&self, job: &Job, contact: &ContactRow) -> Result<(), Failure> {
        let row = self.store.write::<_, store::Error>(|tx| tx.job(job.seq))?;
        let Some(copy) = row.and_then(|row| row.moved) else {
            return Ok(());
        };
        let done = async {
            let copy = self.read_one(&copy).await?;
            self.store
                .write::<_, store::Error>(|tx| tx.keep_copy(contact.id, &card_of(&copy)))?;
            Ok(self
                .delete_version(&copy.id, Some(&copy.change_key))
                .await?)
        };
        match done.await {
            Err(Failure::Graph(Error::NotFound)) => Ok(()),
            done => done,
        }
    }

    pub(super) async fn read_one(&self, id: &ContactId) -> Result<Snapshot, Error> {
        let mut read = self.client.contacts(std::slice::from_ref(id)).await?;
        read.pop()
            .unwrap_or(Err(Error::Malformed { what: "a contact" }))
    }

    /// Makes the contact in its new folder with everything it holds, unless an earlier attempt did.
    async fn copy(
        &self,
        job: &Job,
        contact: &ContactRow,
        old: &ContactId,
        target: &FolderId,
    ) -> Result<(ContactId, Option<ChangeKey>), Failure> {
        let Some(client) = &job.client else {
            return Err(Error::NotFound.into());
        };
        let found = if job.unsure {
            self.client.find_created(target, client).await?
        } else {
            None
        };
        let (new, copied) = match found {
            Some(found) => (found.id, job.base_key.clone()),
            None => {
                let original = self.read_one(old).await?;
                // A save that waits behind the move travels with it, unless the contact changed elsewhere meanwhile.
                let ours = self
                    .store
                    .write::<_, store::Error>(|tx| tx.expected(contact))?;
                let ours =
                    ours.filter(|_| contact.change_key.as_ref() == Some(&original.change_key));
                let there = card_of(&original);
                let (fields, residue) = copy_of(ours.as_ref().unwrap_or(&there), old);
                let extra = self.client.move_extras(old).await?;
                self.store.write::<_, store::Error>(|tx| {
                    tx.set_copied(job.seq, &original.change_key, &there, ours.as_ref())
                })?;
                self.store.sync_durable()?;
                let create = Write::Create {
                    folder: target.clone(),
                    contact: fields,
                    residue,
                    client: client.clone(),
                    extra,
                };
                let made = self
                    .client
                    .write(&[create])
                    .await?
                    .pop()
                    .unwrap_or(Err(Error::NotFound))?;
                let made = made.ok_or(Error::Malformed {
                    what: "a created contact",
                })?;
                (made.id, Some(original.change_key))
            }
        };
        self.store
            .write::<_, store::Error>(|tx| tx.set_moved(job.seq, &new))?;
        Ok((new, copied))
    }
}

/// What a copy of a card is made of. The derived UID comes from the id, which changes: the file keeps the one it shows.
fn copy_of(card: &Card, old: &ContactId) -> (Contact, ResidueText) {
    let uid = card.uid().unwrap_or_else(|| vcard::derived_uid(old));
    card.with_uid(&uid).for_create()
}

/// The card that a copy is, once the service has made it.
fn made_of(card: &Card, old: &ContactId) -> Card {
    let (contact, residue) = copy_of(card, old);
    Card::from_server(contact, Residue::decode(&residue).unwrap_or_default())
}

/// Somebody edits the contact or its copy all the while: the move goes on later.
fn unsettled() -> Error {
    Error::Service {
        status: 409,
        code: "the contact is edited elsewhere while it moves".to_owned(),
    }
}

/// The media type of a photo, from its first bytes.
fn media_type(photo: &[u8]) -> &'static str {
    Photo::new(photo.to_vec()).map_or("image/jpeg", |photo| photo.media_type())
}
