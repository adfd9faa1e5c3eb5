//! Kernel requests: unpacked, answered by the tree, replied to. No decision is made here.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};

use super::attr::{self, file_attr, file_type, permissions, stamp};
use super::errno::errno;
use super::mount::{OnEnd, Options};
use super::wait::Waits;
use super::worker::Worker;
use super::xattr;
use crate::model::Ino;
use crate::tree::{Error, Result, SetAttr, Sought, Stat, Target, Ticket, Tree};

/// As good as for ever: what changes elsewhere is invalidated.
const TTL: Duration = Duration::from_secs(365 * 24 * 3600);
/// Inode numbers are never reused.
const GENERATION: Generation = Generation(0);

/// The filesystem as the kernel sees it.
pub(super) struct Ops {
    tree: Arc<Tree>,
    waits: Arc<Waits>,
    read_only: bool,
    sync: bool,
    xattr: bool,
    fsync_timeout: Duration,
    worker: Worker,
    on_end: OnEnd,
}

impl Ops {
    pub(super) fn new(
        tree: Arc<Tree>,
        waits: Arc<Waits>,
        options: &Options,
        on_end: OnEnd,
    ) -> std::io::Result<Self> {
        let Options {
            read_only,
            sync,
            xattr,
            fsync_timeout,
            ..
        } = *options;
        Ok(Self {
            tree,
            waits,
            read_only,
            sync,
            xattr,
            fsync_timeout,
            worker: Worker::start()?,
            on_end,
        })
    }

    /// The inode of a number of the kernel's, whose root may be a folder.
    fn at(&self, number: INodeNo) -> Ino {
        match number {
            INodeNo::ROOT => self.tree.root(),
            number => Ino(number.0),
        }
    }

    /// Does something in a directory as soon as it can be listed.
    fn when_listable(&self, dir: Ino, then: impl FnOnce(Result<()>) + Send + 'static) {
        match self.tree.is_listable(dir) {
            Ok(true) => then(Ok(())),
            Ok(false) => self.waits.until_loaded(dir, Box::new(then)),
            Err(error) => then(Err(error)),
        }
    }

    /// Answers an `fsync`, or a `close` on a mount with `--sync`, when the bytes are durable and the save is decided.
    fn answer_durably(&self, ino: Ino, saved: Result<Option<Ticket>>, reply: ReplyEmpty) {
        let ticket = match saved {
            Ok(ticket) => ticket,
            Err(error) => return reply.error(errno(&error)),
        };
        let (tree, waits, limit) = (
            Arc::clone(&self.tree),
            Arc::clone(&self.waits),
            self.fsync_timeout,
        );
        self.worker
            .run(move || match (tree.make_durable(ino), ticket) {
                (Ok(()), Some(ticket)) => {
                    waits.until_decided(ticket, limit, Box::new(move |done| answer(done, reply)));
                }
                (done, _) => answer(done, reply),
            });
    }
}

impl Filesystem for Ops {
    fn init(&mut self, _req: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let wanted = [
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
            InitFlags::FUSE_AUTO_INVAL_DATA,
            InitFlags::FUSE_NO_OPEN_SUPPORT,
            InitFlags::FUSE_NO_OPENDIR_SUPPORT,
        ];
        for capability in wanted {
            // An older kernel does without: each of these saves requests, none is needed.
            let _missing = config.add_capabilities(capability);
        }
        Ok(())
    }

    fn destroy(&mut self) {
        (self.on_end)();
    }

    fn lookup(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        let (tree, parent) = (Arc::clone(&self.tree), self.at(parent));
        self.when_listable(parent, move |ready| {
            match ready.and_then(|()| tree.lookup(parent, text(&name)?)) {
                Err(Error::NotFound) => negative(reply),
                found => entry(found, reply),
            }
        });
    }

