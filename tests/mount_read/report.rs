//! What a running mount says of itself, and a mount that takes no changes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::{OFTEN, SOON, kept_world};
use crate::support::{Mount, World, eventually, fuse_or_skip, run};

/// `status` exits with 0 when all is well, with 1 without the service, and tells of every folder.
#[test]
fn status_tells_the_state_of_a_live_mount() {
    if !fuse_or_skip() {
        return;
    }
    let (_data, world) = kept_world(true);
    let mount = world.mount(OFTEN);
    let dir = mount.dir().to_str().unwrap();
    mount.in_step();
    let run = world.run(&["status", "--json", dir]);
    assert_eq!(run.code, 0, "{run:?}");
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let status = &report["mounts"][0];
    assert_eq!(status["mount"], dir);
    assert_eq!(status["connection"]["state"], "online");
    for list in ["pending", "drafts", "conflicts", "rejected"] {
        assert_eq!(status[list], serde_json::json!([]), "{list}");
    }
    let folders = status["folders"].as_array().unwrap();
    assert!(
        folders
            .iter()
            .all(|folder| folder["loaded"] == true && folder["last_pull"].is_string()),
        "{status}"
    );
    let count: u64 = folders
        .iter()
        .map(|folder| folder["contacts"].as_u64().unwrap())
        .sum();
    assert_eq!(count, world.api().contacts().len() as u64);
    for folder in folders {
        assert!(
            mount.path(folder["name"].as_str().unwrap()).is_dir(),
            "{folder}"
        );
    }
    world.stop_service();
    eventually(SOON, "the state is degraded", || {
        world.run(&["status", dir]).code == 1
    });
    assert!(world.run(&["status", dir]).out.contains("offline"));
}

/// `status FILE` says the state and the id of one contact.
#[test]
fn status_tells_about_one_file() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    mount.in_step();
    let file = mount.path("Contacts/Ines Okafor.vcf");
    let run = world.run(&["status", "--json", file.to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    let item: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(item["state"], "synced");
    let there = world.api().get(item["id"].as_str().unwrap()).unwrap();
    assert_eq!(there["displayName"], "Ines Okafor");
}

/// `doctor` tells a live mount from a dead one, and says how to get rid of that.
#[test]
fn doctor_looks_at_a_live_and_at_a_dead_mount() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    let dir = mount.dir().to_str().unwrap().to_owned();
    let run = world.run(&["doctor", &dir]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out
            .contains(&format!("ok       mount point: {dir} is mounted\n")),
        "{run:?}"
    );
    // The kernel may hold the attributes of a mount whose process is gone.
    assert!(mount.dir().is_dir());
    mount.kill9();
    let run = world.run(&["doctor", &dir]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.out
            .contains(&format!("Clear it with: contactfs umount {dir}\n")),
        "{run:?}"
    );
    world.run(&["umount", &dir]).ok();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

/// `--read-only` gives EROFS to everything that would change something, and reads as ever.
#[test]
fn a_read_only_mount_takes_no_changes() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&["--read-only"]);
    let card = mount.path("Contacts/Ines Okafor.vcf");
    let new = |name: &str| mount.path(&format!("Contacts/{name}"));
    assert!(
        fs::read_to_string(&card)
            .unwrap()
            .ends_with("END:VCARD\r\n")
    );
    let refused: [(&str, io::Result<()>); 9] = [
        (
            "write",
            OpenOptions::new().write(true).open(&card).map(drop),
        ),
        ("create", File::create(new("New.vcf")).map(drop)),
        ("scratch", File::create(new(".New.vcf.swp")).map(drop)),
        ("mkdir", fs::create_dir(mount.path("New"))),
        ("unlink", fs::remove_file(&card)),
        ("rename", fs::rename(&card, new("Other.vcf"))),
        ("link", fs::hard_link(&card, new("Other.vcf"))),
        ("symlink", symlink("x", new("link"))),
        (
            "chmod",
            fs::set_permissions(&card, Permissions::from_mode(0o644)),
        ),
    ];
    for (what, result) in refused {
        assert_eq!(
            result.unwrap_err().raw_os_error(),
            Some(libc::EROFS),
            "{what}"
        );
    }
    assert_eq!(mount.status()["mounts"][0]["read_only"], true);
    mount.in_step();
    assert_eq!(world.writes(), []);
}

/// A read-only mount reads without FLUSH: what cannot be written needs no commit. A writable one needs it.
#[test]
fn a_read_only_mount_reads_without_flush() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&["--debug-fuse"]);
    cat_all(&mount);
    eventually(SOON, "the log tells of FLUSH", || flushes(&mount) > 0);
    mount.unmount();
    let mount = world.mount(&["--debug-fuse", "--read-only"]);
    cat_all(&mount);
    // The one FLUSH per process that teaches the kernel that there is none.
    assert!(flushes(&mount) <= 1, "{} times", flushes(&mount));
}

fn cat_all(mount: &Mount) {
    let line = "cat *.vcf > /dev/null; cat *.vcf > /dev/null";
    run(
        "sh",
        &[
            "-c",
            &format!("cd '{}' && {line}", mount.path("Contacts").display()),
        ],
    )
    .ok();
}

fn flushes(mount: &Mount) -> usize {
    let said = mount.stderr().to_uppercase();
    said.lines().filter(|line| line.contains("FLUSH")).count()
}
