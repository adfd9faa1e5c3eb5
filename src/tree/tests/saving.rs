//! What a save queues, and what whoever waits for it hears.

use super::*;

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

/// Takes the one row that is ready, as the engine does to send it.
fn take_one(world: &World) -> Seq {
    let ready = change(&world.store, |tx| {
        tx.expedite()?;
        tx.take_ready(1)
    });
    ready[0].seq
}

/// 3.4 "fsync additionally waits for the server's verdict": that on the row that carries its text, whichever that is.
#[test]
fn who_waits_for_a_save_that_became_one_with_the_next_waits_for_both() {
    let verdicts: [fn(&World, Seq) -> bool; 2] = [
        |world, seq| {
            let theirs = person("a", "2", "Ann", "3");
            change(&world.store, |tx| tx.taken(seq, &theirs));
            true
        },
        |world, seq| {
            let problem = Problem::Rejected("no".to_owned());
            change(&world.store, |tx| tx.not_taken(seq, &problem));
            false
        },
    ];
    for decide in verdicts {
        let world = World::new();
        world.serve("a", "1", "Ann", "1");
        let ino = world.ino("Ann.vcf");
        world.overwrite(ino, &card("Ann", "2"));
        let first = world.tree.fsync(ino).unwrap().unwrap();
        let sent = take_one(&world);
        world.overwrite(ino, &card("Ann", "3"));
        let second = world.tree.fsync(ino).unwrap().unwrap();
        change(&world.store, |tx| {
            tx.retry(sent, Duration::ZERO, "busy", false)
        });
        assert_eq!(world.queued(), [Op::Update]);
        for ticket in [first, second] {
            assert_eq!(world.tree.verdict(ticket).unwrap(), None);
        }
        let accepted = decide(&world, take_one(&world));
        for ticket in [first, second] {
            let verdict = world.tree.verdict(ticket).unwrap().unwrap();
            assert_eq!(verdict.is_ok(), accepted, "{verdict:?}");
        }
    }
}

#[test]
fn who_waits_for_a_change_of_what_was_deleted_elsewhere_waits_for_its_making() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, &card("Ann", "2"));
    let ticket = world.tree.fsync(ino).unwrap().unwrap();
    let contact = world.store.contact(ticket.contact).unwrap().unwrap();
    change(&world.store, |tx| tx.make_again(&contact));
    assert_eq!(world.queued(), [Op::Create]);
    assert_eq!(world.tree.verdict(ticket).unwrap(), None);
    let sent = take_one(&world);
    let theirs = person("b", "1", "Ann", "2");
    change(&world.store, |tx| tx.born(sent, &theirs));
    assert_eq!(world.tree.verdict(ticket).unwrap(), Some(Ok(())));
}

/// An editor that saves by way of a deletion makes the save before it void only for a moment.
#[test]
fn who_waits_for_a_save_goes_on_waiting_when_the_file_is_replaced() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, &card("Ann", "2"));
    let ticket = world.tree.fsync(ino).unwrap().unwrap();
    world.unlink("Ann.vcf");
    assert_eq!(world.queued(), [Op::Delete]);
    assert_eq!(world.tree.verdict(ticket).unwrap(), None);
    let ino = world.create("Ann.vcf", &card("Ann", "3"));
    world.tree.flush(ino, ME).unwrap();
    assert_eq!(world.queued(), [Op::Update]);
    assert_eq!(world.tree.verdict(ticket).unwrap(), None);
    let sent = take_one(&world);
    let theirs = person("a", "2", "Ann", "3");
    change(&world.store, |tx| tx.taken(sent, &theirs));
    assert_eq!(world.tree.verdict(ticket).unwrap(), Some(Ok(())));
}

/// A clash concerns every save that was merged into the one that met it.
#[test]
fn who_waits_for_the_later_of_two_losing_saves_hears_of_the_clash() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.save("Ann.vcf", &card("Ann", "2"));
    let sent = take_one(&world);
    world.overwrite(ino, &card("Ann", "3"));
    let ticket = world.tree.fsync(ino).unwrap().unwrap();
    let theirs = person("a", "2", "Ann", "9");
    let their_card = Card::from_server(theirs.contact.clone(), Residue::default());
    change(&world.store, |tx| tx.meet(sent, &theirs, &their_card));
    let verdict = world.tree.verdict(ticket).unwrap();
    assert!(
        matches!(verdict, Some(Err(Problem::Conflict(_)))),
        "{verdict:?}"
    );
}

/// A contact that was deleted while somebody waited for its save is no draft that was refused.
#[test]
fn who_waits_for_a_save_of_a_contact_that_is_deleted_hears_no_refusal() {
    let world = World::new();
    world.serve("a", "1", "Ann", "1");
    let ino = world.ino("Ann.vcf");
    world.overwrite(ino, &card("Ann", "2"));
    let ticket = world.tree.fsync(ino).unwrap().unwrap();
    world.rename("Ann.vcf", "Ann.vcf~").unwrap();
    take_one(&world);
    change(&world.store, |tx| tx.buried(ticket.contact));
    assert_eq!(world.tree.verdict(ticket).unwrap(), Some(Ok(())));
}
