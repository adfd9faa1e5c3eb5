//! The one table from errors to errno.

use fuser::Errno;

use crate::tree::{CardErrorKind, Error, Problem};

/// The errno a program sees.
pub(super) fn errno(error: &Error) -> Errno {
    match error {
        Error::NotFound => Errno::ENOENT,
        Error::Exists => Errno::EEXIST,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::IsDir => Errno::EISDIR,
        Error::NotDir => Errno::ENOTDIR,
        Error::NotPermitted(_) => Errno::EPERM,
        Error::DefaultFolder => Errno::EBUSY,
        Error::CrossDevice => Errno::EXDEV,
        Error::NameTooLong => Errno::ENAMETOOLONG,
        Error::BadName => Errno::EILSEQ,
        Error::Invalid | Error::Incomplete => Errno::EINVAL,
        Error::Card(error) => card(&error.kind),
        Error::TooBig => Errno::EFBIG,
        Error::NotSupported => Errno::EOPNOTSUPP,
        Error::BeyondEnd => Errno::ENXIO,
        Error::NotTaken(Problem::Rejected(_)) => Errno::EINVAL,
        Error::NotTaken(Problem::Denied(_)) => Errno::EACCES,
        Error::NotTaken(Problem::NoRoom(_)) => Errno::ENOSPC,
        Error::NotTaken(Problem::TooLarge(_)) => Errno::EFBIG,
        // EBUSY, not ESTALE: the file is there and can be read again at once.
        Error::NotTaken(Problem::Conflict(_)) | Error::Stale => Errno::EBUSY,
        // A folder that cannot be loaded must not look empty or missing (behaviour P4).
        Error::NotLoaded | Error::Overtaken => Errno::EIO,
        Error::ReadOnly => Errno::EROFS,
        Error::Store(error) if error.is_full() => Errno::ENOSPC,
        Error::Store(_) => Errno::EIO,
        Error::Io(error) => error.raw_os_error().map_or(Errno::EIO, Errno::from_i32),
    }
}

/// The table of vcard-mapping 9.
fn card(kind: &CardErrorKind) -> Errno {
    match kind {
        CardErrorKind::NotACard
        | CardErrorKind::Unfinished
        | CardErrorKind::TextAfterEnd
        | CardErrorKind::Syntax(_)
        | CardErrorKind::SecondCard
        | CardErrorKind::Version
        | CardErrorKind::NotAPicture
        | CardErrorKind::Nameless => Errno::EINVAL,
        CardErrorKind::Encoding | CardErrorKind::Charset(_) => Errno::EILSEQ,
        CardErrorKind::Group => Errno::EOPNOTSUPP,
        CardErrorKind::TooLong { .. }
        | CardErrorKind::TooMuch { .. }
        | CardErrorKind::PictureTooLong { .. }
        | CardErrorKind::TooMany { .. } => Errno::EFBIG,
    }
}
