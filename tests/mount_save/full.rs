//! A disk without room. 7.6 "A full local disk: writes fail with ENOSPC, nothing acknowledged is lost, reading goes on."

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags};
use serde_json::json;

use super::book::{SOON, card, errno};
use crate::support::{World, eventually, fuse_or_skip, id, root_or_skip};

/// A small disk of its own, taken away when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).unwrap();
        rustix::mount::mount(
            "none",
            &dir,
            "tmpfs",
            MountFlags::empty(),
            c"size=6m,mode=700",
        )
        .unwrap();
        Self(dir)
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, UnmountFlags::DETACH).ok();
    }
}

#[test]
fn a_full_disk_takes_nothing_and_loses_nothing() {
    if !fuse_or_skip() || !root_or_skip() {
        return;
    }
    let world = World::new();
    let ada = json!({"givenName": "Ada", "displayName": "Ada", "mobilePhone": "+44 1"});
    let ada = id(&world.api().create(ada));
    let disk = Disk::new(world.state_dir());
    let mount = world.mount(&["--poll-interval", "1s"]);
    let file = mount.path("Contacts/Ada.vcf");
    mount.in_step();

    world.disconnect();
    let text = mount.read("Contacts/Ada.vcf").replace("+44 1", "+44 2");
    let save = |text: &str| {
        let mut file = File::create(&file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    save(&text).unwrap();
    disk.fill();

    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(mount.list("Contacts"), ["Ada.vcf"]);
    let long = text.replace("END:", &format!("NOTE:{}\r\nEND:", "x".repeat(20_000)));
    assert_eq!(errno(save(&long)), libc::ENOSPC);
    assert_eq!(
        errno(fs::write(mount.path("Contacts/Bo.vcf"), card("Bo"))),
        libc::ENOSPC
    );
    assert_eq!(
        errno(fs::write(mount.path("notes.txt"), [1; 9000])),
        libc::ENOSPC
    );

    // The service is asked again now and then, and so is the disk, but not without pause.
    world.reconnect();
    world.clear_log();
    let said = mount.stderr().len();
    thread::sleep(Duration::from_secs(4));
    let (asked, said) = (world.log().len(), mount.stderr().len() - said);
    assert!(
        asked < 60 && said < 20_000,
        "{asked} requests, {said} bytes logged"
    );

    disk.empty();
    eventually(SOON, "what was acknowledged arrives", || {
        world.api().get(&ada).unwrap()["mobilePhone"] == "+44 2"
    });
    eventually(SOON, "the file is whole again", || {
        mount.read("Contacts/Ada.vcf").contains("+44 2")
    });
    save(&text.replace("+44 2", "+44 3")).unwrap();
    assert_eq!(world.api().get(&ada).unwrap()["mobilePhone"], "+44 3");
    mount.in_step();
    assert_eq!(world.api().count(), 1);
}
