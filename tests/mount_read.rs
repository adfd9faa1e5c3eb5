//! A mailbox read through a real mount: what programs see, when they see it, and what must never happen.
//!
//! What stands in quotation marks is what contactfs(7) promises. Saving is shown elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test helpers"
)]

mod support;

#[path = "mount_read/fresh.rs"]
mod fresh;
#[path = "mount_read/hostile.rs"]
mod hostile;
#[path = "mount_read/network.rs"]
mod network;
#[path = "mount_read/newcomer.rs"]
mod newcomer;
#[path = "mount_read/notify.rs"]
mod notify;
#[path = "mount_read/offline.rs"]
mod offline;
#[path = "mount_read/origin.rs"]
mod origin;
#[path = "mount_read/owners.rs"]
mod owners;
#[path = "mount_read/proxy.rs"]
mod proxy;
#[path = "mount_read/report.rs"]
mod report;
#[path = "mount_read/resume.rs"]
mod resume;
#[path = "mount_read/root.rs"]
mod root;
#[path = "mount_read/stable.rs"]
mod stable;
#[path = "mount_read/tools.rs"]
mod tools;
#[path = "mount_read/unread.rs"]
mod unread;
#[path = "mount_read/watch.rs"]
mod watch;
#[path = "mount_read/whole.rs"]
mod whole;
#[path = "mount_read/xattr.rs"]
mod xattr;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use contactfs::sandbox::Options;

use support::World;

/// What the tests wait for a change made elsewhere, with a poll interval of a second on a busy machine.
const SOON: Duration = Duration::from_secs(15);
/// Arguments of a mount that looks often.
const OFTEN: &[&str] = &["--poll-interval", "1s"];

/// What can be seen of a file: inode, size, mtime and text.
type Seen = (u64, u64, (i64, i64), String);

/// Every regular file below a directory but scratch ones, by its path from there.
#[track_caller]
fn photograph(dir: &Path) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    walk(dir, "", &mut seen);
    seen
}

#[track_caller]
fn walk(dir: &Path, below: &str, seen: &mut BTreeMap<String, Seen>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &path, seen);
        } else {
            let stat = fs::metadata(entry.path()).unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            assert_eq!(
                stat.len(),
                text.len() as u64,
                "{path}: size before the first read"
            );
            let mtime = (stat.mtime(), stat.mtime_nsec());
            seen.insert(path, (stat.ino(), stat.len(), mtime, text));
        }
    }
}

/// A world whose service can be stopped and whose mailbox is a file; hold the directory as long.
fn kept_world(sample: bool) -> (tempfile::TempDir, World) {
    let data = tempfile::tempdir().unwrap();
    let world = World::with(Options {
        data: Some(data.path().to_owned()),
        empty: !sample,
        ..Options::default()
    });
    (data, world)
}

/// A card without the folding of long lines.
fn unfolded(card: &str) -> String {
    card.replace("\r\n ", "")
}
