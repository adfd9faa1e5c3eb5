//! Where a person's sign-in is kept between runs (behaviour 8.2): the desktop's keyring, a private file, or a program of the
//! user's.
//!
//! One lock per account orders refreshes and logins across processes: each replaces what the other would use.

mod command;
mod file;
mod keyring;

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use secrecy::SecretString;
use tokio::time::Instant;

use super::SavedSignIn;
use crate::config::{Account, Keeping, private_dir};

const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Longer than an exchange takes, and no longer than the keyring or a program may keep a person waiting.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a sign-in cannot be read, kept or removed. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file or its directory.
    #[error("the sign-in in {path} cannot be used: {source}", path = path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others could read or plant it.
    #[error("{0}")]
    NotPrivate(String),
    /// The keyring.
    #[error("the keyring cannot be used: {0}")]
    Keyring(String),
    /// The user's program.
    #[error("credentials_command failed: {0}")]
    Command(String),
}

/// Keeps the sign-in of one account.
#[derive(Clone, Debug)]
pub struct Vault {
    account: String,
    keeping: Keeping,
    dir: PathBuf,
}

/// Held while a sign-in is exchanged for another.
#[derive(Debug)]
pub struct VaultLock(#[allow(dead_code, reason = "closing it releases the lock")] File);

impl Vault {
    /// The place an account names.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        Self {
            account: account.name.clone(),
            keeping: account.keeping.clone(),
            dir: account.sign_in_dir.clone(),
        }
    }

    /// Waits until no other process exchanges this account's sign-in.
    ///
    /// # Errors
    /// The lock file cannot be used, or another process does not come to an end.
    pub async fn lock(&self) -> Result<VaultLock, VaultError> {
        self.make_dir()?;
        let path = self.dir.join(format!("{}.lock", self.account));
        let failed = |source: io::Error| VaultError::File {
            path: path.clone(),
            source,
        };
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        let end = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(VaultLock(file)),
                // Waiting in the system call could not be given up at the end of a mount.
                Err(Errno::WOULDBLOCK) if Instant::now() < end => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                }
                Err(error) => return Err(failed(error.into())),
            }
        }
    }

    /// The sign-in, if there is one that can be read.
    ///
    /// # Errors
    /// The place cannot be looked at.
    pub async fn load(&self) -> Result<Option<SavedSignIn>, VaultError> {
        let text = match &self.keeping {
            Keeping::File => file::load(&self.file())?,
            Keeping::Command(line) => command::get(line, &self.account).await?,
            Keeping::Keyring => keyring::load(&self.account).await?,
            Keeping::Automatic => match self.automatic(keyring::load(&self.account).await)? {
                Some(text) => Some(text),
                None => file::load(&self.file())?,
            },
        };
        Ok(text.as_ref().and_then(SavedSignIn::of_text))
    }

    /// Replaces the sign-in; it is safe on disk when this returns.
    ///
    /// # Errors
    /// It could not be kept; the one before still is.
    pub async fn store(&self, saved: &SavedSignIn) -> Result<(), VaultError> {
        let text = saved.to_text();
        match &self.keeping {
            Keeping::File => self.store_file(&text),
            Keeping::Command(line) => command::store(line, &self.account, text).await,
            Keeping::Keyring => keyring::store(&self.account, &text).await,
            Keeping::Automatic => match keyring::store(&self.account, &text).await {
                // What an earlier run left in the file is out of date.
                Ok(()) => file::erase(&self.file()).map(drop),
                Err(error) if keyring::is_absent(&error) => self.store_file(&text),
                Err(error) => Err(error),
            },
        }
    }

    /// Removes the sign-in; whether there was one.
    ///
    /// # Errors
    /// It may still be there.
    pub async fn erase(&self) -> Result<bool, VaultError> {
        match &self.keeping {
            Keeping::File => file::erase(&self.file()),
            Keeping::Command(line) => {
                let was_there = command::get(line, &self.account).await?.is_some();
                command::erase(line, &self.account).await?;
                Ok(was_there)
            }
            Keeping::Keyring => keyring::erase(&self.account).await,
            Keeping::Automatic => {
                let in_keyring = match keyring::erase(&self.account).await {
                    Err(error) if keyring::is_absent(&error) => false,
                    other => other?,
                };
                Ok(file::erase(&self.file())? || in_keyring)
            }
        }
    }

    fn automatic(
        &self,
        found: Result<Option<SecretString>, VaultError>,
    ) -> Result<Option<SecretString>, VaultError> {
        match found {
            Err(error) if keyring::is_absent(&error) => Ok(None),
            // A locked keyring does not matter to who keeps a file.
            Err(error) if self.file().exists() => {
                tracing::debug!(%error, "the keyring is passed over");
                Ok(None)
            }
            other => other,
        }
    }

    fn store_file(&self, text: &SecretString) -> Result<(), VaultError> {
        self.make_dir()?;
        file::store(&self.file(), text)
    }

    fn make_dir(&self) -> Result<(), VaultError> {
        private_dir(&self.dir).map_err(|error| VaultError::NotPrivate(error.to_string()))
    }

    fn file(&self) -> PathBuf {
        self.dir.join(format!("{}.json", self.account))
    }
}
