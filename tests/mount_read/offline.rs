//! "Reading never waits for the network, once a folder was loaded for the first time. A folder is never shown half."

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use contactfs::sandbox::{FaultAction, Options};
use serde_json::json;

use super::{OFTEN, SOON, kept_world, photograph};
use crate::support::{Mount, World, eventually, fuse_or_skip};

fn list(mount: &Mount, dir: &str) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(mount.path(dir))?;
    entries
        .map(|entry| Ok(entry?.file_name().to_str().unwrap().to_owned()))
        .collect()
}

fn state(mount: &Mount) -> String {
    mount.status()["mounts"][0]["connection"]["state"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// A mailbox mounted before is mounted and read while the service is gone.
#[test]
fn with_a_warm_store_everything_reads_without_the_service() {
    if !fuse_or_skip() {
        return;
    }
    let (_data, world) = kept_world(true);
    let mount = world.mount(&[]);
    let before = photograph(mount.dir());
    assert!(!before.is_empty());
    mount.in_step();
    mount.unmount();
    world.stop_service();
    let mount = world.mount(OFTEN);
    assert_eq!(photograph(mount.dir()), before);
    eventually(SOON, "the mount knows", || state(&mount) == "offline");
    assert_eq!(photograph(mount.dir()), before);
    assert_eq!(mount.sync().code, 75);
    world.start_service();
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    // Without a new mount.
    let back = Duration::from_secs(10);
    eventually(back, "news arrive again", || {
        mount.list("Contacts").contains(&"Ada.vcf".to_owned())
    });
    assert_eq!(state(&mount), "online");
}

/// As above, with a service whose connections break.
#[test]
fn with_a_warm_store_everything_reads_over_a_broken_connection() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    let before = photograph(mount.dir());
    mount.in_step();
    mount.unmount();
    for (action, expected) in [
        (FaultAction::DropBefore, "offline"),
        (FaultAction::Truncate, "offline"),
        (FaultAction::Malformed, "service_error"),
    ] {
        world.fail(None, "", u32::MAX, action);
        let mount = world.mount(OFTEN);
        assert_eq!(photograph(mount.dir()), before);
        eventually(SOON, "the mount knows", || state(&mount) == expected);
        assert_eq!(photograph(mount.dir()), before);
        world.clear_faults();
        mount.in_step();
        mount.unmount();
    }
}

/// A mailbox never seen before cannot be mounted without the service; `mount` says why.
#[test]
fn without_a_store_mount_says_what_is_wrong() {
    let (_data, world) = kept_world(true);
    world.stop_service();
    let run = world.run(&["mount", "mnt"]);
    assert_eq!(run.code, 69, "{run:?}");
    assert!(
        run.err.starts_with("contactfs: ") && run.err.contains("refused"),
        "{run:?}"
    );
    world.start_service();
    world.disconnect();
    let run = world.run(&["mount", "mnt"]);
    assert_eq!(run.code, 69, "{run:?}");
    world.reconnect();
    let busy = FaultAction::Status {
        code: 503,
        error_code: "serverTooBusy".to_owned(),
        retry_after: Some(7),
        empty_body: false,
    };
    world.fail(None, "", u32::MAX, busy);
    let run = world.run(&["mount", "mnt"]);
    assert!([69, 75].contains(&run.code), "{run:?}");
    assert!(!run.err.contains("mounted "), "{run:?}");
}

/// "Listing it waits for its first complete load."
#[test]
fn a_folder_that_loads_slowly_is_listed_whole() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        contacts: Some(450),
        ..Options::default()
    });
    // The second page: a part of the folder is in the store by then.
    world.fail(
        None,
        "skiptoken",
        1,
        FaultAction::Delay(Duration::from_secs(3)),
    );
    let mount = world.mount(&[]);
    let missing = fs::metadata(mount.path("Contacts/Nobody.vcf"));
    assert_eq!(
        missing.unwrap_err().kind(),
        io::ErrorKind::NotFound,
        "looking waits as well"
    );
    let start = Instant::now();
    let listed = list(&mount, "Contacts").unwrap();
    assert_eq!(
        listed.len(),
        world.api().contacts_in("contacts").len(),
        "{:?}",
        start.elapsed()
    );
}

