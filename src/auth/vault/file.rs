//! A private file: 0600 in a 0700 directory, replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::VaultError;

/// Much longer than any refresh token.
const MAX_LENGTH: u64 = 1 << 20;

/// What the file holds; `None` when there is none.
pub(super) fn load(path: &Path) -> Result<Option<SecretString>, VaultError> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(path, source)),
    }
}

fn read(path: &Path) -> io::Result<SecretString> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nofollow)
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.mode() & 0o077 != 0 || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(
            "it must belong to you and be closed to others (mode 0600)",
        ));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_LENGTH).read_to_string(&mut text)?;
    Ok(SecretString::from(text.as_str()))
}

/// Replaces the file: after a crash it holds the old text or the new one.
pub(super) fn store(path: &Path, text: &SecretString) -> Result<(), VaultError> {
    write(path, text).map_err(|source| failed(path, source))
}

fn write(path: &Path, text: &SecretString) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent()
        .map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

/// Removes the file; whether there was one.
pub(super) fn erase(path: &Path) -> Result<bool, VaultError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(failed(path, source)),
    }
}

fn failed(path: &Path, source: io::Error) -> VaultError {
    VaultError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_private_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("work.json");
        assert!(load(&path).unwrap().is_none());
        assert!(!erase(&path).unwrap());
        store(&path, &"one".into()).unwrap();
        store(&path, &"two".into()).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().expose_secret(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("0600"));
        assert!(erase(&path).unwrap());
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(load(&path).is_err(), "a planted link is not followed");
    }
}
