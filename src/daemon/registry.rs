//! The list of live mounts of this user: a small JSON file beside each control socket.
//!
//! Both are named by a hash of the mount point, so that a second mount at the same place meets the first.
//! An entry outlives a killed process; [`mounts`] drops it once the mount point answers again without us.
//! Written by the daemon, read by every command.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A mount as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveMount {
    /// The mount point, canonical.
    pub dir: PathBuf,
    /// The process that serves it.
    pub pid: u32,
    /// The account's name.
    pub account: String,
    /// Its control socket.
    pub socket: PathBuf,
    /// Whether its root is a contact folder.
    #[serde(default)]
    pub is_folder: bool,
}

impl LiveMount {
    /// Whether its process runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        is_running(self.pid)
    }
}

/// Whether a process runs. One that was killed may hang on as a zombie, with its socket and its locks, while a thread of it
/// waits in the kernel for its own mount; aborting the connection ends that.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // `PID (NAME) STATE ...`; the name may hold anything (proc(5)).
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// An entry in the registry; dropping it takes the mount off the list.
#[derive(Debug)]
pub struct Registration {
    entry: PathBuf,
}

impl Drop for Registration {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.entry));
    }
}

/// Where the control socket of a mount belongs. `runtime` is [`crate::config::runtime_dir`], `dir` the canonical mount point.
#[must_use]
pub fn socket(runtime: &Path, dir: &Path) -> PathBuf {
    runtime.join(format!("{}.sock", name(dir)))
}

/// Puts a mount on the list, once its control socket listens: an entry without a listener counts as dead.
///
/// # Errors
/// When the entry cannot be written.
pub fn register(
    runtime: &Path,
    dir: &Path,
    account: &str,
    is_folder: bool,
) -> io::Result<Registration> {
    let mount = LiveMount {
        dir: dir.to_owned(),
        pid: std::process::id(),
        account: account.to_owned(),
        socket: socket(runtime, dir),
        is_folder,
    };
    let entry = runtime.join(format!("{}.json", name(dir)));
    let fresh = entry.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(&serde_json::to_vec(&mount)?)?;
    // A reader sees the whole entry or none.
    fs::rename(&fresh, &entry)?;
    Ok(Registration { entry })
}

/// Every mount on the list, by mount point; entries whose process and mount are both gone are removed.
///
/// # Errors
/// When the directory cannot be read.
pub fn mounts(runtime: &Path) -> io::Result<Vec<LiveMount>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(runtime)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match read(&path) {
            Some(mount) if is_gone(&mount) => forget(&path, &mount),
            Some(mount) => found.push(mount),
            None => tracing::debug!(?path, "not a registry entry"),
        }
    }
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(found)
}

/// The mount that a path lies in, and the path below its mount point (empty for the mount point itself).
#[must_use]
pub fn find<'a>(mounts: &'a [LiveMount], path: &Path) -> Option<(&'a LiveMount, PathBuf)> {
    mounts
        .iter()
        .filter_map(|mount| Some((mount, path.strip_prefix(&mount.dir).ok()?.to_owned())))
        .max_by_key(|(mount, _)| mount.dir.components().count())
}

fn name(dir: &Path) -> String {
    format!("{:016x}", fnv1a(dir.as_os_str().as_encoded_bytes()))
}

/// FNV-1a, 64 bits: the same in every build, unlike the standard library's hashers. A clash of two mount points is only an error.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn read(entry: &Path) -> Option<LiveMount> {
    serde_json::from_slice(&fs::read(entry).ok()?).ok()
}

/// Nobody listens, and the mount point is an ordinary directory again (or no more). A dead mount answers ENOTCONN and stays listed.
fn is_gone(mount: &LiveMount) -> bool {
    UnixStream::connect(&mount.socket).is_err() && !is_disconnected(&mount.dir)
}

/// Asks the filesystem: attributes may still come from the kernel's cache.
fn is_disconnected(dir: &Path) -> bool {
    rustix::fs::statfs(dir).is_err_and(|error| error == rustix::io::Errno::NOTCONN)
}

fn forget(entry: &Path, mount: &LiveMount) {
    drop(fs::remove_file(&mount.socket));
    drop(fs::remove_file(entry));
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_mount_is_listed_while_registered() {
        let runtime = tempfile::tempdir().unwrap();
        let socket = socket(runtime.path(), Path::new("/m/a"));
        let _listener = UnixListener::bind(&socket).unwrap();
        let registration = register(runtime.path(), Path::new("/m/a"), "default", false).unwrap();
        let (pid, account) = (std::process::id(), "default".to_owned());
        assert_eq!(
            mounts(runtime.path()).unwrap(),
            [LiveMount {
                dir: "/m/a".into(),
                pid,
                account,
                socket,
                is_folder: false,
            }]
        );
        drop(registration);
        assert!(mounts(runtime.path()).unwrap().is_empty());
    }

    #[test]
    fn an_entry_without_a_process_and_without_a_mount_is_removed() {
        let runtime = tempfile::tempdir().unwrap();
        let socket = socket(runtime.path(), runtime.path());
        drop(UnixListener::bind(&socket).unwrap());
        let _registration = register(runtime.path(), runtime.path(), "default", false).unwrap();
        assert!(mounts(runtime.path()).unwrap().is_empty());
        assert_eq!(fs::read_dir(runtime.path()).unwrap().count(), 0);
    }

    #[test]
    fn rubbish_in_the_directory_is_passed_over() {
        let runtime = tempfile::tempdir().unwrap();
        fs::write(runtime.path().join("x.json"), "{").unwrap();
        fs::write(runtime.path().join("y.sock"), "").unwrap();
        assert!(mounts(runtime.path()).unwrap().is_empty());
    }

    #[test]
    fn a_path_belongs_to_the_innermost_mount() {
        let mount = |dir: &str| LiveMount {
            dir: dir.into(),
            pid: 1,
            account: String::new(),
            socket: PathBuf::new(),
            is_folder: false,
        };
        let mounts = [mount("/m"), mount("/m/inner"), mount("/m/in")];
        let found = |path: &str| {
            find(&mounts, Path::new(path)).map(|(mount, below)| (mount.dir.clone(), below))
        };
        assert_eq!(
            found("/m/inner/C/a.vcf"),
            Some(("/m/inner".into(), "C/a.vcf".into()))
        );
        assert_eq!(found("/m/inner"), Some(("/m/inner".into(), "".into())));
        assert_eq!(
            found("/m/innermost"),
            Some(("/m".into(), "innermost".into()))
        );
        assert_eq!(found("/other"), None);
    }

    #[test]
    fn file_names_are_the_same_in_every_build() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(
            socket(Path::new("/r"), Path::new("a")),
            Path::new("/r/af63dc4c8601ec8c.sock")
        );
    }
}
