//! The real program with a real mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::run::Run;
use super::wait::{detach, eventually, mount_began, mount_ended};
use super::world::World;

/// Until `mounted DIR` must have appeared, or the process must have ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mount to be started.
pub struct Mounting {
    world: World,
    dir: PathBuf,
    before: Vec<String>,
    command: Command,
}

impl Mounting {
    pub(super) fn new(world: World) -> Self {
        Self {
            dir: world.mount_point(),
            command: world.command(&["mount"]),
            before: Vec::new(),
            world,
        }
    }

    /// Further arguments.
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.before.extend(arguments.iter().map(|&s| s.to_owned()));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Another mount point, made in the world's directory.
    pub fn at(mut self, name: &str) -> Self {
        self.dir = self.world.dir().join(name);
        fs::create_dir_all(&self.dir).unwrap();
        self
    }

    /// Another state directory, in the world's: the store of another machine.
    pub fn state(mut self, name: &str) -> Self {
        self.command
            .env("CONTACTFS_STATE_DIR", self.world.dir().join(name));
        self
    }

    /// Signs in with client credentials in place of a token.
    pub fn client_credentials(mut self) -> Self {
        self.command.env_remove("CONTACTFS_ACCESS_TOKEN");
        let variables = self.world.credentials().to_vec();
        self.command.envs(variables);
        self
    }

    /// Runs the program by another one, which must put it in its own place (exec).
    pub fn through(mut self, wrapper: &[&str]) -> Self {
        let inner = std::mem::replace(&mut self.command, Command::new(wrapper[0]));
        self.command.args(&wrapper[1..]);
        self.command.arg(inner.get_program()).args(inner.get_args());
        let set = |(name, value): (_, Option<_>)| value.map(|value| (name, value));
        self.command
            .env_clear()
            .envs(inner.get_envs().filter_map(set));
        self.command.current_dir(self.world.dir());
        self
    }

    /// Mounts; fails the test with the program's words unless it is mounted in time.
    #[track_caller]
    pub fn start(self) -> Mount {
        let mut mount = self.spawn();
        let line = format!("mounted {}", mount.dir.display());
        eventually(PATIENCE, "the mount comes up", || {
            let said = mount.stderr();
            let ended = mount.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the mount ended, {ended:?}:\n{said}");
            said.lines().any(|said| said == line)
        });
        mount
    }

    /// Starts the program without waiting for the mount, e.g. to be refused; see [`Mount::wait`].
    #[track_caller]
    pub fn spawn(mut self) -> Mount {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::SeqCst);
        let stderr = self.world.dir().join(format!("mount-{number}.err"));
        let child = self
            .command
            .args(&self.before)
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        mount_began(self.world.owner(), Pid::from_child(&child), &self.dir);
        Mount {
            child: Some(child),
            dir: self.dir,
            stderr,
            is_left: false,
            world: self.world,
        }
    }
}

/// A mount, taken down when dropped.
pub struct Mount {
    child: Option<Child>,
    dir: PathBuf,
    stderr: PathBuf,
    /// Whether the dead mount is wanted; the world takes it down then.
    is_left: bool,
    /// After the rest: the world must outlive its mounts.
    world: World,
}

impl Mount {
    /// The mount point.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path in the mount, e.g. `"Contacts/Ada.vcf"`.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.join(inside)
    }

    /// The names in a directory of the mount, sorted.
    #[track_caller]
    pub fn list(&self, inside: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(inside)).unwrap();
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A file of the mount as text.
    #[track_caller]
    pub fn read(&self, inside: &str) -> String {
        let path = self.path(inside);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// What the program said so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.stderr).unwrap_or_default()).into_owned()
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("the program runs"))
    }

    /// Runs `contactfs sync DIR`.
    #[track_caller]
    pub fn sync(&self) -> Run {
        self.world.run(&["sync", self.dir.to_str().unwrap()])
    }

    /// Syncs, and fails the test unless everything is in step.
    #[track_caller]
    pub fn in_step(&self) {
        let run = self.sync();
        assert_eq!(run.code, 0, "{run:?}\nmount: {}", self.stderr());
    }

    /// `contactfs status DIR --json` of this mount.
    #[track_caller]
    pub fn status(&self) -> serde_json::Value {
        let run = self
            .world
            .run(&["status", "--json", self.dir.to_str().unwrap()]);
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"))
    }

    /// Unmounts with `contactfs umount DIR`; both programs must exit with 0. Returns what `umount` said.
    #[track_caller]
    pub fn unmount(mut self) -> Run {
        let run = self.world.run(&["umount", self.dir.to_str().unwrap()]);
        assert_eq!(run.code, 0, "{run:?}\nmount: {}", self.stderr());
        self.ends_well();
        run
    }

    /// Unmounts with SIGTERM; the program must exit with 0.
    #[track_caller]
    pub fn terminate(mut self) {
        self.signal(Signal::TERM);
        self.ends_well();
    }

    /// Sends a signal.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Kills the program as a power cut would; its mount stays, dead. Mount again with [`World::mount`].
    #[track_caller]
    pub fn kill9(mut self) {
        self.signal(Signal::KILL);
        self.world.free(&self.dir, self.pid());
        self.wait();
        self.is_left = true;
    }

    /// Fails the test unless the program has ended by now, and well. Its place is free for the next mount.
    #[track_caller]
    pub fn ended_before(&mut self) {
        let mut child = self.child.take().expect("the program runs");
        let status = child.try_wait().unwrap();
        if status.is_none() {
            self.child = Some(child);
            panic!("the program still runs:\n{}", self.stderr());
        }
        mount_ended(Pid::from_child(&child));
        assert!(status.is_some_and(|status| status.success()), "{status:?}");
        self.is_left = true;
    }

    /// Waits until the program ends by itself, at most 30 seconds.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the program runs");
        mount_ended(Pid::from_child(&child));
        let ended = eventually_ended(&mut child);
        ended.unwrap_or_else(|| {
            self.child = Some(child);
            panic!("the program does not end:\n{}", self.stderr())
        })
    }

    #[track_caller]
    fn ends_well(&mut self) {
        let status = self.wait();
        assert!(status.success(), "{status}:\n{}", self.stderr());
        let left = mounts_below(&self.dir);
        assert!(left.is_empty(), "still mounted: {left:?}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            mount_ended(Pid::from_child(child));
            drop(child.kill());
            self.world.free(&self.dir, Pid::from_child(child));
            drop(child.wait());
        }
        if !self.is_left {
            detach(&self.dir);
        }
        let said = self.stderr();
        if thread::panicking() {
            eprintln!("the mount at {} said:\n{said}", self.dir.display());
        } else {
            assert!(!said.contains("panicked at"), "{said}");
        }
    }
}

fn eventually_ended(child: &mut Child) -> Option<ExitStatus> {
    let end = std::time::Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if std::time::Instant::now() > end {
            return None;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Every mount at or below a directory, as the kernel lists them.
pub(super) fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    // A blank is written as octal digits there.
    let places = places.map(|place| PathBuf::from(place.replace("\\040", " ")));
    places.filter(|place| place.starts_with(dir)).collect()
}
