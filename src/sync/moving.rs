//! What has to be done in several steps: folders, and contacts that move from one to another.

use super::push::card_of;
use super::{Engine, Failure, folders, plan, server_contact};
use crate::graph::{Error, Snapshot, Write};
use crate::model::{ChangeKey, ContactId, FolderId, Photo};
use crate::store::{self, ContactRow, FolderRow, FolderRowId, Job, Op, Problem};
use crate::vcard;

impl Engine {
    /// Makes, renames or removes a folder.
    pub(super) async fn push_folder(&self, job: &Job) -> Result<(), Failure> {
        let Some(folder) = self.folder(job.folder)? else {
            return Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.finish(job.seq))?);
        };
        let name = job.name.clone().unwrap_or_else(|| folder.name.clone());
        let done = match (job.op, &folder.graph) {
            (Op::MakeFolder, _) => self.make_folder(&folder, &name).await,
            (Op::RenameFolder, Some(id)) => self
                .client
                .rename_folder(id, &name)
                .await
                .map(drop)
                .map_err(Into::into),
            (_, Some(id)) => self.remove_folder(&folder, id).await,
            (_, None) => Ok(()),
        };
        match done {
            Ok(()) => {
                self.note_success();
                Ok(self
                    .store
                    .write::<_, store::Error>(|tx| tx.finish(job.seq))?)
            }
            Err(Failure::Graph(error))
                if error.is_transient() || matches!(error, Error::SignInNeeded { .. }) =>
            {
                self.give_back(job, &error)
            }
            Err(Failure::Graph(error)) => {
                // The next look at the folder tree shows what the service made of it.
                tracing::warn!(op = job.op.word(), error = %super::chain(&error), "the service refused a folder");
                Ok(self.store.write::<_, store::Error>(|tx| {
                    if job.op == Op::MakeFolder
                        && tx.folder(folder.id)?.is_some_and(|row| row.graph.is_none())
                    {
                        // Without a folder there nothing in it could ever be sent.
                        let heir = folders::default(tx)?;
                        tx.foreign(|tx| folders::vanish(tx, &folder, heir))?;
                    }
                    tx.finish(job.seq)
                })?)
            }
            Err(error) => Err(error),
        }
    }

    fn folder(&self, id: Option<FolderRowId>) -> Result<Option<FolderRow>, store::Error> {
        Ok(self
            .store
            .folders()?
            .into_iter()
            .find(|folder| Some(folder.id) == id))
    }

    async fn make_folder(&self, folder: &FolderRow, name: &str) -> Result<(), Failure> {
        let parent = self.folder(folder.parent)?.and_then(|parent| parent.graph);
        let made = match self.client.create_folder(parent.as_ref(), name).await {
            // Made before, with the reply lost, or by somebody else: it is the same folder.
            Err(Error::FolderExists) => {
                let there = self.client.folders().await?;
                let same = there.into_iter().find(|other| {
                    other.parent == parent && is_same_name(&other.display_name, name)
                });
                same.ok_or(Error::FolderExists)?
            }
            made => made?,
        };
        self.store
            .write::<_, store::Error>(|tx| match tx.folder_by_graph(&made.id)? {
                // A folder we show already, by another spelling of its name.
                Some(known) if known.id != folder.id => {
                    tx.foreign(|tx| folders::vanish(tx, folder, Some(known.id)))
                }
                _ => tx.folder_made(folder.id, &made.id),
            })?;
        self.subscriptions_due.notify_one();
        Ok(())
    }

    /// Deletes a folder, which deletes what is in it; so it must be empty there, too (graph-facts 2.4).
    async fn remove_folder(&self, folder: &FolderRow, id: &FolderId) -> Result<(), Failure> {
        let contacts = match self.client.list_page(id, 0, 1).await {
            Err(Error::FolderGone | Error::NotFound) => Vec::new(),
            page => page?,
        };
        let children = self
            .client
            .folders()
            .await?
            .iter()
            .any(|other| other.parent.as_ref() == Some(id));
        if !contacts.is_empty() || children {
            tracing::warn!("a removed folder is not empty at the service: it comes back");
            return Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.foreign(|tx| tx.unhide_folder(folder.id)))?);
        }
        match self.client.delete_folder(id).await {
            Ok(()) | Err(Error::FolderGone | Error::NotFound) => Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.remove_folder(folder.id))?),
            Err(error) => Err(error.into()),
        }
    }

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
                if let Err(error) = self.undo_copy(job).await {
                    return self.give_back(job, &error);
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
        match self.client.photo(old).await {
            // An earlier attempt deleted it and could not note that down; all that is left is to verify.
            Err(Error::NotFound) | Ok(None) => {}
            Ok(Some(photo)) => {
                let put = self.client.put_photo(&new, &photo, media_type(&photo));
                put.await.map_err(|error| match error {
                    Error::NotFound => Error::Changed, // The copy is gone: made once more.
                    error => error,
                })?;
            }
            Err(error) => return Err(error.into()),
        }
        let verified = match self.read_one(&new).await {
            Err(Error::NotFound) => return Err(Error::Changed.into()),
            verified => verified?,
        };
        match self.delete_copied(old, copied.as_ref()).await {
            Ok(()) | Err(Error::NotFound) => {}
            Err(Error::Changed) => {
                // A pull that has just read the copy must not take it for a stranger.
                self.store
                    .write::<_, store::Error>(|tx| tx.note_gone(&new, &verified.change_key))?;
                return Err(self.discard_copy(&new, &verified.change_key).await.into());
            }
            Err(error) => return Err(error.into()),
        }
        self.note_success();
        Ok(self
            .store
            .write::<_, store::Error>(|tx| tx.moved(job.seq, &server_contact(&verified)))?)
    }

    /// The contact was edited in its old folder since: the copy is stale. It goes, and the move begins again from the newer
    /// contact. One that does not go stays in the row, or it would be a second contact.
    async fn discard_copy(&self, copy: &ContactId, key: &ChangeKey) -> Error {
        match self.delete_version(copy, Some(key)).await {
            Ok(()) | Err(Error::NotFound) => Error::Changed,
            Err(Error::Changed) => Error::Service {
                status: 409,
                code: "the copy has changed as well".to_owned(),
            },
            Err(error) => error,
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

    /// A move that is given up must leave one contact, not two.
    async fn undo_copy(&self, job: &Job) -> Result<(), Error> {
        let job = self
            .store
            .write::<_, store::Error>(|tx| tx.job(job.seq))
            .map_err(|error| Error::Offline {
                source: error.into(),
            })?;
        match job.and_then(|job| job.moved) {
            Some(copy) => match self.delete_version(&copy, None).await {
                Err(Error::NotFound) => Ok(()),
                done => done,
            },
            None => Ok(()),
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
                let card = ours.clone().unwrap_or_else(|| card_of(&original));
                // The derived UID comes from the id, which changes: the file keeps the one it shows.
                let uid = card.uid().unwrap_or_else(|| vcard::derived_uid(old));
                let (fields, residue) = card.with_uid(&uid).for_create();
                let extra = self.client.move_extras(old).await?;
                self.store.write::<_, store::Error>(|tx| {
                    tx.set_copied(job.seq, &original.change_key, ours.as_ref())
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

/// Whether the service takes two names for the same.
fn is_same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// The media type of a photo, from its first bytes.
fn media_type(photo: &[u8]) -> &'static str {
    Photo::new(photo.to_vec()).map_or("image/jpeg", |photo| photo.media_type())
}
