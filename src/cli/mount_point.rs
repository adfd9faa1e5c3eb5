//! The directory a mount sits on: is it fit, is it mounted, is its mount dead, and how to get it off.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::statfs;
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::error::{CliError, Exit};
use super::target;
use crate::daemon::registry::LiveMount;

/// How long a process that is gone may take to vanish.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a directory is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Missing,
    /// Something else than a directory, or one that cannot be looked at.
    Unusable,
    Empty,
    NotEmpty,
    /// A contactfs mount whose process answers.
    Mounted,
    /// A mount whose process is gone: everything answers ENOTCONN.
    Dead,
}

/// Looks at a directory.
pub(super) fn state(dir: &Path) -> State {
    // Another user's mount cannot be looked at, not even by root; so this comes first.
    if let Some(mount) = mounted(dir) {
        return if is_dead(&mount) {
            State::Dead
        } else {
            State::Mounted
        };
    }
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => contents(dir),
        Err(error) if error.kind() == io::ErrorKind::NotFound => State::Missing,
        _ => State::Unusable,
    }
}

fn contents(dir: &Path) -> State {
    match fs::read_dir(dir).map(|mut entries| entries.next().is_some()) {
        Ok(true) => State::NotEmpty,
        Ok(false) => State::Empty,
        Err(_) => State::Unusable,
    }
}

/// Makes a directory ready to be mounted at and returns its canonical path. A dead mount is cleared
/// (behaviour 7.3); `create` makes a missing one.
pub(super) fn prepare(
    dir: &Path,
    create: bool,
    allow_non_empty: bool,
) -> Result<PathBuf, CliError> {
    if state(dir) == State::Dead {
        clear(dir)?;
    }
    let shown = dir.display();
    match state(dir) {
        State::Missing if create => {
            fs::create_dir_all(dir).map_err(|error| unusable(dir, &error))?;
        }
        State::Missing => {
            return Err(CliError::usage(format!("{shown} does not exist"))
                .hint(format!("Make it with: mkdir {shown}")));
        }
        State::Unusable => {
            return Err(CliError::usage(format!(
                "{shown} is not a directory you can use"
            )));
        }
        State::NotEmpty if !allow_non_empty => {
            return Err(CliError::usage(format!("{shown} is not empty"))
                .hint("Choose an empty directory, or hide its files with --allow-non-empty."));
        }
        State::Mounted => {
            return Err(CliError::usage(format!("{shown} is already mounted"))
                .hint(format!("Look at it with: contactfs status {shown}")));
        }
        State::Dead => {
            return Err(CliError::failed(
                Exit::Service,
                format!("the dead mount at {shown} stays"),
            ));
        }
        State::Empty | State::NotEmpty => {}
    }
    dir.canonicalize().map_err(|error| unusable(dir, &error))
}

/// The canonical path also of a dead mount or another user's, which itself cannot be looked at.
pub(super) fn canonical(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => beside(path).ok_or(error),
        found => found,
    }
}

/// Takes a mount off whose process is gone. A killed process may hang on in the kernel, holding the store's lock, and so may
/// every program that waits for it, until the connection is aborted.
pub(super) fn clear(dir: &Path) -> Result<(), CliError> {
    // First of all: even to look at such a process may mean to wait for it.
    abort(dir);
    let process = served_by(dir);
    if mounted(dir).is_some() {
        detach(dir)?;
    }
    let until = Instant::now() + PATIENCE;
    while process.as_ref().is_some_and(|mount| lingers(mount.pid)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Ends the connection between the kernel and the process: whoever waits gets ENOTCONN. The control filesystem lets the user do
/// so who mounted; where it is missing, root can.
fn abort(dir: &Path) {
    let list = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let device = beside(dir).and_then(|dir| device(&list, &dir));
    let control = device.map(|minor| format!("/sys/fs/fuse/connections/{minor}/abort"));
    if control.is_none_or(|control| fs::write(control, "1").is_err()) {
        // It may be busy, and stays on the tree then; aborted it is all the same.
        let _busy = unmount(dir, UnmountFlags::FORCE);
    }
}

/// The minor device number of our mount at a directory.
fn device(mountinfo: &str, dir: &Path) -> Option<String> {
    let line = mountinfo.lines().find(|line| is_listed(line, dir))?;
    let (_, minor) = line.split(' ').nth(2)?.split_once(':')?;
    Some(minor.to_owned())
}

fn served_by(dir: &Path) -> Option<LiveMount> {
    let dir = mounted(dir)?;
    target::all()
        .ok()?
        .into_iter()
        .find(|mount| mount.dir == dir)
}

/// Whether there is anything left of a process that is gone.
fn lingers(pid: u32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.count() > 1)
}

/// Takes a mount off the tree at once; who still uses it keeps it until done.
pub(super) fn detach(dir: &Path) -> Result<(), CliError> {
    if unmount(dir, UnmountFlags::DETACH).is_ok() {
        return Ok(());
    }
    // An ordinary user may not; the setuid helper may, for mounts of that user.
    let helper = Command::new("fusermount3")
        .args(["-u", "-z", "--"])
        .arg(dir)
        .stdin(Stdio::null())
        .output();
    match helper {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let reason = String::from_utf8_lossy(&output.stderr);
            Err(CliError::failed(
                Exit::Attention,
                format!("cannot unmount {}: {}", dir.display(), reason.trim()),
            ))
        }
        Err(error) => Err(CliError::failed(
            Exit::Attention,
            format!("cannot run fusermount3: {error}"),
        )
        .hint("Install the package fuse3, or unmount as root.")),
    }
}

