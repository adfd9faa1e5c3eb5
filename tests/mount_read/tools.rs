//! The programs everybody has, on a mailbox that nobody changes from here.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{OFTEN, SOON, photograph};
use crate::support::{Mount, Run, World, eventually, fuse_or_skip, id, need, run, sh};

/// git as somebody without a configuration, whose name is known.
const GIT: &str = "git -c user.name=T -c user.email=t@example.com -c gc.auto=0";

fn git(mount: &Mount, repository: &str, arguments: &str) -> String {
    let dir = mount.dir().display();
    let line = format!(
        "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
         {GIT} --git-dir={repository} --work-tree={dir} {arguments}"
    );
    sh(mount.dir(), &line).ok()
}

fn rsync(mount: &Mount, to: &str) -> String {
    let from = format!("{}/", mount.dir().display());
    run("rsync", &["-a", "--itemize-changes", &from, to]).ok()
}

/// `ls -lR` shows every folder and every contact, each with its size.
#[test]
fn ls_shows_everything() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    let shown = sh(mount.dir(), "LC_ALL=C.UTF-8 ls -lRN").ok();
    let files: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("-rw------- "))
        .collect();
    assert_eq!(files.len(), world.api().contacts().len(), "{shown}");
    for file in files {
        let size: u64 = file.split_whitespace().nth(4).unwrap().parse().unwrap();
        assert!(size > 50 && file.ends_with(".vcf"), "{file}");
    }
    let folders = shown
        .lines()
        .filter(|line| line.starts_with("drwx------ "))
        .count();
    assert_eq!(folders, world.api().folders().len() + 1, "{shown}");
    assert_eq!(world.writes(), []);
}

/// `cat` and `grep -r`: a whole card from the first open, and found by what it says, without a request.
#[test]
fn cat_and_grep_read_cards_without_the_network() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mut body =
        json!({"givenName": "Zoë", "surname": "Quine", "mobilePhone": "+44 7700 900999"});
    body["displayName"] = json!("Zoë Quine");
    world.api().create(body);
    let mount = world.mount(&[]);
    // All folders are loaded when all are listed; the next look at the service is half a minute away.
    photograph(mount.dir());
    world.clear_log();
    let card = sh(mount.dir(), "cat 'Contacts/Zoë Quine.vcf'").ok();
    assert!(
        card.starts_with("BEGIN:VCARD\r\n") && card.ends_with("END:VCARD\r\n"),
        "{card}"
    );
    let found = sh(mount.dir(), "grep -rl '7700.*900999' .").ok();
    assert_eq!(found, "./Contacts/Zoë Quine.vcf\n");
    let count = sh(mount.dir(), "grep -rc '^END:VCARD' . | grep -c ':1$'").ok();
    assert_eq!(count.trim(), world.api().contacts().len().to_string());
    assert_eq!(world.log(), [], "reading asks the service");
}

/// `find -newer` finds what was changed elsewhere since a backup, and nothing else.
#[test]
fn find_newer_finds_what_changed() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let (api, mark) = (world.api(), world.dir().join("mark"));
    let ada = id(&api.create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let mount = world.mount(OFTEN);
    let newest = photograph(mount.dir())
        .into_values()
        .map(|(.., mtime, _)| mtime)
        .max()
        .unwrap();
    let newest = SystemTime::UNIX_EPOCH + Duration::new(newest.0 as u64, newest.1 as u32);
    fs::File::create(&mark)
        .unwrap()
        .set_modified(newest)
        .unwrap();
    let find = || {
        sh(
            mount.dir(),
            &format!("find . -type f -newer {}", mark.display()),
        )
        .ok()
    };
    assert_eq!(find(), "");
    // The service counts whole seconds.
    eventually(SOON, "a second passes", || {
        SystemTime::now() > newest + Duration::from_secs(1)
    });
    api.patch(&ada, json!({"nickName": "A"}));
    eventually(SOON, "the change is found", || {
        find() == "./Contacts/Ada.vcf\n"
    });
}

