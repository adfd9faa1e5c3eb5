//! Texts that are no card, or none yet.

use super::*;

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
