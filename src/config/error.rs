//! What can be wrong with the configuration.

use std::io;
use std::path::PathBuf;

/// A configuration the program cannot run on. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A URL that does not parse or has no host.
    #[error("{variable} is not a usable URL: {value}")]
    BadUrl {
        /// The variable that holds it.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// Plain http to another machine would send the token in the clear (behaviour 8.1).
    #[error("{variable} uses plain http to another machine; only https is allowed there: {value}")]
    PlainHttp {
        /// The variable that holds it.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// An account name that cannot be a directory name.
    #[error("not a usable account name: {0:?}")]
    BadAccountName(String),
    /// Neither a token nor an application's credentials are there.
    #[error("no sign-in is configured")]
    NoCredentials,
    /// A client secret came without what must go with it.
    #[error("CONTACTFS_CLIENT_SECRET is set, but {0} is not")]
    Missing(&'static str),
    /// There is no home to keep state in.
    #[error("neither HOME nor XDG_STATE_HOME names an absolute directory")]
    NoHome,
    /// A private directory belongs to someone else or lets others in.
    #[error("{path} must belong to you and be closed to others (mode 0700)")]
    NotPrivate {
        /// The directory.
        path: PathBuf,
    },
    /// A directory could not be made or looked at.
    #[error("cannot use {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
