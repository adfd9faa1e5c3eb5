//! What the service says and what was queued here, crossing each other, without either.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod arrival;
mod orders;

use std::time::Duration;

use super::{
    ContactRow, FolderRowId, InodeKind, Op, Problem, RowId, ServerContact, Store, Tx, Unlinked,
};
use crate::model::{
    ChangeKey, Contact, ContactId, DeltaLink, Field, Folder, FolderId, Ino, ResidueText,
};
use crate::vcard::{Card, Style, derived_uid};

/// A store with two loaded folders.
struct World {
    store: Store,
    people: FolderRowId,
    others: FolderRowId,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), "me", "http://here", Style::default()).unwrap();
        let loaded = |name: &str| {
            store
                .write::<_, super::Error>(|tx| {
                    let made = tx.add_folder(Some(&folder(name)), None, name)?;
                    tx.set_delta(made.id, &DeltaLink::new("http://here/delta"))?;
                    Ok(made.id)
                })
                .unwrap()
        };
        Self {
            people: loaded("people"),
            others: loaded("others"),
            store,
            _dir: dir,
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Tx<'_>) -> super::Result<T>) -> T {
        self.store.write(change).unwrap()
    }

    fn serve(&self, theirs: &ServerContact) {
        self.change(|tx| tx.apply(self.people, theirs));
    }

    fn contact(&self, id: &str) -> Option<ContactRow> {
        self.change(|tx| tx.contact_by_graph(&ContactId::new(id)))
    }

    fn text(&self, id: &str) -> String {
        let ino = self.contact(id).unwrap().ino.unwrap();
        String::from_utf8(self.store.text(ino).unwrap().unwrap()).unwrap()
    }

    /// Saves a contact with another phone, as a commit does, and sends it off.
    fn save(&self, id: &str, phone: &str) {
        let contact = self.contact(id).unwrap();
        self.change(|tx| {
            let mut card = tx.expected(&contact)?.unwrap();
            card.contact.set_text(Field::MobilePhone, phone);
            let bytes = crate::vcard::render(&card, contact.graph.as_ref(), tx.style());
            tx.put_text(contact.ino.unwrap(), &bytes)?;
            tx.queue_update(&contact, &card)
        });
    }

    fn take(&self) -> Vec<super::Job> {
        self.change(|tx| tx.take_ready(9))
    }

    fn unlink(&self, id: &str, name: &str) {
        let contact = self.contact(id).unwrap();
        self.change(|tx| {
            let dir = tx.folder(contact.folder)?.unwrap().ino;
            let ino = contact.ino.unwrap();
            tx.unlink(dir, name)?;
            tx.queue_delete(&contact, Unlinked { dir, name, ino }, Duration::ZERO)
        });
    }

    fn queued(&self) -> Vec<Op> {
        let pending = self.store.pending().unwrap().into_iter();
        pending.map(|row| row.op).collect()
    }
}

fn folder(id: &str) -> Folder {
    Folder {
        id: FolderId::new(id),
        parent: None,
        display_name: id.to_owned(),
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

#[test]
fn what_was_read_before_our_own_save_does_not_undo_it() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let job = world.take().remove(0);
    world.change(|tx| tx.taken(job.seq, &person("a", "2", "Ann", "2")));
    let saved = world.contact("a").unwrap();
    world.serve(&person("a", "1", "Ann", "1"));
    let after = world.contact("a").unwrap();
    assert_eq!(after.change_key, Some(ChangeKey::new("2")));
    assert_eq!(after.ino, saved.ino);
}

#[test]
fn a_deletion_that_is_taken_back_brings_the_unsent_save_with_it() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let sent = world.take().remove(0);
    world.save("a", "3");
    world.unlink("a", "Ann.vcf");
    assert_eq!(world.queued(), [Op::Update, Op::Delete]);
    let dir = world.change(|tx| tx.folder(world.people)).unwrap().ino;
    let back = world.change(|tx| tx.take_back(dir, "Ann.vcf")).unwrap();
    let contact = world.change(|tx| tx.contact(back.contact)).unwrap();
    let expected = world.change(|tx| tx.expected(&contact)).unwrap();
    assert_eq!(expected.contact.text(Field::MobilePhone), "3");
    world.change(|tx| tx.taken(sent.seq, &person("a", "2", "Ann", "2")));
    let next = world.take().remove(0);
    let ours = next.ours.unwrap();
    assert_eq!(
        (next.op, ours.contact.text(Field::MobilePhone)),
        (Op::Update, "3")
    );
}

