//! Groups of options and the parsers of their values.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use jiff::SignedDuration;

use crate::config::{
    CardVersion, Environment, Extended, LineEnding, PhotoPlace, Winner, YearlessPlace,
};
use crate::observe::log::{LogFormat, LogSettings};

/// How saves travel and cards look.
#[derive(Debug, Args)]
pub(in crate::cli) struct CardOptions {
    /// Look for changes made elsewhere this often
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive, help_heading = "Saving")]
    pub(in crate::cli) poll_interval: Duration,

    /// Make close wait for the service as fsync does
    #[arg(long, help_heading = "Saving")]
    pub(in crate::cli) sync: bool,

    /// Let fsync wait this long for the service
    ///
    /// The bytes are safe on this machine before the wait begins.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, help_heading = "Saving")]
    pub(in crate::cli) fsync_timeout: Duration,

    /// Hold a deletion back this long
    ///
    /// A file of the same name that appears within this time makes it an update of the same contact; many
    /// programs save so.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration, help_heading = "Saving")]
    pub(in crate::cli) delete_grace: Duration,

    /// Send deletions however many there are
    ///
    /// Otherwise more than 20 that are more than half of a folder, within one minute, wait for: contactfs
    /// deletes confirm
    #[arg(long, help_heading = "Saving")]
    pub(in crate::cli) no_delete_guard: bool,

    /// Let this side's value stand where a property was changed here and elsewhere
    ///
    /// What both sides changed apart from that is kept in any case, and so is the card that lost.
    #[arg(
        long,
        value_enum,
        value_name = "SIDE",
        default_value = "theirs",
        help_heading = "Saving"
    )]
    conflict: SideName,

    /// Write cards in this version of the format
    #[arg(long, value_enum, default_value = "4.0", help_heading = "Cards")]
    vcard_version: VersionName,

    /// End the lines of cards so
    #[arg(long, value_enum, default_value = "crlf", help_heading = "Cards")]
    eol: EolName,

    /// Fold long lines of cards
    ///
    /// off: a line is written whole, however long it is. Cards are read either way.
    #[arg(long, value_enum, default_value = "on", help_heading = "Cards")]
    fold: SwitchName,

    /// Write into cards when the service last changed and made the contacts
    ///
    /// on: a card ends with REV and, in 4.0, CREATED, and is written anew when anything of its contact was changed
    /// elsewhere. Both are ignored in a saved card.
    #[arg(long, value_enum, default_value = "off", help_heading = "Cards")]
    rev: SwitchName,

    /// Keep a new birthday without a year here
    ///
    /// contact: in the contact, where Outlook shows it in the year 1604. residue: as part of the card only, where
    /// Outlook does not see it. Those that are there already stay where they are.
    #[arg(long, value_enum, default_value = "contact", help_heading = "Cards")]
    yearless: YearlessName,

    /// Read this much of what Outlook keeps beside the properties of Graph
    ///
    /// basic: fax, pager, car and other numbers, post-office boxes, personal home page, anniversary. all: gender,
    /// hobbies, free/busy address, user fields, sensitivity and rarer numbers as well. What is not read is kept as
    /// part of the card all the same, but Outlook does not see it in its own place.
    #[arg(long, value_enum, default_value = "basic", help_heading = "Cards")]
    extended: ExtendedName,

    /// Show the pictures of contacts so
    ///
    /// sidecar: in a file beside the card that can be read only. none: not at all. With both, a picture in a saved card
    /// is sent all the same.
    #[arg(long, value_enum, default_value = "inline", help_heading = "Cards")]
    photo: PhotoName,

    /// Keep this many cards in memory
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16384,
        help_heading = "Cards"
    )]
    pub(in crate::cli) cache_size: usize,
}

impl CardOptions {
    /// The chosen version.
    pub(in crate::cli) fn version(&self) -> CardVersion {
        match self.vcard_version {
            VersionName::V4 => CardVersion::V4,
            VersionName::V3 => CardVersion::V3,
        }
    }

    /// Whose value stands.
    pub(in crate::cli) fn winner(&self) -> Winner {
        match self.conflict {
            SideName::Theirs => Winner::Theirs,
            SideName::Ours => Winner::Ours,
        }
    }

    /// The chosen place for pictures.
    pub(in crate::cli) fn photos(&self) -> PhotoPlace {
        match self.photo {
            PhotoName::Inline => PhotoPlace::Inline,
            PhotoName::Sidecar => PhotoPlace::Sidecar,
            PhotoName::None => PhotoPlace::None,
        }
    }

    /// The chosen line ending.
    pub(in crate::cli) fn line_ending(&self) -> LineEnding {
        match self.eol {
            EolName::Crlf => LineEnding::Crlf,
            EolName::Lf => LineEnding::Lf,
        }
    }

    /// Whether long lines are folded.
    pub(in crate::cli) fn folds(&self) -> bool {
        self.fold == SwitchName::On
    }

