//! Files and names that are no contact's.

use super::*;

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

/// 5.2 "directories below a dot-directory": each counts those in it.
#[test]
fn a_directory_has_as_many_links_as_directories_name_it() {
    let world = World::new();
    let links = |ino| world.tree.stat(ino).unwrap().nlink;
    let top = world.tree.mkdir(world.people, ".d", 0o755).unwrap().ino;
    let before = links(world.people);
    let one = world.tree.mkdir(top, "one", 0o755).unwrap().ino;
    world.tree.mkdir(one, "two", 0o755).unwrap();
    world.tree.create(top, "file", 0o600, ME).unwrap();
    assert_eq!((before, links(top), links(one)), (3, 3, 3));
    let (two, up) = ((one, "two"), (top, "two"));
    world.tree.rename(two, up, Target::Replace).unwrap();
    assert_eq!((links(top), links(one)), (4, 2));
    world
        .tree
        .rename((top, "one"), up, Target::Replace)
        .unwrap();
    assert_eq!((links(top), links(one)), (3, 2));
    let reborn = world.reborn();
    assert_eq!(reborn.tree.stat(top).unwrap().nlink, 3);
    world.tree.rmdir(top, "two").unwrap();
    assert_eq!((links(top), links(one)), (2, 0));
}

/// 4.8 "Exchange (RENAME_EXCHANGE) and NOREPLACE work."
#[test]
fn scratch_directories_change_places() {
    let world = World::new();
    let top = world.tree.mkdir(world.people, ".d", 0o755).unwrap().ino;
    let (a, b) = ((top, "a"), (top, "b"));
    world.tree.mkdir(top, "a", 0o755).unwrap();
    let inner = world.tree.find("People/.d/a").unwrap();
    world.tree.create(inner, "x", 0o600, ME).unwrap();
    world.tree.create(top, "b", 0o600, ME).unwrap();
    world.tree.rename(a, b, Target::Exchange).unwrap();
    assert!(world.tree.find("People/.d/b/x").is_some());
    assert_eq!(world.tree.lookup(top, "a").unwrap().kind, FileKind::Regular);
    let done = world.tree.rename(b, (inner, "x"), Target::Exchange);
    assert!(matches!(done, Err(Error::Invalid)), "{done:?}");
    // A directory of a plain name would be a contact folder.
    world.create("note", "n");
    let done = world
        .tree
        .rename(b, (world.people, "note"), Target::Exchange);
    assert!(matches!(done, Err(Error::CrossDevice)), "{done:?}");
}

/// 5.5 "mode is remembered for the open session only"; 1.2 "unless options say else".
#[test]
fn modes_of_contacts_are_forgotten_and_those_of_scratch_files_are_not() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let chmod = |ino, mode| {
        let wanted = SetAttr {
            mode: Some(mode),
            ..SetAttr::default()
        };
        world.tree.set_attr(ino, wanted, ME).unwrap().mode
    };
    let note = world.create("note", "n");
    let (card, people) = (world.ino("Ann.vcf"), world.people);
    assert_eq!(
        (chmod(card, 0o644), chmod(note, 0o640), chmod(people, 0o755)),
        (0o644, 0o640, 0o755)
    );
    world.save("Ann.vcf", &super::card("Ann", "2"));
    assert_eq!(world.look("Ann.vcf").unwrap().mode, 0o644);
    let reborn = world.reborn();
    let mode = |name: &str| reborn.look(name).unwrap().mode;
    assert_eq!((mode("Ann.vcf"), mode("note")), (0o600, 0o640));
    assert_eq!(reborn.tree.stat(people).unwrap().mode, 0o700);
}

/// 5.2 "sparse files": the room they take, and where their holes are.
#[test]
fn holes_are_found_and_take_no_room() {
    let world = World::new();
    let ino = world.create("sparse", "");
    world.tree.write(ino, 1 << 20, b"end", ME).unwrap();
    let stat = world.tree.stat(ino).unwrap();
    assert!(stat.blocks * 512 < stat.size, "{stat:?}");
    let seek = |from, sought| world.tree.seek(ino, from, sought);
    assert_eq!(seek(0, Sought::Hole).unwrap(), 0);
    assert_eq!(seek(0, Sought::Data).unwrap(), 1 << 20);
    assert!(matches!(
        seek(stat.size, Sought::Data),
        Err(Error::BeyondEnd)
    ));
    world.tree.allocate(ino, 0, 2 << 20, 0).unwrap();
    let stat = world.tree.stat(ino).unwrap();
    assert_eq!(stat.size, 2 << 20);
    assert!(stat.blocks * 512 >= stat.size, "{stat:?}");
    let reborn = world.reborn();
    assert_eq!(reborn.tree.stat(ino).unwrap().blocks, stat.blocks);
    // A contact's file is a text without holes.
    world.serve("a", "1", "Ann", "1");
    let (card, size) = (world.ino("Ann.vcf"), world.look("Ann.vcf").unwrap().size);
    assert_eq!(world.tree.seek(card, 3, Sought::Data).unwrap(), 3);
    assert_eq!(world.tree.seek(card, 3, Sought::Hole).unwrap(), size);
    let done = world.tree.allocate(card, 0, 1 << 20, 0);
    assert!(matches!(done, Err(Error::NotSupported)), "{done:?}");
}

/// The kernel hears a moment later of a file that the mount took away, and a program may make its own by what it knew.
#[test]
fn what_is_written_to_a_file_that_the_mount_took_away_is_kept() {
    let world = World::new();
    let put = |tx: &mut Tx<'_>| {
        tx.foreign(|tx| tx.put_scratch(world.people, ".Ada.vcf.error", b"a sentence"))
    };
    let drop = |tx: &mut Tx<'_>| tx.foreign(|tx| tx.remove_scratch(world.people, ".Ada.vcf.error"));
    change(&world.store, put);
    let old = world.look(".Ada.vcf.error").unwrap().ino;
    change(&world.store, drop);
    let cut = SetAttr {
        size: Some(0),
        ..SetAttr::default()
    };
    world.tree.set_attr(old, cut, ME).unwrap();
    world.tree.write(old, 0, b"mine", ME).unwrap();
    assert_eq!(world.look(".Ada.vcf.error").unwrap().ino, old);
    let text = world.tree.read(old, 0, 99, <[u8]>::to_vec).unwrap();
    assert_eq!(text, b"mine");
    assert_eq!(world.reborn().look(".Ada.vcf.error").unwrap().size, 4);
    // What somebody here removed stays away, and a name that is taken is left alone.
    world.tree.unlink(world.people, ".Ada.vcf.error").unwrap();
    world.tree.write(old, 0, b"gone", ME).unwrap();
    assert!(world.look(".Ada.vcf.error").is_err());
    change(&world.store, put);
    let next = world.look(".Ada.vcf.error").unwrap().ino;
    change(&world.store, put);
    world.tree.write(next, 0, b"late", ME).unwrap();
    assert_ne!(world.look(".Ada.vcf.error").unwrap().ino, next);
}
