//! "The token goes to the configured service only, and never along a redirection to another host", nor along a link; and
//! it is written nowhere.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use contactfs::sandbox::{FaultAction, Options};
use serde_json::json;

use super::proxy::{Proxy, Stranger};
use super::{OFTEN, SOON};
use crate::support::{Mount, World, eventually, fuse_or_skip, id};

/// How the first look at a folder fails.
fn listing_fails(mount: &Mount, dir: &str) {
    let start = Instant::now();
    let error = fs::read_dir(mount.path(dir)).and_then(|mut entries| entries.next().transpose());
    assert_eq!(error.unwrap_err().raw_os_error(), Some(libc::EIO));
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "the listing hung"
    );
}

#[test]
fn a_redirect_at_the_start_is_not_followed() {
    let (world, stranger) = (World::sample(), Stranger::start());
    let redirect = FaultAction::Redirect(format!("{}/v1.0/me/contactFolders", stranger.origin()));
    world.fail(None, "", u32::MAX, redirect);
    let run = world.run(&["mount", "mnt"]);
    assert_eq!(run.code, 69, "{run:?}");
    assert!(run.err.contains("redirect"), "{run:?}");
    stranger.assert_uncalled();
}

#[test]
fn no_redirect_is_followed_while_mounted() {
    if !fuse_or_skip() {
        return;
    }
    let (world, stranger) = (World::sample(), Stranger::start());
    let mount = world.mount(OFTEN);
    let before = mount.list("Contacts");
    let redirect = FaultAction::Redirect(format!("{}/v1.0/$batch", stranger.origin()));
    world.fail(None, "", u32::MAX, redirect);
    let card = mount.read("Contacts/Ines Okafor.vcf");
    let edited = card.replace("END:VCARD", "NOTE:for the stranger\r\nEND:VCARD");
    fs::write(mount.path("Contacts/Ines Okafor.vcf"), edited).unwrap();
    assert_eq!(mount.sync().code, 75);
    assert_eq!(mount.list("Contacts"), before);
    stranger.assert_uncalled();
    world.clear_faults();
    mount.in_step();
}

#[test]
fn a_next_link_to_another_origin_is_not_followed() {
    let world = World::with(Options {
        contacts: Some(450),
        ..Options::default()
    });
    foreign_link("@odata.nextLink", &world, |mount| {
        listing_fails(mount, "Contacts");
    });
}

/// The folder was read whole when the link came.
#[test]
fn a_delta_link_to_another_origin_is_not_followed() {
    foreign_link("@odata.deltaLink", &World::sample(), |mount| {
        assert!(mount.list("Contacts").len() > 10);
    });
}

fn foreign_link(member: &'static str, world: &World, look: impl Fn(&Mount)) {
    if !fuse_or_skip() {
        return;
    }
    let stranger = Stranger::start();
    let foreign = stranger.origin();
    let is_over = Arc::new(AtomicBool::new(false));
    let proxy = Proxy::start(&world.graph_url(), {
        let is_over = Arc::clone(&is_over);
        move |origin, _, body| {
            let link = |origin: &str| format!("\"{member}\":\"{origin}/");
            match is_over.load(Ordering::Relaxed) {
                false => body.replace(&link(origin), &link(&foreign)),
                true => body,
            }
        }
    });
    let mount = world
        .mounting()
        .args(OFTEN)
        .env("CONTACTFS_GRAPH_URL", &proxy.graph_url())
        .start();
    look(&mount);
    assert_eq!(mount.sync().code, 75);
    stranger.assert_uncalled();
    // Somebody has to look into it, and asking all the time would help nobody.
    let connection = mount.status()["mounts"][0]["connection"].clone();
    assert_eq!(connection["state"], "service_error", "{connection}");
    let before = requests(&mount);
    std::thread::sleep(Duration::from_secs(2));
    let asked = requests(&mount) - before;
    assert!(
        asked < 40,
        "the service is asked {asked} times in two seconds"
    );
    // No such link is kept.
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(mount.sync().code, 0);
    assert!(mount.list("Contacts").len() > 10);
    stranger.assert_uncalled();
}

fn requests(mount: &Mount) -> u64 {
    mount.status()["mounts"][0]["requests"].as_u64().unwrap()
}

/// The proxy of the tests above spoils nothing by itself.
#[test]
fn a_proxy_that_changes_nothing_is_no_trouble() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        contacts: Some(450),
        ..Options::default()
    });
    let proxy = Proxy::start(&world.graph_url(), |_, _, body| body);
    let mount = world
        .mounting()
        .env("CONTACTFS_GRAPH_URL", &proxy.graph_url())
        .start();
    mount.in_step();
    assert!(mount.list("Contacts").len() > 400);
}

/// At the highest verbosity, through a save, a lost connection and a refusal.
#[test]
fn the_token_is_in_no_log_and_no_file() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let log = world.dir().join("log.json");
    let mount = world.mount(&["-vv", "--debug-fuse", "--poll-interval", "1s"]);
    make_trouble(&world, &mount);
    let said = mount.stderr();
    mount.unmount();
    let arguments = [
        "-vv",
        "--log-format",
        "json",
        "--log-file",
        log.to_str().unwrap(),
    ];
    let mount = world
        .mounting()
        .args(&arguments)
        .client_credentials()
        .start();
    make_trouble(&world, &mount);
    mount.unmount();
    let log = fs::read_to_string(&log).unwrap();
    assert!(said.contains("TRACE") || said.contains("DEBUG"), "{said}");
    assert!(
        log.contains("\"DEBUG\"") || log.contains("\"TRACE\""),
        "{log}"
    );
    for text in [said, log] {
        assert!(!text.contains(world.token()), "the token is in the log");
        assert!(!text.to_lowercase().contains("bearer "), "{text}");
    }
    assert!(files_below(world.dir()).iter().all(|file| {
        file.ends_with("record.jsonl")
            || !contains(file, world.token()) && !contains(file, world.secret())
    }));
}

fn make_trouble(world: &World, mount: &Mount) {
    let created = world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada", "mobilePhone": "1"}));
    mount.in_step();
    let card = mount.read("Contacts/Ada.vcf");
    fs::write(mount.path("Contacts/Ada.vcf"), card.replace(":1", ":2")).unwrap();
    mount.in_step();
    world.disconnect();
    assert_eq!(mount.sync().code, 75);
    world.reconnect();
    world.fail_with(None, "", 2, 403, "ErrorAccessDenied");
    mount.sync();
    world.clear_faults();
    eventually(SOON, "all is well again", || mount.sync().code == 0);
    world.api().delete(&id(&created));
    mount.in_step();
}

fn files_below(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(files_below(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

fn contains(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
