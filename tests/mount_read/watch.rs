//! Programs that watch, and programs that read while the contact changes elsewhere.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use serde_json::json;

use super::{OFTEN, SOON, unfolded};
use crate::support::{World, eventually, fuse_or_skip, id, need, run, sh};

/// A watcher as file managers and `inotifywait` have one.
struct Watcher(OwnedFd);

impl Watcher {
    fn of(path: &Path) -> Self {
        let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&queue, path, WatchFlags::ALL_EVENTS).unwrap();
        Self(queue)
    }

    /// What was told since the last time: event and name, without what mere reading causes.
    fn told(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut told = Vec::new();
        while let Ok(event) = reader.next() {
            let reading = ReadFlags::ACCESS | ReadFlags::OPEN | ReadFlags::CLOSE_NOWRITE;
            let what = event.events() - ReadFlags::ISDIR;
            if !what.intersects(reading) {
                let name = event
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                let words: Vec<_> = what.iter_names().map(|(word, _)| word).collect();
                told.push(format!("{} {}", words.join("|"), name.unwrap_or_default()));
            }
        }
        told
    }
}

fn card(name: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{name}\r\nN:;{name};;;\r\nEND:VCARD\r\n")
}

/// "Programs that watch files with inotify(7) hear of everything that is done on this machine."
#[test]
fn a_watcher_hears_what_is_done_on_this_machine() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(&[]);
    eventually(SOON, "the folder is loaded", || {
        mount.path("Contacts/Ada.vcf").exists()
    });
    let folder = Watcher::of(&mount.path("Contacts"));
    let root = Watcher::of(mount.dir());
    let path = |name: &str| mount.path(&format!("Contacts/{name}"));

    fs::write(path("Ada.vcf"), card("Ada")).unwrap();
    // Truncated and written: two equal events in a row are told as one.
    assert_eq!(folder.told(), ["MODIFY Ada.vcf", "CLOSE_WRITE Ada.vcf"]);
    fs::write(path(".tmp"), card("Ada")).unwrap();
    fs::rename(path(".tmp"), path("Ada.vcf")).unwrap();
    let renamed = [
        "CREATE .tmp",
        "MODIFY .tmp",
        "CLOSE_WRITE .tmp",
        "MOVED_FROM .tmp",
        "MOVED_TO Ada.vcf",
    ];
    assert_eq!(folder.told(), renamed);
    fs::remove_file(path("Ada.vcf")).unwrap();
    assert_eq!(folder.told(), ["DELETE Ada.vcf"]);
    fs::create_dir(mount.path("New")).unwrap();
    fs::rename(mount.path("New"), mount.path("Old")).unwrap();
    fs::remove_dir(mount.path("Old")).unwrap();
    assert_eq!(
        root.told(),
        ["CREATE New", "MOVED_FROM New", "MOVED_TO Old", "DELETE Old"]
    );
}

/// "Of changes made elsewhere they hear that a file they watch was deleted, and nothing else".
#[test]
fn a_watcher_hears_of_what_is_deleted_elsewhere_only() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let make = |name: &str| {
        id(&world
            .api()
            .create(json!({"givenName": name, "displayName": name})))
    };
    let (ada, bo) = (make("Ada"), make("Bo"));
    let mount = world.mount(OFTEN);
    eventually(SOON, "the folder is loaded", || {
        mount.path("Contacts/Ada.vcf").exists()
    });
    let folder = Watcher::of(&mount.path("Contacts"));
    let files = [
        Watcher::of(&mount.path("Contacts/Ada.vcf")),
        Watcher::of(&mount.path("Contacts/Bo.vcf")),
    ];
    make("Cy");
    world.api().patch(&ada, json!({"jobTitle": "Countess"}));
    world.api().delete(&bo);
    mount.in_step();
    eventually(SOON, "all of it is shown", || {
        mount.list("Contacts") == ["Ada.vcf", "Cy.vcf"]
            && mount.read("Contacts/Ada.vcf").contains("Countess")
    });
    let mut told = Vec::new();
    eventually(SOON, "the watcher of the deleted file hears of it", || {
        told.extend(files[1].told());
        told.iter().any(|event| event.starts_with("DELETE_SELF"))
    });
    let heard = folder.told();
    let about_others = heard.iter().filter(|event| !event.ends_with("Bo.vcf"));
    assert_eq!(
        about_others.count(),
        0,
        "{heard:?}: more than the manual says"
    );
    let heard = files[0].told();
    assert!(
        !heard.iter().any(|event| event.starts_with("MODIFY")),
        "{heard:?}: more than the manual says"
    );
}

