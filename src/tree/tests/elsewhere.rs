//! Changes made elsewhere while a file is edited, renamed or deleted here.

use super::*;

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

/// A save arrived and its reply was lost; the next one, of the same property, was made from it.
#[test]
fn a_save_made_from_one_that_arrived_unheard_does_not_clash_with_it() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    world.save("Ann.vcf", &card("Ann", "2"));
    let sent = change(&world.store, |tx| tx.take_ready(1));
    world.save("Ann.vcf", &card("Ann", "3"));
    assert_eq!(world.queued(), [Op::Update, Op::Update]);
    let mut theirs = person("a", "2", "Ann", "2");
    theirs.contact.set_text(Field::JobTitle, "Boss"); // Edited elsewhere as well.
    let their_card = Card::from_server(theirs.contact.clone(), Residue::default());
    change(&world.store, |tx| {
        tx.meet(sent[0].seq, &theirs, &their_card)
    });
    assert_eq!(world.names(), ["Ann.vcf"], "no conflict");
    assert_eq!(world.queued(), [Op::Update]);
    let text = world.text("Ann.vcf");
    assert!(
        text.contains(":3\r\n") && text.contains("TITLE:Boss"),
        "{text}"
    );
}