/// `rsync -a` out a second time has nothing to do, also after a remount; then only what changed elsewhere.
#[test]
fn rsync_copies_once() {
    if !fuse_or_skip() || !need("rsync") {
        return;
    }
    let world = World::sample();
    let api = world.api();
    let ada = id(&api.create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let copy = world.dir().join("copy");
    let copy = copy.to_str().unwrap();
    let mount = world.mount(OFTEN);
    let first = rsync(&mount, copy);
    assert_eq!(first.matches(">f").count(), api.contacts().len(), "{first}");
    assert_eq!(rsync(&mount, copy), "");
    sh(mount.dir(), &format!("diff -r . {copy}")).ok();
    mount.unmount();
    let mount = world.mount(OFTEN);
    assert_eq!(rsync(&mount, copy), "");
    api.patch(&ada, json!({"nickName": "A"}));
    eventually(SOON, "the change is seen", || {
        mount.read("Contacts/Ada.vcf").contains("NICKNAME:A")
    });
    let third = rsync(&mount, copy);
    let files: Vec<&str> = third
        .lines()
        .filter(|line| line.starts_with(">f"))
        .collect();
    assert_eq!(files.len(), 1, "{third}");
    assert!(files[0].ends_with(" Contacts/Ada.vcf"), "{third}");
}

/// With a repository elsewhere: the second commit is the one line that changed.
#[test]
fn git_outside_shows_the_one_changed_line() {
    if !fuse_or_skip() || !need("git") {
        return;
    }
    let world = World::sample();
    let body = json!({"givenName": "Ada", "displayName": "Ada", "mobilePhone": "+44 1"});
    let ada = id(&world.api().create(body));
    let mount = world.mount(OFTEN);
    let repository = world.dir().join("backup.git");
    let repository = repository.to_str().unwrap();
    git(&mount, repository, "init -q");
    git(&mount, repository, "add -A");
    git(&mount, repository, "commit -qm one");
    assert_eq!(git(&mount, repository, "status --porcelain"), "");
    world.api().patch(&ada, json!({"mobilePhone": "+44 2"}));
    eventually(SOON, "the change is seen", || {
        mount.read("Contacts/Ada.vcf").contains("+44-2")
            || mount.read("Contacts/Ada.vcf").contains("+44 2")
    });
    git(&mount, repository, "add -A");
    git(&mount, repository, "commit -qm two");
    let numbers = git(&mount, repository, "diff --numstat HEAD~1 HEAD");
    assert_eq!(numbers, "1\t1\tContacts/Ada.vcf\n");
    let diff = git(&mount, repository, "diff -U0 HEAD~1 HEAD");
    let changed: Vec<&str> = diff
        .lines()
        .filter(|line| {
            line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---")
        })
        .collect();
    assert!(
        changed[0].starts_with("-TEL") && changed[1].starts_with("+TEL"),
        "{diff}"
    );
}

/// A repository inside the mount works, survives a remount, and nothing of it reaches the service.
#[test]
fn git_works_inside() {
    if !fuse_or_skip() || !need("git") {
        return;
    }
    let world = World::sample();
    let inside = |mount: &Mount, arguments: &str| -> Run {
        let line = format!(
            "export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null; {GIT} {arguments}"
        );
        sh(mount.dir(), &line)
    };
    let mount = world.mount(&[]);
    inside(&mount, "init -q").ok();
    inside(&mount, "add -A").ok();
    inside(&mount, "commit -qm one").ok();
    assert_eq!(inside(&mount, "status --porcelain").ok(), "");
    mount.in_step();
    mount.unmount();
    let mount = world.mount(&[]);
    assert_eq!(inside(&mount, "status --porcelain").ok(), "");
    inside(&mount, "fsck --strict").ok();
    let tracked = inside(&mount, "ls-files -z").ok();
    assert_eq!(tracked.matches('\0').count(), world.api().contacts().len());
    assert_eq!(world.writes(), []);
}

/// Tools that check for free space find some.
#[test]
fn there_is_free_space() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(&[]);
    let numbers = sh(mount.dir(), "stat -f -c '%b %f %a %S %c %l' .").ok();
    for number in numbers.split_whitespace() {
        assert!(number.parse::<u64>().unwrap() > 0, "{numbers}");
    }
    assert_eq!(numbers.split_whitespace().last(), Some("255"));
    sh(mount.dir(), "df -P . | tail -n 1 | grep -q contactfs").ok();
}

/// "Directories have mode 0700 and files 0600, and belong to the user who mounted."
#[test]
fn files_belong_to_whoever_mounted() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&[]);
    let me = fs::metadata(world.dir()).unwrap().uid();
    for (path, wanted) in [
        ("", 0o40700),
        ("Contacts", 0o40700),
        ("Contacts/Ines Okafor.vcf", 0o100_600),
    ] {
        let stat = fs::metadata(mount.path(path)).unwrap();
        assert_eq!((stat.mode(), stat.uid()), (wanted, me), "{path}");
    }
}
