//! "A contact that the service fails to show is never dropped." Every read of it fails; the rest of its folder goes on.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

use contactfs::sandbox::Options;
use serde_json::json;

use super::{OFTEN, SOON};
use crate::support::{World, eventually, fuse_or_skip, id};

const ADA: &str = "Contacts/Ada.vcf";
const ERROR: &str = "Contacts/.Ada.vcf.error";

/// A mailbox with Ada, whose card has a line that only contactfs knows, and with Bob.
fn world() -> (World, String) {
    let world = World::with(Options {
        empty: true,
        ..Options::default()
    });
    let mount = world.mounting().state("first").start();
    let card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nN:;Ada;;;\r\nX-HAT:straw\r\nEND:VCARD\r\n";
    fs::write(mount.path(ADA), card).unwrap();
    mount.in_step();
    mount.unmount();
    world
        .api()
        .create(json!({"givenName": "Bob", "displayName": "Bob"}));
    let ada = id(&world.api().contact("Ada").unwrap());
    (world, ada)
}

fn break_reads(world: &World, contact: &str) {
    world.fail_with(Some("GET"), contact, u32::MAX, 500, "InternalServerError");
}

#[test]
fn a_contact_that_cannot_be_read_is_shown_as_far_as_it_is_known() {
    if !fuse_or_skip() {
        return;
    }
    let (world, ada) = world();
    break_reads(&world, &ada);
    // What a list shows of it is not whole either.
    world.fail_with(Some("GET"), "$expand", u32::MAX, 500, "InternalServerError");
    let mount = world.mount(OFTEN);
    assert_eq!(
        mount.list("Contacts"),
        [".Ada.vcf.error", ".Bob.vcf.error", "Ada.vcf", "Bob.vcf"]
    );
    let shown = mount.read(ADA);
    assert!(
        shown.contains("FN:Ada") && !shown.contains("X-HAT"),
        "{shown}"
    );
    assert!(
        mount.read(ERROR).contains("status 500"),
        "{}",
        mount.read(ERROR)
    );
    // Saved, it would lose what is not shown.
    world.clear_log();
    let bob = mount.read("Contacts/Bob.vcf");
    let mut file = fs::File::create(mount.path("Contacts/Bob.vcf")).unwrap();
    let changed = bob.replace("END:", "TITLE:Builder\r\nEND:");
    file.write_all(changed.as_bytes()).unwrap();
    let refused = file.sync_all().unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EIO), "{refused}");
    drop(file);
    assert!(world.writes().is_empty());
    world.clear_faults();
    mount.in_step();
    assert!(!mount.path(ERROR).exists());
    assert!(
        mount.read(ADA).contains("X-HAT:straw"),
        "{}",
        mount.read(ADA)
    );
}

#[test]
fn its_folder_goes_on() {
    if !fuse_or_skip() {
        return;
    }
    let (world, ada) = world();
    let mount = world.mount(OFTEN);
    let before = mount.read(ADA);
    break_reads(&world, &ada);
    world.api().patch(&ada, json!({"jobTitle": "Countess"}));
    let eve = json!({"givenName": "Eve", "displayName": "Eve"});
    world.api().create(eve);
    eventually(SOON, "news arrive", || {
        mount.path("Contacts/Eve.vcf").exists()
    });
    eventually(SOON, "the trouble is told", || mount.path(ERROR).exists());
    assert_eq!(mount.read(ADA), before);
    // It is asked for again; the file that says why is another one only when it says something else.
    let told = || {
        let file = fs::metadata(mount.path(ERROR)).unwrap();
        (file.ino(), file.mtime_nsec())
    };
    let (first, reads) = (told(), || {
        let log = world.log();
        log.iter()
            .filter(|entry| entry.path.contains(&*ada) && entry.status >= 500)
            .count()
    });
    let before_sync = reads();
    eventually(SOON, "it is asked for again", || {
        mount.sync();
        reads() > before_sync
    });
    assert_eq!(told(), first);
    world.clear_faults();
    world.fail_with(Some("GET"), &ada, u32::MAX, 400, "ErrorCorruptData");
    // A poll that goes on beside may have asked before.
    eventually(SOON, "another reason is told", || {
        mount.sync();
        told() != first
    });
    assert!(
        mount.read(ERROR).contains("ErrorCorruptData"),
        "{}",
        mount.read(ERROR)
    );
    let bob = id(&world.api().contact("Bob").unwrap());
    world.api().patch(&bob, json!({"jobTitle": "Builder"}));
    eventually(SOON, "the next news arrive", || {
        mount.read("Contacts/Bob.vcf").contains("Builder")
    });
    world.clear_faults();
    mount.in_step();
    assert!(mount.read(ADA).contains("TITLE:Countess"));
    assert!(!mount.path(ERROR).exists());
}
