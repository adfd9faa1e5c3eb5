//! The folder tree: what appeared, vanished, was renamed or moved at the service.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::{Engine, Failure};
use crate::model::{Folder, FolderId};
use crate::store::{self, FolderRow, FolderRowId, Tx};

impl Engine {
    /// Reads the folder tree before the loops begin; the first pull need not read it again.
    ///
    /// # Errors
    /// When the service or the store fails.
    pub async fn read_folders_first(&self) -> Result<(), Failure> {
        self.read_folders().await?;
        self.tree_is_fresh.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Brings the directories in step with the mailbox's folders.
    ///
    /// # Errors
    /// When the service or the store fails.
    pub(super) async fn read_folders(&self) -> Result<(), Failure> {
        let folders = self.client.folders().await?;
        let known = self.store.folders()?;
        self.store
            .write::<_, store::Error>(|tx| tx.foreign(|tx| reconcile(tx, &folders, known)))?;
        Ok(())
    }
}

fn reconcile(
    tx: &mut Tx<'_>,
    folders: &[Folder],
    known: Vec<FolderRow>,
) -> Result<(), store::Error> {
    let there: HashSet<&FolderId> = folders.iter().map(|folder| &folder.id).collect();
    let default = known.iter().find(|row| row.is_default).map(|row| row.id);
    let (kept, gone): (Vec<_>, Vec<_>) = known
        .into_iter()
        .partition(|row| row.graph.as_ref().is_none_or(|id| there.contains(id)));
    let mut rows: HashMap<FolderId, FolderRow> = kept
        .into_iter()
        .filter_map(|row| Some((row.graph.clone()?, row)))
        .collect();
    // The tree comes from the top down, so a parent is always known before its children.
    for folder in folders {
        let parent = folder
            .parent
            .as_ref()
            .and_then(|id| rows.get(id))
            .map(|row| row.id);
        match rows.get(&folder.id) {
            Some(row) => update(tx, row, folder, parent)?,
            None => {
                let row = tx.add_folder(Some(folder), parent, &folder.display_name)?;
                rows.insert(folder.id.clone(), row);
            }
        }
    }
    // Nested folders came after their parents; they go before them.
    gone.iter()
        .rev()
        .try_for_each(|row| vanish(tx, row, default))
}

fn update(
    tx: &mut Tx<'_>,
    row: &FolderRow,
    folder: &Folder,
    parent: Option<FolderRowId>,
) -> Result<(), store::Error> {
    if tx.is_folder_busy(row.id)? {
        return Ok(()); // What was done here is still to be sent.
    }
    if row.parent != parent {
        tx.reparent_folder(row.id, parent)?;
    }
    if row.name != folder.display_name {
        tx.rename_folder(row.id, &folder.display_name, true)?;
    }
    Ok(())
}

/// A folder was deleted elsewhere, and its contacts with it. Those with a save that waits are made again in the default
/// folder: an edit wins over a deletion (behaviour 6.4).
fn vanish(
    tx: &mut Tx<'_>,
    folder: &FolderRow,
    default: Option<FolderRowId>,
) -> Result<(), store::Error> {
    for id in tx.contacts_of(folder.id)? {
        let Some(contact) = tx.contact(id)? else {
            continue;
        };
        match (&contact.graph, default) {
            (_, Some(default)) if tx.expected(&contact)? != contact.card => {
                tx.rescue(&contact, default)?;
            }
            (Some(graph), _) => tx.vanish(folder.id, graph)?,
            (None, _) => {}
        }
    }
    tx.rescue_scratch(folder.ino)?;
    tx.remove_folder(folder.id)
}
