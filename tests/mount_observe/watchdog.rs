//! "starts it again when it is stuck"; a mount that waits for the service is not.

use std::thread;
use std::time::Duration;

use contactfs::sandbox::{FaultAction, Options};

use super::service::Manager;
use super::{OFTEN, SOON};
use crate::support::{Mount, World, eventually, fuse_or_skip};

const SIGN: &str = "WATCHDOG=1";
/// Twice this is between two signs.
const WATCHDOG_USEC: &str = "400000";
/// In which many signs would come.
const WHILE: Duration = Duration::from_secs(2);

fn watched(world: &World, manager: &Manager) -> Mount {
    world
        .mounting()
        .args(OFTEN)
        .env("NOTIFY_SOCKET", &manager.path)
        .env("WATCHDOG_USEC", WATCHDOG_USEC)
        .start()
}

/// Signs that come in a while.
fn signs(manager: &Manager) -> usize {
    let before = manager.count(SIGN);
    thread::sleep(WHILE);
    manager.count(SIGN) - before
}

/// Somebody else's hold on the store: what the engine wants to write does not come to an end.
fn hold(world: &World) -> rusqlite::Connection {
    let path = world.state_dir().join("default/store.db");
    let sql = rusqlite::Connection::open(path).unwrap();
    sql.busy_timeout(SOON).unwrap();
    sql.execute_batch("BEGIN IMMEDIATE").unwrap();
    sql
}

/// Its thread stands still.
#[test]
fn an_engine_whose_thread_is_stuck_gives_no_sign() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let manager = Manager::new(&world);
    let mount = watched(&world, &manager);
    mount.in_step();
    assert!(signs(&manager) > 2);
    let held = hold(&world);
    world.api().create(serde_json::json!({"givenName": "Ada"}));
    thread::sleep(WHILE);
    assert_eq!(signs(&manager), 0);
    held.execute_batch("ROLLBACK").unwrap();
    eventually(SOON, "it lives again", || signs(&manager) > 2);
    mount.in_step();
    mount.unmount();
}

/// Its thread goes on, but a load of it does not.
#[test]
fn an_engine_whose_work_is_stuck_gives_no_sign() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        empty: true,
        contacts: Some(450),
        ..Options::default()
    });
    let hangs = FaultAction::Delay(WHILE * 3);
    world.fail(None, "skiptoken", u32::MAX, hangs.clone());
    world.fail(None, "$skip=", u32::MAX, hangs);
    let manager = Manager::new(&world);
    let mount = watched(&world, &manager);
    eventually(SOON, "the first page is stored", || {
        let path = world.state_dir().join("default/store.db");
        let sql = rusqlite::Connection::open(path).ok()?;
        let look = "SELECT 1 FROM folder WHERE resume IS NOT NULL";
        sql.query_row(look, [], |_| Ok(())).ok()
    });
    let held = hold(&world);
    assert!(signs(&manager) > 2, "the service is waited for");
    eventually(SOON, "nothing happens any more", || signs(&manager) == 0);
    world.clear_faults();
    held.execute_batch("ROLLBACK").unwrap();
    eventually(SOON, "it lives again", || signs(&manager) > 2);
    mount.in_step();
    mount.unmount();
}

/// Neither answers nor pauses that the service asks for end it.
#[test]
fn a_service_that_never_answers_ends_nothing() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let manager = Manager::new(&world);
    let mount = watched(&world, &manager);
    mount.in_step();
    let hangs = FaultAction::Delay(Duration::from_secs(600));
    world.fail(None, "", u32::MAX, hangs);
    thread::sleep(WHILE);
    assert!(signs(&manager) > 2);
    world.clear_faults();
    mount.kill9();
}