/// "Or fails with EIO", whatever the failure; and it is whole as soon as the service is well.
#[test]
fn a_folder_that_cannot_be_loaded_is_never_listed_empty() {
    if !fuse_or_skip() {
        return;
    }
    let refused = |code, error: &str| FaultAction::Status {
        code,
        error_code: error.to_owned(),
        retry_after: None,
        empty_body: false,
    };
    let failures = [
        FaultAction::DropBefore,
        FaultAction::Truncate,
        FaultAction::Malformed,
        refused(500, "ErrorInternalServerError"),
        refused(503, "serverTooBusy"),
        refused(401, "InvalidAuthenticationToken"),
        refused(403, "ErrorAccessDenied"),
        refused(400, "ErrorInvalidRequest"),
    ];
    for (number, failure) in failures.into_iter().enumerate() {
        unloadable(number, failure);
    }
}

fn unloadable(number: usize, failure: FaultAction) {
    let world = World::sample();
    let what = format!("{failure:?}");
    world.fail(None, "/contacts/delta", u32::MAX, failure);
    let mount = world
        .mounting()
        .at(&format!("mnt{number}"))
        .args(OFTEN)
        .start();
    let (start, error) = (Instant::now(), list(&mount, "Contacts").unwrap_err());
    assert_eq!(error.raw_os_error(), Some(libc::EIO), "{what}");
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{what}: the listing hung"
    );
    let error = fs::metadata(mount.path("Contacts/Ines Okafor.vcf")).unwrap_err();
    assert_eq!(
        error.raw_os_error(),
        Some(libc::EIO),
        "{what}: a contact seems to be missing"
    );
    world.clear_log();
    assert_ne!(mount.sync().code, 0, "{what}");
    assert!(
        world.log().len() < 100,
        "{what}: the service is asked without a pause"
    );
    world.clear_faults();
    eventually(
        Duration::from_secs(40),
        &format!("the folder is whole again after {what}"),
        || {
            list(&mount, "Contacts")
                .is_ok_and(|names| names.len() == world.api().contacts_in("contacts").len())
        },
    );
}

/// Nobody takes a folder that cannot be loaded for one whose contacts were deleted.
#[test]
fn rsync_deletes_nothing_when_a_folder_cannot_be_loaded() {
    if !fuse_or_skip() || !crate::support::need("rsync") {
        return;
    }
    let world = World::sample();
    let copy = world.dir().join("copy");
    let mount = world.mount(&[]);
    let rsync = |mount: &Mount| {
        let from = format!("{}/", mount.dir().display());
        crate::support::run("rsync", &["-a", "--delete", &from, copy.to_str().unwrap()])
    };
    rsync(&mount).ok();
    mount.unmount();
    let before = photograph(&copy);
    world.fail(None, "/contacts/delta", u32::MAX, FaultAction::DropBefore);
    let mount = world.mounting().state("another").start();
    assert_ne!(rsync(&mount).code, 0);
    assert_eq!(photograph(&copy), before);
}

/// A folder whose first load was cut short by a kill is whole after the next mount, whether or not the service still knows
/// how far it was.
#[test]
fn a_load_cut_short_by_a_crash_is_finished() {
    if !fuse_or_skip() {
        return;
    }
    for expire in [false, true] {
        let world = World::with(Options {
            contacts: Some(450),
            ..Options::default()
        });
        world.fail(None, "skiptoken", u32::MAX, FaultAction::DropBefore);
        let mount = world.mount(&[]);
        assert!(list(&mount, "Contacts").is_err());
        mount.kill9();
        world.clear_faults();
        if expire {
            world.api().control("POST", "delta/expire", &json!(null));
        }
        let mount = world.mount(&[]);
        let fresh = world.mounting().at("fresh").state("fresh-state").start();
        let names = mount.list("Contacts");
        assert_eq!(names.len(), world.api().contacts_in("contacts").len());
        assert_eq!(names, fresh.list("Contacts"));
    }
}

/// A folder that cannot be loaded keeps no other from being fresh.
#[test]
fn a_folder_that_cannot_be_loaded_leaves_the_others_fresh() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let api = world.api();
    let mount = world.mount(OFTEN);
    assert!(mount.list("Contacts").is_empty());
    let bad = api.create_folder("Bad");
    let path = format!("/contactFolders/{bad}/contacts/delta");
    world.fail_with(None, &path, u32::MAX, 403, "ErrorAccessDenied");
    eventually(SOON, "the folder is there", || mount.path("Bad").is_dir());
    assert!(list(&mount, "Bad").is_err());
    api.create(json!({"givenName": "Ada", "displayName": "Ada"}));
    eventually(Duration::from_secs(30), "the other folder is fresh", || {
        mount.list("Contacts") == ["Ada.vcf"]
    });
    assert!(list(&mount, "Bad").is_err());
}
