//! The command's end of the control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Reply, Request};
use crate::observe::happening::Happening;

/// A status is answered from memory; a mount that takes longer hangs.
const PROMPT: Duration = Duration::from_secs(10);
/// Draining takes up to 10 s (behaviour 7.4), a request under way and the unmount itself some more.
const UNMOUNT: Duration = Duration::from_secs(60);

/// Why a mount did not answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No process listens on the socket.
    #[error("no process serves this mount")]
    NotRunning,
    /// The process listens and does not answer.
    #[error("the process that serves this mount does not answer")]
    Silent,
    /// The process ended while it was asked.
    #[error("the process that serves this mount ended without an answer")]
    Ended,
    /// The request was not understood, or the answer.
    #[error("the process that serves this mount speaks another version: {0}")]
    Foreign(String),
    /// The socket failed.
    #[error("cannot talk to the mount: {0}")]
    Io(#[source] io::Error),
}

/// Asks the mount behind a socket and waits for its answer.
///
/// # Errors
/// [`CallError`]; after [`CallError::Silent`] and [`CallError::Ended`] the request may have been carried out.
pub fn call(socket: &Path, request: &Request) -> Result<Reply, CallError> {
    read_reply(&mut ask(socket, request)?)
}

/// Watches the mount behind a socket.
///
/// # Errors
/// As [`call`].
pub fn watch(socket: &Path) -> Result<Watching, CallError> {
    Ok(Watching(Some(ask(socket, &Request::Watch)?)))
}

/// What happens in a mount, until it ends; the last is an error unless the end was an orderly one.
#[derive(Debug)]
pub struct Watching(Option<BufReader<UnixStream>>);

impl Iterator for Watching {
    type Item = Result<Happening, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        let reply = read_reply(self.0.as_mut()?);
        if let Ok(Reply::Happening(happening)) = reply {
            return Some(Ok(happening));
        }
        self.0 = None;
        match reply {
            Ok(Reply::Ended) => None,
            Ok(other) => Some(Err(CallError::Foreign(format!("{other:?}")))),
            Err(error) => Some(Err(error)),
        }
    }
}

fn ask(socket: &Path, request: &Request) -> Result<BufReader<UnixStream>, CallError> {
    let mut stream = UnixStream::connect(socket).map_err(not_running)?;
    stream
        .set_read_timeout(patience(request))
        .map_err(CallError::Io)?;
    let mut line = serde_json::to_string(request).map_err(foreign)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(failed)?;
    Ok(BufReader::new(stream))
}

fn read_reply(stream: &mut BufReader<UnixStream>) -> Result<Reply, CallError> {
    let mut answer = String::new();
    stream.read_line(&mut answer).map_err(failed)?;
    if answer.is_empty() {
        return Err(CallError::Ended);
    }
    match serde_json::from_str(&answer).map_err(foreign)? {
        Reply::Refused(reason) => Err(CallError::Foreign(reason)),
        reply => Ok(reply),
    }
}

/// A sync takes as long as the network does.
fn patience(request: &Request) -> Option<Duration> {
    match request {
        Request::Status
        | Request::FileStatus { .. }
        | Request::Conflicts
        | Request::History { .. }
        | Request::Version { .. }
        | Request::ConfirmDeletions
        | Request::RestoreDeletions => Some(PROMPT),
        Request::Unmount => Some(UNMOUNT),
        // These wait for the service, or for something to happen.
        Request::Sync | Request::Categories | Request::Watch => None,
    }
}

fn foreign(error: serde_json::Error) -> CallError {
    CallError::Foreign(error.to_string())
}

fn not_running(error: io::Error) -> CallError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => CallError::NotRunning,
        _ => CallError::Io(error),
    }
}

