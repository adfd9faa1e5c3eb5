//! Other people's mailboxes, and sign-ins that may only read.

use std::fs;

use crate::person::{mounting, run, sign_in, world};
use crate::support::{World, fuse_or_skip};

const ROBIN: &str = "robin.fjord@sandbox.example";

#[track_caller]
fn refused(world: &World, arguments: &[&str], sentence: &str) -> String {
    let run = run(world, arguments);
    assert_eq!(run.code, 78, "{run:?}");
    assert!(
        run.err.starts_with("contactfs: ") && run.err.contains(sentence),
        "{}",
        run.err
    );
    run.err
}

#[test]
fn a_shared_mailbox_needs_its_permission_and_then_mounts() {
    let world = world();
    sign_in(&world, &[]);
    let said = refused(
        &world,
        &["mount", "--mailbox", ROBIN, "mnt"],
        "the sign-in of default lacks the permission Contacts.ReadWrite.Shared\n",
    );
    assert!(
        said.contains(&format!("contactfs login default --mailbox {ROBIN}\n")),
        "{said}"
    );
    assert!(said.contains("/adminconsent?"), "{said}");
    let said = sign_in(&world, &["--mailbox", ROBIN]);
    assert!(
        said.contains("permissions: Contacts.ReadWrite.Shared offline_access User.Read\n"),
        "{said}"
    );
    assert!(
        said.ends_with(&format!(
            "next: contactfs mount default --mailbox {ROBIN} DIR\n"
        )),
        "{said}"
    );
    for (mailbox, sentence) in [
        (
            "casey.closed@sandbox.example",
            "are closed to you: they are not shared with you",
        ),
        ("mo.nobox@sandbox.example", "has no Exchange Online mailbox"),
        (
            "nobody@sandbox.example",
            "there is no user or mailbox nobody@sandbox.example",
        ),
    ] {
        refused(&world, &["mount", "--mailbox", mailbox, "mnt"], sentence);
    }
    if !fuse_or_skip() {
        return;
    }
    let mount = mounting(&world).args(&["--mailbox", ROBIN]).start();
    assert_eq!(mount.list("Contacts").len(), 3);
    let own = mounting(&world).at("own").start();
    assert!(
        own.list("").contains(&"Family".to_owned()),
        "the same sign-in shows one's own"
    );
    own.unmount();
    mount.unmount();
}

#[test]
fn a_sign_in_to_read_is_enough_for_a_mount_that_only_reads() {
    let world = world();
    let said = sign_in(&world, &["--read-only"]);
    assert!(
        said.contains("permissions: Contacts.Read offline_access User.Read\n"),
        "{said}"
    );
    assert!(
        said.ends_with("next: contactfs mount default --read-only DIR\n"),
        "{said}"
    );
    refused(
        &world,
        &["mount", "mnt"],
        "the sign-in of default lacks the permission Contacts.ReadWrite\n",
    );
    if !fuse_or_skip() {
        return;
    }
    let mount = mounting(&world).args(&["--read-only"]).start();
    let name = mount.list("Contacts").remove(0);
    let write = fs::write(mount.path(&format!("Contacts/{name}")), "x");
    assert_eq!(write.unwrap_err().raw_os_error(), Some(libc::EROFS));
    mount.unmount();
}

/// "The list needs the permission MailboxSettings.Read, for which login --categories asks"
#[test]
fn the_colours_of_categories_need_a_permission_that_login_asks_for() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    sign_in(&world, &[]);
    let mount = mounting(&world).start();
    let plain = run(&world, &["categories"]);
    assert_eq!(plain.code, 1, "{plain:?}");
    assert!(
        plain.err.contains(
            "lacks the permission MailboxSettings.Read, which contactfs login --categories asks for"
        ),
        "{plain:?}"
    );
    mount.unmount();
    let said = sign_in(&world, &["--categories"]);
    assert!(
        said.contains(
            "permissions: Contacts.ReadWrite offline_access User.Read MailboxSettings.Read\n"
        ),
        "{said}"
    );
    let mount = mounting(&world).start();
    let coloured = run(&world, &["categories"]);
    assert_eq!(
        (coloured.code, coloured.err.as_str()),
        (0, ""),
        "{coloured:?}"
    );
    mount.unmount();
}

/// A service that keeps that permission back gives the rest.
#[test]
fn a_sign_in_without_the_colours_is_good_for_all_else() {
    let world = world();
    crate::person::set(
        &world,
        serde_json::json!({"grantable": "Contacts.ReadWrite User.Read"}),
    );
    let said = sign_in(&world, &["--categories"]);
    assert!(
        said.contains("permissions: Contacts.ReadWrite offline_access User.Read\n"),
        "{said}"
    );
    run(&world, &["login", "--check"]).ok();
}
