//! Signing in and out, and looking at a sign-in, for commands that need no mount.

use std::sync::Arc;
use std::time::Duration;

use super::assemble;
use super::trouble::Subject;
use super::{RunError, RunErrorKind};
use crate::auth::{
    AuthError, Interactive, Prompt, Registration, SavedSignIn, StaticToken, Vault, Wish,
};
use crate::config::{Account, Credentials, Method};
use crate::model::Tier;

/// What a sign-in turned out to be good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who signed in; `None` for an application, and when the service keeps it to itself.
    pub user: Option<String>,
    /// The permissions of a person's sign-in.
    pub scopes: Option<String>,
    /// The name of the mailbox's own contact folder.
    pub folder: String,
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The permission to read only.
    pub read_only: bool,
    /// The permission to the mailbox's list of categories as well.
    pub categories: bool,
}

impl Ask {
    fn of(self, account: &Account) -> Wish {
        Wish {
            categories: self.categories,
            ..Subject::new(account, self.read_only).wish
        }
    }
}

/// Signs a person in, keeps the sign-in, and tries it on the mailbox.
///
/// # Errors
/// [`RunErrorKind::SignIn`] when the person, the login service or the mailbox says no, [`RunErrorKind::Service`] when
/// one of them cannot be reached.
pub fn login(
    account: &Account,
    method: Method,
    ask: Ask,
    timeout: Duration,
    prompt: &dyn Prompt,
) -> Result<Identity, RunError> {
    let subject = Subject::new(account, ask.read_only);
    block_on(async {
        let interactive = Interactive {
            registration: Registration::of(account).map_err(|error| subject.auth(error))?,
            wish: ask.of(account),
            timeout,
            prompt,
        };
        let signed_in = match method {
            Method::Device => interactive.by_code().await,
            Method::Browser => interactive.by_browser().await,
        };
        let signed_in = signed_in.map_err(|error| subject.auth(error))?;
        let tokens = Arc::new(StaticToken::new(signed_in.access_token));
        let client = assemble::client_with(account, tokens, Tier::Basic)?;
        let user = client.signed_in_user().await;
        let saved = SavedSignIn {
            user: user.unwrap_or_default(),
            ..signed_in.saved
        };
        keep(account, &saved)
            .await
            .map_err(|error| subject.auth(error))?;
        let folder = client
            .probe()
            .await
            .map_err(|error| subject.graph(&error))?;
        Ok(Identity {
            user: saved.user,
            scopes: Some(saved.scope),
            folder,
        })
    })
}

async fn keep(account: &Account, saved: &SavedSignIn) -> Result<(), AuthError> {
    let vault = Vault::of(account);
    let _lock = vault.lock().await?;
    Ok(vault.store(saved).await?)
}

/// Gets a token and tries it on the mailbox.
///
/// # Errors
/// As [`login`].
pub fn check(account: &Account, read_only: bool) -> Result<Identity, RunError> {
    let subject = Subject::new(account, read_only);
    block_on(async {
        let saved = present(account, read_only).await?;
        let tokens = assemble::tokens(account)?;
        tokens.token().await.map_err(|error| subject.auth(error))?;
        let client = assemble::client_with(account, tokens, Tier::Basic)?;
        let folder = client
            .probe()
            .await
            .map_err(|error| subject.graph(&error))?;
        Ok(Identity {
            user: saved.as_ref().and_then(|saved| saved.user.clone()),
            scopes: saved.map(|saved| saved.scope),
            folder,
        })
    })
}

/// Whether what is kept for a person will do; nothing is sent.
///
/// # Errors
/// [`RunErrorKind::SignIn`] when nobody is signed in or a permission is missing.
pub fn ready(account: &Account, read_only: bool) -> Result<(), RunError> {
    block_on(async { present(account, read_only).await.map(drop) })
}

async fn present(account: &Account, read_only: bool) -> Result<Option<SavedSignIn>, RunError> {
    let subject = Subject::new(account, read_only);
    if !matches!(account.credentials, Credentials::Person(_)) {
        return Ok(None);
    }
    let registration = Registration::of(account).map_err(|error| subject.auth(error))?;
    let saved = Vault::of(account).load().await;
    let saved = saved.map_err(|error| subject.auth(error.into()))?;
    match saved.filter(|saved| saved.is_for(&registration)) {
        None => Err(subject.sign_in_needed("nobody is signed in")),
        Some(saved) => match subject.wish.missing(&saved.scope) {
            Some(permission) => Err(subject.lacks(permission)),
            None => Ok(Some(saved)),
        },
    }
}

/// What is kept of a person's sign-in.
///
/// # Errors
/// [`RunErrorKind::Service`] when the place cannot be looked at.
pub fn saved(account: &Account) -> Result<Option<SavedSignIn>, RunError> {
    let subject = Subject::new(account, false);
    block_on(async {
        let saved = Vault::of(account).load().await;
        saved.map_err(|error| subject.auth(error.into()))
    })
}

/// Removes what is kept; whether there was anything.
///
/// # Errors
/// [`RunErrorKind::Service`] when it may still be there.
pub fn logout(account: &Account) -> Result<bool, RunError> {
    let subject = Subject::new(account, false);
    block_on(async {
        let vault = Vault::of(account);
        let done = async {
            let _lock = vault.lock().await?;
            vault.erase().await
        };
        done.await.map_err(|error| subject.auth(error.into()))
    })
}

/// Where an administrator allows what a sign-in to this account asks for.
///
/// # Errors
/// [`RunErrorKind::SignIn`] when the account's settings cannot work.
pub fn admin_consent_url(account: &Account, ask: Ask) -> Result<String, RunError> {
    let subject = Subject::new(account, ask.read_only);
    let permissions = ask.of(account).permissions();
    Registration::of(account)
        .and_then(|registration| registration.admin_consent_url(&permissions))
        .map(|url| url.to_string())
        .map_err(|error| subject.auth(error))
}

fn block_on<T>(work: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| RunError::new(RunErrorKind::Internal, error.to_string()))?;
    runtime.block_on(work)
}
