//! The first command of a newcomer, `mount --sandbox DIR`: the built-in service through the real program.

use std::fs;

use rustix::process::Signal;

use super::photograph;
use crate::support::{Mount, Tmux, World, eventually, fuse_or_skip, need};

fn sandbox(world: &World) -> Mount {
    world.mount(&["--sandbox"])
}

/// SIGINT unmounts, and what was changed in the sample mailbox is still so at the next start.
#[test]
fn edits_of_the_sample_mailbox_are_there_again() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mut mount = sandbox(&world);
    let names = mount.list("Contacts");
    assert!(names.contains(&"Ines Okafor.vcf".to_owned()), "{names:?}");
    let edited = mount
        .read("Contacts/Ines Okafor.vcf")
        .replace("END:VCARD", "NICKNAME:Inka\r\nEND:VCARD");
    fs::write(mount.path("Contacts/Ines Okafor.vcf"), &edited).unwrap();
    let added = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada Byron\r\nN:Byron;Ada;;;\r\nEND:VCARD\r\n";
    fs::write(mount.path("Contacts/Ada Byron.vcf"), added).unwrap();
    fs::remove_file(
        mount.path("Contacts").join(
            names
                .iter()
                .find(|name| *name != "Ines Okafor.vcf")
                .unwrap(),
        ),
    )
    .unwrap();
    fs::create_dir(mount.path("Club")).unwrap();
    mount.in_step();
    let before = photograph(mount.dir());
    mount.signal(Signal::INT);
    assert!(mount.wait().success());
    assert!(fs::read_dir(world.mount_point()).unwrap().next().is_none());
    drop(mount);

    let mount = sandbox(&world);
    assert_eq!(mount.read("Contacts/Ines Okafor.vcf"), edited);
    assert_eq!(mount.read("Contacts/Ada Byron.vcf"), added);
    mount.in_step();
    assert_eq!(photograph(mount.dir()), before);
    assert!(mount.list("").contains(&"Club".to_owned()));
    mount.unmount();
    // The service has them, not only the store of the mount.
    forget_store(&world);
    let mount = sandbox(&world);
    assert_eq!(mount.list("Contacts").len(), names.len());
    assert!(
        mount
            .read("Contacts/Ines Okafor.vcf")
            .contains("NICKNAME:Inka\r\n")
    );
    assert!(mount.list("").contains(&"Club".to_owned()));
}

/// Removes all that the mount keeps, but not the mailbox of the service.
fn forget_store(world: &World) {
    let dir = world.state_dir().join("sandbox");
    for entry in fs::read_dir(&dir).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == "mailbox" => {}
            true => fs::remove_dir_all(entry.path()).unwrap(),
            false => fs::remove_file(entry.path()).unwrap(),
        }
    }
}

/// A missing DIR is made, what to try next is said, and Ctrl-C at the terminal ends it.
#[test]
fn the_first_command_at_a_terminal() {
    if !fuse_or_skip() || !need("tmux") {
        return;
    }
    let world = World::new();
    let dir = world.dir().join("my contacts");
    let command = world.command(&[]);
    let mut line = vec!["env".to_owned(), "-i".to_owned()];
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default();
        line.push(format!("{}={}", name.display(), value.display()));
    }
    let program = env!("CARGO_BIN_EXE_contactfs");
    line.extend([program, "mount", "--sandbox", dir.to_str().unwrap()].map(str::to_owned));
    let script = format!("trap : INT; {}; echo the end is $?; read _", quoted(&line));
    let terminal = Tmux::start(world.dir(), &["sh", "-c", &script]);
    let screen = terminal.wait_for("Ctrl-C");
    assert!(screen.contains("Try in another terminal"), "{screen}");
    assert!(fs::read_dir(dir.join("Contacts")).unwrap().count() > 3);
    terminal.keys(&["C-c"]);
    terminal.wait_for("the end is 0");
    assert!(
        fs::read_dir(&dir).unwrap().next().is_none(),
        "still mounted"
    );
}

fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A second mount of the same store is refused, with a way to find the first.
#[test]
fn one_store_is_mounted_once() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    fs::create_dir(world.dir().join("second")).unwrap();
    for arguments in [[].as_slice(), &["--sandbox"]] {
        let mount = world.mount(arguments);
        let run = world.run(&[["mount"].as_slice(), arguments, &["second"]].concat());
        assert_eq!(run.code, 75, "{arguments:?}: {run:?}");
        assert!(run.err.contains("contactfs status"), "{run:?}");
        assert!(!mount.list("Contacts").is_empty(), "the first one suffers");
        mount.unmount();
    }
}

/// "A dead mount is cleared by the next contactfs mount."
#[test]
fn a_killed_sandbox_mount_is_cleared_by_the_next() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = sandbox(&world);
    let edited = mount
        .read("Contacts/Ines Okafor.vcf")
        .replace("END:VCARD", "NICKNAME:Inka\r\nEND:VCARD");
    fs::write(mount.path("Contacts/Ines Okafor.vcf"), &edited).unwrap();
    // The kernel may hold the attributes of a mount whose process is gone.
    assert!(mount.dir().is_dir());
    mount.kill9();
    let dead = fs::read_dir(world.mount_point()).map(drop).unwrap_err();
    assert_eq!(dead.raw_os_error(), Some(libc::ENOTCONN));
    let run = world.run(&["status", world.mount_point().to_str().unwrap()]);
    assert_eq!(run.code, 2, "{run:?}");
    let mount = sandbox(&world);
    assert_eq!(mount.read("Contacts/Ines Okafor.vcf"), edited);
    mount.in_step();
    let layers = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let point = world.mount_point().display().to_string();
    eventually(super::SOON, "one mount is left", || {
        layers.matches(&point).count() == 1
    });
}

/// "Unmount when the process dies."
#[test]
fn a_mount_ends_with_its_process_on_request() {
    if !fuse_or_skip() || !need("fusermount3") {
        return;
    }
    let world = World::new();
    let mount = world.mount(&["--auto-unmount"]);
    eventually(super::SOON, "the folder is shown", || {
        mount.path("Contacts").is_dir()
    });
    let point = world.mount_point();
    let is_mounted = || {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        mounts.contains(&point.display().to_string())
    };
    assert!(is_mounted());
    mount.kill9();
    eventually(super::SOON, "nothing is mounted", || !is_mounted());
    assert!(fs::read_dir(&point).unwrap().next().is_none());
    let mount = world.mount(&["--auto-unmount"]);
    assert_eq!(mount.unmount().code, 0);
    assert!(!is_mounted());
}
