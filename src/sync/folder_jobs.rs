//! What is told to the service about folders: made, renamed, removed.

use super::{Engine, Failure, folders};
use crate::graph::Error;
use crate::model::FolderId;
use crate::store::{self, FolderRow, FolderRowId, Job, Op};

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
}

/// Whether the service takes two names for the same.
fn is_same_name(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
