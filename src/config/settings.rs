//! How a mount behaves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// The settings of one mount, resolved; the command line makes them, the daemon obeys them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSettings {
    /// The mount point: canonical, existing.
    pub dir: PathBuf,
    /// Nothing can be changed through the mount.
    pub read_only: bool,
    /// Every user may enter; file modes still apply.
    pub allow_other: bool,
    /// Root may enter, too.
    pub allow_root: bool,
    /// The folder that is the root, by its path in the mailbox.
    pub folder: Option<String>,
    /// The mount point may hold files, which are hidden while mounted.
    pub allow_non_empty: bool,
    /// The owner that files show; the mounting user unless given.
    pub uid: Option<u32>,
    /// The group that files show; the mounting user's unless given.
    pub gid: Option<u32>,
    /// Permission bits of contacts' files (behaviour 1.2).
    pub file_mode: u16,
    /// Permission bits of folders' directories (behaviour 1.2).
    pub dir_mode: u16,
    /// Contacts' files have extended attributes (behaviour 1.8).
    pub xattr: bool,
    /// Time between two delta rounds of a folder (behaviour 2.1).
    pub poll_interval: Duration,
    /// Where the service is to tell of changes (graph-facts 8).
    pub notify: Option<NotifySettings>,
    /// `close` waits as `fsync` does (behaviour 3.4).
    pub sync: bool,
    /// Longest wait of `fsync` for the server's verdict (behaviour 3.4).
    pub fsync_timeout: Duration,
    /// Time between an unlink and its DELETE (behaviour 4.4).
    pub delete_grace: Duration,
    /// Whose value stands where a property was changed here and there (behaviour 6.2).
    pub conflict: Winner,
    /// Deletions of many contacts at once are sent like any other (behaviour 4.12).
    pub no_delete_guard: bool,
    /// The version cards are written in.
    pub vcard_version: CardVersion,
    /// The line ending cards are written with.
    pub eol: LineEnding,
    /// Long lines of cards are folded.
    pub fold: bool,
    /// Cards say when the service made and changed their contacts.
    pub rev: bool,
    /// Where new birthdays without a year are kept.
    pub yearless: YearlessPlace,
    /// How much of what Outlook keeps beside Graph's properties is read.
    pub extended: Extended,
    /// Where pictures are shown.
    pub photos: PhotoPlace,
    /// Most rendered cards kept in memory.
    pub cache_size: usize,
    /// Every kernel request is logged.
    pub debug_fuse: bool,
}

/// How notifications of the service arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// The address the service posts to: https, or plain http on loopback.
    pub url: Url,
    /// Where a proxy or tunnel hands on what arrives there.
    pub listen: SocketAddr,
}

/// A side of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// The service.
    Theirs,
    /// This machine.
    Ours,
}

/// A version of the vCard format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardVersion {
    /// RFC 2426.
    V3,
    /// RFC 6350.
    V4,
}

/// How many of the properties that Outlook keeps beside those of Graph are fields of a contact (vcard-mapping 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The common ones.
    Basic,
    /// All that vCard has a name for.
    All,
}

/// How the lines of a card end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnding {
    /// As RFC 6350 section 3.2 has it.
    Crlf,
    /// As Unix text files have it.
    Lf,
}

/// Where a birthday without a year is kept that a card is the first to say (vcard-mapping 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YearlessPlace {
    /// In the contact's birthday.
    Contact,
    /// With the lines that Outlook does not see.
    Residue,
}

/// Where the picture of a contact is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhotoPlace {
    /// In its card.
    Inline,
    /// In a file beside it.
    Sidecar,
    /// Nowhere.
    None,
}
