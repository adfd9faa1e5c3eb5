//! `contactfs mount`: resolves options into an account and settings and hands over to the daemon.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{
    Account, AccountOptions, Environment, MountSettings, NotifySettings, private_dir,
};
use crate::daemon::{self, Progress, Reread};
use crate::observe::log;

use super::args::MountArgs;
use super::detach;
use super::error::{CliError, Exit};
use super::guard;
use super::mount_point;
use super::progress::Terminal;
use super::sandbox;

/// Mounts and stays until unmounted; with `--daemon` only until the mount answers.
pub(super) fn run(args: &MountArgs, argv: &[OsString]) -> Result<Exit, CliError> {
    if args.detached {
        return detach::serve(|progress| mount(args, progress));
    }
    if args.daemon {
        return detach::start(argv);
    }
    mount(args, &Terminal::new(args.sandbox && args.folder.is_none()))?;
    Ok(Exit::Success)
}

fn mount(args: &MountArgs, progress: &dyn Progress) -> Result<(), CliError> {
    let environment = Environment::of_process();
    let notify = args.notify.settings()?;
    let log_file = args.log.log_file.as_deref().map(absolute).transpose()?;
    let plan = Plan::resolve(args, &environment)?;
    let dir = mount_point::prepare(&args.dir, args.sandbox, args.allow_non_empty)?;
    private_dir(plan.state_dir())?;
    init_log(args, &environment, log_file, plan.state_dir())?;
    if args.detached {
        // Every path is absolute by now, and the directory the command was given in may go.
        std::env::set_current_dir("/")
            .map_err(|error| CliError::failed(Exit::Service, error.to_string()))?;
    }
    if args.auto_unmount {
        guard::start(&dir)?;
    }
    // The service of a sandbox lives as long as the mount.
    let (account, _service) = plan.start(args)?;
    let reread = reread(args, environment, &account);
    Ok(daemon::run::mount(
        account,
        settings(args, dir, notify),
        progress,
        reread,
    )?)
}

/// What resolves the account again; that of a sample mailbox stays what it is.
fn reread(args: &MountArgs, environment: Environment, account: &Account) -> Reread {
    if args.sandbox {
        let account = account.clone();
        return Box::new(move || Ok(account.clone()));
    }
    let options = AccountOptions {
        name: Some(account.name.clone()),
        ..account_options(args)
    };
    Box::new(move || Account::resolve(&options, &environment).map_err(|error| error.to_string()))
}

fn account_options(args: &MountArgs) -> AccountOptions {
    AccountOptions {
        name: args.account.clone(),
        mailbox: args.mailbox.clone(),
        state_dir: args.state_dir.clone(),
        config: args.config.clone(),
    }
}

/// Whose contacts will be mounted, decided before anything is touched.
enum Plan {
    Account(Box<Account>),
    Sandbox(PathBuf),
}

impl Plan {
    fn resolve(args: &MountArgs, environment: &Environment) -> Result<Self, CliError> {
        if args.sandbox {
            return Ok(Self::Sandbox(sandbox::state_dir(
                environment,
                args.state_dir.as_deref(),
            )?));
        }
        Ok(Self::Account(Box::new(Account::resolve(
            &account_options(args),
            environment,
        )?)))
    }

    fn state_dir(&self) -> &Path {
        match self {
            Self::Account(account) => &account.state_dir,
            Self::Sandbox(state_dir) => state_dir,
        }
    }

    fn start(self, args: &MountArgs) -> Result<(Account, Option<sandbox::Service>), CliError> {
        match self {
            Self::Account(account) => Ok((*account, None)),
            Self::Sandbox(state_dir) => {
                let service = sandbox::Service::start(&state_dir, args.sandbox_contacts)?;
                Ok((service.account(state_dir), Some(service)))
            }
        }
    }
}

fn init_log(
    args: &MountArgs,
    environment: &Environment,
    log_file: Option<PathBuf>,
    state_dir: &Path,
) -> Result<(), CliError> {
    let background = args.detached.then(|| state_dir.join("contactfs.log"));
    let mut settings = args.log.settings(environment);
    settings.file = log_file.or(background);
    settings.fuse = args.debug_fuse;
    Ok(log::init(&settings)?)
}

fn settings(args: &MountArgs, dir: PathBuf, notify: Option<NotifySettings>) -> MountSettings {
    MountSettings {
        dir,
        read_only: args.read_only,
        allow_other: args.allow_other,
        allow_root: args.allow_root,
        folder: args.folder.clone(),
        allow_non_empty: args.allow_non_empty,
        uid: args.files.uid,
        gid: args.files.gid,
        file_mode: args.files.file_mode,
        dir_mode: args.files.dir_mode,
        xattr: args.files.xattr,
        poll_interval: args.card.poll_interval,
        notify,
        sync: args.card.sync,
        fsync_timeout: args.card.fsync_timeout,
        delete_grace: args.card.delete_grace,
        conflict: args.card.winner(),
        no_delete_guard: args.card.no_delete_guard,
        vcard_version: args.card.version(),
        eol: args.card.line_ending(),
        fold: args.card.folds(),
        rev: args.card.tells_times(),
        yearless: args.card.yearless(),
        extended: args.card.extended(),
        photos: args.card.photos(),
        cache_size: args.card.cache_size,
        debug_fuse: args.debug_fuse,
    }
}

fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path)
        .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))
}
