//! Where access tokens come from.
//!
//! Owns the [`TokenSource`] contract, its kinds ([`Person`], [`Application`], [`StaticToken`]), signing in
//! ([`Interactive`]), where a sign-in is kept ([`Vault`]), and the HTTP settings every request with a secret needs
//! (`web`). Refuses to call a network trouble an expired sign-in (behaviour 7.5). Tokens are [`SecretString`]s: they reach
//! no log and no `Debug` text. Called by `graph` (tokens) and by the composition root (construction). Sole user of oauth2.

mod application;
mod certificate;
mod challenge;
mod error;
mod exchangeable;
mod fixed;
mod interactive;
mod keeper;
mod permissions;
mod person;
mod saved;
mod service;
mod vault;
mod verdict;
pub(crate) mod web;

use std::pin::Pin;

use secrecy::SecretString;

pub use application::{Application, Proof};
pub use certificate::Certificate;
pub use challenge::Challenge;
pub use error::AuthError;
pub use exchangeable::Exchangeable;
pub use fixed::StaticToken;
pub use interactive::{Interactive, Prompt, SignedIn};
pub use permissions::Wish;
pub use person::Person;
pub use saved::SavedSignIn;
pub use service::Registration;
pub use vault::{Vault, VaultError, VaultLock};

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that can hand out bearer tokens for the configured Graph origin.
pub trait TokenSource: Send + Sync {
    /// A token believed to be valid now.
    ///
    /// # Errors
    /// [`AuthError::SignInNeeded`] only when the login service itself refused; a network or service trouble is
    /// [`AuthError::Offline`].
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>>;

    /// The service refused this token: the next [`token`](Self::token) is a new one if this kind can get one, and answers
    /// the challenge if there was one.
    fn refused(&self, token: &SecretString, challenge: Option<Challenge>);
}
