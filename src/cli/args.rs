//! The definition of every command and option.
//!
//! Help, completions and the checks of `contactfs(1)` and of `-o` derive from here. The doc comments
//! are the help texts: the first paragraph is the short one.

mod accounts;
mod carry;
mod notify;
mod options;
mod past;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(super) use accounts::{AccountsArgs, LoginArgs, LogoutArgs};
pub(super) use carry::{CategoriesArgs, ExportArgs, ImportArgs};
pub(super) use notify::NotifyOptions;
pub(super) use options::{CardOptions, FileOptions, LogOptions};
pub(super) use past::{
    ConflictsArgs, ConflictsCommand, DeletesArgs, DeletesCommand, HistoryArgs, ResolveArgs,
    RestoreArgs, ScratchArgs, ScratchCommand,
};

/// Outlook / Microsoft 365 contacts as a directory of vCard files
///
/// Folders are directories, contacts are .vcf files. What you save goes to the mailbox, what changes
/// there shows up here. To try it without an account: contactfs mount --sandbox DIR
#[derive(Debug, Parser)]
#[command(
    name = "contactfs",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Mount(Box<MountArgs>),
    Umount(UmountArgs),
    Login(LoginArgs),
    Logout(LogoutArgs),
    Accounts(AccountsArgs),
    Sandbox(SandboxArgs),
    Sync(SyncArgs),
    Status(StatusArgs),
    Watch(WatchArgs),
    Metrics(MetricsArgs),
    Conflicts(ConflictsArgs),
    Deletes(DeletesArgs),
    History(HistoryArgs),
    Restore(RestoreArgs),
    Scratch(ScratchArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Categories(CategoriesArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
    /// Print a systemd user unit
    ///
    /// It mounts the directory ~/Contacts. Save it as ~/.config/systemd/user/contactfs.service and put the
    /// CONTACTFS_ variables into ~/.config/contactfs/environment, mode 0600.
    Unit,
    Man(ManArgs),
}

/// Mount a mailbox's contacts at a directory
///
/// Stays in the foreground until the directory is unmounted or Ctrl-C is pressed, unless --daemon is
/// given. Whose contacts are shown is told by config.toml, see contactfs.conf(5), and the environment.
#[derive(Debug, Args)]
#[command(args_override_self = true, allow_missing_positional = true)]
pub(super) struct MountArgs {
    /// Name of the account [default: the only one, or default]
    ///
    /// Accounts are in config.toml, see contactfs.conf(5). Each has a store of its own below the state directory.
    #[arg(value_name = "ACCOUNT", conflicts_with = "sandbox")]
    pub(super) account: Option<String>,

    /// Directory to mount at
    ///
    /// It must exist and be empty; with --sandbox it is made if it is missing.
    #[arg(value_name = "DIR", required = true)]
    pub(super) dir: PathBuf,

    /// Show the contacts of this user instead of one's own
    ///
    /// A user id or a user principal name. Overrides CONTACTFS_MAILBOX.
    #[arg(
        long,
        value_name = "UPN",
        conflicts_with = "sandbox",
        help_heading = "Account"
    )]
    pub(super) mailbox: Option<String>,

    /// Read this file instead of $XDG_CONFIG_HOME/contactfs/config.toml
    ///
    /// Overrides CONTACTFS_CONFIG.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "sandbox",
        help_heading = "Account"
    )]
    pub(super) config: Option<PathBuf>,

    /// Mount a sample mailbox served by this program itself, no account needed
    ///
    /// The mailbox listens on this machine only and is kept below the state directory, so that what
    /// you change is there the next time.
    #[arg(long, help_heading = "Account")]
    pub(super) sandbox: bool,

    /// Add so many made-up people to a new sample mailbox
    ///
    /// A sample mailbox that was made before stays as it is.
    #[arg(long, value_name = "N", requires = "sandbox", help_heading = "Account")]
    pub(super) sandbox_contacts: Option<usize>,

    /// Keep state below this directory [default: $XDG_STATE_HOME/contactfs]
    ///
    /// It holds one directory per account, with changes that are not yet at the service. Overrides
    /// CONTACTFS_STATE_DIR.
    #[arg(long, value_name = "DIR", help_heading = "Account")]
    pub(super) state_dir: Option<PathBuf>,

    /// Stay in the foreground; the default
    #[arg(short, long, conflicts_with = "daemon", help_heading = "Mounting")]
    pub(super) foreground: bool,

    /// Return when the mount answers and go on in the background
    ///
    /// The log then goes to contactfs.log in the account's state directory, unless --log-file is given.
    #[arg(long, help_heading = "Mounting")]
    pub(super) daemon: bool,

    /// Options in the form of mount(8) and fstab(5)
    ///
    /// Every long option of this command by its name, with `_` or `-`, and ro. What mount(8) handles itself
    /// is ignored: rw, noauto, user, _netdev, nofail, x-* and the like.
    #[arg(short = 'o', value_name = "OPT[,OPT...]", help_heading = "Mounting")]
    pub(super) options: Vec<String>,

    /// Refuse every change
    #[arg(long, help_heading = "Mounting")]
    pub(super) read_only: bool,

    /// Let other users in
    ///
    /// File modes still apply. Needs user_allow_other in /etc/fuse.conf.
    #[arg(long, conflicts_with = "allow_root", help_heading = "Mounting")]
    pub(super) allow_other: bool,

    /// Let root in
    ///
    /// Needs user_allow_other in /etc/fuse.conf.
    #[arg(long, help_heading = "Mounting")]
    pub(super) allow_root: bool,

    /// Unmount when the process dies
    ///
    /// A process of its own waits for that. Otherwise a dead mount is cleared by the next one or by contactfs umount.
    #[arg(long, help_heading = "Mounting")]
    pub(super) auto_unmount: bool,

    /// Mount this contact folder, not the whole mailbox
    ///
    /// NAME is its directory's path in a mount of the mailbox, such as Work or Work/Friends.
    #[arg(long, value_name = "NAME", help_heading = "Mounting")]
    pub(super) folder: Option<String>,

    /// Mount over a directory that is not empty
    ///
    /// What it holds is hidden until it is unmounted.
    #[arg(long, help_heading = "Mounting")]
    pub(super) allow_non_empty: bool,

    /// Log every request of the kernel
    #[arg(long, help_heading = "Logging")]
    pub(super) debug_fuse: bool,

    /// The second half of --daemon: report to the parent on standard output.
    #[arg(long, hide = true)]
    pub(super) detached: bool,

    #[command(flatten)]
    pub(super) files: FileOptions,

    #[command(flatten)]
    pub(super) card: CardOptions,

    #[command(flatten)]
    pub(super) notify: NotifyOptions,

    #[command(flatten)]
    pub(super) log: LogOptions,
}

