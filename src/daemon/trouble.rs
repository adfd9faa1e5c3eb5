//! What a failure of the sign-in or the service means for whoever runs a command: a kind, a sentence, the next step.

use super::{RunError, RunErrorKind};
use crate::auth::{AuthError, Registration, Wish};
use crate::config::{Account, Credentials};
use crate::graph::Error;
use crate::sync::Failure;

/// What was wanted of which account, for the sentences.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) account: &'a Account,
    pub(super) wish: Wish,
}

impl<'a> Subject<'a> {
    /// What a mount of the account needs.
    pub(super) fn new(account: &'a Account, read_only: bool) -> Self {
        let is_person = matches!(account.credentials, Credentials::Person(_));
        Self {
            account,
            wish: Wish {
                read_only,
                // An application has no mailbox of its own that others could be told from.
                shared: is_person && account.mailbox.is_some(),
                categories: false,
            },
        }
    }

    /// What a failure means.
    pub(super) fn explain(self, failure: &Failure) -> RunError {
        match failure {
            Failure::Store(error) => RunError::new(RunErrorKind::Internal, error.to_string()),
            Failure::Graph(error) => self.graph(error),
        }
    }

    pub(super) fn graph(self, error: &Error) -> RunError {
        match error {
            Error::SignInNeeded { reason } => self.sign_in_needed(reason),
            Error::Denied { code } => self.denied(code),
            Error::NoMailbox { code } => self.no_mailbox(code),
            error => general(error),
        }
    }

    /// What a running mount says of an error that a person has to mend.
    pub(super) fn status(self, error: &Error) -> String {
        let reason = match error {
            Error::SignInNeeded { reason } => reason.clone(),
            error => self.graph(error).sentence,
        };
        match self.account.credentials {
            Credentials::Person(_) => format!("{} ({reason})", self.login()),
            // What these need is mended elsewhere.
            Credentials::Token(_) | Credentials::Secret(_) | Credentials::Certificate(_) => reason,
        }
    }

    pub(super) fn auth(self, error: AuthError) -> RunError {
        match error {
            AuthError::Permission { permission } => self.lacks(permission),
            AuthError::Consent { reason } => {
                let permission = self.wish.permission();
                let error = self.sign_in_needed(&format!("{permission}: {reason}"));
                self.with_consent(error, permission)
            }
            AuthError::SignInNeeded { reason } => self.sign_in_needed(&reason),
            error @ AuthError::Vault(_) => RunError::new(RunErrorKind::Service, error.to_string()),
            error => self.graph(&error.into()),
        }
    }

    /// No token without a person; the sentence ends in the command.
    pub(super) fn sign_in_needed(self, reason: &str) -> RunError {
        let name = &self.account.name;
        let error = RunError::new(RunErrorKind::SignIn, format!("sign-in needed: {reason}"));
        match &self.account.credentials {
            Credentials::Person(_) => error.hint(format!("Sign in with: {}", self.login())),
            Credentials::Token(_) => {
                error.hint("Set CONTACTFS_ACCESS_TOKEN to a token that is still good.")
            }
            Credentials::Secret(_) | Credentials::Certificate(_) => error.hint(format!(
                "Correct the application's settings, then see: contactfs login {name} --check"
            )),
        }
    }

    /// A permission is missing in the sign-in itself.
    pub(super) fn lacks(self, permission: &str) -> RunError {
        let name = &self.account.name;
        let sentence = format!("the sign-in of {name} lacks the permission {permission}");
        let error = RunError::new(RunErrorKind::SignIn, sentence);
        let error = error.hint(format!("Sign in again with: {}", self.login()));
        self.with_consent(error, permission)
    }

    fn denied(self, code: &str) -> RunError {
        let permission = self.wish.permission();
        let sentence = match (&self.account.mailbox, &self.account.credentials) {
            (Some(mailbox), Credentials::Person(_)) => format!(
                "the contacts of {mailbox} are closed to you: they are not shared with you, or the permission {permission} \
                 is missing ({code})"
            ),
            (Some(mailbox), Credentials::Secret(_) | Credentials::Certificate(_)) => format!(
                "the application may not read the contacts of {mailbox}: its application permission {permission} is \
                 missing, or a policy keeps it out of that mailbox ({code})"
            ),
            _ => format!(
                "access to the contacts is denied: the permission {permission} is missing ({code})"
            ),
        };
        let error = RunError::new(RunErrorKind::SignIn, sentence);
        let error = match self.account.credentials {
            Credentials::Person(_) => error.hint(format!("Sign in again with: {}", self.login())),
            _ => error,
        };
        self.with_consent(error, permission)
    }

    fn no_mailbox(self, code: &str) -> RunError {
        let who = self
            .account
            .mailbox
            .as_deref()
            .unwrap_or("the signed-in user");
        let sentence = match code.to_ascii_lowercase().as_str() {
            "errorinvaliduser" | "errornonexistentmailbox" => {
                format!("there is no user or mailbox {who} ({code})")
            }
            _ => format!("{who} has no Exchange Online mailbox ({code})"),
        };
        RunError::new(RunErrorKind::SignIn, sentence)
            .hint("Check --mailbox, and that this user has an Exchange Online mailbox.")
    }

    fn with_consent(self, error: RunError, permission: &str) -> RunError {
        let url = Registration::of(self.account)
            .and_then(|registration| registration.admin_consent_url(&[permission]));
        match url {
            Ok(url) if !self.account.client_id.is_empty() => error.hint(format!(
                "An administrator can allow it for everybody of an organisation at: {url}"
            )),
            _ => error,
        }
    }

    /// The command that signs in to what is wanted.
    fn login(self) -> String {
        let mut command = format!("contactfs login {}", self.account.name);
        if let (true, Some(mailbox)) = (self.wish.shared, &self.account.mailbox) {
            command.push_str(&format!(" --mailbox {mailbox}"));
        }
        if self.wish.read_only {
            command.push_str(" --read-only");
        }
        command
    }
}

fn general(error: &Error) -> RunError {
    let kind = match error {
        Error::Offline { .. }
        | Error::Service { .. }
        | Error::Malformed { .. }
        | Error::Redirected { .. } => RunErrorKind::Service,
        Error::Throttled { .. } => RunErrorKind::TryLater,
        Error::Config { .. } => RunErrorKind::SignIn,
        _ => RunErrorKind::Internal,
    };
    let mut chain: Vec<String> =
        std::iter::successors(Some(error as &dyn std::error::Error), |error| {
            error.source()
        })
        .map(ToString::to_string)
        .collect();
    if let Some(obstacle) = error.obstacle() {
        chain.insert(1, obstacle.word().to_owned());
    }
    let run_error = RunError::new(kind, chain.join(": "));
    match error.hint() {
        Some(hint) => run_error.hint(hint),
        None if kind == RunErrorKind::Service => {
            run_error.hint("Check the network with: contactfs doctor")
        }
        None => run_error,
    }
}