#[test]
fn an_own_save_heard_of_before_its_reply_is_its_reply() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let job = world.take().remove(0);
    let ino = world.contact("a").unwrap().ino.unwrap();
    let text = world.text("a");
    world.serve(&person("a", "2", "Ann", "2"));
    assert_eq!(world.queued(), []);
    assert_eq!(world.contact("a").unwrap().ino, Some(ino));
    assert_eq!(world.text("a"), text);
    world.change(|tx| tx.taken(job.seq, &person("a", "2", "Ann", "2")));
    assert_eq!(world.text("a"), text);
}

#[test]
fn a_version_heard_of_during_a_save_is_not_taken_for_an_old_one() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let job = world.take().remove(0);
    world.serve(&person("a", "3", "Ann", "3"));
    world.change(|tx| tx.taken(job.seq, &person("a", "2", "Ann", "2")));
    let seen = world.change(|tx| tx.hear(world.people, &ContactId::new("a"), &ChangeKey::new("3")));
    assert_eq!(seen, super::Seen::News);
}

#[test]
fn a_contact_deleted_on_both_sides_stays_deleted() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let contact = world.contact("a").unwrap();
    world.take();
    world.unlink("a", "Ann.vcf");
    world.change(|tx| tx.make_again(&contact));
    assert_eq!(world.queued(), []);
    assert!(world.contact("a").is_none());
}

#[test]
fn a_deletion_stands_when_the_save_before_it_is_refused() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let job = world.take().remove(0);
    world.unlink("a", "Ann.vcf");
    world.change(|tx| tx.not_taken(job.seq, &Problem::Rejected("no".to_owned())));
    assert_eq!(world.queued(), [Op::Delete]);
}

#[test]
fn what_is_made_again_is_the_newest_save_with_the_uid_its_file_shows() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    world.take();
    world.save("a", "3");
    let contact = world.contact("a").unwrap();
    world.change(|tx| tx.make_again(&contact));
    let job = world.take().remove(0);
    let ours = job.ours.unwrap();
    assert_eq!(job.op, Op::Create);
    assert_eq!(ours.contact.text(Field::MobilePhone), "3");
    assert_eq!(ours.uid(), Some(derived_uid(&ContactId::new("a"))));
}

#[test]
fn a_refusal_leaves_the_text_being_written_alone() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let job = world.take().remove(0);
    let ino = world.contact("a").unwrap().ino.unwrap();
    world.change(|tx| {
        let mut row = tx.inode(ino)?.unwrap();
        row.dirty = true;
        tx.blobs().write(ino, b"BEGIN:VCARD\r\nhalf")?;
        tx.put_inode(row)
    });
    world.change(|tx| tx.not_taken(job.seq, &Problem::Rejected("no".to_owned())));
    assert_eq!(world.contact("a").unwrap().ino, Some(ino));
    assert!(world.change(|tx| tx.inode(ino)).unwrap().dirty);
    assert!(
        world.text("a").contains(":1\r\n"),
        "the last good text is below"
    );
}

#[test]
fn whoever_waits_for_a_save_behind_a_refused_one_hears_of_it() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let first = world.take().remove(0);
    world.save("a", "3");
    let contact = world.contact("a").unwrap().id;
    let second = world.change(|tx| tx.last_job(contact)).unwrap();
    let problem = Problem::Rejected("no".to_owned());
    world.change(|tx| tx.not_taken(first.seq, &problem));
    for seq in [first.seq, second.seq] {
        assert_eq!(
            world.store.problem(contact, seq).unwrap().as_ref(),
            Some(&problem)
        );
    }
}

#[test]
fn a_row_number_is_not_used_twice() {
    let world = World::new();
    let make = || world.change(|tx| tx.new_contact(world.people, Ino(99)));
    let first: RowId = make();
    world.change(|tx| tx.remove_contact(first));
    assert_ne!(make(), first);
}

#[test]
fn a_create_that_is_tried_again_looks_where_it_was_made() {
    let world = World::new();
    let contact = world.change(|tx| {
        let id = tx.new_contact(world.people, Ino(99))?;
        tx.queue_create(
            id,
            &Card::from_server(person("", "", "Ann", "1").contact, Default::default()),
        )?;
        Ok(id)
    });
    let job = world.take().remove(0);
    let row = world.store.contact(contact).unwrap().unwrap();
    world.change(|tx| tx.queue_move(&row, world.others));
    let row = world.store.contact(contact).unwrap().unwrap();
    assert_eq!(row.folder, world.others);
    assert_eq!(world.change(|tx| tx.target(&row, job.seq)), world.people);
}

