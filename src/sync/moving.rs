//! What has to be done in several steps: folders, and contacts that move from one to another.

use super::push::card_of;
use super::{Engine, Failure, server_contact};
use crate::graph::{Error, Write};
use crate::model::{ContactId, FolderId};
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
                Ok(self
                    .store
                    .write::<_, store::Error>(|tx| tx.finish(job.seq))?)
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
                let same = there
                    .into_iter()
                    .find(|other| other.parent == parent && other.display_name == name);
                same.ok_or(Error::FolderExists)?
            }
            made => made?,
        };
        Ok(self
            .store
            .write::<_, store::Error>(|tx| match tx.folder_by_graph(&made.id)? {
                Some(known) if known.id != folder.id => Ok(()),
                _ => tx.folder_made(folder.id, &made.id),
            })?)
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
            Err(Failure::Graph(error))
                if error.is_transient() || matches!(error, Error::SignInNeeded { .. }) =>
            {
                self.give_back(job, &error)
            }
            Err(Failure::Graph(Error::Changed)) => Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.restart_move(job.seq))?),
            Err(Failure::Graph(Error::NotFound)) => Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.make_again(contact, None))?),
            Err(Failure::Graph(error)) => {
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
        let (Some(old), Some(target)) = (
            &contact.graph,
            self.folder(Some(contact.folder))?.and_then(|to| to.graph),
        ) else {
            return Ok(self
                .store
                .write::<_, store::Error>(|tx| tx.finish(job.seq))?);
        };
        let new = match &job.moved {
            Some(new) => new.clone(),
            None => self.copy(job, contact, old, &target).await?,
        };
        if let Some(photo) = self.client.photo(old).await? {
            self.client
                .put_photo(&new, &photo, media_type(&photo))
                .await?;
        }
        let verified = self
            .client
            .contacts(std::slice::from_ref(&new))
            .await?
            .pop();
        let verified = verified.unwrap_or(Err(Error::Malformed { what: "a contact" }))?;
        match self
            .client
            .write(&[Write::Delete {
                id: old.clone(),
                change_key: contact.change_key.clone(),
            }])
            .await?
            .pop()
        {
            Some(Err(Error::NotFound)) | Some(Ok(_)) | None => {}
            Some(Err(Error::Changed)) => {
                // Edited there since: the copy is stale. It goes, and the move begins again from the newer contact.
                let delete = Write::Delete {
                    id: new,
                    change_key: Some(verified.change_key.clone()),
                };
                self.client.write(&[delete]).await?;
                let mut read = self.client.contacts(std::slice::from_ref(old)).await?;
                if let Some(Ok(newer)) = read.pop() {
                    self.store.write::<_, store::Error>(|tx| {
                        tx.refresh(contact.id, &server_contact(&newer))
                    })?;
                }
                return Err(Error::Changed.into());
            }
            Some(Err(error)) => return Err(error.into()),
        }
        self.note_success();
        Ok(self
            .store
            .write::<_, store::Error>(|tx| tx.moved(job.seq, &server_contact(&verified)))?)
    }

    /// Makes the contact in its new folder with everything it holds, unless an earlier attempt did.
    async fn copy(
        &self,
        job: &Job,
        contact: &ContactRow,
        old: &ContactId,
        target: &FolderId,
    ) -> Result<ContactId, Failure> {
        let Some(client) = &job.client else {
            return Err(Error::NotFound.into());
        };
        let found = if job.unsure {
            self.client.find_created(target, client).await?
        } else {
            None
        };
        let new = match found {
            Some(found) => found.id,
            None => {
                let mut read = self.client.contacts(std::slice::from_ref(old)).await?;
                let there = read.pop().unwrap_or(Err(Error::NotFound))?;
                // A save that waits behind the move travels with it, unless the contact changed elsewhere meanwhile.
                let ours = self
                    .store
                    .write::<_, store::Error>(|tx| tx.expected(contact))?;
                let card = match ours {
                    Some(ours) if contact.change_key.as_ref() == Some(&there.change_key) => ours,
                    _ => card_of(&there),
                };
                // The derived UID comes from the id, which changes: the file keeps the one it shows.
                let uid = card.uid().unwrap_or_else(|| vcard::derived_uid(old));
                let (fields, residue) = card.with_uid(&uid).for_create();
                let extra = self.client.move_extras(old).await?;
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
                made.ok_or(Error::Malformed {
                    what: "a created contact",
                })?
                .id
            }
        };
        self.store
            .write::<_, store::Error>(|tx| tx.set_moved(job.seq, &new))?;
        Ok(new)
    }
}

/// The media type of a photo, from its first bytes.
fn media_type(photo: &[u8]) -> &'static str {
    if photo.starts_with(b"\x89PNG") {
        "image/png"
    } else {
        "image/jpeg"
    }
}
