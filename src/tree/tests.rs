//! File operations on a tree over a real store, without a kernel and without a service.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, SetAttr, Settings, Stat, Target, Tree};
use crate::model::{
    ChangeKey, Contact, ContactId, DeltaLink, Field, Folder, FolderId, Ino, ResidueText, Stamp,
};
use crate::store::{self, FolderRowId, Op, Problem, ServerContact, Store, Tx};
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
        read_only: false,
        delete_grace: Duration::from_secs(2),
        cache_size: NonZeroUsize::new(100).unwrap(),
        uid: 0,
        gid: 0,
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

#[test]
fn an_incomplete_text_may_be_renamed() {
    let world = World::new();
    world.create("half.vcf", "BEGIN:VCARD\r\n");
    world.rename("half.vcf", "other.vcf").unwrap();
    world.create("half.tmp", "BEGIN:VCARD\r\n");
    world.rename("half.tmp", "third.vcf").unwrap();
    assert_eq!(world.names(), ["other.vcf", "third.vcf"]);
}

/// A change made elsewhere of the property that an edit which is half done changes: the edit loses, and the file shows
/// the newer card, not the one the edit began from.
#[test]
fn a_put_aside_edit_leaves_the_newest_card() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, &card("Ann", "3"));
    world.serve("a", "2", "Ann", "2");
    world.tree.flush(ino, ME).unwrap();
    assert!(world.text("Ann.vcf").contains(":2\r\n"));
    assert!(world.text(".Ann.vcf.rejected").contains(":3\r\n"));
}

#[test]
fn a_held_text_put_aside_leaves_the_newest_card() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.save("Ann.vcf", "BEGIN:VCARD\r\n");
    world.serve("a", "2", "Ann", "2");
    world.tree.settle(true);
    assert!(world.text("Ann.vcf").contains(":2\r\n"));
}

/// A queued save is what the file shows again, whatever becomes of the next one.
#[test]
fn a_held_text_put_aside_leaves_the_queued_save() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.save("Ann.vcf", &card("Ann", "2"));
    world.save("Ann.vcf", "BEGIN:VCARD\r\n");
    world.tree.settle(true);
    assert_eq!(world.text("Ann.vcf"), card("Ann", "2"));
    assert_eq!(world.queued(), [Op::Update]);
}

/// The engine may change a name between the mirror's answer and the operation's transaction.
#[test]
fn an_unlink_overtaken_by_a_change_elsewhere_deletes_the_contact() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.look("Ann.vcf").unwrap();
    overtake(&world, || world.unlink("Ann.vcf"));
    assert!(world.names().is_empty());
    assert_eq!(world.queued(), [Op::Delete]);
}

/// The file that is put in its place was made before: it was edited from what was shown then.
#[test]
fn a_rename_over_overtaken_by_a_change_elsewhere_is_merged() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let text = card("Ann", "1").replace("END:", "NOTE:mine\r\nEND:");
    world.create("new", &text);
    overtake(&world, || world.rename("new", "Ann.vcf").unwrap());
    assert_eq!(world.names(), ["Ann.vcf"]);
    assert_eq!(world.queued(), [Op::Update]);
    let text = world.text("Ann.vcf");
    assert!(
        text.contains(":2\r\n") && text.contains("NOTE:mine\r\n"),
        "{text}"
    );
}

#[test]
fn a_rename_over_overtaken_by_a_change_of_the_same_property_clashes() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.create("new", &card("Ann", "3"));
    overtake(&world, || world.rename("new", "Ann.vcf").unwrap());
    let names = [".Ann.vcf.error", ".Ann.vcf.rejected", "Ann.vcf"];
    assert_eq!(world.names(), names);
    assert_eq!(world.text(".Ann.vcf.rejected"), card("Ann", "3"));
    assert!(world.text("Ann.vcf").contains(":2\r\n"));
}

/// A file that is older than a save takes is a text of its own: it is put in the place of what is there now.
#[test]
fn an_older_file_put_over_a_contact_is_what_the_contact_says() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let old = world.create("old", &card("Ann", "3"));
    let long_ago = Stamp(Stamp::now().0 - 61_000_000_000);
    world.tree.memory().get_mut(old).unwrap().made = Some(long_ago);
    world.serve("a", "2", "Ann", "2");
    world.rename("old", "Ann.vcf").unwrap();
    assert_eq!(world.names(), ["Ann.vcf"]);
    assert_eq!(world.text("Ann.vcf"), card("Ann", "3"));
    assert_eq!(world.queued(), [Op::Update]);
}

