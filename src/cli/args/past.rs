//! Commands about what a mount keeps of the past of its contacts.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};

/// List, show and resolve conflicts
///
/// A contact is in conflict when the same property was changed here and elsewhere to different values. One
/// of them stands already, see --conflict of mount; a good save of the file, or this command, ends the conflict.
#[derive(Debug, Args)]
pub(in crate::cli) struct ConflictsArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ConflictsCommand,
}

/// What to do about conflicts.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConflictsCommand {
    /// List the contacts in conflict
    ///
    /// Exits with 2 when there are any.
    List {
        /// A mounted directory, or anything in it; all mounts when absent
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Print JSON: [{"path", "properties", "reason", "ours", "theirs"}, ...]
        #[arg(long)]
        json: bool,
    },
    /// Show where the two cards of a contact in conflict differ
    Show {
        /// The contact's file
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Print JSON: {"path", "properties", "reason", "ours", "theirs"}
        #[arg(long)]
        json: bool,
    },
    /// End a conflict
    ///
    /// What was changed apart from the properties in conflict stays in any case.
    Resolve(ResolveArgs),
}

/// How to end a conflict.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("side").required(true)))]
pub(in crate::cli) struct ResolveArgs {
    /// The contact's file
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,

    /// Let the values from here stand
    #[arg(long, group = "side")]
    pub(in crate::cli) ours: bool,

    /// Let the values from elsewhere stand
    #[arg(long, group = "side")]
    pub(in crate::cli) theirs: bool,

    /// Edit the file, with the card that lost beside it
    ///
    /// The editor is $VISUAL, else $EDITOR, else vi. Saving the file ends the conflict.
    #[arg(long, group = "side")]
    pub(in crate::cli) edit: bool,
}

/// List, confirm and take back deletions that are held
///
/// More than 20 deletions that are more than half of a folder, within one minute, are not sent before they
/// are confirmed, see --no-delete-guard of mount.
#[derive(Debug, Args)]
pub(in crate::cli) struct DeletesArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: DeletesCommand,
}

/// What to do about held deletions.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DeletesCommand {
    /// List the deletions that are held
    ///
    /// Exits with 2 when there are any.
    List {
        /// A mounted directory, or anything in it; all mounts when absent
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,

        /// Print JSON: [{"path", "state", "reason", "id"}, ...]
        #[arg(long)]
        json: bool,
    },
    /// Let the deletions be sent
    Confirm {
        /// A mounted directory, or anything in it
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show the files again and send nothing
    Restore {
        /// A mounted directory, or anything in it
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

/// List and remove the files of a mount that are no contacts
///
/// Swap files, backups, .git and the like live on this machine only, and survive a new mount.
#[derive(Debug, Args)]
pub(in crate::cli) struct ScratchArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ScratchCommand,
}

/// What to do about scratch files.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ScratchCommand {
    /// List them with their sizes; a directory is one
    List {
        /// A mounted directory, or one in it
        #[arg(value_name = "DIR")]
        dir: PathBuf,

        /// Print JSON: [{"path", "directory", "size"}, ...]
        #[arg(long)]
        json: bool,
    },
    /// Remove them
    Clean {
        /// A mounted directory, or one in it
        #[arg(value_name = "DIR")]
        dir: PathBuf,

        /// Remove directories such as .git as well
        #[arg(long)]
        all: bool,
    },
}

/// List the versions kept of a contact's file, which may be deleted
///
/// Every text that was replaced, deleted or refused is kept on this machine for 90 days, up to 256 MiB in all.
#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArgs {
    /// The contact's file; with @VERSION, that version is printed
    #[arg(value_name = "FILE[@VERSION]")]
    pub(in crate::cli) file: PathBuf,

    /// Print JSON: [{"version", "ended", "fate", "size"}, ...]
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Put an earlier version of a contact's file back, also of one that was deleted
///
/// It is saved like any text, so what it replaces is kept in turn.
#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The contact's file; without a version the last one that it showed
    #[arg(value_name = "FILE[@VERSION]")]
    pub(in crate::cli) file: PathBuf,
}
