//! What is kept of a person's sign-in.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::service::Registration;

/// A sign-in that lasts: a refresh token, and for whom and what it is good.
#[derive(Clone, Debug)]
pub struct SavedSignIn {
    /// The login service that gave it; no other may see it.
    pub login_url: String,
    /// The application it was given to.
    pub client_id: String,
    /// The permissions given, separated by blanks.
    pub scope: String,
    /// Who signed in, if the service told.
    pub user: Option<String>,
    /// Good for new access tokens; replaced at each use.
    pub refresh_token: SecretString,
}

/// The stored form.
#[derive(Serialize, Deserialize)]
struct Stored<'s> {
    version: u32,
    login_url: &'s str,
    client_id: &'s str,
    scope: &'s str,
    user: Option<&'s str>,
    refresh_token: &'s str,
}

const VERSION: u32 = 1;

impl SavedSignIn {
    /// Whether it belongs to this application at this service.
    #[must_use]
    pub fn is_for(&self, registration: &Registration) -> bool {
        self.client_id == registration.client_id
            && self.login_url == registration.login_url.as_str()
    }

    /// As one line of text, which is a secret as a whole.
    pub(super) fn to_text(&self) -> SecretString {
        let stored = Stored {
            version: VERSION,
            login_url: &self.login_url,
            client_id: &self.client_id,
            scope: &self.scope,
            user: self.user.as_deref(),
            refresh_token: self.refresh_token.expose_secret(),
        };
        serde_json::to_string(&stored).unwrap_or_default().into()
    }

    /// Reads such a text; `None` when it is none, or one of another version.
    pub(super) fn of_text(text: &SecretString) -> Option<Self> {
        let stored: Stored<'_> = serde_json::from_str(text.expose_secret().trim()).ok()?;
        (stored.version == VERSION).then(|| Self {
            login_url: stored.login_url.to_owned(),
            client_id: stored.client_id.to_owned(),
            scope: stored.scope.to_owned(),
            user: stored.user.map(str::to_owned),
            refresh_token: stored.refresh_token.into(),
        })
    }
}