/// Runs an operation that has looked at the mirror before, and writes after, the service's change of Ann.
fn overtake(world: &World, operation: impl FnOnce() + Send) {
    let theirs = person("a", "2", "Ann", "2");
    std::thread::scope(|scope| {
        let (locked, is_locked) = std::sync::mpsc::channel();
        let engine = scope.spawn(move || {
            change(&world.store, |tx| {
                locked.send(()).unwrap();
                // Long enough for the operation to come to the store's lock; too short only makes the test pass.
                std::thread::sleep(Duration::from_millis(200));
                tx.foreign(|tx| tx.apply(world.folder, &theirs))
            });
        });
        is_locked.recv().unwrap();
        operation();
        engine.join().unwrap();
    });
}

#[test]
fn a_new_file_does_not_hide_a_contact_that_came_meanwhile() {
    let world = World::new();
    overtake(&world, || {
        let made = world.tree.create(world.people, "Ann.vcf", 0o600, ME);
        assert!(matches!(made, Err(Error::Exists)), "{made:?}");
    });
    assert!(world.text("Ann.vcf").contains(":2\r\n"));
}

/// What the engine does between the mirror's reading and its listening must not pass unseen.
#[test]
fn the_mirror_misses_nothing_at_start() {
    let world = World::new();
    for count in 0..500 {
        let name = format!("P{count}");
        world.serve(&name, "1", &name, "1");
    }
    let dir = tempfile::tempdir().unwrap();
    copy(world.dir.path(), dir.path());
    let (store, folder, people) = (open(&dir), world.folder, world.people);
    let done = std::sync::atomic::AtomicBool::new(false);
    let tree = std::thread::scope(|scope| {
        let engine = scope.spawn(|| {
            let mut count = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let theirs = person(&format!("late{count}"), "1", &format!("Late{count}"), "1");
                change(&store, |tx| tx.foreign(|tx| tx.apply(folder, &theirs)));
                count += 1;
            }
        });
        let tree = Tree::new(Arc::clone(&store), settings()).unwrap();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        engine.join().unwrap();
        tree
    });
    let mut shown = 0;
    tree.list(people, 2, false, |_| {
        shown += 1;
        true
    })
    .unwrap();
    let mut stored = 0;
    store
        .each_entry(|dir, _, _| stored += usize::from(dir == people))
        .unwrap();
    assert_eq!(shown, stored);
}

/// A DELETE whose reply was lost may have been carried out: a file made now is a new contact.
#[test]
fn an_uncertain_deletion_cannot_be_taken_back() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let text = world.text("Ann.vcf");
    world.unlink("Ann.vcf");
    change(&world.store, |tx| {
        tx.expedite()?;
        let jobs = tx.take_ready(1)?;
        tx.retry(jobs[0].seq, Duration::ZERO, "lost", true)
    });
    let ino = world.create("Ann.vcf", &text);
    world.tree.flush(ino, ME).unwrap();
    assert_eq!(world.queued(), [Op::Delete, Op::Create]);
}

/// `rm -r People; mkdir People` must not find the old folder where the new one shall be.
#[test]
fn folders_change_one_after_the_other() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.unlink("Ann.vcf");
    world.tree.rmdir(Ino::ROOT, "People").unwrap();
    world.tree.mkdir(Ino::ROOT, "People", 0o700).unwrap();
    assert_eq!(
        world.queued(),
        [Op::Delete, Op::RemoveFolder, Op::MakeFolder]
    );
    let ready = change(&world.store, |tx| tx.take_ready(9));
    assert!(ready.is_empty(), "{ready:?}");
}

#[test]
fn a_deletion_elsewhere_leaves_a_half_written_text_whole() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(
        ino,
        &card("Ann", "31415926535897932384626433832795028841971693993751"),
    );
    let before = world.text("Ann.vcf");
    world.vanish("a");
    assert_eq!(world.text("Ann.vcf"), before);
    world.tree.flush(ino, ME).unwrap();
    assert_eq!(world.queued(), [Op::Create]);
}

