//! The life of a mount as a service: what the service manager hears, and what SIGHUP does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{OFTEN, SOON};
use crate::support::{World, eventually, fuse_or_skip};

const CARD: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nEND:VCARD\r\n";

/// A service manager's ear.
pub(super) struct Manager {
    pub(super) path: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    pub(super) fn new(world: &World) -> Self {
        let path = world.dir().join("notify").to_str().unwrap().to_owned();
        let socket = UnixDatagram::bind(&path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = socket.recv(&mut buffer) {
                let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
                ear.lock().unwrap().extend(said.lines().map(str::to_owned));
            }
        });
        Self { path, heard }
    }

    pub(super) fn count(&self, line: &str) -> usize {
        self.heard
            .lock()
            .unwrap()
            .iter()
            .filter(|said| *said == line)
            .count()
    }

    #[track_caller]
    pub(super) fn hears(&self, line: &str) {
        eventually(
            SOON,
            &format!("{line} among {:?}", self.heard.lock().unwrap()),
            || self.count(line) > 0,
        );
    }
}

#[test]
fn the_service_manager_hears_of_readiness_state_life_and_end() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let manager = Manager::new(&world);
    let mount = world
        .mounting()
        .args(OFTEN)
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", "400000")
        .start();
    manager.hears("READY=1");
    manager.hears("STATUS=online, 0 contacts, 0 pending");
    fs::write(mount.path("Contacts/Ada.vcf"), CARD).unwrap();
    manager.hears("STATUS=online, 1 contacts, 0 pending");
    world.disconnect();
    fs::write(
        mount.path("Contacts/Ada.vcf"),
        CARD.replace("FN:Ada", "FN:Ada\r\nTITLE:Poet"),
    )
    .unwrap();
    eventually(SOON, "the line tells of an outage", || {
        let heard = manager.heard.lock().unwrap();
        heard.iter().any(|line| {
            line.starts_with("STATUS=offline: ") && line.ends_with(", 1 contacts, 1 pending")
        })
    });
    world.reconnect();
    let lives = manager.count("WATCHDOG=1");
    assert!(lives > 2, "{lives}");
    eventually(SOON, "it goes on living", || {
        manager.count("WATCHDOG=1") > lives + 2
    });
    // A process that does nothing any more gives no sign.
    mount.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(300));
    let lives = manager.count("WATCHDOG=1");
    thread::sleep(Duration::from_secs(1));
    assert_eq!(manager.count("WATCHDOG=1"), lives);
    mount.signal(Signal::CONT);
    assert_eq!(manager.count("STOPPING=1"), 0);
    mount.terminate();
    manager.hears("STOPPING=1");
}

/// Nobody asked for them.
#[test]
fn without_a_watchdog_there_are_no_signs_of_life() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let manager = Manager::new(&world);
    let mount = world.mounting().env("NOTIFY_SOCKET", &manager.path).start();
    manager.hears("STATUS=online, 0 contacts, 0 pending");
    mount.unmount();
    manager.hears("STOPPING=1");
    assert_eq!(manager.count("WATCHDOG=1"), 0);
}

/// "SIGHUP opens the log file again, so that it can be moved away before".
#[test]
fn a_log_that_was_moved_away_goes_on_in_a_new_file() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let (log, old) = (world.dir().join("log"), world.dir().join("log.1"));
    let mount = world.mount(&[
        "-v",
        "--poll-interval",
        "1s",
        "--log-file",
        log.to_str().unwrap(),
    ]);
    eventually(SOON, "there is a log", || {
        fs::metadata(&log).is_ok_and(|file| file.len() > 0)
    });
    fs::rename(&log, &old).unwrap();
    mount.signal(Signal::HUP);
    eventually(SOON, "there is a new log", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("were read again"))
    });
    assert_eq!(log.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read(&old).unwrap();
    eventually(SOON, "the log goes on", || {
        fs::read_to_string(&log).is_ok_and(|log| log.matches("graph request").count() > 2)
    });
    assert_eq!(fs::read(&old).unwrap(), kept);
    mount.in_step();
    mount.unmount();
}

/// "reads config.toml and what signs in again"; what makes no sense changes nothing.
#[test]
fn the_sign_in_is_read_again() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world
        .mounting()
        .client_credentials()
        .args(&["-v", "--poll-interval", "1s"])
        .start();
    mount.in_step();
    let tokens = || mount.stderr().matches("new access token").count();
    assert_eq!(tokens(), 1);
    mount.signal(Signal::HUP);
    eventually(SOON, "the sign-in is used again", || tokens() == 2);
    mount.in_step();
    let config = world.dir().join("config/contactfs");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "no TOML").unwrap();
    mount.signal(Signal::HUP);
    eventually(SOON, "the nonsense is told of", || {
        mount.stderr().contains("the mount goes on as it is: ")
    });
    mount.in_step();
    assert_eq!(tokens(), 2);
    mount.unmount();
}

/// A store of a version to come is left alone.
#[test]
fn a_store_of_a_newer_version_is_refused() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.mount(&[]).unmount();
    let path = world.state_dir().join("default/store.db");
    let sql = rusqlite::Connection::open(&path).unwrap();
    let version: usize = sql
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    sql.pragma_update(None, "user_version", version + 1)
        .unwrap();
    drop(sql);
    let run = world.run(&["mount", "mnt"]);
    assert_eq!(run.code, 64, "{run:?}");
    let sentence = format!(
        "the store is of a newer version ({}, this program knows {version})",
        version + 1
    );
    assert!(
        run.err.contains(&sentence) && run.err.contains("--state-dir"),
        "{run:?}"
    );
}
