//! Who may see and change what: other users, other owners and modes, and nobody on a read-only mount.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::SOON;
use crate::support::{Mount, Run, World, eventually, fuse_or_skip, need, root_or_skip, run};

const NOBODY: u32 = 65534;

/// A world that other users can reach, or `None` where their part cannot be played.
fn open_world() -> Option<World> {
    if !fuse_or_skip() || !root_or_skip() {
        return None;
    }
    let world = World::new();
    fs::set_permissions(world.dir(), Permissions::from_mode(0o755)).unwrap();
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    Some(world)
}

fn mounted(world: &World, arguments: &[&str]) -> Mount {
    let mount = world.mount(arguments);
    eventually(SOON, "the folder is loaded", || {
        mount.path("Contacts/Ada.vcf").exists()
    });
    mount
}

/// Runs a line of shell as a user that owns nothing.
fn as_nobody(dir: &Path, line: &str) -> Run {
    let line = format!("cd / && M='{}' && {line}", dir.display());
    Run::of(
        Command::new("sh")
            .args(["-c", &line])
            .uid(NOBODY)
            .gid(NOBODY),
    )
}

#[track_caller]
fn refused(run: &Run, said: &str) {
    assert!(run.code != 0 && run.err.contains(said), "{run:?}");
}

/// 8.3 "Another user sees nothing without --allow-other."
#[test]
fn another_user_sees_nothing() {
    let Some(world) = open_world() else { return };
    let mount = mounted(&world, &[]);
    as_nobody(world.dir(), "ls \"$M\"").ok();
    for line in [
        "ls \"$M\"",
        "stat \"$M\"",
        "cat \"$M/Contacts/Ada.vcf\"",
        "ls \"$M/Contacts\"",
    ] {
        refused(&as_nobody(mount.dir(), line), "Permission denied");
    }
    // The store is private, too.
    refused(
        &as_nobody(&world.state_dir(), "ls \"$M\""),
        "Permission denied",
    );
}

/// 1.2 "Directories are 0700 and files 0600, owned by the mounting user": which holds with --allow-other as well.
#[test]
fn another_user_is_let_in_and_meets_the_modes() {
    let Some(world) = open_world() else { return };
    let mount = mounted(&world, &["--allow-other"]);
    as_nobody(mount.dir(), "stat \"$M\"").ok();
    refused(&as_nobody(mount.dir(), "ls \"$M\""), "Permission denied");
    refused(
        &as_nobody(mount.dir(), "cat \"$M/Contacts/Ada.vcf\""),
        "Permission denied",
    );
}

/// 1.2 "unless options say else".
#[test]
fn another_user_may_do_what_the_modes_say() {
    let Some(world) = open_world() else { return };
    let open = ["--allow-other", "--file-mode", "644", "--dir-mode", "755"];
    let mount = mounted(&world, &open);
    let text = as_nobody(mount.dir(), "ls \"$M\" && cat \"$M/Contacts/Ada.vcf\"").ok();
    assert!(text.starts_with("Contacts\nBEGIN:VCARD"), "{text}");
    for line in [
        "echo x > \"$M/Contacts/Ada.vcf\"",
        "echo x > \"$M/Contacts/Bo.vcf\"",
        "echo x > \"$M/Contacts/note\"",
        "mkdir \"$M/New\"",
        "mkdir \"$M/Contacts/.d\"",
        "rm -f \"$M/Contacts/Ada.vcf\"",
        "mv \"$M/Contacts/Ada.vcf\" \"$M/Contacts/Bo.vcf\"",
        "ln -s x \"$M/Contacts/.link\"",
    ] {
        let run = as_nobody(mount.dir(), line);
        assert!(run.code != 0, "{line}: {run:?}");
        assert!(
            run.err.to_lowercase().contains("permission denied"),
            "{line}: {run:?}"
        );
    }
    refused(
        &as_nobody(mount.dir(), "chmod 666 \"$M/Contacts/Ada.vcf\""),
        "Operation not permitted",
    );
    refused(
        &as_nobody(mount.dir(), "touch -d yesterday \"$M/Contacts/Ada.vcf\""),
        "Permission denied",
    );
    // What the owner makes of scratch files' modes holds for others as well.
    fs::write(mount.path("Contacts/note"), "x").unwrap();
    fs::set_permissions(mount.path("Contacts/note"), Permissions::from_mode(0o600)).unwrap();
    refused(
        &as_nobody(mount.dir(), "cat \"$M/Contacts/note\""),
        "Permission denied",
    );
    mount.in_step();
    assert_eq!(world.writes(), []);
}

