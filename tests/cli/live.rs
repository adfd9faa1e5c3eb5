//! Commands that talk to a mount, with a mount that is only a control socket.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use contactfs::daemon::control::{ControlServer, Handler, SyncOutcome, serve};
use contactfs::daemon::registry::{self, Registration};
use contactfs::daemon::watch::{Watch, Watchers};
use contactfs::observe::categories::Categories;
use contactfs::observe::happening::Event;
use contactfs::observe::past::{Conflict, Version};
use contactfs::observe::status::{Connection, FileStatus, FolderStatus, Item, Status, Traffic};

use crate::home::{Home, skipped};

/// A mount that answers what it is told to.
struct Played {
    status: Status,
    sync: SyncOutcome,
    unmount: SyncSender<()>,
}

impl Handler for Played {
    fn status(&self) -> Status {
        self.status.clone()
    }

    fn file_status(&self, path: &str) -> Option<FileStatus> {
        (path == "Contacts/Ada.vcf").then(file)
    }

    fn conflicts(&self) -> Vec<Conflict> {
        Vec::new()
    }

    fn history(&self, _path: &str) -> Vec<Version> {
        Vec::new()
    }

    fn version(&self, _version: i64) -> Option<Vec<u8>> {
        None
    }

    fn confirm_deletions(&self) -> usize {
        0
    }

    fn restore_deletions(&self) -> usize {
        0
    }

    fn categories(&self) -> Categories {
        Categories::default()
    }

    fn watch(&self) -> Watch {
        Watchers::default().join(Event::Connection {
            connection: self.status.connection.clone(),
        })
    }

    fn sync(&self) -> SyncOutcome {
        self.sync.clone()
    }

    fn unmount(&self) {
        self.unmount.send(()).unwrap();
    }
}

struct Mount {
    home: Home,
    dir: PathBuf,
    server: ControlServer,
    unmounts: Receiver<()>,
    _registration: Registration,
}

impl Mount {
    fn new(connection: Connection, pending: Vec<Item>, sync: SyncOutcome) -> Self {
        let home = Home::new();
        let dir = home.dir().canonicalize().unwrap();
        let runtime = home.root().join("contactfs");
        DirBuilder::new().mode(0o700).create(&runtime).unwrap();
        let (unmount, unmounts) = sync_channel(1);
        let status = status(&dir, connection, pending);
        let handler = Arc::new(Played {
            status,
            sync,
            unmount,
        });
        let server = serve(registry::socket(&runtime, &dir), handler).unwrap();
        let registration = registry::register(&runtime, &dir, "default", false).unwrap();
        Self {
            home,
            dir,
            server,
            unmounts,
            _registration: registration,
        }
    }

    fn healthy() -> Self {
        Self::new(Connection::Online, Vec::new(), SyncOutcome::InStep)
    }
}

fn status(dir: &Path, connection: Connection, pending: Vec<Item>) -> Status {
    Status {
        mount: dir.to_owned(),
        pid: std::process::id(),
        account: "default".to_owned(),
        mailbox: None,
        read_only: false,
        connection,
        folders: vec![FolderStatus {
            name: "Contacts".to_owned(),
            contacts: 2,
            loaded: true,
            last_pull: None,
        }],
        pending,
        drafts: Vec::new(),
        conflicts: Vec::new(),
        rejected: Vec::new(),
        held: Vec::new(),
        requests: 5,
        traffic: Traffic::default(),
        notifications: None,
    }
}

fn file() -> FileStatus {
    let time = |seconds| jiff::Timestamp::from_second(seconds).unwrap();
    FileStatus {
        item: item("conflict"),
        change_key: Some("EQ==".to_owned()),
        created: Some(time(0)),
        versions: vec![Version {
            version: 7,
            ended: time(60),
            fate: "saved".to_owned(),
            size: 100,
        }],
    }
}

fn item(state: &str) -> Item {
    Item {
        path: "Contacts/Ada.vcf".to_owned(),
        state: state.to_owned(),
        reason: None,
        id: Some("AAMk=".to_owned()),
    }
}

#[test]
fn status_shows_a_healthy_mount() {
    let mount = Mount::healthy();
    let run = mount.home.run(&["status"]);
    let expected = format!(
        "{}: online\n  account default, process {}, 5 requests\n  Contacts: 2 contacts\n",
        mount.dir.display(),
        std::process::id()
    );
    assert_eq!((run.code, run.out), (0, expected));
    assert_eq!(mount.home.run(&["status", "mnt"]).code, 0);
}

#[test]
fn status_as_json_has_the_mounts_and_a_degraded_one_exits_with_1() {
    let offline = Connection::Offline {
        cause: "no route".to_owned(),
        reason: "no network".to_owned(),
    };
    let mount = Mount::new(offline, vec![item("pending")], SyncOutcome::InStep);
    let run = mount.home.run(&["status", "--json"]);
    assert_eq!(run.code, 1);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json["dead"], serde_json::json!([]));
    assert_eq!(json["mounts"][0]["mount"], mount.dir.to_str().unwrap());
    assert_eq!(
        json["mounts"][0]["connection"],
        serde_json::json!({"state": "offline", "cause": "no route", "reason": "no network"})
    );
    assert_eq!(json["mounts"][0]["pending"][0]["path"], "Contacts/Ada.vcf");
}