fn failed(error: io::Error) -> CallError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => CallError::Silent,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => CallError::Ended,
        _ => CallError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::thread;

    use super::*;
    use crate::daemon::control::{Handler, SyncOutcome, serve};
    use crate::daemon::watch::{Watch, Watchers};
    use crate::observe::categories::Categories;
    use crate::observe::happening::Event;
    use crate::observe::past::{Conflict, Version};
    use crate::observe::status::{Connection, FileStatus, Item, Status, Traffic};

    struct Fixed(SyncSender<()>, Watchers);

    impl Handler for Fixed {
        fn status(&self) -> Status {
            Status {
                mount: "/m".into(),
                pid: 7,
                account: "default".to_owned(),
                mailbox: None,
                read_only: true,
                connection: Connection::Offline {
                    cause: "no route".to_owned(),
                    reason: "no network".to_owned(),
                },
                folders: Vec::new(),
                pending: Vec::new(),
                drafts: Vec::new(),
                conflicts: Vec::new(),
                rejected: Vec::new(),
                held: Vec::new(),
                requests: 0,
                traffic: Traffic::default(),
                notifications: None,
            }
        }

        fn file_status(&self, path: &str) -> Option<FileStatus> {
            (path == "Contacts/Zoë\n.vcf").then(FileStatus::default)
        }

        fn conflicts(&self) -> Vec<Conflict> {
            Vec::new()
        }

        fn history(&self, _path: &str) -> Vec<Version> {
            Vec::new()
        }

        fn version(&self, version: i64) -> Option<Vec<u8>> {
            (version == 7).then(|| b"\xffBEGIN".to_vec())
        }

        fn confirm_deletions(&self) -> usize {
            30
        }

        fn restore_deletions(&self) -> usize {
            20
        }

        fn categories(&self) -> Categories {
            Categories::default()
        }

        fn watch(&self) -> Watch {
            self.1.join(Event::Lost)
        }

        fn sync(&self) -> SyncOutcome {
            SyncOutcome::Left(vec![item()])
        }

        fn unmount(&self) {
            self.0.send(()).unwrap();
        }
    }

    fn item() -> Item {
        Item {
            path: "a.vcf".to_owned(),
            state: "pending".to_owned(),
            reason: None,
            id: None,
        }
    }

    fn handler() -> (Arc<Fixed>, Receiver<()>) {
        let (asked, asks) = sync_channel(1);
        (Arc::new(Fixed(asked, Watchers::default())), asks)
    }

    #[test]
    fn each_request_gets_its_reply() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let (handler, _asks) = handler();
        let server = serve(socket.clone(), handler.clone()).unwrap();
        assert_eq!(
            call(&socket, &Request::Status).unwrap(),
            Reply::Status(Box::new(handler.status()))
        );
        assert_eq!(
            call(&socket, &Request::Sync).unwrap(),
            Reply::Sync(SyncOutcome::Left(vec![item()]))
        );
        let file = |path: &str| {
            call(
                &socket,
                &Request::FileStatus {
                    path: path.to_owned(),
                },
            )
            .unwrap()
        };
        assert_eq!(file("nothing"), Reply::FileStatus(None));
        let version = |version| call(&socket, &Request::Version { version }).unwrap();
        assert_eq!(version(7), Reply::Version(Some(b"\xffBEGIN".to_vec())));
        assert_eq!(version(8), Reply::Version(None));
        for (request, count) in [
            (Request::ConfirmDeletions, 30),
            (Request::RestoreDeletions, 20),
        ] {
            assert_eq!(call(&socket, &request).unwrap(), Reply::Deletions(count));
        }
        assert!(matches!(
            file("Contacts/Zoë\n.vcf"),
            Reply::FileStatus(Some(_))
        ));
        drop(server);
        assert!(matches!(
            call(&socket, &Request::Status),
            Err(CallError::NotRunning)
        ));
        assert!(!socket.exists());
    }

    #[test]
    fn watchers_hear_until_the_end_and_one_that_does_not_read_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let (handler, _asks) = handler();
        let server = serve(socket.clone(), handler.clone()).unwrap();
        let mut watching = watch(&socket).unwrap();
        let mut first = || watching.next().unwrap().unwrap().event;
        assert_eq!(first(), Event::Lost);
        let idle = watch(&socket).unwrap();
        let path = "p".repeat(4096);
        for _ in 0..200 {
            handler.1.tell(&Event::Removed { path: path.clone() });
            assert_eq!(first(), Event::Removed { path: path.clone() });
        }
        handler.1.end();
        drop(server);
        assert!(watching.next().is_none());
        drop(idle);
    }

    #[test]
    fn the_end_of_a_watched_process_is_told_from_the_end_of_its_mount() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let mut watching = watch(&socket).unwrap();
        drop(listener);
        let end = watching.next().unwrap();
        assert!(
            matches!(end, Err(CallError::Ended | CallError::Io(_))),
            "{end:?}"
        );
        assert!(watching.next().is_none());
    }

    #[test]
    fn who_asks_for_an_unmount_waits_for_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let (handler, asks) = handler();
        let server = serve(socket.clone(), handler).unwrap();
        let asker = thread::spawn(move || call(&socket, &Request::Unmount));
        asks.recv().unwrap();
        server.unmounted(&[item()]);
        assert_eq!(
            asker.join().unwrap().unwrap(),
            Reply::Unmounted(vec![item()])
        );
    }

    #[test]
    fn a_mount_that_ends_without_a_word_is_told_from_a_silent_one() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let (handler, asks) = handler();
        let server = serve(socket.clone(), handler).unwrap();
        let asker = thread::spawn(move || call(&socket, &Request::Unmount));
        asks.recv().unwrap();
        drop(server);
        assert!(matches!(asker.join().unwrap(), Err(CallError::Ended)));
    }

    #[test]
    fn nonsense_is_refused_and_the_server_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let (handler, _asks) = handler();
        let _server = serve(socket.clone(), handler).unwrap();
        for nonsense in ["{}\n", "\n", "{\"request\":\"format_disk\"}\n"] {
            let mut stream = UnixStream::connect(&socket).unwrap();
            stream.write_all(nonsense.as_bytes()).unwrap();
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).unwrap();
            assert!(
                matches!(serde_json::from_str(&answer).unwrap(), Reply::Refused(_)),
                "{answer}"
            );
        }
        assert!(call(&socket, &Request::Status).is_ok());
    }

    #[test]
    fn the_socket_is_private_and_a_stale_one_is_replaced_but_never_a_live_one() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert!(matches!(
            call(&socket, &Request::Status),
            Err(CallError::NotRunning)
        ));
        let (handler, _asks) = handler();
        let _server = serve(socket.clone(), handler.clone()).unwrap();
        assert_eq!(
            socket.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        let second = serve(socket.clone(), handler).map(drop);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(call(&socket, &Request::Status).is_ok());
    }
}
