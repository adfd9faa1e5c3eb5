//! P1 "what `fsync` acknowledged survives a power cut." The store lies on a disk that loses what was not synced; the power
//! is cut after every kind of step.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use contactfs::sandbox::FaultAction;

use crate::disk::Disk;
use crate::support::{Mount, World, eventually, fuse_or_skip};

const OPTIONS: &[&str] = &[
    "--poll-interval",
    "1h",
    "--fsync-timeout",
    "200ms",
    "--delete-grace",
    "0s",
];
const SOON: Duration = Duration::from_secs(30);
const ADA: &str = "Contacts/Ada.vcf";

fn card(name: &str, title: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{name}\r\nN:;{name};;;\r\nTITLE:{title}\r\nX-HAT:straw\r\nEND:VCARD\r\n"
    )
}

/// Writes as a careful program does: the bytes and the name are on disk when it returns.
fn save(path: &Path, text: &str) {
    let mut file = File::create(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_all().unwrap();
}

fn save_over(path: &Path, text: &str) {
    let beside = path.with_file_name(".saving~");
    save(&beside, text);
    fs::rename(&beside, path).unwrap();
    sync_dir(path);
}

fn sync_dir(path: &Path) {
    File::open(path.parent().unwrap())
        .unwrap()
        .sync_all()
        .unwrap();
}

/// A mailbox with Ada in it, and a machine whose power can be cut.
struct Machine {
    mount: Option<Mount>,
    disk: Disk,
    world: World,
}

impl Machine {
    fn new() -> Self {
        let world = World::new();
        world.limit(Duration::from_secs(300));
        let disk = Disk::mount(&world.dir().join("disk"));
        let mut machine = Self {
            mount: None,
            disk,
            world,
        };
        machine.start();
        save(&machine.path(ADA), &card("Ada", "first"));
        machine.mount().in_step();
        machine
    }

    fn start(&mut self) {
        let mounting = self.world.mounting().args(OPTIONS);
        self.mount = Some(mounting.state("disk/state").start());
    }

    fn mount(&self) -> &Mount {
        self.mount.as_ref().unwrap()
    }

    fn path(&self, inside: &str) -> std::path::PathBuf {
        self.mount().path(inside)
    }

    /// What Ada's file says.
    fn title(&self) -> String {
        let text = self.mount().read(ADA);
        let mut lines = text.lines();
        let title = lines.find_map(|line| line.strip_prefix("TITLE:"));
        title.unwrap().to_owned()
    }

    fn cut(&mut self) {
        self.mount.take().unwrap().kill9();
        self.disk.cut();
        self.start();
    }

    /// The titles at the service by name, once both sides agree.
    fn titles(&self) -> Vec<(String, String)> {
        eventually(SOON, "both sides are in step", || {
            self.mount().sync().code == 0
        });
        let text = |contact: &serde_json::Value, name: &str| {
            contact[name].as_str().unwrap_or_default().to_owned()
        };
        let all = self.world.api().contacts();
        let mut titles: Vec<_> = all
            .iter()
            .map(|contact| (text(contact, "displayName"), text(contact, "jobTitle")))
            .collect();
        titles.sort();
        titles
    }

    #[track_caller]
    fn expect(&self, step: &str, expected: &[(&str, &str)]) {
        let titles = self.titles();
        let titles: Vec<(&str, &str)> = titles.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(titles, expected, "after {step}");
    }
}

/// A step that a program does and has acknowledged, what must be true at once after the cut, and at the service in the end.
type Step = (
    &'static str,
    fn(&Machine),
    fn(&Machine),
    &'static [(&'static str, &'static str)],
);

const STEPS: &[Step] = &[
    (
        "a save in place",
        |m| save(&m.path(ADA), &card("Ada", "second")),
        |m| assert_eq!(m.mount().read(ADA), card("Ada", "second")),
        &[("Ada", "second")],
    ),
    (
        "a save by renaming over",
        |m| save_over(&m.path(ADA), &card("Ada", "second")),
        |m| assert_eq!(m.mount().read(ADA), card("Ada", "second")),
        &[("Ada", "second")],
    ),
    (
        "a new contact",
        |m| save(&m.path("Contacts/Bob.vcf"), &card("Bob", "new")),
        |m| assert_eq!(m.mount().read("Contacts/Bob.vcf"), card("Bob", "new")),
        &[("Ada", "first"), ("Bob", "new")],
    ),
    (
        "a deletion",
        |m| {
            fs::remove_file(m.path(ADA)).unwrap();
            sync_dir(&m.path(ADA));
        },
        |m| assert!(!m.path(ADA).exists()),
        &[],
    ),
    (
        "a new name",
        |m| {
            fs::rename(m.path(ADA), m.path("Contacts/Countess.vcf")).unwrap();
            sync_dir(&m.path(ADA));
        },
        |m| {
            assert_eq!(
                m.mount().read("Contacts/Countess.vcf"),
                card("Ada", "first")
            );
        },
        &[("Ada", "first")],
    ),
    (
        "a folder and a move to it",
        |m| {
            fs::create_dir(m.path("Work")).unwrap();
            fs::rename(m.path(ADA), m.path("Work/Ada.vcf")).unwrap();
            sync_dir(&m.path("Work/Ada.vcf"));
        },
        |m| assert_eq!(m.mount().read("Work/Ada.vcf"), card("Ada", "first")),
        &[("Ada", "first")],
    ),
    (
        "a scratch file",
        |m| {
            save(&m.path("Contacts/notes.txt"), "written");
            sync_dir(&m.path(ADA));
        },
        |m| assert_eq!(m.mount().read("Contacts/notes.txt"), "written"),
        &[("Ada", "first")],
    ),
    (
        "nothing at all",
        |_| (),
        |m| assert_eq!(m.mount().read(ADA), card("Ada", "first")),
        &[("Ada", "first")],
    ),
];

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    if !fuse_or_skip() {
        return;
    }
    for (step, act, holds, expected) in STEPS {
        for online in [true, false] {
            let mut machine = Machine::new();
            if !online {
                machine.world.disconnect();
            }
            act(&machine);
            machine.cut();
            holds(&machine);
            machine.world.reconnect();
            machine.expect(step, expected);
            holds(&machine);
        }
    }
}

