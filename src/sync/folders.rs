//! The folder tree: what appeared, vanished, was renamed or moved at the service.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::{Engine, Failure};
use crate::model::{Folder, FolderId};
use crate::store::{self, FolderRow, FolderRowId, Op, Tx};

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
        // As they were before the service was asked: what changes here meanwhile is newer than its answer.
        let known = self.store.write::<_, store::Error>(|tx| {
            let folders = tx.folders()?.into_iter();
            let known = folders.map(|row| Ok((tx.is_folder_busy(row.id)?, row)));
            known.collect::<Result<Vec<_>, store::Error>>()
        })?;
        let folders = self.client.folders().await?;
        self.store
            .write::<_, store::Error>(|tx| tx.foreign(|tx| reconcile(tx, &folders, known)))?;
        Ok(())
    }
}

fn reconcile(
    tx: &mut Tx<'_>,
    folders: &[Folder],
    known: Vec<(bool, FolderRow)>,
) -> Result<(), store::Error> {
    let there: HashSet<&FolderId> = folders.iter().map(|folder| &folder.id).collect();
    let (kept, gone): (Vec<_>, Vec<_>) = known
        .into_iter()
        .partition(|(_, row)| row.graph.as_ref().is_none_or(|id| there.contains(id)));
    let mut rows: HashMap<FolderId, FolderRowId> = HashMap::new();
    let mut before: HashMap<FolderId, (bool, FolderRow)> = kept
        .into_iter()
        .filter_map(|(busy, row)| Some((row.graph.clone()?, (busy, row))))
        .collect();
    // The tree comes from the top down, so a parent is always known before its children.
    for folder in folders {
        let parent = folder.parent.as_ref().and_then(|id| rows.get(id)).copied();
        let row = match before.remove(&folder.id) {
            Some((busy, row)) => {
                if !busy {
                    update(tx, &row, folder, parent)?;
                }
                row.id
            }
            None => add(tx, folder, parent)?,
        };
        rows.insert(folder.id.clone(), row);
    }
    // Nested folders came after their parents; they go before them.
    let heir = default(tx)?;
    gone.iter()
        .rev()
        .try_for_each(|(_, row)| vanish(tx, row, heir))
}

/// A folder that was not known before. It may be one made here whose making is under way or was just noted: of two that
/// lie in one folder no two have the same name (graph-facts 2.4).
fn add(
    tx: &mut Tx<'_>,
    folder: &Folder,
    parent: Option<FolderRowId>,
) -> Result<FolderRowId, store::Error> {
    let same = |row: &FolderRow| {
        row.graph.is_none() && row.parent == parent && row.name == folder.display_name
    };
    let found = match tx.folder_by_graph(&folder.id)? {
        None => tx.folders()?.into_iter().find(same),
        found => found,
    };
    match found {
        Some(row) => {
            tx.folder_made(row.id, &folder.id)?;
            Ok(row.id)
        }
        None => Ok(tx
            .add_folder(Some(folder), parent, &folder.display_name)?
            .id),
    }
}

/// The default folder; the service cannot delete it.
pub(super) fn default(tx: &Tx<'_>) -> Result<Option<FolderRowId>, store::Error> {
    let mut folders = tx.folders()?.into_iter();
    Ok(folders.find(|row| row.is_default).map(|row| row.id))
}

fn update(
    tx: &mut Tx<'_>,
    row: &FolderRow,
    folder: &Folder,
    parent: Option<FolderRowId>,
) -> Result<(), store::Error> {
    let now = tx.folder(row.id)?;
    if tx.is_folder_busy(row.id)? || now.is_none_or(|now| now.name != row.name) {
        return Ok(()); // What was done here is still to be sent, or was sent meanwhile.
    }
    if row.parent != parent {
        tx.reparent_folder(row.id, parent)?;
    }
    if row.name != folder.display_name {
        tx.rename_folder(row.id, &folder.display_name, true)?;
    }
    Ok(())
}

/// A folder was deleted elsewhere, and its contacts with it. Those with a save that waits are made again in the folder
/// `heir`: an edit wins over a deletion (behaviour 6.4). Those on their way into it stay where they came from.
pub(super) fn vanish(
    tx: &mut Tx<'_>,
    folder: &FolderRow,
    heir: Option<FolderRowId>,
) -> Result<(), store::Error> {
    for id in tx.contacts_of(folder.id)? {
        let Some(contact) = tx.contact(id)? else {
            continue;
        };
        if let Some((job, from)) = tx.first_move(id)?
            && from != folder.id
            && tx.folder(from)?.is_some()
        {
            tx.finish(job)?;
            tx.move_back(id, from)?;
            continue;
        }
        match (tx.last_job(id)?, &contact.graph, heir) {
            (Some(job), _, Some(heir)) if job.op != Op::Delete => tx.rescue(&contact, heir)?,
            (_, Some(graph), _) => tx.vanish(folder.id, graph)?,
            (_, None, _) => tx.buried(id)?,
        }
    }
    tx.rescue_scratch(folder.ino, heir)?;
    tx.remove_folder(folder.id)
}