/// The canonical path of the contactfs mount at a directory, if there is one, by the kernel's own list. The
/// mount itself is asked last, because it may not answer.
pub(super) fn mounted(dir: &Path) -> Option<PathBuf> {
    let list = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let is_ours = |dir: &PathBuf| is_listed(&list, dir);
    beside(dir)
        .filter(is_ours)
        .or_else(|| canonical(dir).ok().filter(is_ours))
}

/// The canonical path without a look at the directory itself.
fn beside(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    Some(
        absolute
            .parent()?
            .canonicalize()
            .ok()?
            .join(absolute.file_name()?),
    )
}

/// A line is `ID PARENT DEV ROOT MOUNTPOINT OPTIONS [TAGS] - TYPE SOURCE SUPER` (proc(5)).
fn is_listed(mountinfo: &str, dir: &Path) -> bool {
    mountinfo
        .lines()
        .filter_map(|line| line.split_once(" - "))
        .any(|(place, what)| {
            let point = place.split(' ').nth(4).map(unescape);
            let mut what = what.split(' ');
            let (kind, source) = (what.next(), what.next());
            let ours = kind == Some("fuse.contactfs")
                || (kind == Some("fuse") && source == Some("contactfs"));
            ours && point.is_some_and(|point| Path::new(&point) == dir)
        })
}

/// Blank, tab, newline and backslash stand as three octal digits.
fn unescape(text: &str) -> String {
    let escapes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    escapes
        .iter()
        .fold(text.to_owned(), |text, (escape, character)| {
            text.replace(escape, character)
        })
}

/// The kernel answers so for a FUSE mount whose process is gone. Attributes may still come from its cache, so the
/// filesystem is asked.
fn is_dead(dir: &Path) -> bool {
    // Not asked if its process is known to be gone: it might not answer.
    served_by(dir).is_some_and(|mount| !mount.is_running())
        || statfs(dir).is_err_and(|error| error == Errno::NOTCONN)
}

fn unusable(dir: &Path, error: &io::Error) -> CliError {
    CliError::usage(format!("cannot use {}: {error}", dir.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_directory_is_empty_or_not_or_none() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(state(base.path()), State::Empty);
        fs::write(base.path().join("f"), "").unwrap();
        assert_eq!(state(base.path()), State::NotEmpty);
        assert_eq!(state(&base.path().join("f")), State::Unusable);
        assert_eq!(state(&base.path().join("g")), State::Missing);
    }

    #[test]
    fn only_a_sandbox_makes_its_directory() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("a/b");
        assert_eq!(prepare(&dir, false, false).unwrap_err().exit(), Exit::Usage);
        assert_eq!(
            prepare(&dir, true, false).unwrap(),
            dir.canonicalize().unwrap()
        );
        fs::write(dir.join("f"), "").unwrap();
        assert_eq!(prepare(&dir, true, false).unwrap_err().exit(), Exit::Usage);
        assert!(prepare(&dir, true, true).is_ok());
    }

    #[test]
    fn the_kernels_list_is_read_with_its_escapes() {
        let list = "36 35 98:0 / /m/My\\040People rw,nosuid shared:1 - fuse.contactfs contactfs rw\n\
                    37 35 98:0 / /other rw - fuse.sshfs host: rw\n\
                    38 35 98:0 / /plain rw - fuse contactfs rw\n";
        assert!(is_listed(list, Path::new("/m/My People")));
        assert!(is_listed(list, Path::new("/plain")));
        assert!(!is_listed(list, Path::new("/other")));
        assert!(!is_listed(list, Path::new("/m")));
    }

    #[test]
    fn a_dead_mount_is_told_from_others_and_cleared() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("m");
        fs::create_dir(&dir).unwrap();
        if let Err(error) = mount_dead(&dir) {
            // Past the capture of test output.
            drop(writeln!(
                io::stderr(),
                "SKIPPED: only root can make a dead mount ({error})"
            ));
            return;
        }
        assert_eq!(state(&dir), State::Dead);
        assert_eq!(
            mounted(&dir),
            Some(base.path().canonicalize().unwrap().join("m"))
        );
        assert_eq!(
            prepare(&dir, false, false).unwrap(),
            dir.canonicalize().unwrap()
        );
        assert_eq!(state(&dir), State::Empty);
    }

    /// A FUSE mount whose process closes the device at once.
    fn mount_dead(dir: &Path) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let device = fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")?;
        let data = format!(
            "fd={},rootmode=40000,user_id=0,group_id=0",
            device.as_raw_fd()
        );
        let data = std::ffi::CString::new(data)?;
        let flags = rustix::mount::MountFlags::empty();
        Ok(rustix::mount::mount(
            "contactfs",
            dir,
            "fuse.contactfs",
            flags,
            Some(data.as_c_str()),
        )?)
    }
}
