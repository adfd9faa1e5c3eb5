//! The desktop's keyring by way of the Secret Service; sole user of that package.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use secret_service::{EncryptionType, Error, SecretService};

use super::{PATIENCE, VaultError};

/// A bus that is there answers at once.
const CONNECT: Duration = Duration::from_secs(5);

/// The text of [`is_absent`]'s error.
const ABSENT: &str = "there is none";

/// Whether the error says that no keyring is running.
pub(super) fn is_absent(error: &VaultError) -> bool {
    matches!(error, VaultError::Keyring(text) if text == ABSENT)
}

pub(super) async fn load(account: &str) -> Result<Option<SecretString>, VaultError> {
    let service = connect().await?;
    let found = service.search_items(attributes(account));
    let found = patient(found).await?;
    let item = match (found.unlocked.first(), found.locked.first()) {
        (Some(item), _) => item,
        (None, Some(item)) => {
            patient(item.unlock()).await?;
            item
        }
        (None, None) => return Ok(None),
    };
    let secret = Zeroizing::new(patient(item.get_secret()).await?);
    Ok(std::str::from_utf8(&secret).ok().map(SecretString::from))
}

pub(super) async fn store(account: &str, text: &SecretString) -> Result<(), VaultError> {
    let service = connect().await?;
    let collection = patient(service.get_any_collection()).await?;
    if patient(collection.is_locked()).await? {
        patient(collection.unlock()).await?;
    }
    let label = format!("contactfs sign-in: {account}");
    let item = collection.create_item(
        &label,
        attributes(account),
        text.expose_secret().as_bytes(),
        true,
        "application/json",
    );
    patient(item).await.map(drop)
}

/// Removes it; whether there was one.
pub(super) async fn erase(account: &str) -> Result<bool, VaultError> {
    let service = connect().await?;
    let found = patient(service.search_items(attributes(account))).await?;
    let items: Vec<_> = found.unlocked.iter().chain(&found.locked).collect();
    for item in &items {
        patient(item.delete()).await?;
    }
    Ok(!items.is_empty())
}

async fn connect() -> Result<SecretService<'static>, VaultError> {
    let absent = || VaultError::Keyring(ABSENT.to_owned());
    let connected = tokio::time::timeout(CONNECT, SecretService::connect(EncryptionType::Dh)).await;
    connected.map_err(|_| absent())?.map_err(|error| {
        tracing::debug!(%error, "no keyring");
        absent()
    })
}

fn attributes(account: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "contactfs"), ("account", account)])
}

async fn patient<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, VaultError> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    let done = done.map_err(|_| VaultError::Keyring("it does not answer".to_owned()))?;
    done.map_err(|error| {
        VaultError::Keyring(match error {
            Error::Locked | Error::Prompt => "it is locked".to_owned(),
            other => other.to_string(),
        })
    })
}
