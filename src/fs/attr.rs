//! The tree's attributes in the protocol's types, and back.

use std::time::SystemTime;

use fuser::{FileAttr, FileType, INodeNo, TimeOrNow};

use crate::model::{Ino, Stamp};
use crate::tree::{FileKind, Stat};

/// What stands for a file that is not there: inode 0.
pub(super) fn nothing() -> FileAttr {
    file_attr(&Stat {
        ino: Ino(0),
        kind: FileKind::Regular,
        mode: 0,
        nlink: 0,
        size: 0,
        blocks: 0,
        atime: Stamp::default(),
        mtime: Stamp::default(),
        ctime: Stamp::default(),
        uid: 0,
        gid: 0,
    })
}

pub(super) fn file_attr(stat: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(stat.ino.0),
        size: stat.size,
        blocks: stat.blocks,
        atime: stat.atime.into(),
        mtime: stat.mtime.into(),
        ctime: stat.ctime.into(),
        crtime: SystemTime::UNIX_EPOCH,
        kind: file_type(&stat.kind),
        perm: stat.mode,
        nlink: stat.nlink,
        uid: stat.uid,
        gid: stat.gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

pub(super) fn file_type(kind: &FileKind) -> FileType {
    match kind {
        FileKind::Directory => FileType::Directory,
        FileKind::Regular => FileType::RegularFile,
        FileKind::Symlink => FileType::Symlink,
    }
}

pub(super) fn stamp(time: TimeOrNow) -> Stamp {
    match time {
        TimeOrNow::SpecificTime(time) => time.into(),
        TimeOrNow::Now => Stamp::now(),
    }
}

pub(super) fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).unwrap_or(0)
}
