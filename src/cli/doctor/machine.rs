//! Checks of this machine: FUSE, the mount point, the clock, the directories.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Finding;
use crate::cli::mount_point::{self, State};
use crate::config::{Environment, runtime_dir, state_base};

const DEVICE: &str = "/dev/fuse";
const CONF: &str = "/etc/fuse.conf";
/// A clock before the first release is wrong, and then no certificate is valid.
const FIRST_RELEASE: &str = "2026-01-01T00:00:00Z";

/// The kernel's side of FUSE.
pub(super) fn device() -> Finding {
    let check = "fuse device";
    match OpenOptions::new().read(true).write(true).open(DEVICE) {
        Ok(_) => Finding::ok(check, format!("{DEVICE} can be opened")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::problem(
            check,
            format!("{DEVICE} is missing"),
            "Load the module with: sudo modprobe fuse. In a container, pass --device /dev/fuse.",
        ),
        Err(error) => Finding::problem(
            check,
            format!("{DEVICE}: {error}"),
            "Let your user open it, or add SYS_ADMIN to a container's capabilities.",
        ),
    }
}

/// The setuid helper that mounts for ordinary users; root needs none.
pub(super) fn helper() -> Finding {
    let check = "fusermount3";
    let path = std::env::var_os("PATH").unwrap_or_default();
    match found_in(&path, "fusermount3") {
        Some(found) => Finding::ok(check, found.display().to_string()),
        None if is_root() => Finding::ok(check, "not found; root mounts without it"),
        None => Finding::problem(check, "not found in PATH", "Install the package fuse3."),
    }
}

/// Whether `--allow-other` and `--allow-root` will work.
pub(super) fn fuse_conf() -> Finding {
    let check = "fuse.conf";
    let allowed = fs::read_to_string(CONF).is_ok_and(|text| allows_others(&text));
    match (allowed, is_root()) {
        (true, _) => Finding::ok(check, "user_allow_other is set"),
        (false, true) => Finding::ok(check, "root needs no user_allow_other"),
        (false, false) => Finding::ok(
            check,
            format!(
                "user_allow_other is not set in {CONF}; only --allow-other and --allow-root need it"
            ),
        ),
    }
}

/// Whether the directory can be mounted at.
pub(super) fn mount_point(dir: &Path) -> Finding {
    let check = "mount point";
    let shown = dir.display();
    match mount_point::state(dir) {
        State::Empty => Finding::ok(check, format!("{shown} is empty")),
        State::Mounted => Finding::ok(check, format!("{shown} is mounted")),
        State::Missing => Finding::problem(
            check,
            format!("{shown} is missing"),
            format!("Make it with: mkdir {shown}"),
        ),
        State::Unusable => Finding::problem(
            check,
            format!("{shown} is not a directory you can use"),
            "Choose another directory.",
        ),
        State::NotEmpty => Finding::problem(
            check,
            format!("{shown} is not empty"),
            "Choose an empty directory, or hide its files with --allow-non-empty.",
        ),
        State::Dead => Finding::problem(
            check,
            format!("{shown} is a mount whose process is gone"),
            format!("Clear it with: contactfs umount {shown}"),
        ),
    }
}

/// A clock far behind makes every certificate invalid and every token expired.
pub(super) fn clock() -> Finding {
    let now = Timestamp::now();
    match FIRST_RELEASE.parse::<Timestamp>() {
        Ok(first) if now < first => Finding::problem(
            "clock",
            format!("{now:.0} is in the past"),
            "Set the clock, for example with: timedatectl",
        ),
        _ => Finding::ok("clock", format!("{now:.0}")),
    }
}

/// Whether state can be kept.
pub(super) fn state(environment: &Environment) -> Finding {
    let check = "state directory";
    let advice = "Choose another place with --state-dir DIR or CONTACTFS_STATE_DIR.";
    match state_base(environment, None).map(|base| (writable(&base), base)) {
        Ok((Ok(()), base)) => Finding::ok(check, base.display().to_string()),
        Ok((Err(error), base)) => {
            Finding::problem(check, format!("{}: {error}", base.display()), advice)
        }
        Err(error) => Finding::problem(check, error.to_string(), advice),
    }
}

/// Whether control sockets can be kept.
pub(super) fn runtime(environment: &Environment) -> Finding {
    match runtime_dir(environment) {
        Ok(path) => Finding::ok("runtime directory", path.display().to_string()),
        Err(error) => Finding::problem(
            "runtime directory",
            error.to_string(),
            "Set XDG_RUNTIME_DIR to a directory of your own.",
        ),
    }
}

/// Tries in the nearest directory that exists; nothing is left behind.
fn writable(path: &Path) -> io::Result<()> {
    let Some(existing) = path.ancestors().find(|path| path.exists()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let probe = existing.join(format!(".contactfs-doctor-{}", std::process::id()));
    File::create_new(&probe)?;
    fs::remove_file(probe)
}

fn found_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    std::env::split_paths(path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

fn allows_others(fuse_conf: &str) -> bool {
    fuse_conf
        .lines()
        .any(|line| line.trim() == "user_allow_other")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_in_fuse_conf_allows_nothing() {
        assert!(allows_others("mount_max = 1000\nuser_allow_other\n"));
        assert!(!allows_others("#user_allow_other\n# user_allow_other\n"));
    }

    #[test]
    fn programs_are_looked_for_along_the_path() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("tool"), "").unwrap();
        let path = std::env::join_paths([Path::new("/nonexistent"), dir.path()]).unwrap();
        assert_eq!(found_in(&path, "tool"), Some(dir.path().join("tool")));
        assert_eq!(found_in(&path, "other"), None);
    }

    #[test]
    fn each_problem_of_a_mount_point_has_advice() {
        let dir = tempfile::tempdir().unwrap();
        assert!(mount_point(dir.path()).ok);
        let missing = mount_point(&dir.path().join("missing"));
        assert!(!missing.ok && missing.advice.unwrap().contains("mkdir"));
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(!mount_point(dir.path()).ok);
    }

    #[test]
    fn a_writable_place_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert!(writable(&dir.path().join("a/b/c")).is_ok());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(writable(Path::new("/proc/self/nothing")).is_err());
    }
}