#[test]
fn a_hard_link_keeps_the_newest_text_of_a_removed_card() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.tree.link(ino, world.people, "Ann.vcf~").unwrap();
    world.write(ino, &"x".repeat(1000));
    world.unlink("Ann.vcf");
    assert_eq!(world.text("Ann.vcf~").len(), 1000);
}

/// Whoever waits for a save that fell with an earlier one must hear of it.
#[test]
fn a_save_behind_a_refused_one_is_refused() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.save("Ann.vcf", &card("Ann", "2"));
    let sent = change(&world.store, |tx| tx.take_ready(1));
    world.overwrite(ino, &card("Ann", "3"));
    let ticket = world.tree.fsync(ino).unwrap().unwrap();
    change(&world.store, |tx| {
        tx.not_taken(sent[0].seq, &Problem::Rejected("no".to_owned()))
    });
    assert!(matches!(world.tree.verdict(ticket).unwrap(), Some(Err(_))));
}

#[test]
fn a_refused_new_contact_is_refused_to_who_waits() {
    let world = World::new();
    let ino = world.create("Ann.vcf", &card("Ann", "2"));
    let ticket = world.tree.fsync(ino).unwrap().unwrap();
    let sent = change(&world.store, |tx| tx.take_ready(1));
    change(&world.store, |tx| {
        tx.not_taken(sent[0].seq, &Problem::Rejected("no".to_owned()))
    });
    assert!(matches!(world.tree.verdict(ticket).unwrap(), Some(Err(_))));
    assert_eq!(world.text("Ann.vcf"), card("Ann", "2"));
}

#[test]
fn a_huge_file_is_refused_unread() {
    let world = World::new();
    let ino = world.create("big.vcf", &card("Ann", "1"));
    let scratch = world.create("big", &card("Ann", "1"));
    let size = SetAttr {
        size: Some(1 << 40),
        ..SetAttr::default()
    };
    let done = world.tree.set_attr(ino, size, ME);
    assert!(matches!(done, Err(Error::TooBig)), "{done:?}");
    let done = world.tree.write(ino, 1 << 40, b"x", ME);
    assert!(matches!(done, Err(Error::TooBig)), "{done:?}");
    world.tree.set_attr(scratch, size, ME).unwrap();
    let done = world.rename("big", "big2.vcf");
    assert!(matches!(done, Err(Error::TooBig)), "{done:?}");
}

#[test]
fn a_contacts_hard_link_becomes_no_second_contact() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world
        .tree
        .link(world.ino("Ann.vcf"), world.people, "Ann~")
        .unwrap();
    let done = world.rename("Ann~", "Bob.vcf");
    assert!(matches!(done, Err(Error::CrossDevice)), "{done:?}");
    assert_eq!(world.names(), ["Ann.vcf", "Ann~"]);
}

/// Somebody has the file open while its contact is deleted elsewhere, and goes on writing.
#[test]
fn a_text_written_after_a_deletion_elsewhere_is_kept() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.vanish("a");
    world.overwrite(ino, &card("Ann", "3"));
    world.tree.flush(ino, ME).unwrap();
    assert_eq!(world.text("Ann.vcf"), card("Ann", "3"));
    assert_eq!(world.queued(), [Op::Create]);
}

/// `cat > FILE`, typed by hand, is quiet for longer than 10 s.
#[test]
fn a_slow_writer_may_end_a_text_that_was_put_aside() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, "BEGIN:VCARD\r\n");
    world.tree.settle(true);
    assert!(world.text("Ann.vcf").contains(":1\r\n"));
    world.write(ino, &card("Ann", "3"));
    world.tree.flush(ino, ME).unwrap();
    assert_eq!(world.text("Ann.vcf"), card("Ann", "3"));
    assert_eq!(world.names(), ["Ann.vcf"]);
    assert_eq!(world.queued(), [Op::Update]);
}

/// A draft renamed over a contact's file is its new text, as any file is.
#[test]
fn a_draft_renamed_over_a_contact_is_its_text() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let draft = world.create("new.vcf", "BEGIN:VCARD\r\n");
    world.rename("new.vcf", "Ann.vcf").unwrap();
    world.write(draft, &card("Ann", "3"));
    world.tree.flush(draft, ME).unwrap();
    assert_eq!(world.queued(), [Op::Update]);
}

