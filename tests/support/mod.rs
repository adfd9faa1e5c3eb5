//! What integration tests stand on: a service of their own, real mounts on it, a second client, programs at a terminal.
//!
//! A test file says `mod support;`. A test makes a [`World`] and everything else from it; whatever the world's service was
//! asked and answered is judged by the service's description when the world ends. Nothing here is shared between tests.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "test helpers, compiled into several test programs"
)]

mod api;
mod http;
mod mount;
pub mod openapi;
mod run;
mod tmux;
mod wait;
mod world;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

pub use api::{Api, id, residue};
pub use mount::{Mount, Mounting};
pub use run::{Run, run, run_in, sh};
pub use tmux::Tmux;
pub use wait::{Eventually, Limit, eventually, limit};
pub use world::World;

/// Whether this run must not leave anything out.
pub fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// Says past the capture of test output that a test did nothing; fails in a CI run.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(!is_ci(), "cannot be left out with CI=true: {reason}");
    // One write, so that lines of parallel tests do not mix.
    drop(std::io::stderr().write_all(format!("SKIPPED: {reason}\n").as_bytes()));
}

/// Whether filesystems can be mounted here. A test that mounts begins with `if !fuse_or_skip() { return; }`.
#[track_caller]
#[must_use]
pub fn fuse_or_skip() -> bool {
    match File::options().read(true).write(true).open("/dev/fuse") {
        Ok(_) => true,
        Err(error) => {
            skip(&format!("/dev/fuse cannot be opened: {error}"));
            false
        }
    }
}

/// Whether the tests run as root, who alone can play other users.
#[must_use]
pub fn root_or_skip() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        drop(std::io::stderr().write_all(b"SKIPPED: only root can play another user\n"));
    }
    is_root
}

/// Whether a program is installed: `if !need("rsync") { return; }`.
#[track_caller]
#[must_use]
pub fn need(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        skip(&format!("{program} is not installed"));
    }
    found
}

/// A file of the reference data, `$CONTACTFS_SHARED` or beside the repository; `None` after a loud skip.
#[track_caller]
#[must_use]
pub fn shared(file: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let base = std::env::var_os("CONTACTFS_SHARED").map_or(beside, PathBuf::from);
    let path = base.join(file);
    if path.exists() {
        return Some(path);
    }
    skip(&format!(
        "{} is not here; set CONTACTFS_SHARED",
        path.display()
    ));
    None
}
