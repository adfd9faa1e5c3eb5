//! What programs of the POSIX world find in a hidden directory: test suites, locks, shared memory, holes.
//!
//! 5.2 "Scratch files and directories ... live in the state directory on local disk with POSIX behaviour: hard links,
//! symlinks, chmod, utimens, locks, shared mmap, sparse files, rename, unlinked-but-open files".

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use contactfs::sandbox::Options;
use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;

use super::book::{Book, errno};
use crate::support::{Run, need, root_or_skip, run};

/// A book with a hidden directory that everybody may use.
fn workshop() -> Option<(Book, PathBuf)> {
    let everybody = ["--allow-other", "--dir-mode", "755"];
    let book = Book::with(&everybody, Options::default())?;
    fs::set_permissions(book.world.dir(), Permissions::from_mode(0o755)).unwrap();
    let dir = book.mount.path("Contacts/.d");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    Some((book, dir))
}

const NO_DEVICES: &str = "pipes, sockets and devices have no place here: EPERM (behaviour 4.10)";
const ONE_OWNER: &str =
    "every file belongs to the user who mounted: EPERM for another owner (behaviour 5.5)";
const ELSEWHERE: &str = "shown on a read-only mount by mount_read::owners";

/// Tests of pjdfstest that do not pass, by the end or the whole of their name, and why. Each is checked to be of use.
const FAIL: &[(&str, &str)] = &[
    ("::fifo", NO_DEVICES),
    ("::socket", NO_DEVICES),
    ("::char", NO_DEVICES),
    ("::block", NO_DEVICES),
    ("open::fifo_nonblock_wronly", NO_DEVICES),
    ("open::socket_error", NO_DEVICES),
    ("mkfifo::changed_time_fields_success", NO_DEVICES),
    ("mkfifo::permission_bits_from_mode", NO_DEVICES),
    ("mkfifo::uid_gid_eq_euid_egid", NO_DEVICES),
    ("mknod::changed_time_fields_success", NO_DEVICES),
    ("mknod::permission_bits_from_mode", NO_DEVICES),
    ("mknod::uid_gid_eq_euid_egid", NO_DEVICES),
    ("open::uid_gid_eq_euid_egid", ONE_OWNER),
    ("mkdir::uid_gid_eq_euid_egid", ONE_OWNER),
    ("chmod::clear_isgid_bit", ONE_OWNER),
    ("link::share_metadata::regular", ONE_OWNER),
];
/// Those that the suite leaves out by itself.
const SKIPPED: &[(&str, &str)] = &[
    ("::erofs_named", ELSEWHERE),
    ("::erofs_new_file", ELSEWHERE),
    (
        "link::link_count_max",
        "a file may have as many names as one likes",
    ),
];
/// As many pass at least: a suite that ran nothing would fail nowhere.
const PASS: usize = 200;

const CONFIG: &str = r#"
[features]
posix_fallocate = {}
rename_ctime = {}
utime_now = {}
utimensat = {}

[settings]
naptime = 0.02

[dummy_auth]
entries = [["nobody", "nogroup"], ["daemon", "daemon"]]
"#;

#[test]
fn the_posix_suite_passes() {
    if !need("pjdfstest") || !root_or_skip() {
        return;
    }
    let Some((book, dir)) = workshop() else {
        return;
    };
    let config = book.world.dir().join("suite.toml");
    fs::write(&config, CONFIG).unwrap();
    // Any other filesystem for the tests of EXDEV.
    let other = book.world.dir();
    let mut suite = Command::new("pjdfstest");
    suite
        .arg("-c")
        .arg(&config)
        .arg("-p")
        .arg(&dir)
        .arg("-s")
        .arg(other);
    let said = Run::of(suite.env("NO_COLOR", "1").env("RUST_BACKTRACE", "0")).out;
    let with_result = |result: &str| -> Vec<&str> {
        let lines = said
            .lines()
            .filter_map(|line| line.trim_end().strip_suffix(result));
        lines
            .map(str::trim_end)
            .filter(|name| name.contains("::"))
            .collect()
    };
    let (passed, failed, skipped) = (
        with_result(" ok"),
        with_result(" FAILED"),
        with_result(" skipped"),
    );
    assert!(passed.len() >= PASS, "{} passed:\n{said}", passed.len());
    for (names, rules) in [(failed, FAIL), (skipped, SKIPPED)] {
        let unknown: Vec<_> = names
            .iter()
            .filter(|name| !rules.iter().any(|(end, _)| name.ends_with(end)))
            .collect();
        assert!(unknown.is_empty(), "{unknown:#?}\n{said}");
        let idle: Vec<_> = rules
            .iter()
            .filter(|(end, _)| !names.iter().any(|name| name.ends_with(end)))
            .collect();
        assert!(idle.is_empty(), "these pass by now: {idle:#?}");
    }
    book.nothing_sent();
}

