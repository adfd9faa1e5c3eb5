//! The state of one mailbox: folders, contacts and what changed in which order.
//!
//! Every change gets the next revision, and each folder keeps its rows by revision, so a page of delta costs its own
//! length however large the folder is. Nothing here knows HTTP, statuses of refusals aside.

mod members;
mod restore;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::members::Members;
use super::clock;
use super::contact_rules::{Extended, Writing};
use super::http::Refusal;
use super::ids::{Ids, Number};
use super::properties::Packed;

/// The number of the default folder.
pub(super) const DEFAULT_FOLDER: Number = 1;

/// A contact as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Contact {
    pub(super) number: Number,
    pub(super) folder: Number,
    pub(super) revision: u64,
    pub(super) created: i64,
    pub(super) modified: i64,
    pub(super) origin: Origin,
    pub(super) properties: Packed,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) extended: Extended,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) photo: Option<Photo>,
}

/// Who made a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Origin {
    /// Through Graph.
    Api,
    /// Typed in Outlook: unset names read back as `""` (graph-facts 1.3).
    Outlook,
    /// A contact list: counted, never returned (graph-facts 1.7).
    HiddenList,
}

/// A picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Photo {
    pub(super) kind: String,
    #[serde(with = "super::base64_bytes")]
    pub(super) bytes: Vec<u8>,
}

/// A folder as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Folder {
    pub(super) number: Number,
    /// `None` only for the default folder.
    pub(super) parent: Option<Number>,
    pub(super) name: String,
    pub(super) revision: u64,
    /// Delta tokens of an earlier generation are lost.
    #[serde(default)]
    pub(super) generation: u64,
    #[serde(skip)]
    pub(super) rows: Rows,
}

/// Members of a folder: in order of creation for lists, in order of change for delta.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) members: Members,
    /// Each member once, at its last change; departed members at their departure.
    pub(super) by_revision: BTreeMap<u64, Row>,
}

/// One entry of [`Rows::by_revision`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) number: Number,
    pub(super) gone: bool,
}

impl Rows {
    pub(super) fn put(&mut self, number: Number, before: Option<u64>, revision: u64) {
        if let Some(before) = before {
            self.by_revision.remove(&before);
        }
        self.members.insert(number);
        self.by_revision.insert(
            revision,
            Row {
                number,
                gone: false,
            },
        );
    }

    pub(super) fn remove(&mut self, number: Number, before: u64, revision: u64) {
        self.by_revision.remove(&before);
        self.members.remove(number);
        self.by_revision
            .insert(revision, Row { number, gone: true });
    }
}

/// A departure, kept for delta and for later refusals.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) number: Number,
    /// The folder it left; `None` for a folder that is gone.
    pub(super) folder: Option<Number>,
    pub(super) revision: u64,
    pub(super) purged: bool,
}

/// A master category.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Category {
    pub(super) id: String,
    pub(super) display_name: String,
    pub(super) color: String,
}

/// What one request changed; the journal drains it.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A contact that is new.
    Made(Number),
    Contact(Number),
    Folder(Number),
    Gone(Gone),
    Categories,
}

/// Everything in one mailbox.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) ids: Ids,
    pub(super) seed: u64,
    pub(super) last_number: Number,
    pub(super) last_revision: u64,
    pub(super) folders: BTreeMap<Number, Folder>,
    pub(super) contacts: HashMap<Number, Contact>,
    /// Every [`Origin::HiddenList`] there ever was; they are few.
    pub(super) hidden: BTreeSet<Number>,
    /// Direct children of the default folder, for folder delta.
    pub(super) top_folders: Rows,
    pub(super) categories: Vec<Category>,
    purged: HashSet<Number>,
    pub(super) changes: Vec<Change>,
    /// When the latest revisions were made, the newest last.
    recent: VecDeque<(u64, Instant)>,
}

/// Revisions whose time is remembered.
const RECENT: usize = 1000;

impl Mailbox {
    /// A mailbox with an empty default folder.
    pub(super) fn new(seed: u64) -> Self {
        let mut mailbox = Self::blank(seed);
        mailbox.create_folder(None, "Contacts");
        mailbox
    }

    /// A mailbox without even a default folder, to be filled with what was stored.
    pub(super) fn blank(seed: u64) -> Self {
        Self {
            ids: Ids::new(seed),
            seed,
            last_number: 0,
            last_revision: 0,
            folders: BTreeMap::new(),
            contacts: HashMap::new(),
            hidden: BTreeSet::new(),
            top_folders: Rows::default(),
            categories: Vec::new(),
            purged: HashSet::new(),
            changes: Vec::new(),
            recent: VecDeque::new(),
        }
    }

    /// The last revision that was made so long ago.
    pub(super) fn revision_before(&self, age: Duration) -> u64 {
        let young = self.recent.iter().find(|(_, made)| made.elapsed() < age);
        young.map_or(u64::MAX, |(revision, _)| revision - 1)
    }

    pub(super) fn folder(&self, number: Number) -> Result<&Folder, Refusal> {
        self.folders
            .get(&number)
            .ok_or_else(Refusal::folder_not_found)
    }

    pub(super) fn contact(&self, number: Number) -> Result<&Contact, Refusal> {
        self.contacts
            .get(&number)
            .ok_or_else(Refusal::item_not_found)
    }

