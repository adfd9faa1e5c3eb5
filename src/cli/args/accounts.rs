//! The commands about accounts and their sign-ins.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::LogOptions;
use super::options::positive;

/// Sign in to a mailbox, once
///
/// Shows a page to be opened on any device and a code to be typed there. The sign-in is kept, and a mount
/// that waits for it goes on by itself.
#[derive(Debug, Args)]
#[command(args_override_self = true)]
pub(in crate::cli) struct LoginArgs {
    #[command(flatten)]
    pub(in crate::cli) account: AccountArgs,

    /// Sign in with a browser on this machine instead of a code
    #[arg(long, conflicts_with = "client_credentials", help_heading = "Way")]
    pub(in crate::cli) browser: bool,

    /// Try the application's own secret or certificate; nobody signs in
    #[arg(long, help_heading = "Way")]
    pub(in crate::cli) client_credentials: bool,

    /// Give up after this long
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = positive, help_heading = "Way")]
    pub(in crate::cli) timeout: Duration,

    /// Ask for the permission to read only
    ///
    /// Such a sign-in is good for mounts with --read-only.
    #[arg(long, help_heading = "Permissions")]
    pub(in crate::cli) read_only: bool,

    /// Ask for the permission to the contacts that this user shares with you
    ///
    /// A user id or a user principal name. Overrides CONTACTFS_MAILBOX.
    #[arg(long, value_name = "UPN", help_heading = "Permissions")]
    pub(in crate::cli) mailbox: Option<String>,

    /// Ask for the permission to the colours of categories as well
    ///
    /// Only `contactfs categories` needs it.
    #[arg(
        long,
        conflicts_with = "client_credentials",
        help_heading = "Permissions"
    )]
    pub(in crate::cli) categories: bool,

    /// Look at the sign-in there is, by getting a token and reading the mailbox's folder
    ///
    /// Exits with 0 when it works, 78 when a person has to sign in, and 69 when the service cannot be reached.
    #[arg(long, conflicts_with_all = ["browser", "admin_consent_url"], help_heading = "Instead")]
    pub(in crate::cli) check: bool,

    /// Print the address where an administrator allows the application for everybody
    #[arg(long, conflicts_with_all = ["browser", "client_credentials"], help_heading = "Instead")]
    pub(in crate::cli) admin_consent_url: bool,

    #[command(flatten)]
    pub(in crate::cli) log: LogOptions,
}

/// Forget a sign-in
///
/// What was kept of it is removed; mounts of the account go on with what they have read.
#[derive(Debug, Args)]
pub(in crate::cli) struct LogoutArgs {
    #[command(flatten)]
    pub(in crate::cli) account: AccountArgs,
}

/// List the accounts and whether they are signed in
///
/// Nothing is sent.
#[derive(Debug, Args)]
pub(in crate::cli) struct AccountsArgs {
    /// Read this file instead of $XDG_CONFIG_HOME/contactfs/config.toml
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Print JSON: [{"name", "auth", "signed_in", "user", "scopes", ...}, ...]
    ///
    /// The keys are documented in contactfs(1) and stable.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Which account a command is about.
#[derive(Debug, Args)]
pub(in crate::cli) struct AccountArgs {
    /// Name of the account [default: the only one, or default]
    #[arg(value_name = "ACCOUNT")]
    pub(in crate::cli) name: Option<String>,

    /// Read this file instead of $XDG_CONFIG_HOME/contactfs/config.toml
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
}
