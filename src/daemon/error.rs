//! Why a mount could not be made or kept.

use std::error::Error;

/// A failed mount or sign-in: what kind, one sentence, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct RunError {
    /// Decides the exit code.
    pub kind: RunErrorKind,
    /// What happened, without a full stop.
    pub sentence: String,
    /// The next steps for the person, one sentence each.
    pub hints: Vec<String>,
    /// The error below, if there is one.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// The kinds of [`RunError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunErrorKind {
    /// The options make no sense together or here.
    Usage,
    /// Something the mount needs is not there: the service, the FUSE device, the mount point.
    Service,
    /// The same command may work later: throttled, the store is held by another process.
    TryLater,
    /// A person has to sign in or to configure something.
    SignIn,
    /// A defect of this program or a broken store.
    Internal,
}

impl RunError {
    /// An error without a hint.
    pub fn new(kind: RunErrorKind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: sentence.into(),
            hints: Vec::new(),
            source: None,
        }
    }

    /// The same error with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error with the one below.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
