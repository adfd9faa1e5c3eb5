//! A disk that loses, at a power cut, whatever was not synced: bytes of files without `fsync`, names without `fsync` of
//! their directory. It is a FUSE filesystem in memory, served by the test.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyWrite, Request, TimeOrNow, WriteFlags,
};

const TTL: Duration = Duration::from_secs(1);
const ROOT: u64 = 1;

/// What there is and, apart, what a power cut leaves of it.
#[derive(Clone)]
struct Node {
    content: Content,
    synced: Content,
    mode: u16,
    modified: SystemTime,
}

#[derive(Clone)]
enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<OsString, u64>),
}

impl Node {
    fn new(content: Content, mode: u32) -> Self {
        let synced = match &content {
            Content::File(_) => Content::File(Vec::new()),
            Content::Dir(_) => Content::Dir(BTreeMap::new()),
        };
        Self {
            content,
            synced,
            mode: (mode & 0o7777) as u16,
            modified: SystemTime::now(),
        }
    }

    fn bytes(&mut self) -> Result<&mut Vec<u8>, Errno> {
        match &mut self.content {
            Content::File(bytes) => Ok(bytes),
            Content::Dir(_) => Err(Errno::EISDIR),
        }
    }

    fn names(&mut self) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match &mut self.content {
            Content::Dir(names) => Ok(names),
            Content::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn attr(&self, ino: u64) -> FileAttr {
        let (size, kind) = match &self.content {
            Content::File(bytes) => (bytes.len() as u64, FileType::RegularFile),
            Content::Dir(_) => (0, FileType::Directory),
        };
        FileAttr {
            ino: INodeNo(ino),
            size,
            blocks: size.div_ceil(512),
            atime: self.modified,
            mtime: self.modified,
            ctime: self.modified,
            crtime: self.modified,
            kind,
            perm: self.mode,
            nlink: 1,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

struct State {
    nodes: BTreeMap<u64, Node>,
    last: u64,
}

impl State {
    fn node(&mut self, ino: INodeNo) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino.0).ok_or(Errno::ENOENT)
    }

    fn find(&mut self, dir: INodeNo, name: &OsStr) -> Result<u64, Errno> {
        self.node(dir)?
            .names()?
            .get(name)
            .copied()
            .ok_or(Errno::ENOENT)
    }

    fn add(&mut self, dir: INodeNo, name: &OsStr, node: Node) -> Result<FileAttr, Errno> {
        let names = self.node(dir)?.names()?;
        if names.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.last += 1;
        let ino = self.last;
        self.node(dir)?.names()?.insert(name.to_owned(), ino);
        let attr = node.attr(ino);
        self.nodes.insert(ino, node);
        Ok(attr)
    }

    fn remove(&mut self, dir: INodeNo, name: &OsStr) -> Result<(), Errno> {
        self.node(dir)?
            .names()?
            .remove(name)
            .map(drop)
            .ok_or(Errno::ENOENT)
    }

    fn rename(
        &mut self,
        (from, name): (INodeNo, &OsStr),
        (to, new): (INodeNo, &OsStr),
    ) -> Result<(), Errno> {
        let ino = self.find(from, name)?;
        self.remove(from, name)?;
        self.node(to)?.names()?.insert(new.to_owned(), ino);
        Ok(())
    }

    fn sync(&mut self, ino: INodeNo) -> Result<(), Errno> {
        let node = self.node(ino)?;
        node.synced = node.content.clone();
        Ok(())
    }
}

#[derive(Clone)]
struct Served(Arc<Mutex<State>>);

impl Served {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

/// The disk, mounted until it is dropped.
pub struct Disk {
    session: Option<BackgroundSession>,
    served: Served,
    dir: PathBuf,
}

impl Disk {
    pub fn mount(dir: &Path) -> Self {
        std::fs::create_dir_all(dir).unwrap();
        let root = Node::new(Content::Dir(BTreeMap::new()), 0o700);
        let state = State {
            nodes: BTreeMap::from([(ROOT, root)]),
            last: ROOT,
        };
        let mut disk = Self {
            session: None,
            served: Served(Arc::new(Mutex::new(state))),
            dir: dir.to_owned(),
        };
        disk.serve();
        disk
    }

    fn serve(&mut self) {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("lossy".to_owned())];
        let session = fuser::spawn_mount(self.served.clone(), &self.dir, &config);
        self.session = Some(session.unwrap());
    }

    /// Cuts the power: nothing that uses the disk may be alive. What was not synced is lost.
    pub fn cut(&mut self) {
        drop(self.session.take());
        for node in self.served.state().nodes.values_mut() {
            node.content = node.synced.clone();
        }
        self.serve();
    }
}

macro_rules! answer {
    ($reply:ident, $done:expr, |$value:ident| $ok:expr) => {
        match $done {
            Ok($value) => $ok,
            Err(error) => $reply.error(error),
        }
    };
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let mut state = self.state();
        let found = state.find(dir, name);
        let found = found.and_then(|ino| Ok(state.node(INodeNo(ino))?.attr(ino)));
        answer!(reply, found, |attr| reply.entry(&TTL, &attr, Generation(0)));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let attr = self.state().node(ino).map(|node| node.attr(ino.0));
        answer!(reply, attr, |attr| reply.attr(&TTL, &attr));
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut state = self.state();
        let attr = state.node(ino).and_then(|node| {
            if let Some(size) = size {
                node.bytes()?.resize(size as usize, 0);
            }
            node.mode = mode.map_or(node.mode, |mode| (mode & 0o7777) as u16);
            Ok(node.attr(ino.0))
        });
        answer!(reply, attr, |attr| reply.attr(&TTL, &attr));
    }

    fn mkdir(&self, _: &Request, dir: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let node = Node::new(Content::Dir(BTreeMap::new()), mode);
        let made = self.state().add(dir, name, node);
        answer!(reply, made, |attr| reply.entry(&TTL, &attr, Generation(0)));
    }

    fn create(
        &self,
        _: &Request,
        dir: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let made = self
            .state()
            .add(dir, name, Node::new(Content::File(Vec::new()), mode));
        answer!(reply, made, |attr| reply.created(
            &TTL,
            &attr,
            Generation(0),
            FileHandle(0),
            FopenFlags::empty()
        ));
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut state = self.state();
        let piece = state.node(ino).and_then(|node| {
            let bytes = node.bytes()?;
            let begin = (offset as usize).min(bytes.len());
            let end = (begin + size as usize).min(bytes.len());
            Ok(&bytes[begin..end])
        });
        answer!(reply, piece, |bytes| reply.data(bytes));
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = self.state();
        let written = state.node(ino).and_then(|node| {
            let (begin, end) = (offset as usize, offset as usize + data.len());
            let bytes = node.bytes()?;
            bytes.resize(bytes.len().max(end), 0);
            bytes[begin..end].copy_from_slice(data);
            node.modified = SystemTime::now();
            Ok(data.len())
        });
        answer!(reply, written, |length| reply.written(length as u32));
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let done = self.state().sync(ino);
        answer!(reply, done, |_done| reply.ok());
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let done = self.state().sync(ino);
        answer!(reply, done, |_done| reply.ok());
    }

    fn unlink(&self, _: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.state().remove(dir, name);
        answer!(reply, done, |_done| reply.ok());
    }

    fn rmdir(&self, _: &Request, dir: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let done = self.state().remove(dir, name);
        answer!(reply, done, |_done| reply.ok());
    }

    fn rename(
        &self,
        _: &Request,
        from: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let done = self.state().rename((from, name), (to, new));
        answer!(reply, done, |_done| reply.ok());
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let mut state = self.state();
        let names = state.node(ino).and_then(|node| Ok(node.names()?.clone()));
        let Ok(names) = names else {
            return reply.error(Errno::ENOTDIR);
        };
        for (at, (name, child)) in names.iter().enumerate().skip(offset as usize) {
            let Ok(kind) = state
                .node(INodeNo(*child))
                .map(|node| node.attr(*child).kind)
            else {
                continue;
            };
            if reply.add(INodeNo(*child), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