/// 4.2 "a create never makes two contacts, whatever fails when".
#[test]
fn a_create_under_way_makes_one_contact() {
    if !fuse_or_skip() {
        return;
    }
    let mut machine = Machine::new();
    machine
        .world
        .fail(Some("POST"), "/contacts", 1, FaultAction::DropAfter);
    save(&machine.path("Contacts/Bob.vcf"), &card("Bob", "new"));
    eventually(SOON, "it was made", || machine.world.api().count() == 2);
    machine.cut();
    machine.expect("a lost reply", &[("Ada", "first"), ("Bob", "new")]);
}

/// What was only closed may be lost by a power cut, but never half, and nothing else with it.
#[test]
fn a_cut_at_any_instant_leaves_whole_texts() {
    if !fuse_or_skip() {
        return;
    }
    let mut machine = Machine::new();
    let mut last = 0;
    for round in 0..6 {
        for save in 0..20 {
            let title = format!("{}", round * 20 + save);
            fs::write(machine.path(ADA), card("Ada", &title)).unwrap();
        }
        machine.cut();
        let text = machine.mount().read(ADA);
        let is_whole = text.contains("\r\nX-HAT:straw\r\n") && text.ends_with("END:VCARD\r\n");
        assert!(is_whole, "{text}");
        // The service may have been told of a later one than the disk.
        let [(_, title)] = &machine.titles()[..] else {
            panic!("not one contact");
        };
        assert_eq!(machine.title(), *title);
        let saved = title.parse().unwrap_or(last);
        assert!(saved >= last, "{saved} is older than {last}");
        last = saved;
    }
}
