//! Everything that is not a contact stays here, and behaves as on a local disk.

use std::fs::{self, File, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::book::{Book, FILE, card, errno};
use crate::support::{need, sh};

const NOTE: &str = "Contacts/notes.txt";

/// 5.3 "They survive remounts, never leave the machine".
#[test]
fn scratch_files_survive_remounts_and_stay_here() {
    let Some(book) = Book::open() else { return };
    let names = [
        ".Ada.vcf.swp",
        "4913",
        "Ada.vcf~",
        "#Ada.vcf#",
        "sedAbCdEf",
        "Bo.vcf.tmp",
        "Makefile",
        ".hidden.vcf",
    ];
    for name in names {
        fs::write(book.folder().join(name), card(name)).unwrap();
        fs::write(book.mount.path(&format!("root-{name}.txt")), name).unwrap();
    }
    fs::create_dir_all(book.mount.path(".stfolder/deep/er")).unwrap();
    fs::write(book.mount.path(".stfolder/deep/er/Bo.vcf"), card("Bo")).unwrap();
    book.nothing_sent();
    let book = book.remount();
    for name in names {
        assert_eq!(
            fs::read_to_string(book.folder().join(name)).unwrap(),
            card(name)
        );
        assert_eq!(book.mount.read(&format!("root-{name}.txt")), name);
    }
    assert_eq!(book.mount.read(".stfolder/deep/er/Bo.vcf"), card("Bo"));
    book.nothing_sent();
}

/// 5.2 "Scratch files and directories ... live in the state directory on local disk with POSIX behaviour: hard links".
#[test]
fn hard_links_share_their_bytes() {
    let Some(book) = Book::open() else { return };
    let (one, two) = (book.mount.path(NOTE), book.mount.path("Contacts/.lock"));
    fs::write(&one, "one").unwrap();
    fs::hard_link(&one, &two).unwrap();
    let (a, b) = (fs::metadata(&one).unwrap(), fs::metadata(&two).unwrap());
    assert_eq!((a.ino(), a.nlink(), b.nlink()), (b.ino(), 2, 2));
    fs::write(&two, "two").unwrap();
    assert_eq!(fs::read_to_string(&one).unwrap(), "two");
    let book = book.remount();
    fs::remove_file(&one).unwrap();
    assert_eq!(
        (
            fs::read_to_string(&two).unwrap(),
            fs::metadata(&two).unwrap().nlink()
        ),
        ("two".into(), 1)
    );
    book.nothing_sent();
}

/// 5.2 "symlinks".
#[test]
fn symlinks_point() {
    let Some(book) = Book::open() else { return };
    let link = book.mount.path("Contacts/.#Ada");
    symlink("user@host.1234:5678", &link).unwrap();
    symlink(FILE, book.mount.path("Contacts/ada")).unwrap();
    assert_eq!(errno(symlink("x", &link)), Errno::EXIST.raw_os_error());
    let book = book.remount();
    assert_eq!(
        fs::read_link(&link).unwrap().to_str(),
        Some("user@host.1234:5678")
    );
    assert_eq!(book.mount.read("Contacts/ada"), book.text());
    book.nothing_sent();
}

/// 5.2 "unlinked-but-open files".
#[test]
fn an_unlinked_file_lives_while_it_is_open() {
    let Some(book) = Book::open() else { return };
    let path = book.mount.path(NOTE);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    file.write_all(b"one").unwrap();
    fs::remove_file(&path).unwrap();
    file.write_all(b" two").unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(
        (text.as_str(), file.metadata().unwrap().nlink()),
        ("one two", 0)
    );
    fs::write(&path, "another").unwrap();
    file.sync_all().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another");
}

/// 5.2 "sparse files".
#[test]
fn sparse_files_read_as_zeroes() {
    let Some(book) = Book::open() else { return };
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(book.mount.path(NOTE))
        .unwrap();
    file.write_all_at(b"end", 1 << 20).unwrap();
    let mut bytes = [1; 7];
    file.read_exact_at(&mut bytes, (1 << 20) - 4).unwrap();
    assert_eq!(&bytes, b"\0\0\0\0end");
    file.set_len((1 << 20) + 1).unwrap();
    file.set_len(1 << 21).unwrap();
    file.read_exact_at(&mut bytes, (1 << 20) - 1).unwrap();
    assert_eq!(&bytes, b"\0e\0\0\0\0\0");
    drop(file);
    let book = book.remount();
    assert_eq!(fs::metadata(book.mount.path(NOTE)).unwrap().len(), 1 << 21);
}

/// 5.4 "every editor's swap, lock and backup file": a lock is taken once.
#[test]
fn exclusive_creation_is_exclusive() {
    let Some(book) = Book::open() else { return };
    for name in [
        NOTE,
        "Contacts/.lock",
        "Contacts/Ada Byron.vcf",
        "Contacts/New.vcf",
    ] {
        let path = book.mount.path(name);
        let create = || File::options().write(true).create_new(true).open(&path);
        assert_eq!(create().is_ok(), !path.ends_with(FILE), "{name}");
        assert_eq!(errno(create()), Errno::EXIST.raw_os_error());
    }
}

/// 5.2 "rename": over a file that somebody has open.
#[test]
fn renaming_over_an_open_file_leaves_it_to_its_reader() {
    let Some(book) = Book::open() else { return };
    let (old, new) = (book.mount.path(NOTE), book.mount.path("Contacts/.new"));
    fs::write(&old, "old").unwrap();
    fs::write(&new, "new").unwrap();
    let mut reader = File::open(&old).unwrap();
    fs::rename(&new, &old).unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(
        (text.as_str(), fs::read_to_string(&old).unwrap().as_str()),
        ("old", "new")
    );
    assert_eq!(book.names(), [FILE, "notes.txt"]);
}

/// 2.3 and 4.6: a reader of the contact's file keeps what it opened when another is renamed over it.
#[test]
fn renaming_over_an_open_contact_leaves_it_to_its_reader() {
    let Some(book) = Book::open() else { return };
    let (old, new) = (book.text(), book.with_phone("+44 2"));
    let mut reader = File::open(book.path()).unwrap();
    fs::write(book.mount.path("Contacts/.new"), &new).unwrap();
    fs::rename(book.mount.path("Contacts/.new"), book.path()).unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, old);
    drop(reader);
    book.saved(&new);
}

