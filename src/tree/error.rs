//! Why an operation failed, in the words of a filesystem.

use std::io;

use crate::store::{self, Problem};
use crate::vcard::CardError;

/// Why an operation failed. `fs` maps each to one errno.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such file.
    #[error("no such file")]
    NotFound,
    /// The name is taken.
    #[error("the name is taken")]
    Exists,
    /// The directory is not empty.
    #[error("the directory is not empty")]
    NotEmpty,
    /// A directory where a file is needed.
    #[error("is a directory")]
    IsDir,
    /// A file where a directory is needed.
    #[error("is not a directory")]
    NotDir,
    /// The operation is not offered for this kind of file.
    #[error("{0}")]
    NotPermitted(&'static str),
    /// The default contact folder cannot be renamed or removed (graph-facts 2.3).
    #[error("the mailbox's default folder cannot be renamed or removed")]
    DefaultFolder,
    /// The service offers no such move; `mv` copies instead.
    #[error("cannot be moved there; it has to be copied")]
    CrossDevice,
    /// The name is longer than 255 bytes.
    #[error("the name is too long")]
    NameTooLong,
    /// The name is not UTF-8.
    #[error("the name is not UTF-8")]
    BadName,
    /// The argument makes no sense.
    #[error("invalid argument")]
    Invalid,
    /// No card is that long.
    #[error("no card is that long")]
    TooBig,
    /// The text is no acceptable card.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The operation is not offered for this kind of file, and programs do without.
    #[error("not supported")]
    NotSupported,
    /// There is no data, or no hole, after that place.
    #[error("beyond the end of the file")]
    BeyondEnd,
    /// The text is not complete; only `fsync` says so.
    #[error("the card is not complete: no END:VCARD yet")]
    Incomplete,
    /// The service did not take the save.
    #[error("{}", .0.sentence())]
    NotTaken(Problem),
    /// The contact changed elsewhere since the file was opened.
    #[error("the contact changed elsewhere meanwhile")]
    Stale,
    /// The folder's first full load is not complete; the caller may wait.
    #[error("the folder is still being read")]
    NotLoaded,
    /// The engine changed a name after the mirror was looked at: the operation has to look again.
    #[error("the name changed meanwhile")]
    Overtaken,
    /// The mount is read-only.
    #[error("the mount is read-only")]
    ReadOnly,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The local disk failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}