#[test]
fn a_draft_keeps_its_time() {
    let world = World::new();
    let ino = world.create("new.vcf", "BEGIN:VCARD\r\n");
    world.tree.flush(ino, ME).unwrap();
    let before = world.tree.stat(ino).unwrap().mtime;
    let world = world.reborn();
    assert_eq!(world.look("new.vcf").unwrap().mtime, before);
}

/// After a power cut the row may say "edited" while the bytes never reached the disk.
#[test]
fn a_lost_backing_file_costs_the_edit_only() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.write(ino, "BEGIN");
    world.store.blobs().remove(ino);
    let world = world.reborn();
    assert!(world.text("Ann.vcf").contains(":1\r\n"));
    world.save("Ann.vcf", &card("Ann", "2"));
    assert_eq!(world.queued(), [Op::Update]);
}

/// A change made elsewhere within the grace is not overwritten by a text that does not know it.
#[test]
fn a_file_that_comes_back_does_not_undo_a_change_elsewhere() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.unlink("Ann.vcf");
    world.serve("a", "2", "Ann", "2");
    let ino = world.create("Ann.vcf", &card("Ann", "3"));
    world.tree.flush(ino, ME).unwrap();
    assert!(world.text("Ann.vcf").contains(":2\r\n"));
    assert!(world.text(".Ann.vcf.rejected").contains(":3\r\n"));
}

/// A photo or a flag makes a new version that says the same.
#[test]
fn a_new_version_that_says_the_same_is_no_clash() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, &card("Ann", "3"));
    world.serve("a", "2", "Ann", "1");
    world.tree.fsync(ino).unwrap();
    assert_eq!(world.text("Ann.vcf"), card("Ann", "3"));
    assert_eq!(world.queued(), [Op::Update]);
}

/// Backing files and texts of what is gone go too, also when the operation that would do it fails.
#[test]
fn what_is_forgotten_is_removed() {
    let world = World::new();
    world.create("half", "BEGIN:VCARD\r\nEND:VCARD\r\n");
    let ino = world.create("note", "x");
    world.unlink("note");
    world.tree.forget(ino, 1);
    assert!(world.store.blobs().exists(ino));
    world.rename("half", "half.vcf").unwrap_err();
    world.unlink("half");
    assert!(!world.store.blobs().exists(ino));
}

/// Unlinked and open, renamed over and open, two names and one left: as on any filesystem.
#[test]
fn scratch_files_live_while_they_are_named_or_open() {
    let world = World::new();
    let open = world.create("open", "old");
    world.create("new", "new");
    world.rename("new", "open").unwrap();
    assert_eq!(world.text("open"), "new");
    assert_eq!(world.text_of(open), "old");
    assert_eq!(world.tree.stat(open).unwrap().nlink, 0);
    world.write(open, "OLDER");
    world.tree.flush(open, ME).unwrap();
    assert_eq!(world.text_of(open), "OLDER");
    world.tree.forget(open, 1);
    assert!(matches!(world.tree.stat(open), Err(Error::NotFound)));

    let two = world.create("two", "2");
    let linked = world.tree.link(two, world.people, "two again").unwrap();
    assert_eq!((linked.ino, linked.nlink), (two, 2));
    world.unlink("two");
    assert_eq!(world.tree.stat(two).unwrap().nlink, 1);
    let world = world.reborn();
    assert_eq!(world.text("two again"), "2");
    assert_eq!(world.look("two again").unwrap().nlink, 1);
}