/// 1.2 "unless options say else": owner, group and modes, as `stat` shows them, for what is made later as well.
#[test]
fn owner_group_and_modes_are_as_the_options_say() {
    let Some(world) = open_world() else { return };
    let options = [
        "--uid",
        "65534",
        "--gid",
        "12",
        "--file-mode",
        "640",
        "--dir-mode",
        "750",
        "--allow-other",
    ];
    let mount = mounted(&world, &options);
    let shown = |path: &str| {
        let stat = fs::metadata(mount.path(path)).unwrap();
        (stat.uid(), stat.gid(), stat.mode() & 0o7777)
    };
    fs::create_dir(mount.path("New")).unwrap();
    fs::create_dir(mount.path("New/.d")).unwrap();
    fs::set_permissions(mount.path("New/.d"), Permissions::from_mode(0o701)).unwrap();
    assert_eq!(shown("Contacts/Ada.vcf"), (NOBODY, 12, 0o640));
    assert_eq!(shown(""), (NOBODY, 12, 0o750));
    assert_eq!(shown("Contacts"), (NOBODY, 12, 0o750));
    assert_eq!(shown("New"), (NOBODY, 12, 0o750));
    assert_eq!(shown("New/.d"), (NOBODY, 12, 0o701));
    // That user is the owner: saves, makes and deletes.
    let card = "BEGIN:VCARD\\r\\nVERSION:4.0\\r\\nFN:Bo\\r\\nN:;Bo;;;\\r\\nEND:VCARD\\r\\n";
    as_nobody(
        mount.dir(),
        &format!("printf '{card}' > \"$M/New/Bo.vcf\" && chmod 600 \"$M/New/Bo.vcf\""),
    )
    .ok();
    assert_eq!(shown("New/Bo.vcf"), (NOBODY, 12, 0o600));
    as_nobody(mount.dir(), "rm \"$M/Contacts/Ada.vcf\"").ok();
    mount.in_step();
    let names: Vec<_> = world
        .api()
        .contacts()
        .iter()
        .map(|contact| contact["displayName"].clone())
        .collect();
    assert_eq!(names, ["Bo"]);
    // A mode lasts as long as the mount.
    mount.unmount();
    let mount = mounted_with(&world, &options, "New/Bo.vcf");
    assert_eq!(
        fs::metadata(mount.path("New/Bo.vcf")).unwrap().mode() & 0o7777,
        0o640
    );
}

fn mounted_with(world: &World, arguments: &[&str], file: &str) -> Mount {
    let mount = world.mount(arguments);
    eventually(SOON, "the folder is loaded", || mount.path(file).exists());
    mount
}

#[test]
fn a_mode_that_is_none_is_refused() {
    let world = World::new();
    let run = world.run(&["mount", "--file-mode", "999", "/nowhere"]);
    assert_eq!(run.code, 64, "{run:?}");
    assert!(run.err.contains("permission bits"), "{run:?}");
}

/// Tries every call that changes something, on a contact, a folder, a scratch file and below a dot-directory; prints
/// those that did not fail with EROFS.
const MUTATIONS: &str = r#"
import errno, os, sys
os.chdir(sys.argv[1])
wrong = []
def refused(what, call):
    try:
        call()
        wrong.append(f"{what}: succeeded")
    except OSError as error:
        if error.errno != errno.EROFS:
            wrong.append(f"{what}: {error}")