    fn forget(&self, _req: &Request, ino: INodeNo, nlookup: u64) {
        self.tree.forget(self.at(ino), nlookup);
    }

    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        attributes(self.tree.stat(self.at(ino)), reply);
    }

    fn setattr(
        &self,
        req: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let wanted = SetAttr {
            mode: mode.map(permissions),
            uid,
            gid,
            size,
            atime: atime.map(stamp),
            mtime: mtime.map(stamp),
        };
        attributes(self.tree.set_attr(self.at(ino), wanted, req.pid()), reply);
    }

    fn readlink(&self, _req: &Request, ino: INodeNo, reply: ReplyData) {
        match self.tree.readlink(self.at(ino)) {
            Ok(target) => reply.data(target.as_bytes()),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn mknod(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _rdev: u32,
        reply: ReplyEntry,
    ) {
        if mode & libc::S_IFMT != libc::S_IFREG {
            return reply.error(Errno::EPERM); // Devices, pipes and sockets have no place here (behaviour 4.10).
        }
        let mode = permissions(mode & !umask);
        entry(
            text(name).and_then(|name| self.tree.create(self.at(parent), name, mode, req.pid())),
            reply,
        );
    }

    fn mkdir(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let mode = permissions(mode & !umask);
        entry(
            text(name).and_then(|name| self.tree.mkdir(self.at(parent), name, mode)),
            reply,
        );
    }

    fn unlink(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(
            text(name).and_then(|name| self.tree.unlink(self.at(parent), name)),
            reply,
        );
    }

    fn rmdir(&self, _req: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(
            text(name).and_then(|name| self.tree.rmdir(self.at(parent), name)),
            reply,
        );
    }

    fn symlink(
        &self,
        _req: &Request,
        parent: INodeNo,
        link_name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let made = text(link_name).and_then(|name| {
            self.tree
                .symlink(self.at(parent), name, text(target.as_os_str())?)
        });
        entry(made, reply);
    }

    fn rename(
        &self,
        _req: &Request,
        parent: INodeNo,
        name: &OsStr,
        newparent: INodeNo,
        newname: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let target = match flags {
            RenameFlags::RENAME_NOREPLACE => Target::MustBeFree,
            RenameFlags::RENAME_EXCHANGE => Target::Exchange,
            flags if flags.is_empty() => Target::Replace,
            _ => return reply.error(Errno::EINVAL),
        };
        let done = text(name).and_then(|name| {
            self.tree.rename(
                (self.at(parent), name),
                (self.at(newparent), text(newname)?),
                target,
            )
        });
        answer(done, reply);
    }

    fn link(
        &self,
        _req: &Request,
        ino: INodeNo,
        newparent: INodeNo,
        newname: &OsStr,
        reply: ReplyEntry,
    ) {
        entry(
            text(newname).and_then(|name| self.tree.link(self.at(ino), self.at(newparent), name)),
            reply,
        );
    }

    /// Without OPEN a read of a small file is one request less; the kernel asks once.
    fn open(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _req: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.error(Errno::ENOSYS);
    }

    fn read(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut reply = Some(reply);
        let read = self
            .tree
            .read(self.at(ino), offset, size as usize, |bytes| {
                if let Some(reply) = reply.take() {
                    reply.data(bytes);
                }
            });
        if let (Err(error), Some(reply)) = (read, reply) {
            reply.error(errno(&error));
        }
    }

    fn write(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let pid = if write_flags.contains(WriteFlags::FUSE_WRITE_CACHE) {
            0
        } else {
            req.pid()
        };
        match self.tree.write(self.at(ino), offset, data, pid) {
            Ok(count) => reply.written(u32::try_from(count).unwrap_or(u32::MAX)),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn flush(
        &self,
        req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        if self.read_only {
            return reply.error(Errno::ENOSYS); // The kernel asks once and then saves the request at every close.
        }
        match self.tree.flush(self.at(ino), req.pid()) {
            Ok(Some(ticket)) if self.sync => {
                self.answer_durably(self.at(ino), Ok(Some(ticket)), reply);
            }
            done => answer(done.map(drop), reply),
        }
    }

    fn fsync(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.answer_durably(self.at(ino), self.tree.fsync(self.at(ino)), reply);
    }

    fn fsyncdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _datasync: bool,
        reply: ReplyEmpty,
    ) {
        self.answer_durably(self.at(ino), Ok(None), reply);
    }

    fn readdir(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let (tree, ino) = (Arc::clone(&self.tree), self.at(ino));
        self.when_listable(ino, move |ready| {
            let listed = ready.and_then(|()| {
                tree.list(ino, offset, false, |entry| {
                    !reply.add(
                        INodeNo(entry.stat.ino.0),
                        entry.cookie,
                        file_type(&entry.stat.kind),
                        &entry.name,
                    )
                })
            });
            match listed {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(errno(&error)),
            }
        });
    }

    fn readdirplus(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let (tree, ino) = (Arc::clone(&self.tree), self.at(ino));
        self.when_listable(ino, move |ready| {
            let listed = ready.and_then(|()| {
                tree.list(ino, offset, true, |entry| {
                    let attr = file_attr(&entry.stat);
                    !reply.add(attr.ino, entry.cookie, &entry.name, &TTL, &attr, GENERATION)
                })
            });
            match listed {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(errno(&error)),
            }
        });
    }

    /// ENOSYS makes the kernel stop asking for the life of the mount; any other answer costs two requests per file of
    /// every `ls -l` (behaviour 1.8).
    fn getxattr(&self, _req: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        if !self.xattr {
            return reply.error(Errno::ENOSYS);
        }
        let about = self.tree.about(self.at(ino));
        match about.map(|about| about.and_then(|about| xattr::value(&about, name))) {
            Ok(Some(value)) => xattr::answer(value.as_bytes(), size, reply),
            Ok(None) => reply.error(Errno::NO_XATTR),
            Err(error) => reply.error(errno(&error)),
        }
    }

    fn listxattr(&self, _req: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        if !self.xattr {
            return reply.error(Errno::ENOSYS);
        }
        match self.tree.about(self.at(ino)) {
            Ok(about) => xattr::answer(
                &about.map(|about| xattr::names(&about)).unwrap_or_default(),
                size,
                reply,
            ),
            Err(error) => reply.error(errno(&error)),
        }
    }

    /// The kernel turns ENOSYS into EOPNOTSUPP: attributes are for reading only.
    fn setxattr(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _name: &OsStr,
        _value: &[u8],
        _flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn removexattr(&self, _req: &Request, _ino: INodeNo, _name: &OsStr, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn fallocate(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mode = mode.cast_unsigned();
        answer(
            self.tree.allocate(self.at(ino), offset, length, mode),
            reply,
        );
    }

    fn lseek(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let sought = match whence {
            libc::SEEK_DATA => Sought::Data,
            libc::SEEK_HOLE => Sought::Hole,
            _ => return reply.error(Errno::EINVAL), // The kernel does the others itself.
        };
        let from = u64::try_from(offset).map_err(|_| Error::BeyondEnd);
        match from.and_then(|from| self.tree.seek(self.at(ino), from, sought)) {
            Ok(place) => reply.offset(i64::try_from(place).unwrap_or(i64::MAX)),
            Err(error) => reply.error(errno(&error)),
        }
    }

    /// Every program that asks whether a file is a terminal asks this; without an answer each question is logged.
    fn ioctl(
        &self,
        _req: &Request,
        _ino: INodeNo,
        _fh: FileHandle,
        _flags: IoctlFlags,
        _cmd: u32,
        _in_data: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }

    /// Plausible and never full, so that tools which check free space go on (behaviour 1.9).
    fn statfs(&self, _req: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        let (blocks, block) = (1 << 20, 4096);
        reply.statfs(
            blocks,
            blocks / 2,
            blocks / 2,
            1 << 20,
            1 << 19,
            block,
            255,
            block,
        );
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let mode = permissions(mode & !umask);
        match text(name).and_then(|name| self.tree.create(self.at(parent), name, mode, req.pid())) {
            Ok(stat) => reply.created(
                &TTL,
                &file_attr(&stat),
                GENERATION,
                FileHandle(0),
                FopenFlags::empty(),
            ),
            Err(error) => reply.error(errno(&error)),
        }
    }
}

fn answer(done: Result<()>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(&error)),
    }
}

fn attributes(stat: Result<Stat>, reply: ReplyAttr) {
    match stat {
        Ok(stat) => reply.attr(&TTL, &file_attr(&stat)),
        Err(error) => reply.error(errno(&error)),
    }
}

fn entry(stat: Result<Stat>, reply: ReplyEntry) {
    match stat {
        Ok(stat) => reply.entry(&TTL, &file_attr(&stat), GENERATION),
        Err(error) => reply.error(errno(&error)),
    }
}

/// A name that is not there, to be remembered by the kernel.
fn negative(reply: ReplyEntry) {
    reply.entry(&TTL, &attr::nothing(), GENERATION);
}

fn text(name: &OsStr) -> Result<&str> {
    name.to_str().ok_or(Error::BadName)
}
