//! What people and programs do to a directory of many small files, each timed from start to end.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::mount::{cards, pinned};

/// First argument of this program when it is to act as [`child`].
pub(super) const CHILD: &str = "--as-tool";

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    List,
    Find,
    StatAll,
    ReadAll,
    Cat,
    Grep,
    RsyncOut,
    RsyncNothing,
}

impl Operation {
    pub(super) const ALL: [Self; 8] = [
        Self::List,
        Self::Find,
        Self::StatAll,
        Self::ReadAll,
        Self::Cat,
        Self::Grep,
        Self::RsyncOut,
        Self::RsyncNothing,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::List => "ls -l",
            Self::Find => "find -type f",
            Self::StatAll => "stat each",
            Self::ReadAll => "open, read, close each",
            Self::Cat => "xargs cat",
            Self::Grep => "grep -r",
            Self::RsyncOut => "rsync -a out",
            Self::RsyncNothing => "rsync -a, nothing to do",
        }
    }

    /// How many times the local disk's time a warm, pinned run may take.
    pub(super) fn goal(self) -> f64 {
        match self {
            Self::List | Self::Find | Self::StatAll | Self::RsyncNothing => 1.2,
            Self::RsyncOut => 1.5,
            Self::ReadAll | Self::Cat | Self::Grep => 3.0,
        }
    }

    /// Whether it should take at most half of bindfs' time.
    pub(super) fn beats_bindfs(self) -> bool {
        matches!(self, Self::ReadAll | Self::Cat | Self::Grep)
    }

    /// Runs it once on a directory; copies go to `out`.
    pub(super) fn run(self, dir: &Path, out: &Path, cpu: Option<usize>) -> Result<Duration> {
        match self {
            Self::List => shell("ls -l \"$0\"", dir, out, cpu),
            Self::Find => shell("find \"$0\" -type f", dir, out, cpu),
            Self::StatAll => as_tool("stat", dir, cpu),
            Self::ReadAll => as_tool("read", dir, cpu),
            Self::Cat => shell(
                "find \"$0\" -type f -print0 | xargs -0 -n 1000 cat",
                dir,
                out,
                cpu,
            ),
            Self::Grep => shell(
                "grep -r 'no card says this' \"$0\"; test $? = 1",
                dir,
                out,
                cpu,
            ),
            Self::RsyncOut => {
                if out.exists() {
                    fs::remove_dir_all(out)?;
                }
                shell("rsync -a \"$0/\" \"$1/\"", dir, out, cpu)
            }
            Self::RsyncNothing => shell("rsync -a \"$0/\" \"$1/\"", dir, out, cpu),
        }
    }
}

fn shell(line: &str, dir: &Path, out: &Path, cpu: Option<usize>) -> Result<Duration> {
    let mut command = pinned("sh", cpu);
    command.args(["-c", line]).arg(dir).arg(out);
    command.env("LC_ALL", "C").stdin(Stdio::null());
    let start = Instant::now();
    let output = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    let took = start.elapsed();
    if !output.status.success() {
        bail!("{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}

/// A loop over system calls in a process of its own, which can be pinned; it times itself.
fn as_tool(what: &str, dir: &Path, cpu: Option<usize>) -> Result<Duration> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("a path that is not UTF-8")?;
    let mut command: Command = pinned(program, cpu);
    let output = command.args([CHILD, what]).arg(dir).output()?;
    let nanoseconds = String::from_utf8(output.stdout)?;
    let nanoseconds = nanoseconds.trim_end().parse();
    Ok(Duration::from_nanos(nanoseconds.with_context(|| {
        String::from_utf8_lossy(&output.stderr).into_owned()
    })?))
}

/// This program as the tool `stat` or `read`; prints the time taken in nanoseconds.
pub(super) fn child(mut arguments: impl Iterator<Item = String>) -> Result<()> {
    let (what, dir) = (arguments.next(), arguments.next().context("no directory")?);
    let start = Instant::now();
    let paths = cards(Path::new(&dir))?;
    match what.as_deref() {
        Some("stat") => paths
            .iter()
            .try_for_each(|path| fs::metadata(path).map(drop))?,
        Some("read") => read(&paths)?,
        _ => bail!("no such tool"),
    }
    super::say(&start.elapsed().as_nanos().to_string());
    Ok(())
}

/// Each with one `read` into a buffer at hand, as a program that is in a hurry does.
fn read(paths: &[PathBuf]) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    for path in paths {
        let length = File::open(path)?.read(&mut buffer)?;
        std::hint::black_box(buffer.get(..length));
    }
    Ok(())
}
