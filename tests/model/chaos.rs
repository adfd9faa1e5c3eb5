//! Everything at once: a service that fails at random in every way it can, several writers, a second client, and a program
//! that is killed at any instant. In the end both sides agree, nothing acknowledged is missing, nobody is doubled, and no
//! rule about the rate of requests was broken.
//!
//! `CONTACTFS_CHAOS_ROUNDS` sets the number of rounds, `CONTACTFS_CHAOS_SEED` the seed, which every failure names.

#[path = "chaos/elsewhere.rs"]
mod elsewhere;
#[path = "chaos/record.rs"]
mod record;
#[path = "chaos/writer.rs"]
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use contactfs::sandbox::{FaultAction, LogEntry};

use crate::support::{Mount, World, fuse_or_skip};
use elsewhere::{Elsewhere, There, all};
use record::{check_rates, told};
use writer::Writer;

/// Rounds of a usual run, each with a kill or a remount at its end.
const ROUNDS: u32 = 8;
const SEED: u64 = 20_261_127;
/// Until both sides agree after the storm.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest that a request hangs: longer than the program waits for an answer.
const HANG: Duration = Duration::from_secs(36);
const WRITERS: usize = 3;
/// Contacts of each writer, and of the second client.
const PEOPLE: usize = 4;
const FOLDERS: [&str; 2] = ["Contacts", "Work"];
const OPTIONS: &[&str] = &[
    "--poll-interval",
    "1s",
    "--fsync-timeout",
    "100ms",
    "--delete-grace",
    "200ms",
    "--no-delete-guard",
];

