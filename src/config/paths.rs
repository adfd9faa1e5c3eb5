//! Where things are kept, after the XDG base directory specification.
//!
//! State is precious and has one directory per account; the runtime directory holds only sockets and
//! the list of live mounts. Both are 0700 and owned by the user (behaviour 8.3).

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{ConfigError, Environment};

/// The directory that holds each account's state: the flag, `CONTACTFS_STATE_DIR`,
/// `$XDG_STATE_HOME/contactfs` or `~/.local/state/contactfs`, the first that is given. Always absolute; not created here.
///
/// # Errors
/// [`ConfigError::NoHome`] when none is given, [`ConfigError::Directory`] when there is no current directory.
pub fn state_base(environment: &Environment, flag: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let explicit = flag.or_else(|| environment.get("CONTACTFS_STATE_DIR").map(Path::new));
    if let Some(path) = explicit {
        return std::path::absolute(path).map_err(|source| directory_error(path, source));
    }
    absolute(environment, "XDG_STATE_HOME")
        .map(Path::to_owned)
        .or_else(|| absolute(environment, "HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("contactfs"))
        .ok_or(ConfigError::NoHome)
}

/// `$XDG_CONFIG_HOME` or `~/.config`.
pub(super) fn config_home(environment: &Environment) -> Option<PathBuf> {
    absolute(environment, "XDG_CONFIG_HOME")
        .map(Path::to_owned)
        .or_else(|| absolute(environment, "HOME").map(|home| home.join(".config")))
}

/// The directory for control sockets, created and checked: `$XDG_RUNTIME_DIR/contactfs`,
/// `/run/user/UID/contactfs`, or `/tmp/contactfs-UID`.
///
/// # Errors
/// [`ConfigError::NotPrivate`] when someone else made it or it is open to others; a name in `/tmp` is anybody's to take.
pub fn runtime_dir(environment: &Environment) -> Result<PathBuf, ConfigError> {
    let uid = rustix::process::getuid().as_raw();
    let path = match absolute(environment, "XDG_RUNTIME_DIR") {
        Some(base) => base.join("contactfs"),
        None => fallback(Path::new("/run/user"), uid),
    };
    private_dir(&path)?;
    Ok(path)
}

/// Makes a directory and its parents, all new ones 0700 and there after a power cut, and checks that it is private.
///
/// # Errors
/// [`ConfigError::Directory`] when it cannot be made, [`ConfigError::NotPrivate`] when it is not the user's alone.
pub fn private_dir(path: &Path) -> Result<(), ConfigError> {
    make_dirs(path)
        .and_then(|()| fs::symlink_metadata(path))
        .map_err(|source| directory_error(path, source))
        .and_then(|found| {
            let own = found.is_dir() && found.uid() == rustix::process::geteuid().as_raw();
            let closed = found.permissions().mode() & 0o077 == 0;
            if own && closed {
                Ok(())
            } else {
                Err(ConfigError::NotPrivate {
                    path: path.to_owned(),
                })
            }
        })
}

fn make_dirs(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|path| !path.exists());
    let parents: Vec<&Path> = missing.filter_map(Path::parent).collect();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    parents
        .iter()
        .try_for_each(|parent| fs::File::open(parent)?.sync_all())
}

fn fallback(run_user: &Path, uid: u32) -> PathBuf {
    let session = run_user.join(uid.to_string());
    if session.is_dir() {
        session.join("contactfs")
    } else {
        PathBuf::from(format!("/tmp/contactfs-{uid}"))
    }
}

/// The specification says that a relative path in these variables is to be ignored.
fn absolute<'a>(environment: &'a Environment, name: &str) -> Option<&'a Path> {
    environment
        .get(name)
        .map(Path::new)
        .filter(|path| path.is_absolute())
}

fn directory_error(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Directory {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_goes_to_the_flag_then_the_variable_then_xdg_then_home() {
        let environment = Environment::from([
            ("CONTACTFS_STATE_DIR", "/v"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/h"),
        ]);
        assert_eq!(
            state_base(&environment, Some(Path::new("/f"))).unwrap(),
            Path::new("/f")
        );
        assert_eq!(state_base(&environment, None).unwrap(), Path::new("/v"));
        let environment = Environment::from([("XDG_STATE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(
            state_base(&environment, None).unwrap(),
            Path::new("/x/contactfs")
        );
        let environment = Environment::from([("XDG_STATE_HOME", "relative"), ("HOME", "/h")]);
        assert_eq!(
            state_base(&environment, None).unwrap(),
            Path::new("/h/.local/state/contactfs")
        );
        assert!(matches!(
            state_base(&Environment::default(), None),
            Err(ConfigError::NoHome)
        ));
    }

    #[test]
    fn the_runtime_directory_is_made_private() {
        let base = tempfile::tempdir().unwrap();
        let environment = Environment::from([("XDG_RUNTIME_DIR", base.path().to_str().unwrap())]);
        let path = runtime_dir(&environment).unwrap();
        assert_eq!(path, base.path().join("contactfs"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_directory_open_to_others_is_refused() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            private_dir(base.path()),
            Err(ConfigError::NotPrivate { .. })
        ));
    }

    #[test]
    fn a_symlink_planted_in_place_of_the_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().join("real");
        private_dir(&real).unwrap();
        let link = base.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(matches!(
            private_dir(&link),
            Err(ConfigError::NotPrivate { .. })
        ));
    }

    #[test]
    fn without_a_session_directory_the_socket_goes_to_tmp() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(fallback(base.path(), 42), Path::new("/tmp/contactfs-42"));
        fs::create_dir(base.path().join("42")).unwrap();
        assert_eq!(fallback(base.path(), 42), base.path().join("42/contactfs"));
    }
}