/// Each way of saving is one update of the same contact.
#[test]
fn every_way_of_saving_is_one_update() {
    let ways: [fn(&World, &str); 5] = [
        |world, text| world.save("Ann.vcf", text),
        |world, text| {
            world.rename("Ann.vcf", "Ann.vcf~").unwrap();
            let ino = world.create("Ann.vcf", text);
            world.tree.flush(ino, ME).unwrap();
            world.unlink("Ann.vcf~");
        },
        |world, text| {
            world.create(".Ann.vcf.Xy12Ab", text);
            world.rename(".Ann.vcf.Xy12Ab", "Ann.vcf").unwrap();
        },
        |world, text| {
            world.unlink("Ann.vcf");
            let ino = world.create("Ann.vcf", text);
            world.tree.flush(ino, ME).unwrap();
        },
        |world, text| {
            let ino = world.ino("Ann.vcf");
            world.tree.link(ino, world.people, "Ann.vcf~").unwrap();
            world.create("tmp", text);
            world.rename("tmp", "Ann.vcf").unwrap();
            assert!(world.text("Ann.vcf~").contains(":1\r\n"));
        },
    ];
    for way in ways {
        let world = World::new();
        world.serve("a", "1", "Ann", "1");
        let text = card("Ann", "3");
        way(&world, &text);
        assert_eq!(world.queued(), [Op::Update]);
        assert_eq!(world.text("Ann.vcf"), text);
        let world = world.reborn();
        assert_eq!(world.queued(), [Op::Update]);
        assert_eq!(world.text("Ann.vcf"), text);
    }
}

#[test]
fn an_exchange_of_contact_and_scratch_file_is_an_update() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let text = card("Ann", "3");
    world.create("new", &text);
    let (new, old) = ((world.people, "new"), (world.people, "Ann.vcf"));
    world.tree.rename(new, old, Target::Exchange).unwrap();
    assert_eq!(world.text("Ann.vcf"), text);
    assert!(world.text("new").contains(":1\r\n"));
    assert_eq!(world.queued(), [Op::Update]);
}

/// Two saves lose at once: the later one holds what the other said, and is the one that is kept.
#[test]
fn the_latest_of_two_losing_texts_is_kept() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.save("Ann.vcf", &card("Ann", "2"));
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, &card("Ann", "3"));
    let sent = change(&world.store, |tx| tx.take_ready(1));
    world.serve("a", "2", "Ann", "9");
    world.tree.flush(ino, ME).unwrap();
    assert_eq!(world.queued(), [Op::Update, Op::Update]);
    let theirs = person("a", "2", "Ann", "9");
    let card = Card::from_server(theirs.contact.clone(), Residue::default());
    change(&world.store, |tx| tx.meet(sent[0].seq, &theirs, &card));
    assert_eq!(world.queued(), [Op::Update]);
    assert!(world.text(".Ann.vcf.rejected").contains(":3\r\n"));
    assert!(world.text("Ann.vcf").contains(":9\r\n"));
}

/// Moved away and back before anything was sent: there is nothing to move.
#[test]
fn a_move_and_back_is_no_move() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let other = world.tree.mkdir(Ino::ROOT, "Other", 0o700).unwrap().ino;
    let (here, there) = ((world.people, "Ann.vcf"), (other, "Ann.vcf"));
    world.tree.rename(here, there, Target::Replace).unwrap();
    assert_eq!(world.queued(), [Op::MakeFolder, Op::Move]);
    world.tree.rename(there, here, Target::Replace).unwrap();
    assert_eq!(world.queued(), [Op::MakeFolder]);
}

/// An `fsync` waits for the disk; nothing else may wait for the `fsync`.
#[test]
fn making_durable_holds_up_no_change() {
    let world = World::new();
    let (done, is_done) = std::sync::mpsc::channel();
    let store = Arc::clone(&world.store);
    change(&world.store, |_| {
        std::thread::spawn(move || done.send(store.sync_durable().is_ok()));
        assert_eq!(is_done.recv_timeout(Duration::from_secs(10)), Ok(true));
        Ok(())
    });
}

/// A draft whose folder was deleted elsewhere lies in the root; `mv` may copy it into another folder.
#[test]
fn a_stranded_draft_can_be_moved_by_copying() {
    let world = World::new();
    let ino = world.create("half.vcf", "BEGIN:VCARD\r\n");
    change(&world.store, |tx| {
        tx.unlink(world.people, "half.vcf")?;
        tx.link(Ino::ROOT, "half.vcf", ino)
    });
    let (from, to) = ((Ino::ROOT, "half.vcf"), (world.people, "half.vcf"));
    let done = world.tree.rename(from, to, Target::Replace);
    assert!(matches!(done, Err(Error::CrossDevice)), "{done:?}");
    let done = world
        .tree
        .rename(from, (Ino::ROOT, "half"), Target::Replace);
    done.unwrap();
    assert_eq!(world.text_of(ino), "BEGIN:VCARD\r\n");
}
