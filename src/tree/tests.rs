//! File operations on a tree over a real store, without a kernel and without a service.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod aside;
mod elsewhere;
mod saving;
mod scratch;

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, FileKind, SetAttr, Settings, Sought, Stat, Target, Tree};
use crate::model::{
    ChangeKey, Contact, ContactId, DeltaLink, Field, Folder, FolderId, Ino, ResidueText, Stamp,
};
use crate::store::{self, FolderRowId, Op, Problem, Seq, ServerContact, Store, Tx};
use crate::vcard::{Card, Residue, Style};

const ME: u32 = 77;

/// A tree with one loaded folder.
struct World {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    tree: Arc<Tree>,
    folder: FolderRowId,
    people: Ino,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir);
        let (folder, people) = change(&store, |tx| {
            let made = tx.add_folder(Some(&folder("people", "People")), None, "People")?;
            tx.set_delta(made.id, &DeltaLink::new("http://here/delta"))?;
            Ok((made.id, made.ino))
        });
        let tree = Tree::new(Arc::clone(&store), settings()).unwrap();
        Self {
            dir,
            store,
            tree,
            folder,
            people,
        }
    }

    /// What a later process finds when this one dies now.
    fn reborn(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(self.dir.path(), dir.path());
        let store = open(&dir);
        let tree = Tree::new(Arc::clone(&store), settings()).unwrap();
        Self {
            dir,
            store,
            tree,
            folder: self.folder,
            people: self.people,
        }
    }

    /// The service says what a contact is.
    fn serve(&self, id: &str, key: &str, name: &str, phone: &str) {
        let theirs = person(id, key, name, phone);
        change(&self.store, |tx| {
            tx.foreign(|tx| tx.apply(self.folder, &theirs))
        });
    }

    fn vanish(&self, id: &str) {
        let id = ContactId::new(id);
        change(&self.store, |tx| {
            tx.foreign(|tx| tx.vanish(self.folder, &id))
        });
    }

    fn look(&self, name: &str) -> Result<Stat, Error> {
        self.tree.lookup(self.people, name)
    }

    fn ino(&self, name: &str) -> Ino {
        self.look(name).unwrap().ino
    }

    fn text_of(&self, ino: Ino) -> String {
        let size = self.tree.stat(ino).unwrap().size;
        let read = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.tree
            .read(ino, 0, usize::try_from(size).unwrap(), read)
            .unwrap()
    }

    fn text(&self, name: &str) -> String {
        self.text_of(self.ino(name))
    }

    fn create(&self, name: &str, text: &str) -> Ino {
        let ino = self.tree.create(self.people, name, 0o600, ME).unwrap().ino;
        self.write(ino, text);
        ino
    }

    fn write(&self, ino: Ino, text: &str) {
        self.tree.write(ino, 0, text.as_bytes(), ME).unwrap();
    }

    /// Rewrites a file as an editor does, and closes it.
    fn save(&self, name: &str, text: &str) {
        let ino = self.ino(name);
        self.overwrite(ino, text);
        self.tree.flush(ino, ME).unwrap();
    }

    fn overwrite(&self, ino: Ino, text: &str) {
        let empty = SetAttr {
            size: Some(0),
            ..SetAttr::default()
        };
        self.tree.set_attr(ino, empty, ME).unwrap();
        self.write(ino, text);
    }

    fn unlink(&self, name: &str) {
        self.tree.unlink(self.people, name).unwrap();
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.tree
            .rename((self.people, from), (self.people, to), Target::Replace)
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.tree
            .list(self.people, 2, false, |entry| {
                names.push(entry.name.clone());
                true
            })
            .unwrap();
        names.sort();
        names
    }

    fn queued(&self) -> Vec<Op> {
        let rows = self.store.pending().unwrap();
        rows.into_iter().map(|row| row.op).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn open(dir: &tempfile::TempDir) -> Arc<Store> {
    Arc::new(Store::open(dir.path(), "me", "http://here", Style::default()).unwrap())
}

fn settings() -> Settings {
    Settings {
        folder: None,
        read_only: false,
        delete_grace: Duration::from_secs(2),
        cache_size: NonZeroUsize::new(100).unwrap(),
        uid: 0,
        gid: 0,
        file_mode: 0o600,
        dir_mode: 0o700,
    }
}

fn change<T>(store: &Store, change: impl FnOnce(&mut Tx<'_>) -> store::Result<T>) -> T {
    store.write(change).unwrap()
}

fn folder(id: &str, name: &str) -> Folder {
    Folder {
        id: FolderId::new(id),
        parent: None,
        display_name: name.to_owned(),
        is_default: false,
    }
}

fn person(id: &str, key: &str, name: &str, phone: &str) -> ServerContact {
    let mut contact = Contact::default();
    contact.set_text(Field::DisplayName, name);
    contact.set_text(Field::GivenName, name);
    contact.set_text(Field::MobilePhone, phone);
    ServerContact {
        id: ContactId::new(id),
        change_key: ChangeKey::new(key),
        created: None,
        modified: None,
        contact,
        residue: Some(ResidueText::new("")),
        picture: None,
        client: None,
    }
}

fn card(name: &str, phone: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:{name}\r\nN:;{name};;;\r\nTEL;TYPE=CELL:{phone}\r\nEND:VCARD\r\n"
    )
}