/// Random reads, writes, mappings, truncations, holes and copies, each checked against a copy in memory.
#[test]
fn the_file_exerciser_finds_no_wrong_byte() {
    if !need("fsx") {
        return;
    }
    let Some((book, dir)) = workshop() else {
        return;
    };
    let config = book.world.dir().join("fsx.toml");
    let weights = "close_open = 1\ninvalidate = 1\nfsync = 1\nfdatasync = 1\nposix_fallocate = 3\npunch_hole = 3\n\
                   sendfile = 3\nposix_fadvise = 1\ncopy_file_range = 3\n";
    fs::write(&config, format!("[weights]\n{weights}")).unwrap();
    for seed in ["1", "20261127"] {
        let file = dir.join(seed);
        let words = [
            "-f",
            config.to_str().unwrap(),
            "-N",
            "2000",
            "-S",
            seed,
            "-P",
            book.world.dir().to_str().unwrap(),
        ];
        let said = run("fsx", &[&words[..], &[file.to_str().unwrap()]].concat());
        assert_eq!(said.code, 0, "seed {seed}: {said:?}");
    }
    book.nothing_sent();
}

/// Two processes that share a file: byte ranges are locked by one at a time, a lock is not lost by closing another file,
/// and what one writes to its mapping the other reads from its own.
const SHARING: &str = r#"
import errno, fcntl, mmap, os, sys
path = sys.argv[1]
with open(path, "wb") as file:
    file.truncate(8192)
fd = os.open(path, os.O_RDWR)
fcntl.lockf(fd, fcntl.LOCK_EX, 10, 0)
fcntl.flock(fd, fcntl.LOCK_SH)
memory = mmap.mmap(fd, 8192)
ask, answer = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    own = os.open(path, os.O_RDWR)
    def locked(start, count):
        try:
            fcntl.lockf(own, fcntl.LOCK_EX | fcntl.LOCK_NB, count, start)
            return b"free"
        except OSError as error:
            return b"held" if error.errno in (errno.EAGAIN, errno.EACCES) else str(error).encode()
    mine = mmap.mmap(own, 8192)
    os.read(ask[0], 1)
    found = [locked(5, 10), locked(10, 10), bytes(mine[4096:4101])]
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found.append(b"free")
    except OSError:
        found.append(b"held")
    mine[0:5] = b"child"
    mine.flush()
    os.write(answer[1], b" ".join(found))
    os._exit(0)
memory[4096:4101] = b"hello"
os.write(ask[1], b"x")
print(os.read(answer[0], 100).decode())
os.waitpid(child, 0)
print(bytes(memory[0:5]).decode(), open(path, "rb").read(5).decode())
"#;

#[test]
fn locks_and_mappings_are_shared_between_processes() {
    if !need("python3") {
        return;
    }
    let Some((book, dir)) = workshop() else {
        return;
    };
    let file = dir.join("shared");
    let said = run("python3", &["-c", SHARING, file.to_str().unwrap()]).ok();
    assert_eq!(said, "held free hello held\nchild child\n");
    // So it is with a contact's file, which many programs lock.
    let copy = book.text();
    let ada = book.path();
    let lock = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); fcntl.flock(f, fcntl.LOCK_EX)";
    run("python3", &["-c", lock, ada.to_str().unwrap()]).ok();
    assert_eq!(book.text(), copy);
    book.nothing_sent();
}