#[test]
fn an_attempt_that_did_not_reach_the_service_does_not_count() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    for _ in 0..20 {
        let job = world.take().remove(0);
        assert_eq!(job.attempts, 0);
        world.change(|tx| {
            tx.uncount(job.seq)?;
            tx.retry(job.seq, Duration::ZERO, "offline", false)
        });
    }
}

#[test]
fn a_directory_about_to_be_removed_shows_nothing_and_its_contacts_come_back_with_it() {
    let world = World::new();
    world.change(|tx| tx.hide_folder(world.people));
    world.serve(&person("a", "1", "Ann", "1"));
    assert_eq!(world.contact("a").unwrap().ino, None);
    assert_eq!(world.change(|tx| tx.unshown(world.people, 9)), []);
    world.change(|tx| tx.unhide_folder(world.people));
    let unshown = world.change(|tx| tx.unshown(world.people, 9));
    assert_eq!(unshown, [world.contact("a").unwrap().id]);
}

#[test]
fn our_own_contact_told_of_as_of_a_stranger_is_one_contact() {
    let world = World::new();
    let contact = world.change(|tx| {
        let id = tx.new_contact(world.people, Ino(99))?;
        tx.queue_create(
            id,
            &Card::from_server(person("", "", "Ann", "1").contact, Default::default()),
        )?;
        Ok(id)
    });
    let job = world.take().remove(0);
    world.serve(&person("a", "1", "Ann", "1"));
    world.change(|tx| tx.born(job.seq, &person("a", "1", "Ann", "1")));
    assert_eq!(world.contact("a").unwrap().id, contact);
    let all = world.change(|tx| tx.contacts_of(world.people));
    assert_eq!(all, [contact]);
}

#[test]
fn a_residue_is_not_believed_beyond_its_version() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    let unknown = ServerContact {
        residue: None,
        ..person("a", "2", "Ann", "2")
    };
    world.serve(&unknown);
    let missing = world.change(|tx| tx.without_residue(world.people));
    assert_eq!(missing, [ContactId::new("a")]);
}

#[test]
fn an_edited_contact_that_was_moved_elsewhere_moves_along() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    world.change(|tx| tx.apply(world.others, &person("a", "3", "Ann", "1")));
    let contact = world.contact("a").unwrap();
    assert_eq!(contact.folder, world.others);
    let dir = world.change(|tx| tx.folder(world.others)).unwrap().ino;
    let names = world.change(|tx| tx.names(contact.ino.unwrap()));
    assert_eq!(names, [(dir, "Ann.vcf".to_owned())]);
    assert_eq!(world.queued(), [Op::Update]);
}

#[test]
fn drafts_of_a_folder_that_is_gone_stay_contacts_to_be() {
    let world = World::new();
    let draft = world.change(|tx| {
        let attr = super::Attr {
            mode: 0o600,
            size: 0,
            mtime: tx.now(),
            ctime: tx.now(),
        };
        let dir = tx.folder(world.others)?.unwrap().ino;
        let ino = tx.new_inode(InodeKind::Card(None), attr)?;
        tx.link(dir, "draft.vcf", ino)?;
        tx.rescue_scratch(dir, Some(world.people))?;
        Ok(ino)
    });
    let people = world.change(|tx| tx.folder(world.people)).unwrap().ino;
    let names = world.change(|tx| tx.names(draft));
    assert_eq!(names, [(people, "draft.vcf".to_owned())]);
}

#[test]
fn a_save_that_was_not_sent_after_all_is_one_with_the_next() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let first = world.take().remove(0);
    world.save("a", "3");
    assert_eq!(world.queued(), [Op::Update, Op::Update]);
    world.change(|tx| tx.retry(first.seq, Duration::ZERO, "offline", false));
    let jobs = world.take();
    assert_eq!(jobs.len(), 1);
    let (base, ours) = (
        jobs[0].base.as_ref().unwrap(),
        jobs[0].ours.as_ref().unwrap(),
    );
    assert_eq!(base.contact.text(Field::MobilePhone), "1");
    assert_eq!(ours.contact.text(Field::MobilePhone), "3");
    assert_eq!(jobs[0].base_key, Some(ChangeKey::new("1")));
    // One that may have arrived stays what it was.
    world.save("a", "4");
    world.change(|tx| tx.retry(jobs[0].seq, Duration::ZERO, "lost", true));
    assert_eq!(world.queued(), [Op::Update, Op::Update]);
}

