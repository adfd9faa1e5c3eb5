//! Contact folders: the tree, and changes to it (graph-facts 2).

use std::collections::HashSet;

use reqwest::Method;
use serde_json::Value;

use super::endpoint::segment;
use super::request::{About, Call, Payload};
use super::{Client, Error, wire};
use crate::model::{Folder, FolderId};

const OPTIONS: &str = "$select=id,displayName,parentFolderId&$top=100";

/// Deeper folders are not read; a tree so deep is a mistake.
const MAX_DEPTH: usize = 32;

/// More folders than this are a mistake.
const MAX_FOLDERS: usize = 10_000;

impl Client {
    /// Reads the whole tree: the default folder first, then level by level.
    ///
    /// # Errors
    /// [`Error::NoMailbox`] and whatever concerns every request; the tree comes whole or not at all.
    pub async fn folders(&self) -> Result<Vec<Folder>, Error> {
        let default = self.default_folder().await?;
        let mut seen = HashSet::from([default.id.clone()]);
        let mut all = vec![default];
        let mut level = self.top_folders().await?;
        for _ in 0..MAX_DEPTH {
            // The documentation shows the default folder in the list, the service does not (trap 1).
            level.retain(|folder| seen.insert(folder.id.clone()));
            if level.is_empty() {
                return Ok(all);
            }
            if all.len() + level.len() > MAX_FOLDERS {
                break;
            }
            let parents: Vec<FolderId> = level.iter().map(|folder| folder.id.clone()).collect();
            all.append(&mut level);
            level = self.children(&parents).await?;
        }
        Err(Error::Malformed {
            what: "the folder tree has no end",
        })
    }

    /// Makes a folder; `parent` is `None` for the top level.
    ///
    /// # Errors
    /// [`Error::FolderExists`], [`Error::FolderGone`] for the parent, [`Error::ReplyLost`] when it may have been made.
    pub async fn create_folder(
        &self,
        parent: Option<&FolderId>,
        name: &str,
    ) -> Result<Folder, Error> {
        let target = match parent {
            Some(parent) => format!("{}/childFolders", self.folder_path(parent)?),
            None => self.path("/contactFolders"),
        };
        let call = Call::new(
            Method::POST,
            About::Folder,
            target,
            Payload::Json(wire::folder_body(name)),
        );
        let item = self.transport().send(call).await?.into_json();
        let folder = item.and_then(|item| wire::folder(&item, parent.cloned(), false));
        folder.map_err(|error| Error::ReplyLost {
            source: error.into(),
        })
    }

    /// Renames a folder. Its parent is known only after [`folders`](Self::folders) has shown which folder is the default.
    ///
    /// # Errors
    /// [`Error::FolderExists`], [`Error::FolderGone`].
    pub async fn rename_folder(&self, id: &FolderId, name: &str) -> Result<Folder, Error> {
        let call = Call::new(
            Method::PATCH,
            About::Folder,
            self.folder_path(id)?,
            Payload::Json(wire::folder_body(name)),
        );
        let item = self.transport().send(call).await?.into_json()?;
        let parent =
            wire::parent(&item).filter(|parent| self.0.default_folder.get() != Some(parent));
        wire::folder(&item, parent, false)
    }

    /// Deletes a folder **and all its contacts** (graph-facts 2.4).
    ///
    /// # Errors
    /// [`Error::FolderGone`] when it is gone already.
    pub async fn delete_folder(&self, id: &FolderId) -> Result<(), Error> {
        self.transport()
            .send(Call::delete(About::Folder, self.folder_path(id)?))
            .await
            .map(drop)
    }

    fn folder_path(&self, id: &FolderId) -> Result<String, Error> {
        Ok(self.path(&format!("/contactFolders/{}", segment(id.as_str())?)))
    }

    pub(super) async fn default_folder(&self) -> Result<Folder, Error> {
        let folder = match self.default_called("contacts").await {
            // The reference does not have this alias.
            Err(
                refusal @ (Error::Refused { .. } | Error::FolderGone | Error::NoMailbox { .. }),
            ) => {
                let id = self.default_id().await?.ok_or(refusal)?;
                self.default_called(&segment(id.as_str())?).await?
            }
            found => found?,
        };
        // A default folder never changes its id; the first answer is as good as any.
        self.0.default_folder.get_or_init(|| folder.id.clone());
        Ok(folder)
    }

    async fn default_called(&self, id: &str) -> Result<Folder, Error> {
        let path = format!("/contactFolders/{id}?$select=id,displayName,parentFolderId");
        let call = Call::get(About::Mailbox, self.path(&path));
        wire::folder(&self.transport().send(call).await?.into_json()?, None, true)
    }

    /// The id of the default folder as what lies in it tells, if anything does (graph-facts 2.2, 2.3).
    async fn default_id(&self) -> Result<Option<FolderId>, Error> {
        if let Some(known) = self.0.default_folder.get() {
            return Ok(Some(known.clone()));
        }
        for list in ["contacts", "contactFolders"] {
            let path = format!("/{list}?$top=1&$select=parentFolderId");
            let call = Call::get(About::Mailbox, self.path(&path));
            let page = self.transport().send(call).await?.into_json()?;
            if let Some(id) = page.pointer("/value/0").and_then(wire::parent) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn top_folders(&self) -> Result<Vec<Folder>, Error> {
        let page = self
            .transport()
            .send(Call::get(
                About::Mailbox,
                self.path(&format!("/contactFolders?{OPTIONS}")),
            ))
            .await?;
        self.all_pages(page.into_json()?, None).await
    }

    /// The children of one level, in batches.
    async fn children(&self, parents: &[FolderId]) -> Result<Vec<Folder>, Error> {
        let call = |parent| {
            Ok(Call::get(
                About::Folder,
                format!("{}/childFolders?{OPTIONS}", self.folder_path(parent)?),
            ))
        };
        let calls = parents.iter().map(call).collect();
        let mut found = Vec::new();
        for (parent, page) in parents
            .iter()
            .zip(self.run_each(calls, |_, reply| reply.into_json()).await?)
        {
            match page {
                Ok(page) => found.extend(self.all_pages(page, Some(parent)).await?),
                // Deleted since its parent was listed.
                Err(Error::FolderGone) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The folders of a page and of those that follow it.
    async fn all_pages(
        &self,
        mut page: Value,
        parent: Option<&FolderId>,
    ) -> Result<Vec<Folder>, Error> {
        let mut found = wire::folders(&page, parent)?;
        let mut followed = HashSet::new();
        while let Some(link) = wire::next_link(&page) {
            let target = self.transport().endpoint().relative(link)?;
            if found.len() > MAX_FOLDERS || !followed.insert(target.clone()) {
                return Err(Error::Malformed {
                    what: "a list of folders has no end",
                });
            }
            page = self
                .transport()
                .send(Call::get(About::Folder, target))
                .await?
                .into_json()?;
            found.extend(wire::folders(&page, parent)?);
        }
        Ok(found)
    }
}
