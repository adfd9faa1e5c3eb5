//! Putting a mailbox together again from what was stored.
//!
//! Records come in the order they happened, or as a snapshot: folders, contacts, departures. Nothing here is a change,
//! so nothing is written back.

use super::{Contact, DEFAULT_FOLDER, Folder, Gone, Mailbox, Number, Origin, Rows};

impl Mailbox {
    /// Puts a stored contact in its place.
    pub(in super::super) fn restore_contact(&mut self, contact: Contact) {
        let (number, revision) = (contact.number, contact.revision);
        self.saw(number, revision);
        let before = self
            .contacts
            .get(&number)
            .filter(|old| old.folder == contact.folder)
            .map(|old| old.revision);
        if let Some(folder) = self.folders.get_mut(&contact.folder) {
            folder.rows.put(number, before, revision);
        }
        if contact.origin == Origin::HiddenList {
            self.hidden.insert(number);
        }
        self.contacts.insert(number, contact);
    }

    /// Puts a stored folder in its place.
    pub(in super::super) fn restore_folder(&mut self, mut folder: Folder) {
        let (number, revision) = (folder.number, folder.revision);
        self.saw(number, revision);
        let before = self.folders.remove(&number).map(|old| {
            folder.rows = old.rows;
            old.revision
        });
        if folder.parent == Some(DEFAULT_FOLDER) {
            self.top_folders.put(number, before, revision);
        }
        self.folders.insert(number, folder);
    }

    /// Repeats a stored departure.
    pub(in super::super) fn restore_gone(&mut self, gone: Gone) {
        self.saw(gone.number, gone.revision);
        if gone.purged {
            self.purged.insert(gone.number);
        }
        match gone.folder {
            Some(folder) => self.restore_gone_contact(gone, folder),
            None => self.restore_gone_folder(gone),
        }
    }

    fn restore_gone_contact(&mut self, gone: Gone, folder: Number) {
        let left = self
            .contacts
            .get(&gone.number)
            .filter(|contact| contact.folder == folder)
            .map(|contact| contact.revision);
        if left.is_some() {
            self.contacts.remove(&gone.number);
        }
        if let Some(folder) = self.folders.get_mut(&folder) {
            folder
                .rows
                .remove(gone.number, left.unwrap_or(gone.revision), gone.revision);
        }
    }

    fn restore_gone_folder(&mut self, gone: Gone) {
        let folder = self.folders.remove(&gone.number);
        for member in folder.iter().flat_map(|folder| folder.rows.members.all()) {
            self.contacts.remove(member);
        }
        let parent = folder
            .as_ref()
            .map_or(Some(DEFAULT_FOLDER), |folder| folder.parent);
        if parent == Some(DEFAULT_FOLDER) {
            self.top_folders.remove(
                gone.number,
                folder.map_or(gone.revision, |folder| folder.revision),
                gone.revision,
            );
        }
    }

    /// Every departure that a delta may still have to tell.
    pub(in super::super) fn departures(&self) -> Vec<Gone> {
        let gone = |folder: Option<Number>, rows: &Rows| {
            let rows = rows.by_revision.iter().filter(|(_, row)| row.gone);
            rows.map(|(revision, row)| Gone {
                number: row.number,
                folder,
                revision: *revision,
                purged: self.purged.contains(&row.number),
            })
            .collect::<Vec<_>>()
        };
        let contacts = self
            .folders
            .values()
            .flat_map(|folder| gone(Some(folder.number), &folder.rows));
        contacts.chain(gone(None, &self.top_folders)).collect()
    }

    /// Makes sure that a number and a revision are not used again.
    pub(in super::super) fn saw(&mut self, number: Number, revision: u64) {
        self.last_number = self.last_number.max(number);
        self.last_revision = self.last_revision.max(revision);
    }
}