/// 5.2 "locks".
#[test]
fn a_file_is_locked_once() {
    let Some(book) = Book::open() else { return };
    fs::write(book.mount.path(NOTE), "").unwrap();
    let open = || File::open(book.mount.path(NOTE)).unwrap();
    let (first, second) = (open(), open());
    flock(&first, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(
        flock(&second, FlockOperation::NonBlockingLockExclusive),
        Err(Errno::WOULDBLOCK)
    );
    drop(first);
    flock(&second, FlockOperation::NonBlockingLockExclusive).unwrap();
}

/// 5.2 "chmod, utimens".
#[test]
fn modes_and_times_are_kept() {
    let Some(book) = Book::open() else { return };
    let path = book.mount.path(NOTE);
    fs::write(&path, "x").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o751)).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 5);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    let book = book.remount();
    let stat = fs::metadata(&path).unwrap();
    assert_eq!(
        (stat.mode() & 0o7777, stat.modified().unwrap()),
        (0o751, time)
    );
    book.nothing_sent();
}

/// 5.2 "shared mmap", "rename", "directories below a dot-directory without limit"; a tree is packed and unpacked.
#[test]
fn directories_behave() {
    let Some(book) = Book::open() else { return };
    let dir = book.mount.path(".d");
    fs::create_dir_all(dir.join("a/b")).unwrap();
    fs::write(dir.join("a/b/Bo.vcf"), card("Bo")).unwrap();
    assert_eq!(
        errno(fs::remove_dir(dir.join("a"))),
        Errno::NOTEMPTY.raw_os_error()
    );
    fs::rename(dir.join("a"), dir.join("c")).unwrap();
    assert_eq!(
        errno(fs::rename(dir.join("c"), dir.join("c/b/x"))),
        Errno::INVAL.raw_os_error()
    );
    let book = book.remount();
    assert_eq!(book.mount.read(".d/c/b/Bo.vcf"), card("Bo"));
    fs::remove_dir_all(&dir).unwrap();
    assert_eq!(book.mount.list(""), ["Contacts"]);
    book.nothing_sent();
}

/// 5.4 "So git init && git add -A && git commit works inside the mount".
#[test]
fn git_works_inside() {
    if !need("git") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let git = "git -c user.name=A -c user.email=a@b.example";
    let root = book.mount.dir().to_owned();
    sh(
        &root,
        &format!(
            "git init -q && git add -A && {git} commit -qm one && git fsck --strict && git gc -q"
        ),
    )
    .ok();
    book.nothing_sent();
    let book = book.remount();
    book.save_phone("+44 2");
    let diff = sh(&root, "git diff --numstat").ok();
    assert_eq!(diff, format!("1\t1\t{}\n", "Contacts/Ada Byron.vcf"));
    sh(&root, &format!("{git} commit -qam two && test $(git log --oneline | wc -l) = 2 && git status --porcelain")).ok();
    book.one_write("PATCH");
    assert_eq!(book.mount.list(""), [".git", "Contacts"]);
}
