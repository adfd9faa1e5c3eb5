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
    /// Neither a token nor an application to sign in with is named.
    #[error("no sign-in is configured")]
    NoCredentials,
    /// A sign-in as an application lacks what must go with it.
    #[error("a sign-in as an application is configured, but {0} is not set")]
    Missing(&'static str),
    /// `credentials = "command"` without the command.
    #[error("credentials is \"command\", but credentials_command is not set")]
    NoCommand,
    /// There are several accounts, none is called `default`, and none was named.
    #[error("{path} has several accounts: {names}", path = path.display())]
    WhichAccount {
        /// The configuration file.
        path: PathBuf,
        /// Their names.
        names: String,
    },
    /// The configuration file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration file says something the program does not understand.
    #[error("{path}:{line}: {sentence}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        sentence: String,
    },
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
