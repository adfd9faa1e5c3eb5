//! Commands that carry contacts into a mount and out of it.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// Write contacts to one file, or to one file each
///
/// The cards are those of the mounted directory, those in directories below it among them. What is missing here is
/// read from the service first. Exits with 1 when a file was left out because it is no complete card.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("target")))]
pub(in crate::cli) struct ExportArgs {
    /// A directory in a mount, or one contact's file
    #[arg(value_name = "DIR|FILE")]
    pub(in crate::cli) from: PathBuf,

    /// Write all cards to this file instead of standard output
    #[arg(short, long, value_name = "FILE", group = "target")]
    pub(in crate::cli) output: Option<PathBuf>,

    /// Write one file for each contact below this directory
    ///
    /// It is made if it is missing; files of the same names are replaced.
    #[arg(long, value_name = "DIR", group = "target")]
    pub(in crate::cli) split: Option<PathBuf>,

    /// Print JSON: {"exported", "left_out": [{"path", "reason"}, ...]}
    #[arg(long, requires = "target")]
    pub(in crate::cli) json: bool,
}

/// Make contacts of the cards in a file
///
/// The file may hold many cards. One whose UID a contact of the directory has already is skipped. Each refused card is
/// reported with its line, and the others are imported. Exits with 1 when a card was refused and with 75 when the
/// contacts could not be sent yet.
#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// A file of cards; - for standard input
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,

    /// The directory of a contact folder in a mount
    #[arg(value_name = "DIR")]
    pub(in crate::cli) dir: PathBuf,

    /// Only say what would be done
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Print JSON: [{"line", "outcome", "path", "reason"}, ...]
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// List the categories of contacts with their colours
///
/// The colours are those of the mailbox's list, which the permission MailboxSettings.Read lets one see; without it the
/// categories of contacts are listed all the same. Exits with 1 then.
#[derive(Debug, Args)]
pub(in crate::cli) struct CategoriesArgs {
    /// A mounted directory, anything in it, or the name of a mounted account; all mounts when absent
    #[arg(value_name = "DIR|ACCOUNT")]
    pub(in crate::cli) of: Option<PathBuf>,

    /// Print JSON: [{"name", "color", "contacts"}, ...]
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
