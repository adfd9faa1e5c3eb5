//! What a command ends with: an exit code, or an error with a kind, one sentence and hints.

use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::daemon::control::CallError;
use crate::daemon::{RunError, RunErrorKind};
use crate::observe::log::LogError;

/// Every exit code; the numbers above 63 are those of `sysexits.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Success,
    /// Something is left to do, or the command failed in a way of its own.
    Attention,
    /// A person is needed.
    Person,
    Usage,
    Service,
    Internal,
    TryLater,
    Configuration,
}

impl Exit {
    /// The number the process ends with.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Attention => 1,
            Self::Person => 2,
            Self::Usage => 64,
            Self::Service => 69,
            Self::Internal => 70,
            Self::TryLater => 75,
            Self::Configuration => 78,
        }
    }

    /// The exit with this number, as another process of ours reports it.
    pub(super) fn of_code(code: u8) -> Self {
        let all = [
            Self::Success,
            Self::Attention,
            Self::Person,
            Self::Usage,
            Self::Service,
            Self::TryLater,
        ];
        let all = all.into_iter().chain([Self::Configuration]);
        all.into_iter()
            .find(|exit| exit.code() == code)
            .unwrap_or(Self::Internal)
    }

    /// From the 0, 1, 2 of a status.
    pub(super) fn of_health(code: u8) -> Self {
        match code {
            0 => Self::Success,
            1 => Self::Attention,
            _ => Self::Person,
        }
    }

    /// The graver of two outcomes.
    pub(super) fn worse(self, other: Self) -> Self {
        if other.code() > self.code() {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// An error of a command.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The arguments do not parse, or ask for help.
    #[error(transparent)]
    Parse(#[from] clap::Error),
    #[error("{sentence}")]
    Failed {
        exit: Exit,
        sentence: String,
        hints: Vec<String>,
    },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("{mount}: {source}")]
    Call { mount: String, source: CallError },
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
}

impl CliError {
    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self::failed(Exit::Usage, sentence)
    }

    pub(super) fn failed(exit: Exit, sentence: impl Into<String>) -> Self {
        Self::Failed {
            exit,
            sentence: sentence.into(),
            hints: Vec::new(),
        }
    }

    /// The same error with a next step; other kinds bring their own.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Failed { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Parse(_) => Exit::Usage,
            Self::Failed { exit, .. } => *exit,
            Self::Config(_) => Exit::Configuration,
            Self::Log(LogError::Filter(_)) => Exit::Usage,
            Self::Log(_) => Exit::Service,
            Self::Run(error) => of_run(error.kind),
            Self::Call { .. } => Exit::Service,
            Self::Output(_) => Exit::Attention,
        }
    }

    /// The next steps, one sentence each.
    pub(super) fn hints(&self) -> Vec<String> {
        match self {
            Self::Failed { hints, .. } => hints.clone(),
            Self::Config(error) => config_hints(error),
            Self::Run(error) => {
                let cause = error
                    .source
                    .as_ref()
                    .map(|source| format!("Cause: {source}"));
                cause.into_iter().chain(error.hints.clone()).collect()
            }
            Self::Call { mount, source } => call_hints(mount, source),
            Self::Parse(_) | Self::Log(_) | Self::Output(_) => Vec::new(),
        }
    }
}

fn of_run(kind: RunErrorKind) -> Exit {
    match kind {
        RunErrorKind::Usage => Exit::Usage,
        RunErrorKind::Service => Exit::Service,
        RunErrorKind::TryLater => Exit::TryLater,
        RunErrorKind::SignIn => Exit::Configuration,
        RunErrorKind::Internal => Exit::Internal,
    }
}

fn config_hints(error: &ConfigError) -> Vec<String> {
    let hint = match error {
        ConfigError::NoCredentials => {
            return vec![
                "Put the id of a registered application into config.toml, see contactfs.conf(5), or into \
                 CONTACTFS_CLIENT_ID, then run: contactfs login"
                    .to_owned(),
                "With a token in hand, set CONTACTFS_ACCESS_TOKEN.".to_owned(),
                "To try it without an account: contactfs mount --sandbox DIR".to_owned(),
            ];
        }
        ConfigError::Missing(variable) => {
            format!(
                "Set {variable}: signing in as an application needs its id, proof, tenant and a mailbox."
            )
        }
        ConfigError::BadUrl { .. } => {
            "It has the form https://graph.microsoft.com/v1.0.".to_owned()
        }
        ConfigError::PlainHttp { .. } => {
            "Write https, or use an address of this machine.".to_owned()
        }
        ConfigError::NotPrivate { path } => format!("Look at it with: ls -ld {}", path.display()),
        ConfigError::NoHome | ConfigError::Directory { .. } => {
            "Choose another place with --state-dir DIR.".to_owned()
        }
        ConfigError::WhichAccount { .. } => "Name one of them.".to_owned(),
        ConfigError::NoCommand => {
            "Set credentials_command as contactfs.conf(5) tells, with: contactfs man 5".to_owned()
        }
        ConfigError::Line { .. } => "The keys are described by: contactfs man 5".to_owned(),
        ConfigError::File { .. } => {
            "Another file can be named with --config FILE or CONTACTFS_CONFIG.".to_owned()
        }
        ConfigError::BadAccountName(_) => return Vec::new(),
    };
    vec![hint]
}

fn call_hints(mount: &str, error: &CallError) -> Vec<String> {
    match error {
        CallError::NotRunning | CallError::Ended => {
            vec![format!("Clear it with: contactfs umount {mount}")]
        }
        CallError::Silent => vec![format!("If it stays so: contactfs umount --force {mount}")],
        CallError::Foreign(_) => vec![format!("Mount it anew: contactfs umount {mount}")],
        CallError::Io(_) => Vec::new(),
    }
}
