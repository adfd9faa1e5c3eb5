//! A home, a mailbox in a service of its own, and what the two said to each other.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use contactfs::sandbox::{Fault, FaultAction, LogEntry, Options, Sandbox};

use super::api::{Api, ELSEWHERE};
use super::mount::{Mount, Mounting, mounts_below};
use super::openapi::Judge;
use super::run::Run;
use super::wait::{Limit, detach, eventually, new_owner};

/// What a test gets unless it asks for more.
const LIMIT: Duration = Duration::from_secs(120);

/// Everything a test has; clones are the same world, which ends with the last of them and its mounts.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    /// First, so that it is dropped first and may fail the test.
    limit: Mutex<Option<Limit>>,
    owner: u64,
    service: Mutex<Option<Sandbox>>,
    options: Options,
    address: SocketAddr,
    token: String,
    /// Of the application that somebody elsewhere uses.
    other_token: String,
    secret: [(&'static str, String); 4],
    dir: tempfile::TempDir,
}

impl World {
    /// With an empty mailbox.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(Options {
            empty: true,
            ..Options::default()
        })
    }

    /// With the sandbox's sample mailbox.
    #[track_caller]
    pub fn sample() -> Self {
        Self::with(Options::default())
    }

    /// With a service as wanted; its record is ours. With `data` it can be stopped and started.
    #[track_caller]
    pub fn with(options: Options) -> Self {
        // As the program spells it: without symbolic links.
        let base = std::env::temp_dir().canonicalize().unwrap();
        let dir = tempfile::tempdir_in(base).unwrap();
        for name in ["mnt", "run", "home", "state", "config"] {
            fs::DirBuilder::new()
                .mode(0o700)
                .create(dir.path().join(name))
                .unwrap();
        }
        let options = Options {
            record: Some(dir.path().join("record.jsonl")),
            ..options
        };
        let service = Sandbox::start(options.clone()).unwrap();
        let owner = new_owner();
        Self(Arc::new(Inner {
            limit: Mutex::new(Some(Limit::new(LIMIT, owner))),
            owner,
            address: address(&service),
            token: service.access_token(),
            other_token: service.other_access_token(),
            secret: credentials(&service),
            service: Mutex::new(Some(service)),
            options,
            dir,
        }))
    }

    /// Gives the test another time limit than two minutes, from now.
    pub fn limit(&self, time: Duration) {
        let limit = Limit::new(time, self.0.owner);
        drop(lock(&self.0.limit).replace(limit));
    }

    /// The temporary directory of this world, for any files of the test.
    pub fn dir(&self) -> &Path {
        self.0.dir.path()
    }

    /// The usual mount point.
    pub fn mount_point(&self) -> PathBuf {
        self.dir().join("mnt")
    }

    /// The value of `CONTACTFS_STATE_DIR`; the store is in `default/` below it.
    pub fn state_dir(&self) -> PathBuf {
        self.dir().join("state/contactfs")
    }

    /// The program with the environment of this world and nothing else.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_contactfs"));
        command.args(arguments).current_dir(self.dir()).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LANG", "C.UTF-8")
            .env("HOME", self.dir().join("home"))
            .env("XDG_STATE_HOME", self.dir().join("state"))
            .env("XDG_CONFIG_HOME", self.dir().join("config"))
            .env("XDG_RUNTIME_DIR", self.dir().join("run"))
            .env("CONTACTFS_STATE_DIR", self.state_dir())
            .env(
                "CONTACTFS_GRAPH_URL",
                format!("http://{}/v1.0", self.0.address),
            )
            .env("CONTACTFS_LOGIN_URL", format!("http://{}", self.0.address))
            .env("CONTACTFS_ACCESS_TOKEN", &self.0.token);
        command
    }

    /// Runs `contactfs ARGUMENTS` to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&mut self.command(arguments))
    }

    /// Mounts at the usual mount point with further arguments, e.g. `&["--poll-interval", "1s"]`; returns once mounted.
    #[track_caller]
    pub fn mount(&self, arguments: &[&str]) -> Mount {
        self.mounting().args(arguments).start()
    }

    /// Prepares a mount that needs more than arguments.
    pub fn mounting(&self) -> Mounting {
        Mounting::new(self.clone())
    }

    /// A killed program may hang in its own mount, when the kernel was being told of a change in a directory in which another
    /// program waited for an answer; it is freed as a user would free it.
    pub(super) fn free(&self, dir: &Path, pid: Pid) {
        let hangs = || {
            let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid()));
            tasks.is_ok_and(|tasks| tasks.count() > 1)
        };
        let until = Instant::now() + Duration::from_secs(3);
        while hangs() {
            if mounts_below(dir).is_empty() {
                return; // What is left of it waits for the processor only.
            }
            if Instant::now() > until {
                self.run(&["umount", "--force", dir.to_str().unwrap()]).ok();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The mailbox as seen from elsewhere.
    pub fn api(&self) -> Api {
        Api::new(self.0.address.to_string(), self.0.other_token.clone())
    }

    /// The root of the service's API.
    pub fn graph_url(&self) -> String {
        format!("http://{}/v1.0", self.0.address)
    }

    /// The bearer token.
    pub fn token(&self) -> &str {
        &self.0.token
    }

    /// The secret of the application, for client credentials.
    pub fn secret(&self) -> &str {
        &self.0.secret[2].1
    }

    /// Every exchange but those of [`Api`], batch members among them, in order of arrival since the service started
    /// or [`clear_log`](Self::clear_log).
    pub fn log(&self) -> Vec<LogEntry> {
        let mut log = self.service(Sandbox::log);
        log.retain(|entry| !is_elsewhere(entry));
        log
    }

    /// The changes to contacts and folders that the program sent: POST, PATCH, PUT and DELETE, alone or as members of a
    /// batch, failed ones included.
    pub fn writes(&self) -> Vec<LogEntry> {
        let mut log = self.log();
        log.retain(is_write);
        log
    }

    /// The PATCHes among the [`writes`](Self::writes).
    pub fn patches(&self) -> Vec<LogEntry> {
        let mut writes = self.writes();
        writes.retain(|entry| entry.method == "PATCH");
        writes
    }

    /// Forgets the exchanges so far; they are judged all the same.
    pub fn clear_log(&self) {
        self.service(Sandbox::clear_log);
    }

    /// Plans a failure.
    pub fn fault(&self, fault: Fault) {
        self.service(|service| service.add_fault(fault));
    }

    /// Plans a failure of the next requests whose path and query contain `path` (all when empty).
    pub fn fail(&self, method: Option<&str>, path: &str, times: u32, action: FaultAction) {
        self.fault(Fault {
            method: method.map(str::to_owned),
            path_contains: (!path.is_empty()).then(|| path.to_owned()),
            skip: 0,
            times,
            action,
        });
    }

    /// Plans an error reply to the next requests as [`fail`](Self::fail) does.
    pub fn fail_with(&self, method: Option<&str>, path: &str, times: u32, code: u16, error: &str) {
        let action = FaultAction::Status {
            code,
            error_code: error.to_owned(),
            retry_after: None,
            empty_body: false,
        };
        self.fail(method, path, times, action);
    }

    /// Drops every planned failure.
    pub fn clear_faults(&self) {
        self.service(Sandbox::clear_faults);
    }

    /// Lets every connection break before anything is processed, until [`reconnect`](Self::reconnect). [`Api`] is cut
    /// off as well.
    pub fn disconnect(&self) {
        self.fail(None, "", u32::MAX, FaultAction::DropBefore);
    }

    /// Ends [`disconnect`](Self::disconnect) and every other planned failure.
    pub fn reconnect(&self) {
        self.clear_faults();
    }

    /// Stops the service: connections are refused. Needs [`Options::data`].
    #[track_caller]
    pub fn stop_service(&self) {
        assert!(self.0.options.data.is_some(), "the mailbox would be lost");
        drop(lock(&self.0.service).take());
    }

    /// Starts it again at the same address with the same mailbox; planned failures and the log are gone.
    #[track_caller]
    pub fn start_service(&self) {
        let options = Options {
            listen: self.0.address,
            ..self.0.options.clone()
        };
        // Another test's outgoing connection may hold the port for a moment.
        let service = eventually(
            Duration::from_secs(20),
            "the service's port is free",
            || Sandbox::start(options.clone()).ok(),
        );
        *lock(&self.0.service) = Some(service);
    }

    /// Environment of client credentials in place of a token; contacts are then under `/users/{id}`.
    pub(super) fn credentials(&self) -> &[(&'static str, String)] {
        &self.0.secret
    }

    pub(super) fn owner(&self) -> u64 {
        self.0.owner
    }

    #[track_caller]
    fn service<T>(&self, use_it: impl FnOnce(&Sandbox) -> T) -> T {
        use_it(lock(&self.0.service).as_ref().expect("the service runs"))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(lock(&self.service).take());
        for dead in mounts_below(self.dir.path()) {
            detach(&dead);
        }
        if thread::panicking() {
            return;
        }
        if let (Some(judge), Some(record)) = (Judge::get(), &self.options.record) {
            let violations = judge.record(record);
            assert!(
                violations.is_empty(),
                "exchanges that the description does not allow:\n{}",
                violations.join("\n")
            );
        }
    }
}

fn address(service: &Sandbox) -> SocketAddr {
    let url = service.login_url();
    url.trim_start_matches("http://").parse().unwrap()
}

fn credentials(service: &Sandbox) -> [(&'static str, String); 4] {
    [
        ("CONTACTFS_TENANT", service.tenant().to_owned()),
        ("CONTACTFS_CLIENT_ID", service.client_id().to_owned()),
        (
            "CONTACTFS_CLIENT_SECRET",
            service.client_secret().to_owned(),
        ),
        ("CONTACTFS_MAILBOX", service.mailbox().to_owned()),
    ]
}

fn is_elsewhere(entry: &LogEntry) -> bool {
    let mut headers = entry.request_headers.iter();
    headers.any(|(name, value)| name == "user-agent" && value == ELSEWHERE)
}

fn is_write(entry: &LogEntry) -> bool {
    let changes = ["POST", "PATCH", "PUT", "DELETE"].contains(&entry.method.as_str());
    let path = entry.path.to_ascii_lowercase();
    changes && (path.contains("/contacts") || path.contains("/contactfolders"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
