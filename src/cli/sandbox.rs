//! `contactfs sandbox`, and the service behind `contactfs mount --sandbox`. The only user of [`crate::sandbox`].

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::args::SandboxArgs;
use super::error::{CliError, Exit};
use super::output;
use crate::config::{
    Account, Credentials, Environment, Keeping, SANDBOX_ACCOUNT, private_dir, state_base,
};
use crate::observe::log;
use crate::sandbox::{Options, Sandbox};

/// Serves a sample mailbox until a signal comes.
pub(super) fn run(args: &SandboxArgs) -> Result<Exit, CliError> {
    log::init(&args.log.settings(&Environment::of_process()))?;
    if let Some(data) = &args.data {
        private_dir(data)?;
    }
    let defaults = Options::default();
    let sandbox = start(Options {
        listen: args.listen,
        contacts: args.contacts,
        seed: args.seed.unwrap_or(defaults.seed),
        data: args.data.clone(),
        latency: args.latency,
        ..defaults
    })?;
    serve(&sandbox)?;
    Ok(Exit::Success)
}

/// The sandbox account's state directory.
pub(super) fn state_dir(
    environment: &Environment,
    flag: Option<&Path>,
) -> Result<PathBuf, CliError> {
    Ok(state_base(environment, flag)?.join(SANDBOX_ACCOUNT))
}

/// The service of a sandbox mount; dropping it ends the service.
pub(super) struct Service {
    sandbox: Sandbox,
    /// Held while the service runs: a second one would write over the same mailbox.
    _lock: File,
}

impl Service {
    /// Starts the service with its data below the account's state directory.
    pub(super) fn start(state_dir: &Path, contacts: Option<usize>) -> Result<Self, CliError> {
        let data = state_dir.join("mailbox");
        private_dir(&data)?;
        let lock = lock(state_dir)?;
        let sandbox = start(Options {
            contacts,
            data: Some(data),
            ..Options::default()
        })?;
        Ok(Self {
            sandbox,
            _lock: lock,
        })
    }

    /// The account that signs in to it as any application does.
    pub(super) fn account(&self, state_dir: PathBuf) -> Account {
        let sandbox = &self.sandbox;
        Account {
            name: SANDBOX_ACCOUNT.to_owned(),
            graph_url: sandbox.graph_url(),
            login_url: sandbox.login_url(),
            tenant: sandbox.tenant().to_owned(),
            client_id: sandbox.client_id().to_owned(),
            credentials: Credentials::Secret(SecretString::from(
                sandbox.client_secret().to_owned(),
            )),
            keeping: Keeping::File,
            sign_in_dir: state_dir.join(".sign-in"),
            mailbox: Some(sandbox.mailbox().to_owned()),
            state_dir,
        }
    }
}

fn lock(state_dir: &Path) -> Result<File, CliError> {
    let path = state_dir.join("mailbox.lock");
    let file = File::create(&path).map_err(|error| {
        CliError::failed(
            Exit::Service,
            format!("cannot use {}: {error}", path.display()),
        )
    })?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        CliError::failed(
            Exit::TryLater,
            format!(
                "a sandbox with its state in {} is mounted",
                state_dir.display()
            ),
        )
        .hint("See where with: contactfs status")
        .hint("Keep a second one elsewhere with: --state-dir DIR")
    })?;
    Ok(file)
}

fn start(options: Options) -> Result<Sandbox, CliError> {
    let listen = options.listen;
    Sandbox::start(options).map_err(|error| {
        CliError::failed(
            Exit::Service,
            format!("cannot serve a mailbox at {listen}: {error}"),
        )
    })
}

/// Ready to be pasted into a shell, or to be read by `eval`.
fn introduce(sandbox: &Sandbox) -> Result<(), CliError> {
    output::line(&format!(
        "export CONTACTFS_GRAPH_URL={}",
        sandbox.graph_url()
    ))?;
    output::line(&format!(
        "export CONTACTFS_LOGIN_URL={}",
        sandbox.login_url()
    ))?;
    output::line(&format!("export CONTACTFS_TENANT={}", sandbox.tenant()))?;
    output::line(&format!(
        "export CONTACTFS_CLIENT_ID={}",
        sandbox.client_id()
    ))?;
    output::line(&format!(
        "export CONTACTFS_CLIENT_SECRET={}",
        sandbox.client_secret()
    ))?;
    output::line(&format!("export CONTACTFS_MAILBOX={}", sandbox.mailbox()))?;
    output::note("With these variables set, run: contactfs mount DIR");
    output::note("Ctrl-C ends the service.");
    Ok(())
}

/// Signals are caught before the variables are printed: who reads them may end the service at once.
fn serve(sandbox: &Sandbox) -> Result<(), CliError> {
    let failed = |error: io::Error| {
        CliError::failed(Exit::Service, format!("cannot wait for signals: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        introduce(sandbox)?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_service_at_a_time() {
        let base = tempfile::tempdir().unwrap();
        let state_dir = base.path().join("state");
        let first = Service::start(&state_dir, None).unwrap();
        let second = Service::start(&state_dir, None).map(drop);
        assert_eq!(second.unwrap_err().exit(), Exit::TryLater);
        drop(first);
        assert!(Service::start(&state_dir, None).is_ok());
    }
}
