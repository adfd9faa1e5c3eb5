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
        let mut folders = self.client.folders().await?;
        let is_missing = |row: &FolderRow| {
            let id = row.graph.as_ref();
            id.is_some_and(|id| folders.iter().all(|folder| folder.id != *id))
        };
        if known.iter().any(|(_, row)| is_missing(row)) {
            // A directory with everything in it goes on the word of two answers only (behaviour P4).
            folders = self.client.folders().await?;
        }
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
    for row in tx.folders()? {
        if !tx.is_folder_busy(row.id)? {
            tx.regain_folder_name(&row)?;
        }
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
            (Some(job), ..) if job.op == Op::Delete => tx.buried(id)?,
            (Some(_), _, Some(heir)) => tx.rescue(&contact, heir)?,
            (_, Some(graph), _) => tx.vanish(folder.id, graph)?,
            (_, None, _) => tx.buried(id)?,
        }
    }
    tx.rescue_scratch(folder.ino, heir)?;
    tx.remove_folder(folder.id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::time::Duration;

    use super::*;
    use crate::model::{ChangeKey, Contact, ContactId, DeltaLink, Field, ResidueText};
    use crate::store::{ServerContact, Store};
    use crate::vcard::Style;

    struct World {
        store: Store,
        _dir: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path(), "me", "http://here", Style::default()).unwrap();
            let world = Self { store, _dir: dir };
            world.reconcile(&["Contacts", "Work"], world.known());
            world
        }

        fn change<T>(&self, change: impl FnOnce(&mut Tx<'_>) -> Result<T, store::Error>) -> T {
            self.store.write(change).unwrap()
        }

        fn known(&self) -> Vec<(bool, FolderRow)> {
            let rows = self.store.folders().unwrap().into_iter();
            self.change(|tx| {
                rows.map(|row| Ok((tx.is_folder_busy(row.id)?, row)))
                    .collect()
            })
        }

        fn reconcile(&self, there: &[&str], known: Vec<(bool, FolderRow)>) {
            let folders: Vec<Folder> = there.iter().map(|name| folder(name)).collect();
            self.change(|tx| reconcile(tx, &folders, known));
        }

        fn row(&self, name: &str) -> FolderRow {
            let rows = self.store.folders().unwrap().into_iter();
            let mut found: Vec<FolderRow> = rows.filter(|row| row.name == name).collect();
            assert_eq!(found.len(), 1, "{found:?}");
            found.remove(0)
        }

        /// A contact of a folder, with a file.
        fn contact(&self, folder: FolderRowId) -> store::ContactRow {
            let mut contact = Contact::default();
            contact.set_text(Field::DisplayName, "Ann");
            let theirs = ServerContact {
                id: ContactId::new("ann"),
                change_key: ChangeKey::new("1"),
                created: None,
                modified: None,
                contact,
                residue: Some(ResidueText::new("")),
                picture: None,
                client: None,
            };
            self.change(|tx| {
                tx.set_delta(folder, &DeltaLink::new("http://here/delta"))?;
                tx.apply(folder, &theirs)?;
                Ok(tx.contact_by_graph(&theirs.id)?.unwrap())
            })
        }

        fn make_here(&self, name: &str) -> FolderRow {
            self.change(|tx| {
                let made = tx.add_folder(None, None, name)?;
                tx.queue_folder(Op::MakeFolder, made.id, name)?;
                Ok(made)
            })
        }

        fn queued(&self) -> Vec<Op> {
            let pending = self.store.pending().unwrap().into_iter();
            pending.map(|row| row.op).collect()
        }
    }

    fn folder(name: &str) -> Folder {
        Folder {
            id: FolderId::new(name),
            parent: None,
            display_name: name.to_owned(),
            is_default: name == "Contacts",
        }
    }

    #[test]
    fn a_folder_made_while_the_tree_is_read_does_not_vanish() {
        let world = World::new();
        let made = world.make_here("New");
        let known = world.known();
        world.change(|tx| tx.folder_made(made.id, &FolderId::new("New")));
        world.reconcile(&["Contacts", "Work"], known);
        assert_eq!(world.row("New").id, made.id);
    }

    #[test]
    fn a_folder_seen_before_its_making_is_noted_is_one_folder() {
        let world = World::new();
        let made = world.make_here("New");
        world.reconcile(&["Contacts", "Work", "New"], world.known());
        let row = world.row("New");
        assert_eq!((row.id, row.graph), (made.id, Some(FolderId::new("New"))));
    }

    #[test]
    fn a_folder_renamed_while_the_tree_is_read_keeps_its_new_name() {
        let world = World::new();
        let work = world.row("Work").id;
        world.change(|tx| {
            tx.rename_folder(work, "Office", true)?;
            tx.queue_folder(Op::RenameFolder, work, "Office")
        });
        let known = world.known();
        let jobs = world.change(|tx| tx.take_ready(9));
        world.change(|tx| tx.finish(jobs[0].seq));
        world.reconcile(&["Contacts", "Work"], known);
        assert_eq!(world.row("Office").id, work);
    }

    #[test]
    fn a_folder_removed_while_the_tree_is_read_does_not_come_back() {
        let world = World::new();
        let known = world.known();
        let work = world.row("Work").id;
        world.change(|tx| tx.remove_folder(work));
        world.reconcile(&["Contacts", "Work"], known);
        assert_eq!(world.store.folders().unwrap().len(), 1);
    }

    #[test]
    fn a_contact_on_its_way_into_a_folder_that_vanishes_stays_where_it_was() {
        let world = World::new();
        let (home, work) = (world.row("Contacts"), world.row("Work").id);
        let contact = world.contact(home.id);
        world.change(|tx| tx.queue_move(&contact, work));
        world.reconcile(&["Contacts"], world.known());
        let after = world.store.contact(contact.id).unwrap().unwrap();
        assert_eq!((after.folder, after.graph), (home.id, contact.graph));
        let names = world.change(|tx| tx.names(after.ino.unwrap()));
        assert_eq!(names, [(home.ino, "Ann.vcf".to_owned())]);
        assert_eq!(world.queued(), []);
    }

    #[test]
    fn a_saved_contact_of_a_folder_that_vanishes_is_made_again_in_the_default_one() {
        let world = World::new();
        let (home, work) = (world.row("Contacts"), world.row("Work").id);
        let contact = world.contact(work);
        let card = contact.card.clone().unwrap();
        // The service has come to say the same meanwhile: the save waits all the same.
        world.change(|tx| tx.queue_update(&contact, &card));
        world.reconcile(&["Contacts"], world.known());
        assert_eq!(world.queued(), [Op::Create]);
        let ready = world.change(|tx| {
            tx.expedite()?;
            tx.take_ready(9)
        });
        assert_eq!(ready.len(), 1, "it can be sent");
        let after = world.store.contact(contact.id).unwrap().unwrap();
        assert_eq!(after.folder, home.id);
        world.change(|tx| tx.retry(ready[0].seq, Duration::ZERO, "", false));
    }
}
