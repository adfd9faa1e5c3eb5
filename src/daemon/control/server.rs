//! The mount's end of the control socket.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::super::watch::{Next, Watch};
use super::{Handler, Reply, Request};
use crate::observe::status::Item;

/// A request is a few hundred bytes; a path may take 4096, each byte six characters of JSON at worst.
const MAX_REQUEST: u64 = 64 * 1024;
/// A peer that connects and says nothing is dropped.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon it is noticed that a watcher is gone, and how long the end waits for those who are slow.
const MOMENT: Duration = Duration::from_secs(1);

/// A listening control socket; dropping it removes the socket and ends the listener.
pub struct ControlServer {
    socket: PathBuf,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Arc<dyn Handler>,
    stopping: AtomicBool,
    /// Askers of an unmount, answered at the end. Never held across a call to the handler.
    waiting: Mutex<Vec<UnixStream>>,
    /// How many watchers are being told. Their threads end by themselves once the mount does.
    watchers: AtomicUsize,
}

/// Binds the socket and answers requests on threads of its own. A socket file left by a dead process is replaced.
///
/// # Errors
/// When the socket cannot be made private or bound; `AddrInUse` when another process answers on it.
pub fn serve(socket: PathBuf, handler: Arc<dyn Handler>) -> io::Result<ControlServer> {
    let bound = bind(&socket)?;
    let shared = Arc::new(Shared {
        handler,
        stopping: AtomicBool::new(false),
        waiting: Mutex::default(),
        watchers: AtomicUsize::new(0),
    });
    let listener = thread::Builder::new().name("control".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || listen(&bound, &shared)
    })?;
    Ok(ControlServer {
        socket,
        shared,
        listener: Some(listener),
    })
}

impl ControlServer {
    /// Tells everyone who asked for the unmount that it is done and what stays queued.
    pub fn unmounted(&self, left: &[Item]) {
        for stream in self.shared.take_waiting() {
            send(&stream, &Reply::Unmounted(left.to_vec()));
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The listener sits in accept(); one connection wakes it.
        let woken = UnixStream::connect(&self.socket).is_ok();
        drop(fs::remove_file(&self.socket));
        if let Some(listener) = self.listener.take().filter(|_| woken) {
            drop(listener.join());
        }
        drop(self.shared.take_waiting());
        let end = Instant::now() + 2 * MOMENT;
        while self.shared.watchers.load(Ordering::SeqCst) > 0 && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Shared {
    fn take_waiting(&self) -> Vec<UnixStream> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn bind(socket: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(socket).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    fs::set_permissions(socket, Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn listen(listener: &UnixListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = connection else { continue };
        let shared = Arc::clone(shared);
        let spawned = thread::Builder::new()
            .name("control-request".to_owned())
            .spawn(move || answer(stream, &shared));
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for a control request");
        }
    }
}

fn answer(stream: UnixStream, shared: &Shared) {
    if !is_own(&stream) {
        tracing::warn!("refused a control request of another user");
        return;
    }
    match read_request(&stream) {
        Ok(Request::Unmount) => {
            shared
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(stream);
            shared.handler.unmount();
        }
        Ok(Request::Status) => send(&stream, &Reply::Status(Box::new(shared.handler.status()))),
        Ok(Request::FileStatus { path }) => send(
            &stream,
            &Reply::FileStatus(shared.handler.file_status(&path).map(Box::new)),
        ),
        Ok(Request::Conflicts) => send(&stream, &Reply::Conflicts(shared.handler.conflicts())),
        Ok(Request::History { path }) => {
            send(&stream, &Reply::History(shared.handler.history(&path)));
        }
        Ok(Request::Version { version }) => {
            send(&stream, &Reply::Version(shared.handler.version(version)));
        }
        Ok(Request::ConfirmDeletions) => send(
            &stream,
            &Reply::Deletions(shared.handler.confirm_deletions()),
        ),
        Ok(Request::RestoreDeletions) => send(
            &stream,
            &Reply::Deletions(shared.handler.restore_deletions()),
        ),
        Ok(Request::Categories) => send(&stream, &Reply::Categories(shared.handler.categories())),
        Ok(Request::Watch) => {
            shared.watchers.fetch_add(1, Ordering::SeqCst);
            tell(&stream, &shared.handler.watch(), &shared.stopping);
            shared.watchers.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(Request::Sync) => send(&stream, &Reply::Sync(shared.handler.sync())),
        Err(error) => send(&stream, &Reply::Refused(error.to_string())),
    }
}

/// Root may ask as well: it could read the memory anyway.
fn is_own(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == own || peer.uid.is_root())
}

fn read_request(stream: &UnixStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(MAX_REQUEST)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// Tells a watcher of what happens until one of the two ends. One that does not read holds up this thread only.
fn tell(stream: &UnixStream, watch: &Watch, stopping: &AtomicBool) {
    loop {
        let told = match watch.next(MOMENT) {
            Next::Happening(happening) => write(stream, &Reply::Happening(happening)),
            Next::Quiet if is_gone(stream) => return,
            Next::Quiet if !stopping.load(Ordering::SeqCst) => Ok(()),
            Next::Quiet | Next::End => return send(stream, &Reply::Ended),
        };
        if told.is_err() {
            return;
        }
    }
}

/// Whether the peer has closed its end; it has nothing to say while it is told.
fn is_gone(stream: &UnixStream) -> bool {
    let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
    matches!(
        rustix::net::recv(stream, &mut [0; 1][..], flags),
        Ok((0, _))
    )
}

/// A peer that went away is no concern of the mount.
fn send(stream: &UnixStream, reply: &Reply) {
    if let Err(error) = write(stream, reply) {
        tracing::debug!(%error, "a control reply was not taken");
    }
}

fn write(mut stream: &UnixStream, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_string(reply)?;
    line.push('\n');
    stream.write_all(line.as_bytes())
}