#[test]
fn holes_are_found_through_the_kernel_and_kept_by_a_copy() {
    let Some((book, dir)) = workshop() else {
        return;
    };
    let path = dir.join("sparse");
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"end", 8 << 20).unwrap();
    assert_eq!(seek(&file, SeekFrom::Data(1 << 20)), Ok(8 << 20));
    let hole = seek(&file, SeekFrom::Hole(0)).unwrap();
    assert!((5..8 << 20).contains(&hole), "{hole}");
    assert_eq!(seek(&file, SeekFrom::Data(9 << 20)), Err(Errno::NXIO));
    let room = |path: &PathBuf| fs::metadata(path).unwrap().blocks() * 512;
    assert!(room(&path) < 1 << 20, "{}", room(&path));
    fallocate(&file, FallocateFlags::KEEP_SIZE, 1 << 20, 1 << 20).unwrap();
    assert!(room(&path) >= 1 << 20, "{}", room(&path));
    assert_eq!(file.metadata().unwrap().len(), (8 << 20) + 3);
    let copy = book.world.dir().join("copy");
    run("cp", &[path.to_str().unwrap(), copy.to_str().unwrap()]).ok();
    assert!(room(&copy) < 4 << 20, "{}: cp found the holes", room(&copy));
    // A contact's file takes no room but what it says.
    let card = File::options().write(true).open(book.path()).unwrap();
    assert_eq!(
        fallocate(&card, FallocateFlags::empty(), 0, 1 << 20),
        Err(Errno::OPNOTSUPP)
    );
    book.nothing_sent();
}

#[test]
fn a_directory_that_was_removed_takes_nothing_any_more() {
    let Some((book, dir)) = workshop() else {
        return;
    };
    let gone = dir.join("gone");
    fs::create_dir(&gone).unwrap();
    let said = run(
        "sh",
        &[
            "-c",
            &format!(
                "cd '{0}' && rmdir '{0}' && echo x > x; ls -a | wc -l",
                gone.display()
            ),
        ],
    );
    assert!(
        said.err.contains("Directory nonexistent") || said.err.contains("No such file"),
        "{said:?}"
    );
    assert!(!gone.exists());
    fs::create_dir(&gone).unwrap();
    assert_eq!(fs::read_dir(&gone).unwrap().count(), 0);
    book.nothing_sent();
}

/// Times are kept to the nanosecond, those of access as long as the mount lasts.
#[test]
fn times_are_those_that_were_set() {
    let Some((book, dir)) = workshop() else {
        return;
    };
    let path = dir.join("file");
    fs::write(&path, "x").unwrap();
    let second = |seconds| std::time::UNIX_EPOCH + Duration::new(seconds, 123_456_789);
    let times = fs::FileTimes::new()
        .set_accessed(second(1_000))
        .set_modified(second(2_000));
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_times(times)
        .unwrap();
    let stat = fs::metadata(&path).unwrap();
    assert_eq!(
        (stat.accessed().unwrap(), stat.modified().unwrap()),
        (second(1_000), second(2_000))
    );
    let before = (stat.ctime(), stat.ctime_nsec());
    std::thread::sleep(Duration::from_millis(20));
    fs::hard_link(&path, dir.join("other")).unwrap();
    let stat = fs::metadata(&path).unwrap();
    assert!(
        (stat.ctime(), stat.ctime_nsec()) > before,
        "a new name is a change of the file"
    );
    let linked = fs::hard_link(&path, dir.join("other"));
    assert_eq!(errno(linked), Errno::EXIST.raw_os_error());
    let book = book.remount();
    let stat = fs::metadata(book.mount.path("Contacts/.d/file")).unwrap();
    assert_eq!(stat.modified().unwrap(), second(2_000));
    assert_eq!(stat.nlink(), 2);
    book.nothing_sent();
}