for file in ["Contacts/Ada.vcf", "Contacts/note", "Contacts/.d/file", ".d/sub/Bo.vcf"]:
    for flags in ["O_WRONLY", "O_RDWR", "O_RDONLY|O_TRUNC", "O_WRONLY|O_TRUNC", "O_WRONLY|O_APPEND", "O_RDWR|O_CREAT"]:
        bits = 0
        for flag in flags.split("|"):
            bits |= getattr(os, flag)
        refused(f"open {flags} {file}", lambda: os.open(file, bits))
    refused(f"truncate {file}", lambda: os.truncate(file, 1))
    refused(f"unlink {file}", lambda: os.unlink(file))
    refused(f"chmod {file}", lambda: os.chmod(file, 0o644))
    refused(f"chown {file}", lambda: os.chown(file, os.getuid(), os.getgid()))
    refused(f"utime {file}", lambda: os.utime(file))
    refused(f"utime {file} at", lambda: os.utime(file, (1, 1)))
    refused(f"setxattr {file}", lambda: os.setxattr(file, "user.x", b"x"))
    refused(f"removexattr {file}", lambda: os.removexattr(file, "user.x"))
    fd = os.open(file, os.O_RDONLY)
    refused(f"fchmod {file}", lambda: os.fchmod(fd, 0o644))
    refused(f"fchown {file}", lambda: os.fchown(fd, os.getuid(), os.getgid()))
    refused(f"futimens {file}", lambda: os.utime(fd))
    os.fsync(fd)
    os.close(fd)
    beside = os.path.dirname(file)
    for new in ["New.vcf", ".new", "new"]:
        new = f"{beside}/{new}"
        refused(f"rename {file} {new}", lambda: os.rename(file, new))
        refused(f"link {file} {new}", lambda: os.link(file, new))
        refused(f"symlink {new}", lambda: os.symlink("x", new))
        refused(f"mknod {new}", lambda: os.mknod(new, 0o600))
        refused(f"create {new}", lambda: os.open(new, os.O_WRONLY | os.O_CREAT))
        refused(f"create exclusively {new}", lambda: os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL))
        refused(f"mkdir {new}", lambda: os.mkdir(new))
refused("rename over", lambda: os.rename("Contacts/note", "Contacts/Ada.vcf"))
for dir in ["Contacts", "Empty", "Contacts/.d", ".d/sub"]:
    refused(f"rmdir {dir}", lambda: os.rmdir(dir))
    refused(f"rename {dir}", lambda: os.rename(dir, dir + "2"))
    refused(f"chmod {dir}", lambda: os.chmod(dir, 0o755))
    refused(f"utime {dir}", lambda: os.utime(dir))
    refused(f"temporary file in {dir}", lambda: os.open(dir, os.O_TMPFILE | os.O_WRONLY))
refused("unlink of a link", lambda: os.unlink("Contacts/.d/link"))
print("\n".join(wrong))
"#;

/// `--read-only` "Refuse every change": each with EROFS, whatever it is about.
#[test]
fn a_read_only_mount_answers_every_change_with_erofs() {
    if !fuse_or_skip() || !need("python3") {
        return;
    }
    let world = World::new();
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    world.api().create_folder("Empty");
    let mount = mounted(&world, &[]);
    fs::create_dir_all(mount.path("Contacts/.d")).unwrap();
    fs::create_dir_all(mount.path(".d/sub")).unwrap();
    for file in ["Contacts/note", "Contacts/.d/file", ".d/sub/Bo.vcf"] {
        fs::write(mount.path(file), "text").unwrap();
    }
    std::os::unix::fs::symlink("file", mount.path("Contacts/.d/link")).unwrap();
    mount.unmount();
    world.clear_log();
    for more in [&["--read-only"][..], &["--read-only", "--xattr"]] {
        let mount = mounted(&world, more);
        let wrong = run("python3", &["-c", MUTATIONS, mount.dir().to_str().unwrap()]).ok();
        assert_eq!(wrong, "\n", "with {more:?}");
        assert_eq!(mount.read("Contacts/.d/link"), "text");
        mount.in_step();
        mount.unmount();
    }
    assert_eq!(world.writes(), []);
}
