//! The built program on a mailbox of the built-in service, in a temporary directory of its own.

use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use contactfs::sandbox::{Options, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than a mount takes to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any load or push takes.
const LIMIT: Duration = Duration::from_secs(300);

/// A mailbox, and a home for those who mount it.
pub(super) struct World {
    pub(super) service: Sandbox,
    home: TempDir,
}

impl World {
    pub(super) fn new(options: Options) -> Result<Self> {
        let base = std::env::temp_dir().canonicalize()?;
        let home = tempfile::tempdir_in(base)?;
        let service = Sandbox::start(Options {
            empty: true,
            ..options
        })?;
        Ok(Self { service, home })
    }

    /// For any files of a section.
    pub(super) fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Mounts with a store of its own, kept under `name`; returns once mounted. On one processor if `cpu` names it.
    pub(super) fn mount(
        &self,
        name: &str,
        arguments: &[&str],
        cpu: Option<usize>,
    ) -> Result<Mount<'_>> {
        let dir = self.dir().join("mnt").join(name);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let mut command = pinned(env!("CARGO_BIN_EXE_contactfs"), cpu);
        command.arg("mount").args(arguments).arg(&dir);
        self.environment(&mut command, name)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().context("no standard error")?;
        let mount = Mount {
            world: self,
            child,
            dir,
        };
        mount.wait_mounted(said)?;
        Ok(mount)
    }

    fn environment(&self, command: &mut Command, name: &str) -> Result<()> {
        for place in ["run", "home", "config"] {
            let place = self.dir().join(place).join(name);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(place)?;
        }
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir().join("home").join(name))
            .env("XDG_CONFIG_HOME", self.dir().join("config").join(name))
            .env("XDG_RUNTIME_DIR", self.dir().join("run").join(name))
            .env("CONTACTFS_STATE_DIR", self.dir().join("state").join(name))
            .env("CONTACTFS_GRAPH_URL", self.service.graph_url())
            .env("CONTACTFS_LOGIN_URL", self.service.login_url())
            .env("CONTACTFS_ACCESS_TOKEN", self.service.access_token());
        Ok(())
    }
}

/// A mount, taken down when dropped.
pub(super) struct Mount<'w> {
    world: &'w World,
    child: Child,
    dir: PathBuf,
}

impl Mount<'_> {
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `contactfs status DIR --json`.
    pub(super) fn status(&self) -> Result<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_contactfs"));
        command.args(["status", "--json"]).arg(&self.dir);
        let name = self.dir.file_name().context("no name")?;
        self.world
            .environment(&mut command, &name.to_string_lossy())?;
        let output = command.stdin(Stdio::null()).output()?;
        let said: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let status = said.pointer("/mounts/0").cloned();
        status.context("the mount is not known")
    }

    /// Until every folder's first load is complete.
    pub(super) fn wait_loaded(&self) -> Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if path.is_dir() {
                // A folder is listed when it is complete, not before; asking for the state instead would cost time.
                drop(fs::read_dir(path)?.next().transpose()?);
            }
        }
        Ok(())
    }

    /// Until nothing is to be sent.
    pub(super) fn wait_sent(&self) -> Result<()> {
        self.wait_until(|status| {
            let pending = status.get("pending").and_then(Value::as_array);
            pending.is_some_and(Vec::is_empty)
        })
    }

    fn wait_until(&self, holds: impl Fn(&Value) -> bool) -> Result<()> {
        let end = Instant::now() + LIMIT;
        while !holds(&self.status()?) {
            if Instant::now() > end {
                bail!("not done within {LIMIT:?}");
            }
            // The state is only known to the program; asking oftener would slow it down.
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Unmounts and waits for the program's end, which leaves the store warm.
    pub(super) fn end(mut self) -> Result<()> {
        self.terminate();
        match self.child.try_wait()? {
            Some(status) if status.success() => Ok(()),
            status => bail!("the mount ended with {status:?}"),
        }
    }

    fn wait_mounted(&self, said: impl Read + Send + 'static) -> Result<()> {
        let mut lines = BufReader::new(said).lines();
        let mut heard = String::new();
        for line in &mut lines {
            let line = line?;
            if line == format!("mounted {}", self.dir.display()) {
                // The rest is read so that the program never waits for room to write.
                thread::spawn(move || lines.for_each(drop));
                return Ok(());
            }
            heard = heard + &line + "\n";
        }
        bail!("not mounted: {heard}")
    }

    fn terminate(&mut self) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let end = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        self.terminate();
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
            unmount(&self.dir);
        }
    }
}

/// Takes a mount away whatever state it is in.
pub(super) fn unmount(dir: &Path) {
    let done = Command::new("fusermount3")
        .args(["-u", "-z", "--"])
        .arg(dir)
        .status();
    // A leftover shows when the temporary directory cannot be removed.
    drop(done);
}

/// A program on one processor, or wherever the kernel likes.
///
/// A wake-up on another, idle processor can cost ten times what one on the same costs, so only pinned figures compare.
pub(super) fn pinned(program: &str, cpu: Option<usize>) -> Command {
    let Some(cpu) = cpu else {
        return Command::new(program);
    };
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string(), program]);
    command
}

/// The type of a directory's filesystem.
pub(super) fn filesystem(dir: &Path) -> Result<String> {
    let output = Command::new("df")
        .arg("--output=fstype")
        .arg(dir)
        .output()?;
    let said = String::from_utf8(output.stdout)?;
    Ok(said.lines().last().unwrap_or_default().to_owned())
}

/// Files with their bytes, as they are in a directory.
pub(super) fn cards(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut cards = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "vcf") {
            cards.push(path);
        }
    }
    cards.sort();
    Ok(cards)
}
