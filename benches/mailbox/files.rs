//! A large folder as files: the mount beside the local disk and beside bindfs, a FUSE filesystem that only passes on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use contactfs::sandbox::Options;

use super::mount::{World, filesystem, pinned, unmount};
use super::operation::Operation;
use super::table::{head, median, milliseconds, ratio, row, say};

const WARM: usize = 5;
const COLD: usize = 3;
/// The processor of pinned runs.
const CPU: usize = 1;

/// Runs every operation, pinned and not.
pub(super) fn run(contacts: usize) -> Result<()> {
    let world = World::new(Options {
        contacts: Some(contacts),
        ..Options::default()
    })?;
    let disk = world.dir().join("disk");
    copy_of_mailbox(&world, &disk)?;
    let out = scratch()?;
    say(&format!(
        "\n## files: {contacts} cards in one folder; local disk is {} ({}), copies go to {} ({})",
        disk.display(),
        filesystem(&disk)?,
        out.path().display(),
        filesystem(out.path())?
    ));
    for cpu in [Some(CPU), None] {
        measure(&world, &disk, out.path(), cpu)?;
    }
    Ok(())
}

fn copy_of_mailbox(world: &World, disk: &Path) -> Result<()> {
    for name in ["writable", "read-only"] {
        let mount = world.mount(name, &[], None)?;
        mount.wait_loaded()?;
        if !disk.exists() {
            let copied = Command::new("cp")
                .arg("-a")
                .arg(mount.dir().join("Contacts"))
                .arg(disk)
                .status()?;
            if !copied.success() {
                bail!("the cards could not be copied");
            }
        }
        mount.end()?;
    }
    Ok(())
}

/// Where copies go: memory if possible, so that the cost measured is the source's.
fn scratch() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        Ok(tempfile::tempdir_in(memory)?)
    } else {
        Ok(tempfile::tempdir()?)
    }
}

fn measure(world: &World, disk: &Path, out: &Path, cpu: Option<usize>) -> Result<()> {
    let bindfs = Bindfs::start(disk, world.dir(), cpu)?;
    let writable = world.mount("writable", &[], cpu)?;
    let read_only = world.mount("read-only", &["--read-only"], cpu)?;
    let places = [
        Some(disk.to_owned()),
        bindfs.as_ref().map(|bindfs| bindfs.dir.clone()),
        Some(writable.dir().join("Contacts")),
        Some(read_only.dir().join("Contacts")),
    ];
    let pinned = match cpu {
        Some(cpu) => format!("pinned to processor {cpu}"),
        None => "not pinned".to_owned(),
    };
    for kind in [Kind::Warm, Kind::Cold] {
        if kind == Kind::Cold && !drop_caches() {
            say("\nNot root: no cold figures.");
            continue;
        }
        say(&format!(
            "\n{kind:?}, {pinned}, medians of {}:",
            kind.runs()
        ));
        table(&places, out, cpu, kind)?;
    }
    writable.end()?;
    read_only.end()
}

fn table(places: &[Option<PathBuf>], out: &Path, cpu: Option<usize>, kind: Kind) -> Result<()> {
    head(&[
        "operation",
        "local disk",
        "bindfs",
        "contactfs",
        "--read-only",
        "contactfs / disk",
        "contactfs / bindfs",
        "--read-only / disk",
        "goal",
    ]);
    for operation in Operation::ALL {
        let times = times(operation, places, out, cpu, kind)?;
        let [Some(disk), bindfs, Some(writable), Some(read_only)] = times.as_slice() else {
            bail!("a place was not measured");
        };
        row(&[
            operation.name().to_owned(),
            milliseconds(*disk),
            bindfs.map_or("-".to_owned(), milliseconds),
            milliseconds(*writable),
            milliseconds(*read_only),
            ratio(*writable, *disk),
            bindfs.map_or("-".to_owned(), |bindfs| ratio(*writable, bindfs)),
            ratio(*read_only, *disk),
            kind.goal(operation),
        ]);
    }
    Ok(())
}

/// The median of each place. Places take turns, so that other work on the machine meets all alike.
fn times(
    operation: Operation,
    places: &[Option<PathBuf>],
    out: &Path,
    cpu: Option<usize>,
    kind: Kind,
) -> Result<Vec<Option<Duration>>> {
    let mut times = vec![Vec::new(); places.len()];
    // The first turn only prepares: it fills caches, and the copies that a later one compares with.
    for turn in 0..=kind.runs() {
        for (number, (place, times)) in places.iter().zip(&mut times).enumerate() {
            let Some(place) = place else { continue };
            if kind == Kind::Cold && !drop_caches() {
                bail!("the caches cannot be dropped any more");
            }
            let time = operation.run(place, &out.join(number.to_string()), cpu)?;
            if turn > 0 {
                times.push(time);
            }
        }
    }
    Ok(times.into_iter().map(median).collect())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Right after the same operation.
    Warm,
    /// After the kernel has forgotten names, attributes and bytes; what the programs keep in memory stays.
    Cold,
}

impl Kind {
    fn runs(self) -> usize {
        match self {
            Self::Warm => WARM,
            Self::Cold => COLD,
        }
    }

    fn goal(self, operation: Operation) -> String {
        match self {
            Self::Cold => "1.0x disk".to_owned(),
            Self::Warm if operation.beats_bindfs() => format!(
                "{:.1}x disk, 0.5x bindfs; --read-only 1.5x",
                operation.goal()
            ),
            Self::Warm => format!("{:.1}x disk; --read-only 1.5x", operation.goal()),
        }
    }
}

fn drop_caches() -> bool {
    let synced = Command::new("sync").status();
    let Ok(mut control) = File::options().write(true).open("/proc/sys/vm/drop_caches") else {
        return false;
    };
    synced.is_ok() && control.write_all(b"3\n").is_ok()
}

/// A mirror of the local directory.
struct Bindfs {
    child: Child,
    dir: PathBuf,
}

impl Bindfs {
    /// `None` when it is not installed.
    fn start(source: &Path, base: &Path, cpu: Option<usize>) -> Result<Option<Self>> {
        if Command::new("bindfs").arg("--version").output().is_err() {
            return Ok(None);
        }
        let dir = base.join("mnt/bindfs");
        fs::create_dir_all(&dir)?;
        let child = pinned("bindfs", cpu)
            .arg("-f")
            .args([source, &dir])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let bindfs = Self { child, dir };
        let end = Instant::now() + Duration::from_secs(10);
        while fs::read_dir(&bindfs.dir)?.next().is_none() {
            if Instant::now() > end {
                bail!("bindfs does not mount");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Some(bindfs))
    }
}

impl Drop for Bindfs {
    fn drop(&mut self) {
        unmount(&self.dir);
        drop(self.child.wait());
    }
}
