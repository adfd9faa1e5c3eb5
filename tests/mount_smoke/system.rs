//! A line of fstab(5), mounted by the system when somebody looks: little environment, and another mount below.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::support::{World, eventually, fuse_or_skip, need, sh};

const SOON: Duration = Duration::from_secs(20);

/// A mount of another kind at a directory, taken down at the end.
struct Below<'a>(&'a Path);

impl<'a> Below<'a> {
    /// With a file in it to know it by; `None` for a user who may not mount.
    fn at(dir: &'a Path) -> Option<Self> {
        let run = sh(dir, "mount -t tmpfs below .");
        (run.code == 0).then_some(())?;
        fs::write(dir.join("below"), "").unwrap();
        Some(Self(dir))
    }
}

impl Drop for Below<'_> {
    fn drop(&mut self) {
        let _gone = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}

/// The one that mounts on demand must outlive what it has mounted, however that ends.
#[test]
fn the_mount_below_stays() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let dir = world.mount_point();
    let Some(_below) = Below::at(&dir) else {
        return;
    };
    let umount = format!("umount {}", dir.display());
    let root = Path::new("/");
    for end in [
        |umount: &str, _| umount.to_owned(),
        |_: &str, pid| format!("kill {pid}"),
        // As systemd does: both at once.
        |umount: &str, pid| format!("{umount}; kill {pid}"),
    ] {
        let arguments = ["mount", "--allow-non-empty", dir.to_str().unwrap()];
        let mut program = world.command(&arguments).spawn().unwrap();
        eventually(SOON, "it is mounted", || dir.join("Contacts").exists());
        let end = end(&umount, program.id());
        sh(root, &end).ok();
        let ended = || program.try_wait().unwrap();
        eventually(SOON, &end, ended);
        assert!(dir.join("below").exists(), "{end}");
    }
}

/// "HOME is the home directory of the user as the system knows it where it is unset": systemd runs mount(8) so.
#[test]
fn no_home_is_needed() {
    if !fuse_or_skip() || !need("unshare") {
        return;
    }
    let world = World::sample();
    let home = world.dir().join("roots-home");
    fs::create_dir(&home).unwrap();
    let users = world.dir().join("passwd");
    fs::write(
        &users,
        format!("root:x:0:0:root:{}:/bin/sh\n", home.display()),
    )
    .unwrap();
    let users = users.to_str().unwrap();
    let bind = format!(
        "mount --bind {users} /etc/passwd && exec env -u HOME -u XDG_STATE_HOME -u CONTACTFS_STATE_DIR \"$@\""
    );
    if sh(
        world.dir(),
        &format!("unshare --mount mount --bind {users} /etc/passwd"),
    )
    .code
        != 0
    {
        return;
    }
    let wrapper = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        &bind,
        "sh",
    ];
    let mount = world.mounting().through(&wrapper).start();
    let store = home.join(".local/state/contactfs/default/store.db");
    eventually(SOON, "the store is at home", || store.exists());
    mount.kill9();
}