#[test]
fn status_of_a_file_tells_its_state_id_and_versions() {
    let mount = Mount::healthy();
    let run = mount.home.run(&["status", "mnt/Contacts/Ada.vcf"]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (
            2,
            "conflict Contacts/Ada.vcf\n  id AAMk=\n  version EQ==\n  made 1970-01-01T00:00:00Z\n  \
             earlier version 7, until 1970-01-01T00:01:00Z, saved\n"
        )
    );
    let run = mount
        .home
        .run(&["status", "--json", "mnt/Contacts/Ada.vcf"]);
    assert_eq!(
        serde_json::from_str::<FileStatus>(&run.out).unwrap(),
        file()
    );
    let run = mount.home.run(&["status", "mnt/Contacts/Nobody.vcf"]);
    assert_eq!(run.code, 1);
    assert!(
        run.err.contains("Nobody.vcf is not a contact"),
        "{}",
        run.err
    );
}

#[test]
fn status_of_a_directory_in_a_mount_is_that_of_the_mount() {
    let mount = Mount::healthy();
    fs::create_dir(mount.dir.join("Contacts")).unwrap();
    let run = mount.home.run(&["status", "mnt/Contacts"]);
    assert_eq!(run.code, 0);
    assert!(run.out.contains(": online"), "{}", run.out);
}

#[test]
fn sync_exits_with_0_in_step_1_with_a_list_and_75_offline() {
    let outcomes = [
        (SyncOutcome::InStep, 0, ""),
        (SyncOutcome::Left(vec![item("rejected")]), 1, "rejected "),
        (SyncOutcome::Offline("no route".to_owned()), 75, ""),
    ];
    for (outcome, code, out) in outcomes {
        let mount = Mount::new(Connection::Online, Vec::new(), outcome);
        for arguments in [["sync"].as_slice(), &["sync", "mnt"]] {
            let run = mount.home.run(arguments);
            assert_eq!(run.code, code, "{}", run.err);
            assert!(run.out.starts_with(out), "{}", run.out);
        }
    }
}

#[test]
fn umount_waits_for_the_end_and_says_what_stays_queued() {
    let mount = Mount::healthy();
    if let Err(error) = mount_dead(&mount.dir) {
        skipped(&format!(
            "only root can make a mount without a filesystem ({error})"
        ));
        return;
    }
    let umount = std::thread::scope(|scope| {
        let umount = scope.spawn(|| mount.home.run(&["umount", "mnt"]));
        mount.unmounts.recv().unwrap();
        rustix::mount::unmount(&mount.dir, rustix::mount::UnmountFlags::DETACH).unwrap();
        mount.server.unmounted(&[item("pending")]);
        umount.join().unwrap()
    });
    assert_eq!(umount.code, 0);
    assert_eq!(
        umount.err,
        "1 change waits for the next mount\n  Contacts/Ada.vcf\n"
    );
}

#[test]
fn a_mount_whose_process_died_is_shown_as_dead_and_cleared() {
    let Mount {
        home,
        dir,
        server,
        _registration,
        ..
    } = Mount::healthy();
    if let Err(error) = mount_dead(&dir) {
        skipped(&format!(
            "only root can make a mount without a filesystem ({error})"
        ));
        return;
    }
    drop(server);
    let run = home.run(&["status"]);
    assert_eq!(run.code, 2);
    assert!(run.out.contains("contactfs umount"), "{}", run.out);
    let run = home.run(&["doctor", "mnt"]);
    assert!(
        run.out.contains("is a mount whose process is gone"),
        "{}",
        run.out
    );
    assert_eq!(home.run(&["umount", "mnt"]).code, 0);
    let run = home.run(&["status"]);
    assert_eq!((run.code, run.err.as_str()), (0, "nothing is mounted\n"));
}

#[test]
fn a_forced_umount_asks_nobody() {
    let mount = Mount::healthy();
    if let Err(error) = mount_dead(&mount.dir) {
        skipped(&format!(
            "only root can make a mount without a filesystem ({error})"
        ));
        return;
    }
    assert_eq!(mount.home.run(&["umount", "--force", "mnt"]).code, 0);
    assert!(mount.unmounts.try_recv().is_err());
    assert_eq!(
        mount.home.run(&["umount", "--force", "mnt"]).code,
        1,
        "it is gone"
    );
}

/// A mount in the kernel's list whose FUSE device is closed at once.
fn mount_dead(dir: &Path) -> std::io::Result<()> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    let data = CString::new(format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    ))?;
    let flags = rustix::mount::MountFlags::empty();
    Ok(rustix::mount::mount(
        "contactfs",
        dir,
        "fuse.contactfs",
        flags,
        Some(data.as_c_str()),
    )?)
}
