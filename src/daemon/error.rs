//! Why a mount could not be made or kept.

use std::error::Error;

/// A failed mount: what kind, one sentence, and what to do next.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct RunError {
    /// Decides the exit code.
    pub kind: RunErrorKind,
    /// What happened, without a full stop.
    pub sentence: String,
    /// The next step for the person, one sentence.
    pub hint: Option<String>,
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
            hint: None,
            source: None,
        }
    }

    /// The same error with the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with the one below.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