    pub(super) fn child_folders(&self, parent: Number) -> impl Iterator<Item = &Folder> {
        self.folders
            .values()
            .filter(move |folder| folder.parent == Some(parent))
    }

    pub(super) fn is_purged(&self, number: Number) -> bool {
        self.purged.contains(&number)
    }

    pub(super) fn create_contact(
        &mut self,
        folder: Number,
        origin: Origin,
        writing: Writing,
    ) -> Number {
        let (number, revision, now) = (self.next_number(), self.next_revision(), clock::now());
        let contact = Contact {
            number,
            folder,
            revision,
            created: now,
            modified: now,
            origin,
            properties: Packed::new(&writing.properties),
            extended: writing.extended,
            photo: None,
        };
        self.restore_contact(contact);
        self.changes.push(Change::Made(number));
        number
    }

    /// Changes a contact: new revision, so new change key, etag and delta row.
    pub(super) fn change_contact(&mut self, number: Number, change: impl FnOnce(&mut Contact)) {
        let revision = self.next_revision();
        let Some(contact) = self.contacts.get_mut(&number) else {
            return;
        };
        let before = contact.revision;
        change(contact);
        (contact.revision, contact.modified) = (revision, clock::now());
        if let Some(folder) = self.folders.get_mut(&contact.folder) {
            folder.rows.put(number, Some(before), revision);
        }
        self.changes.push(Change::Contact(number));
    }

    pub(super) fn delete_contact(&mut self, number: Number, purged: bool) {
        let revision = self.next_revision();
        let Some(contact) = self.contacts.remove(&number) else {
            return;
        };
        if let Some(folder) = self.folders.get_mut(&contact.folder) {
            folder.rows.remove(number, contact.revision, revision);
        }
        if purged {
            self.purged.insert(number);
        }
        self.changes.push(Change::Gone(Gone {
            number,
            folder: Some(contact.folder),
            revision,
            purged,
        }));
    }

    /// A move as a person does it in Outlook: removed from one delta, new in the other (graph-facts 2.5).
    pub(super) fn move_contact(&mut self, number: Number, target: Number) {
        let revision = self.next_revision();
        let Some(contact) = self.contacts.get_mut(&number) else {
            return;
        };
        let (source, before) = (contact.folder, contact.revision);
        contact.folder = target;
        if let Some(folder) = self.folders.get_mut(&source) {
            folder.rows.remove(number, before, revision);
        }
        self.changes.push(Change::Gone(Gone {
            number,
            folder: Some(source),
            revision,
            purged: false,
        }));
        if let Some(folder) = self.folders.get_mut(&target) {
            folder
                .rows
                .by_revision
                .retain(|_, row| row.number != number);
        }
        self.change_contact(number, |_| ());
    }

    pub(super) fn create_folder(&mut self, parent: Option<Number>, name: &str) -> Number {
        let (number, revision) = (self.next_number(), self.next_revision());
        self.restore_folder(Folder {
            number,
            parent,
            name: name.to_owned(),
            revision,
            generation: 0,
            rows: Rows::default(),
        });
        self.changes.push(Change::Folder(number));
        number
    }

    pub(super) fn rename_folder(&mut self, number: Number, name: &str) {
        let revision = self.next_revision();
        let Some(folder) = self.folders.get_mut(&number) else {
            return;
        };
        let before = folder.revision;
        (folder.name, folder.revision) = (name.to_owned(), revision);
        if folder.parent == Some(DEFAULT_FOLDER) {
            self.top_folders.put(number, Some(before), revision);
        }
        self.changes.push(Change::Folder(number));
    }

    /// Puts a folder, with all that is in it, into another.
    pub(super) fn move_folder(&mut self, number: Number, parent: Number) {
        let revision = self.next_revision();
        let Some(folder) = self.folders.get_mut(&number) else {
            return;
        };
        let before = (folder.parent.replace(parent), folder.revision);
        folder.revision = revision;
        if before.0 == Some(DEFAULT_FOLDER) {
            self.top_folders.remove(number, before.1, revision);
        }
        if parent == DEFAULT_FOLDER {
            self.top_folders.put(number, None, revision);
        }
        self.changes.push(Change::Folder(number));
    }

    /// Deletes a folder with all that is in it (graph-facts 2.4).
    pub(super) fn delete_folder(&mut self, number: Number) {
        let children: Vec<Number> = self
            .child_folders(number)
            .map(|folder| folder.number)
            .collect();
        for child in children {
            self.delete_folder(child);
        }
        let Some(folder) = self.folders.remove(&number) else {
            return;
        };
        for member in folder.rows.members.all() {
            self.contacts.remove(member);
        }
        let revision = self.next_revision();
        if folder.parent == Some(DEFAULT_FOLDER) {
            self.top_folders.remove(number, folder.revision, revision);
        }
        self.changes.push(Change::Gone(Gone {
            number,
            folder: None,
            revision,
            purged: false,
        }));
    }

    /// Makes every delta token of a folder invalid.
    pub(super) fn expire_delta(&mut self, number: Number) {
        if let Some(folder) = self.folders.get_mut(&number) {
            folder.generation += 1;
            self.changes.push(Change::Folder(number));
        }
    }

    fn next_number(&mut self) -> Number {
        self.last_number += 1;
        self.last_number
    }

    fn next_revision(&mut self) -> u64 {
        self.last_revision += 1;
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((self.last_revision, Instant::now()));
        self.last_revision
    }
}