    /// Whether cards say when their contacts were changed.
    pub(in crate::cli) fn tells_times(&self) -> bool {
        self.rev == SwitchName::On
    }

    /// The chosen place for birthdays without a year.
    pub(in crate::cli) fn yearless(&self) -> YearlessPlace {
        match self.yearless {
            YearlessName::Contact => YearlessPlace::Contact,
            YearlessName::Residue => YearlessPlace::Residue,
        }
    }

    /// How much is read.
    pub(in crate::cli) fn extended(&self) -> Extended {
        match self.extended {
            ExtendedName::Basic => Extended::Basic,
            ExtendedName::All => Extended::All,
        }
    }
}

/// What `stat` and `getfattr` say of files.
#[derive(Debug, Args)]
pub(in crate::cli) struct FileOptions {
    /// Show this user as the owner of every file [default: who mounts]
    #[arg(long, value_name = "UID", help_heading = "Files")]
    pub(in crate::cli) uid: Option<u32>,

    /// Show this group as that of every file [default: that of who mounts]
    #[arg(long, value_name = "GID", help_heading = "Files")]
    pub(in crate::cli) gid: Option<u32>,

    /// Give contacts' files this mode, in octal digits
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = mode, help_heading = "Files")]
    pub(in crate::cli) file_mode: u16,

    /// Give folders' directories this mode, in octal digits
    #[arg(long, value_name = "MODE", default_value = "700", value_parser = mode, help_heading = "Files")]
    pub(in crate::cli) dir_mode: u16,

    /// Give contacts' files extended attributes, to be read only
    ///
    /// user.contactfs.id, .changekey, .created, .state and .error. Each costs ls -l two requests per file; contactfs
    /// status FILE tells the same.
    #[arg(long, help_heading = "Files")]
    pub(in crate::cli) xattr: bool,
}

/// Where the log goes and how much it says.
#[derive(Debug, Args)]
pub(in crate::cli) struct LogOptions {
    /// Append the log to this file instead of standard error
    #[arg(long, value_name = "FILE", help_heading = "Logging")]
    pub(in crate::cli) log_file: Option<PathBuf>,

    /// Form of a log line
    #[arg(long, value_enum, default_value = "text", help_heading = "Logging")]
    log_format: FormatName,

    /// Log more; twice for much more
    ///
    /// CONTACTFS_LOG, a filter such as contactfs::sync=debug, overrides this.
    #[arg(short, long, action = ArgAction::Count, help_heading = "Logging")]
    verbose: u8,

    /// Log errors only
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Logging")]
    quiet: bool,
}

impl LogOptions {
    /// The settings they make with the environment.
    pub(in crate::cli) fn settings(&self, environment: &Environment) -> LogSettings {
        LogSettings {
            file: self.log_file.clone(),
            format: match self.log_format {
                FormatName::Text => LogFormat::Text,
                FormatName::Json => LogFormat::Json,
            },
            verbosity: if self.quiet {
                -1
            } else {
                self.verbose.try_into().unwrap_or(i8::MAX)
            },
            fuse: false,
            filter: environment.get("CONTACTFS_LOG").map(str::to_owned),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SideName {
    Theirs,
    Ours,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionName {
    #[value(name = "4.0")]
    V4,
    #[value(name = "3.0")]
    V3,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EolName {
    Crlf,
    Lf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SwitchName {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum YearlessName {
    Contact,
    Residue,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExtendedName {
    Basic,
    All,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PhotoName {
    Inline,
    Sidecar,
    None,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    Text,
    Json,
}

/// Permission bits in octal digits.
fn mode(text: &str) -> Result<u16, String> {
    let bits = u16::from_str_radix(text, 8)
        .ok()
        .filter(|bits| *bits <= 0o777);
    bits.ok_or_else(|| "expected permission bits such as 640".to_owned())
}

/// A time such as `30s`, `500ms`, `1m 30s`; a bare number is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse::<u32>()
        .ok()
        .map(|seconds| Duration::from_secs(seconds.into()));
    seconds
        .or_else(|| text.parse::<SignedDuration>().ok()?.try_into().ok())
        .ok_or_else(|| "expected a time such as 30s, 500ms or 2m".to_owned())
}

/// As [`duration`], and not zero.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("expected more than no time".to_owned()),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_or_are_seconds() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "soon", "-1s", "30x", "1e9"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert!(positive("0s").is_err());
        assert!(positive("1ms").is_ok());
    }

    #[test]
    fn modes_are_permission_bits_in_octal() {
        assert_eq!(mode("640"), Ok(0o640));
        assert_eq!(mode("0755"), Ok(0o755));
        for wrong in ["", "888", "1777", "rw", "-1", "0o640"] {
            assert!(mode(wrong).is_err(), "{wrong}");
        }
    }
}