#[test]
fn an_answer_from_before_our_deletion_brings_nobody_back() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    let contact = world.contact("a").unwrap().id;
    world.change(|tx| tx.buried(contact));
    world.serve(&person("a", "1", "Ann", "1"));
    assert!(world.contact("a").is_none());
    // Restored from the deleted items it has the same id and another version.
    world.serve(&person("a", "2", "Ann", "1"));
    assert!(world.contact("a").is_some());
}

#[test]
fn an_answer_from_before_our_move_shows_nobody_twice() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    let row = world.contact("a").unwrap();
    world.change(|tx| tx.queue_move(&row, world.others));
    let job = world.take().remove(0);
    world.change(|tx| tx.set_copied(job.seq, &ChangeKey::new("1"), &Card::default(), None));
    world.change(|tx| tx.moved(job.seq, &person("b", "1", "Ann", "1")));
    world.serve(&person("a", "1", "Ann", "1"));
    assert!(world.contact("a").is_none());
    assert_eq!(world.contact("b").unwrap().id, row.id);
}

/// A save that waited behind a move travelled with it: one made after that does not clash with its own past.
#[test]
fn a_save_made_while_a_move_goes_on_is_made_from_what_was_copied() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    let row = world.contact("a").unwrap();
    world.change(|tx| tx.queue_move(&row, world.others));
    world.save("a", "2");
    let job = world.take().remove(0);
    let ours = world.change(|tx| tx.expected(&row));
    world.change(|tx| {
        tx.set_copied(
            job.seq,
            &ChangeKey::new("1"),
            &Card::default(),
            ours.as_ref(),
        )
    });
    world.save("a", "3");
    let copy = person("b", "1", "Ann", "2");
    world.change(|tx| tx.moved(job.seq, &copy));
    let later = world.take().remove(0);
    let card = Card::from_server(copy.contact.clone(), Default::default());
    world.change(|tx| tx.meet(later.seq, &copy, &card));
    let contact = world.contact("b").unwrap();
    let expected = world.change(|tx| tx.expected(&contact)).unwrap();
    assert_eq!(expected.contact.text(Field::MobilePhone), "3");
    assert_eq!(world.store.problem_of(contact.id).unwrap(), None);
}

/// The first of two moves has deleted the contact where it was, and that is heard before the move could note it down.
#[test]
fn a_contact_on_its_way_there_and_back_is_not_made_twice() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    let row = world.contact("a").unwrap();
    world.change(|tx| tx.queue_move(&row, world.others));
    let job = world.take().remove(0);
    world.change(|tx| tx.set_copied(job.seq, &ChangeKey::new("1"), &Card::default(), None));
    world.change(|tx| tx.set_moved(job.seq, &ContactId::new("b")));
    let row = world.contact("a").unwrap();
    world.change(|tx| tx.queue_move(&row, world.people));
    world.change(|tx| tx.vanish(world.people, &ContactId::new("a")));
    assert_eq!(world.queued(), [Op::Move, Op::Move]);
    world.change(|tx| tx.moved(job.seq, &person("b", "1", "Ann", "1")));
    assert_eq!(world.contact("b").unwrap().id, row.id);
    assert_eq!(world.queued(), [Op::Move]);
}

/// An edit made elsewhere brings a deleted contact back where the service has it, whatever move was queued before.
#[test]
fn a_deleted_contact_that_was_to_be_moved_comes_back_where_it_is() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    world.save("a", "2");
    let job = world.take().remove(0);
    let contact = world.contact("a").unwrap();
    world.change(|tx| tx.queue_move(&contact, world.others));
    world.unlink("a", "Ann.vcf");
    let theirs = person("a", "3", "Ann", "3");
    let card = Card::from_server(theirs.contact.clone(), crate::vcard::Residue::default());
    world.change(|tx| tx.meet(job.seq, &theirs, &card));
    let back = world.contact("a").unwrap();
    assert_eq!((back.folder, world.queued()), (world.people, Vec::new()));
    assert!(world.text("a").contains(":3\r\n"), "{}", world.text("a"));
}

/// A move that has begun goes on.
#[test]
fn a_deletion_that_is_void_does_not_stop_a_move_that_has_begun() {
    let world = World::new();
    world.serve(&person("a", "1", "Ann", "1"));
    let contact = world.contact("a").unwrap();
    world.change(|tx| tx.queue_move(&contact, world.others));
    let moving = world.take().remove(0);
    world.unlink("a", "Ann.vcf");
    world.change(|tx| tx.set_moved(moving.seq, &ContactId::new("copy")));
    world.change(|tx| tx.revive(contact.id, None, None));
    assert_eq!(world.queued(), [Op::Move]);
    assert_eq!(world.contact("a").unwrap().folder, world.others);
}