#[test]
fn tail_follows_a_contact_that_changes_elsewhere() {
    if !fuse_or_skip() || !need("tail") {
        return;
    }
    let world = World::new();
    let ada = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let mount = world.mount(OFTEN);
    let file = mount.path("Contacts/Ada.vcf");
    eventually(SOON, "the folder is loaded", || file.exists());
    let out = world.dir().join("tail.out");
    let mut tail = Command::new("tail")
        .args(["-n", "+1", "-s", "0.1", "-F"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let shown = |text: &str| fs::read_to_string(&out).unwrap().contains(text);
    eventually(SOON, "tail shows the card", || shown("FN:Ada"));
    for title in ["Countess", "Analyst"] {
        world.api().patch(&ada, json!({"jobTitle": title}));
        eventually(SOON, "tail shows the change", || {
            shown(&format!("TITLE:{title}\r\n"))
        });
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
}

#[test]
fn find_and_ls_see_what_came_elsewhere() {
    if !fuse_or_skip() || !need("find") {
        return;
    }
    let world = World::new();
    let make = |name: &str| {
        id(&world
            .api()
            .create(json!({"givenName": name, "displayName": name})))
    };
    let ada = make("Ada");
    make("Bo");
    let mount = world.mount(OFTEN);
    let mark = world.dir().join("mark");
    let newer = |after: &Path| {
        let (dir, after) = (mount.path("Contacts"), after.to_str().unwrap().to_owned());
        let found = run(
            "find",
            &[
                dir.to_str().unwrap(),
                "-name",
                "*.vcf",
                "-newer",
                &after,
                "-printf",
                "%f\\n",
            ],
        );
        found.ok()
    };
    let ls = || sh(&mount.path("Contacts"), "ls").ok();
    eventually(SOON, "the folder is loaded", || ls() == "Ada.vcf\nBo.vcf\n");
    File::create(&mark).unwrap();
    assert_eq!(newer(&mark), "");
    // The service counts in seconds.
    thread::sleep(Duration::from_secs(1));
    make("Cy");
    eventually(SOON, "ls shows the new one", || {
        ls() == "Ada.vcf\nBo.vcf\nCy.vcf\n"
    });
    assert_eq!(newer(&mark), "Cy.vcf\n");
    File::create(&mark).unwrap();
    thread::sleep(Duration::from_secs(1));
    world.api().patch(&ada, json!({"jobTitle": "Countess"}));
    eventually(SOON, "find shows the changed one", || {
        newer(&mark) == "Ada.vcf\n"
    });
}

/// A text of version `number`: notes whose length varies and is said, and the number in three properties.
fn version(number: usize) -> serde_json::Value {
    let length = [10, 3000, 200, 9000, 1][number % 5];
    json!({
        "jobTitle": format!("v{number}"),
        "personalNotes": format!("{number} {length} {}", "x".repeat(length)),
        "mobilePhone": format!("+{number}"),
    })
}

/// Fails unless a text is exactly one version of the contact; tells which.
#[track_caller]
fn check_version(bytes: &[u8], how: &str) -> usize {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{how}: {error}"));
    let whole = text.starts_with("BEGIN:VCARD\r\n") && text.ends_with("\r\nEND:VCARD\r\n");
    let text = unfolded(text);
    assert!(
        whole && text.matches("END:VCARD").count() == 1,
        "{how}: cut or padded:\n{text}"
    );
    let after = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{how}: {name} in\n{text}"))
    };
    let number: usize = after("TITLE:v").parse().unwrap();
    let notes: Vec<&str> = after("NOTE:").split(' ').collect();
    let said: (usize, usize) = (notes[0].parse().unwrap(), notes[1].parse().unwrap());
    assert_eq!(said, (number, notes[2].len()), "{how}: a mixture");
    assert_eq!(
        after("TEL;TYPE=cell:"),
        format!("+{number}"),
        "{how}: a mixture"
    );
    number
}

/// "One read gives old bytes with the old size or new bytes with the new size, never a mixture."
#[test]
fn readers_see_one_version_while_it_grows_and_shrinks_elsewhere() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.limit(Duration::from_secs(240));
    let ada = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"})));
    world.api().patch(&ada, version(0));
    let mount = world.mount(&["--poll-interval", "50ms"]);
    let file = mount.path("Contacts/Ada.vcf");
    eventually(SOON, "the contact is shown whole", || {
        fs::read_to_string(&file).is_ok_and(|text| text.contains("NOTE:0 10 "))
    });
    let (done, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let until_done = |read: &(dyn Fn() -> usize + Sync)| {
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let number = read();
            assert!(number >= last, "version {number} after {last}");
            last = number;
            seen.fetch_max(number, Ordering::SeqCst);
        }
    };
    // By path, as `cat` does.
    let whole = || check_version(&fs::read(&file).unwrap(), "read");
    // Size first, then as many bytes and one more: a stale size would cut or pad.
    let by_size = || {
        let mut open = File::open(&file).unwrap();
        let size = usize::try_from(open.metadata().unwrap().len()).unwrap();
        let mut bytes = vec![0; size + 1];
        let read = open.read(&mut bytes).unwrap();
        assert_eq!(read, size, "size and bytes are of one version");
        check_version(&bytes[..read], "size, then read")
    };
    // A slow reader of small pieces, twice through the same handle.
    let slowly = || {
        let mut open = File::open(&file).unwrap();
        let mut through = || {
            let (mut bytes, mut piece) = (Vec::new(), [0; 700]);
            open.seek(SeekFrom::Start(0)).unwrap();
            loop {
                match open.read(&mut piece).unwrap() {
                    0 => return check_version(&bytes, "read in pieces"),
                    count => bytes.extend_from_slice(&piece[..count]),
                }
                thread::sleep(Duration::from_millis(3));
            }
        };
        let first = through();
        assert_eq!(first, through(), "a handle stays with its version");
        first
    };
    let readers: [&(dyn Fn() -> usize + Sync); 3] = [&whole, &by_size, &slowly];
    thread::scope(|scope| {
        for reader in readers {
            scope.spawn(move || until_done(reader));
        }
        let writer = scope.spawn(|| {
            for number in 1..=40 {
                world.api().patch(&ada, version(number));
                thread::sleep(Duration::from_millis(60));
            }
            eventually(SOON, "the last version is read", || {
                seen.load(Ordering::SeqCst) == 40
            });
        });
        let written = writer.join();
        done.store(true, Ordering::SeqCst);
        written.unwrap();
    });
}