fn setting(name: &str, usual: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// How one run goes.
struct Run {
    seed: u64,
    random: StdRng,
    world: World,
    mount: Option<Mount>,
    writers: Vec<Writer>,
    elsewhere: Elsewhere,
    /// Requests that were looked at.
    checked: usize,
    /// Those that the program gave up because no answer came.
    timed_out: usize,
    /// Every change that was asked for, for the story of what went wrong.
    story: Vec<String>,
}

impl Run {
    fn begin(seed: u64, rounds: u32) -> Self {
        let world = World::new();
        world.limit(Duration::from_secs(240 + 10 * u64::from(rounds)));
        let work = world.api().create_folder("Work");
        let mount = world.mount(OPTIONS);
        mount.in_step();
        let api = world.api();
        api.control("POST", "settings", &json!({"delta_lag": 700}));
        let longest = u64::try_from(HANG.as_millis()).unwrap();
        let weather = json!({"seed": seed, "chance": 120, "spared": "elsewhere", "hang": longest});
        api.control("POST", "storm", &weather);
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            mount: Some(mount),
            writers: (0..WRITERS).map(|name| Writer::new(seed, name)).collect(),
            elsewhere: Elsewhere::new(seed, api, work),
            world,
            checked: 0,
            timed_out: 0,
            story: Vec::new(),
        }
    }

    /// Everybody acts, and at some instant the program is killed, asked to end, or left alone.
    fn round(&mut self) {
        let mount = self.mount.take().unwrap();
        let root = mount.dir().to_owned();
        let instant = Duration::from_millis(self.random.random_range(0..1500));
        let (writers, elsewhere) = (&mut self.writers, &mut self.elsewhere);
        let fate = self.random.random_range(0..4);
        thread::scope(|scope| {
            for writer in writers {
                let root = &root;
                scope.spawn(move || writer.act(root, 12));
            }
            scope.spawn(move || elsewhere.act(6));
            thread::sleep(instant);
            match fate {
                0 | 1 => mount.kill9(),
                2 => mount.terminate(),
                _ => self.mount = Some(mount),
            }
        });
        if self.mount.is_none() {
            self.keep_log();
            self.story.push("---- a new process".to_owned());
            self.mount = Some(self.world.mount(OPTIONS));
        }
    }

    /// Checks the requests of a process that has ended, and forgets them.
    fn keep_log(&mut self) {
        let log = self.world.log();
        self.checked += log.len();
        check_rates(&log);
        self.timed_out += log.iter().filter(|entry| is_given_up(entry)).count();
        let changes = log.iter().filter(|entry| entry.method != "GET");
        let changes = changes.filter(|entry| !entry.path.ends_with("$batch"));
        self.story.extend(changes.map(told));
        self.world.clear_log();
    }

    fn end(mut self) {
        self.world.clear_faults();
        self.hang_once();
        let settings = json!({"delta_lag": 0});
        self.world.api().control("POST", "settings", &settings);
        let mount = self.mount.take().unwrap();
        self.await_step(&mount);
        let there = all(&self.elsewhere.api, &self.elsewhere.folders);
        self.check_people(&there, &mount);
        // A text that a kill cut short is put aside ten seconds later.
        let until = Instant::now() + Duration::from_secs(30);
        while files(mount.dir()) != stated(&there) && Instant::now() < until {
            thread::sleep(Duration::from_millis(500));
        }
        let (files, there) = (files(mount.dir()), stated(&there));
        let differing = files.symmetric_difference(&there);
        let marks: Vec<String> = differing.map(|(_, mark, ..)| mark.clone()).collect();
        assert_eq!(
            files,
            there,
            "files (left) and the service; seed {}\n{}\n{}",
            self.seed,
            listing(mount.dir()),
            self.story_of_people(&marks)
        );
        mount.unmount();
        self.keep_log();
        assert!(self.timed_out > 0, "seed {}: nothing hung", self.seed);
        tell(self.checked, self.timed_out, there.len());
    }

    /// A change whose answer does not come while the program waits for it.
    fn hang_once(&mut self) {
        let late = FaultAction::Late(HANG);
        self.world.fail(Some("POST"), "", 1, late);
        let mount = self.mount.as_ref().unwrap();
        self.writers[0].act(mount.dir(), 4);
    }

    /// Waits until both sides agree. What only a person can settle is no concern here: an edit elsewhere that won over a
    /// deletion, and a note that was another one when a program read the card than when it saved it.
    fn await_step(&self, mount: &Mount) {
        let settles = [
            "changed elsewhere since you deleted it",
            "you opened it: NOTE;",
        ];
        let until = Instant::now() + PATIENCE;
        loop {
            let run = mount.sync();
            let waits = |line: &&str| !settles.iter().any(|part| line.contains(part));
            let left: Vec<&str> = run.out.lines().filter(waits).collect();
            if run.code == 0 || (run.code == 1 && left.is_empty()) {
                return;
            }
            if Instant::now() > until {
                let mark = |line: &&str| {
                    let path = line.split(".vcf").next().unwrap_or_default();
                    path.rsplit('/').next().unwrap_or_default().to_owned()
                };
                let marks: Vec<String> = left.iter().map(mark).collect();
                panic!(
                    "seed {}: {left:#?}\n{}",
                    self.seed,
                    self.story_of_people(&marks)
                );
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// The changes of the contacts that were made with these marks.
    fn story_of_people(&self, marks: &[String]) -> String {
        let made = self.story.iter().filter(|line| {
            line.contains(" POST ") && marks.iter().any(|mark| line.contains(&format!("{mark:?}")))
        });
        let id = |line: &String| {
            line.rsplit("-> ")
                .next()
                .map(|id| id.trim_matches('"').to_owned())
        };
        let ids: Vec<String> = made.filter_map(id).filter(|id| id.len() > 4).collect();
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.story_of(&names)
    }

    /// The changes that name any of these.
    fn story_of(&self, names: &[&str]) -> String {
        let lines = self.story.iter();
        let lines = lines
            .filter(|line| line.starts_with('-') || names.iter().any(|name| line.contains(name)));
        lines.cloned().collect::<Vec<_>>().join("\n")
    }

    fn check_people(&self, there: &BTreeMap<String, There>, mount: &Mount) {
        let seed = self.seed;
        let mut by_mark: BTreeMap<&str, &There> = BTreeMap::new();
        for seen in there.values() {
            let double = by_mark.insert(&seen.mark, seen);
            if let Some(double) = double {
                let story = self.story_of(&[&*seen.mark, &*seen.id, &*double.id]);
                panic!("seed {seed}: two contacts, {double:?} and {seen:?}\n{story}");
            }
        }
        for (mark, person) in self.writers.iter().flat_map(|writer| &writer.people) {
            let id = by_mark.get(mark.as_str()).map_or("", |seen| &seen.id);
            let said = || {
                let story = self.story_of(&[mark, id]);
                format!(
                    "seed {seed}: {mark} {person:?}, {}\n{story}",
                    mount.stderr()
                )
            };
            let Some(seen) = by_mark.remove(mark.as_str()) else {
                assert!(person.there.contains(&false), "lost, {}", said());
                continue;
            };
            assert!(person.there.contains(&true), "back, {}", said());
            assert!(
                person.phone.contains(&seen.phone) || person.phone.contains("*"),
                "{seen:?}, {}",
                said()
            );
            assert!(person.folder.contains(&seen.folder), "{seen:?}, {}", said());
            // A text saved by a program may hold the note that was there when it was read.
            let notes = self.elsewhere.notes.get(mark);
            let is_known = notes.is_some_and(|notes| notes.contains(&seen.note));
            assert!(is_known || seen.note.is_empty(), "{seen:?}, {}", said());
        }
        for (mark, (_, phone)) in &self.elsewhere.own {
            let seen = by_mark.remove(mark.as_str());
            assert_eq!(
                seen.map(|seen| &seen.phone),
                Some(phone),
                "seed {seed}: {mark}"
            );
        }
        assert!(by_mark.is_empty(), "seed {seed}: strangers {by_mark:?}");
    }
}

/// Every name with its size.
fn listing(root: &Path) -> String {
    let names = FOLDERS.iter().flat_map(|name| {
        let entries = fs::read_dir(root.join(name)).unwrap().flatten();
        entries.map(|entry| {
            format!(
                "{:?} {}",
                entry.path(),
                entry.metadata().map_or(0, |m| m.len())
            )
        })
    });
    names.collect::<Vec<_>>().join("\n")
}

/// What the files say: folder, mark, phone and note of each.
fn files(root: &Path) -> BTreeSet<(usize, String, String, String)> {
    let mut files = BTreeSet::new();
    for (folder, name) in FOLDERS.iter().enumerate() {
        for entry in fs::read_dir(root.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.starts_with('.') && name.ends_with(".vcf") {
                let text = fs::read_to_string(&path).unwrap();
                if !text.contains("END:VCARD") {
                    continue; // A draft that a kill cut short.
                }
                let line = |begin: &str| {
                    let value = text.lines().find_map(|line| line.strip_prefix(begin));
                    value.unwrap_or_default().to_owned()
                };
                files.insert((
                    folder,
                    line("NICKNAME:"),
                    line("TEL;TYPE=cell:"),
                    line("NOTE:"),
                ));
            }
        }
    }
    files
}

fn stated(there: &BTreeMap<String, There>) -> BTreeSet<(usize, String, String, String)> {
    let said = |seen: &There| {
        (
            seen.folder,
            seen.mark.clone(),
            seen.phone.clone(),
            seen.note.clone(),
        )
    };
    there.values().map(said).collect()
}

#[expect(clippy::print_stderr, reason = "for a run by hand")]
fn tell(requests: usize, timed_out: usize, contacts: usize) {
    eprintln!("{requests} requests, {timed_out} timed out, {contacts} contacts in the end");
}

/// Whether the program waited as long as it does, and went away.
fn is_given_up(entry: &LogEntry) -> bool {
    let hung = matches!(entry.fault, Some("delay" | "late"));
    hung && entry.status == 0 && entry.done_ms - entry.at_ms > 29_000
}

#[test]
fn everything_converges_whatever_fails() {
    if !fuse_or_skip() {
        return;
    }
    let rounds = u32::try_from(setting("CONTACTFS_CHAOS_ROUNDS", ROUNDS.into())).unwrap();
    let mut run = Run::begin(setting("CONTACTFS_CHAOS_SEED", SEED), rounds);
    for _ in 0..rounds {
        run.round();
    }
    run.end();
}