/// Unmount a directory, sending first what is pending
///
/// What cannot be sent within ten seconds stays queued for the next mount, and is listed. A mount whose
/// process died is cleared.
#[derive(Debug, Args)]
pub(super) struct UmountArgs {
    /// Mounted directory
    #[arg(value_name = "DIR")]
    pub(super) dir: PathBuf,

    /// Do not wait for anything
    ///
    /// The directory is detached at once; what is pending stays queued for the next mount.
    #[arg(long)]
    pub(super) force: bool,

    /// The second half of mount --auto-unmount: clear what this process leaves when it is gone.
    #[arg(long, hide = true, value_name = "PID")]
    pub(super) after: Option<u32>,
}

/// Serve a sample mailbox on this machine, for trying and testing
///
/// Speaks the contacts part of Microsoft Graph v1.0. Prints the variables that make contactfs and other
/// programs use it, and serves until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct SandboxArgs {
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,

    /// Add so many made-up people to a new mailbox
    #[arg(long, value_name = "N")]
    pub(super) contacts: Option<usize>,

    /// Seed of the people in a new mailbox
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,

    /// Keep the mailbox in this directory
    ///
    /// Without it the mailbox is gone when the command ends.
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,

    /// Delay every answer, as a network does
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = options::duration)]
    pub(super) latency: Duration,

    #[command(flatten)]
    pub(super) log: LogOptions,
}

/// Push all pending changes and pull all folders, then return
///
/// Exits with 0 when both sides hold the same, 1 when something is left, which is listed, and 75 when the
/// service cannot be reached.
#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    /// A mounted directory, or anything in it; all mounts when absent
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// Show the state of mounts, or of one file
///
/// Exits with 0 when all is well, 1 when work is waiting (offline, pending, loading), and 2 when a person is
/// needed (conflict, refused save, sign-in, dead mount).
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// A mounted directory, or a file in one; all mounts when absent
    #[arg(value_name = "DIR|FILE")]
    pub(super) path: Option<PathBuf>,

    /// Print JSON: {"mounts": [...], "dead": [...]}, or one item for a file
    ///
    /// The keys are documented in contactfs(1) and stable.
    #[arg(long)]
    pub(super) json: bool,

    /// Go on and show every change, until the mounts end
    ///
    /// Redraws a terminal; with --json each change is one line.
    #[arg(short, long)]
    pub(super) watch: bool,
}

/// Print one line of JSON for everything that happens in mounts
///
/// Goes on until the mounts end, or until Ctrl-C. The keys are documented in contactfs(1) and stable.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    /// A mounted directory, or anything in it; all mounts when absent
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// Print the numbers of mounts in the text format of Prometheus
///
/// For the textfile collector of the node exporter, or for anything that runs a program.
#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// A mounted directory, or anything in it; all mounts when absent
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// Check what a mount needs, and say what to do about each problem
///
/// Exits with 0 when there is no problem and 1 otherwise.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Directory to be mounted at, to be looked at as well
    #[arg(value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// Print JSON: [{"check", "ok", "found", "advice"}, ...]
    #[arg(long)]
    pub(super) json: bool,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: Shell,
}

/// Print a manual page
///
/// As mdoc source; read it with: contactfs man | man -l -
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// 1: commands and options; 5: config.toml; 7: how the files behave
    #[arg(value_enum, default_value = "1")]
    pub(super) section: Section,
}

/// A section of the manual.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Section {
    /// Commands and options
    #[value(name = "1")]
    Commands,
    /// The configuration file
    #[value(name = "5")]
    Configuration,
    /// How the files behave
    #[value(name = "7")]
    Files,
}
