//! Everything at once: a service that fails at random in every way it can, several writers, a second client, and a program
//! that is killed at any instant. In the end both sides agree, nothing acknowledged is missing, nobody is doubled, and no
//! rule about the rate of requests was broken.
//!
//! `CONTACTFS_CHAOS_ROUNDS` sets the number of rounds, `CONTACTFS_CHAOS_SEED` the seed, which every failure names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use contactfs::sandbox::LogEntry;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::support::{Api, Mount, World, fuse_or_skip, id};

/// Rounds of a usual run, each with a kill or a remount at its end.
const ROUNDS: u32 = 8;
const SEED: u64 = 20_261_127;
/// Until both sides agree after the storm.
const PATIENCE: Duration = Duration::from_secs(120);
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

/// What a person of one writer may be: what was acknowledged last, or tried since.
#[derive(Clone, Debug)]
struct Person {
    phone: BTreeSet<String>,
    there: BTreeSet<bool>,
    folder: BTreeSet<usize>,
}

/// A writer and its people, whom nobody else touches but for their notes.
struct Writer {
    random: StdRng,
    name: usize,
    made: usize,
    people: BTreeMap<String, Person>,
}

impl Writer {
    fn new(seed: u64, name: usize) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed ^ (name as u64 + 1)),
            name,
            made: 0,
            people: BTreeMap::new(),
        }
    }

    /// Acts for a while; what fails may or may not have happened.
    fn act(&mut self, root: &Path, deeds: usize) {
        for _ in 0..deeds {
            let living = self.living(root);
            match self.random.random_range(0..10) {
                _ if living.len() < PEOPLE => self.make(root),
                0 => self.remove(root, &living),
                1 => self.shift(root, &living),
                _ => self.edit(root, &living),
            }
            thread::sleep(Duration::from_millis(self.random.random_range(0..60)));
        }
    }

    /// Those who have a file now.
    fn living(&self, root: &Path) -> Vec<String> {
        let marks = self.people.keys();
        marks
            .filter(|mark| find(root, mark).is_some())
            .cloned()
            .collect()
    }

    fn pick(&mut self, living: &[String]) -> String {
        living[self.random.random_range(0..living.len())].clone()
    }

    fn make(&mut self, root: &Path) {
        self.made += 1;
        let mark = format!("w{}p{}", self.name, self.made);
        let folder = self.random.random_range(0..FOLDERS.len());
        let text = format!(
            "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:{mark}\r\nN:;{mark};;;\r\nNICKNAME:{mark}\r\nTEL;TYPE=cell:0\r\nEND:VCARD\r\n"
        );
        let path = root.join(FOLDERS[folder]).join(format!("{mark}.vcf"));
        let made = save(&path, &text).is_ok();
        let person = Person {
            phone: BTreeSet::from(["0".to_owned()]),
            there: if made {
                [true].into()
            } else {
                [true, false].into()
            },
            folder: BTreeSet::from([folder]),
        };
        self.people.insert(mark, person);
    }

    fn edit(&mut self, root: &Path, living: &[String]) {
        let mark = self.pick(living);
        let Some(path) = find(root, &mark) else {
            return;
        };
        let Ok(text) = fs::read_to_string(&path) else {
            return;
        };
        let phone = self.random.random_range(1..1_000_000).to_string();
        let text = with_phone(&text, &phone);
        let saved = if self.random.random() {
            save(&path, &text)
        } else {
            let beside = path.with_file_name(format!(".{mark}~"));
            save(&beside, &text).and_then(|()| {
                fs::rename(&beside, &path)?;
                File::open(&path)?.sync_all()
            })
        };
        let person = self.people.get_mut(&mark).unwrap();
        if saved.is_ok() {
            person.phone.clear();
            person.there = [true].into();
        }
        person.phone.insert(phone);
    }

    fn remove(&mut self, root: &Path, living: &[String]) {
        let mark = self.pick(living);
        let Some(path) = find(root, &mark) else {
            return;
        };
        let person = self.people.get_mut(&mark).unwrap();
        // An edit elsewhere brings it back.
        person.there.insert(false);
        person.there.insert(true);
        let _may_fail = fs::remove_file(path);
        // It is as it was at the service then.
        person.phone.insert("*".to_owned());
        person.folder.extend(0..FOLDERS.len());
    }

    fn shift(&mut self, root: &Path, living: &[String]) {
        let mark = self.pick(living);
        let Some(path) = find(root, &mark) else {
            return;
        };
        let folder = self.random.random_range(0..FOLDERS.len());
        let to = root.join(FOLDERS[folder]).join(path.file_name().unwrap());
        let moved = fs::rename(path, to).is_ok();
        let person = self.people.get_mut(&mark).unwrap();
        if moved {
            person.folder.clear();
        }
        person.folder.insert(folder);
    }
}

/// Writes a file and waits until it is on disk, as an editor does.
fn save(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn find(root: &Path, mark: &str) -> Option<PathBuf> {
    let name = format!("{mark}.vcf");
    let mut paths = FOLDERS.iter().map(|folder| root.join(folder).join(&name));
    paths.find(|path| path.exists())
}

fn with_phone(text: &str, phone: &str) -> String {
    let lines = text.lines().map(|line| {
        if line.starts_with("TEL;TYPE=cell:") {
            format!("TEL;TYPE=cell:{phone}\r\n")
        } else {
            format!("{line}\r\n")
        }
    });
    lines.collect()
}

/// Somebody with a phone: makes, edits and deletes contacts of its own, and writes notes into those of the writers.
struct Elsewhere {
    random: StdRng,
    api: Api,
    folders: [String; 2],
    made: usize,
    own: BTreeMap<String, (String, String)>,
    notes: BTreeMap<String, BTreeSet<String>>,
}

impl Elsewhere {
    fn act(&mut self, deeds: usize) {
        for _ in 0..deeds {
            match self.random.random_range(0..6) {
                _ if self.own.len() < PEOPLE => self.make(),
                0 => {
                    let (mark, (contact, _)) = self.own.pop_first().unwrap();
                    self.api.delete(&contact);
                    assert!(self.notes.remove(&mark).is_none());
                }
                1 | 2 => self.edit_own(),
                _ => self.note(),
            }
            thread::sleep(Duration::from_millis(self.random.random_range(0..150)));
        }
    }

    fn make(&mut self) {
        self.made += 1;
        let mark = format!("e{}", self.made);
        let body =
            json!({"givenName": mark, "displayName": mark, "nickName": mark, "mobilePhone": "0"});
        let folder = self.folders[self.random.random_range(0..2)].clone();
        let contact = id(&self.api.create_in(&folder, body));
        self.own.insert(mark, (contact, "0".to_owned()));
    }

    fn edit_own(&mut self) {
        let at = self.random.random_range(0..self.own.len());
        let phone = self.random.random_range(1..1_000_000).to_string();
        let (contact, held) = self.own.values_mut().nth(at).unwrap();
        self.api.patch(contact, json!({"mobilePhone": phone}));
        *held = phone;
    }

    /// Writes into somebody's contact, which may be gone by then.
    fn note(&mut self) {
        let all = all(&self.api, &self.folders);
        let writers: Vec<_> = all
            .iter()
            .filter(|(_, seen)| seen.mark.starts_with('w'))
            .collect();
        if writers.is_empty() {
            return;
        }
        let (_, seen) = writers[self.random.random_range(0..writers.len())];
        let note = format!("note {}", self.random.random_range(1..1_000_000));
        let path = format!("/contacts/{}", seen.id);
        let (status, _) = self
            .api
            .request("PATCH", &path, Some(&json!({"personalNotes": note})));
        if status == 200 {
            self.notes
                .entry(seen.mark.clone())
                .or_default()
                .insert(note);
        }
    }
}

/// A contact at the service.
#[derive(Debug)]
struct There {
    mark: String,
    id: String,
    folder: usize,
    phone: String,
    note: String,
}

/// Every contact at the service by id.
fn all(api: &Api, folders: &[String; 2]) -> BTreeMap<String, There> {
    let mut all = BTreeMap::new();
    for (folder, folder_id) in folders.iter().enumerate() {
        for contact in api.contacts_in(folder_id) {
            let text = |name: &str| contact[name].as_str().unwrap_or_default().to_owned();
            let there = There {
                mark: text("nickName"),
                id: id(&contact),
                folder,
                phone: text("mobilePhone"),
                note: text("personalNotes"),
            };
            all.insert(there.id.clone(), there);
        }
    }
    all
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
        let weather = json!({"seed": seed, "chance": 120, "spared": "elsewhere"});
        api.control("POST", "storm", &weather);
        Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            mount: Some(mount),
            writers: (0..WRITERS).map(|name| Writer::new(seed, name)).collect(),
            elsewhere: Elsewhere {
                random: StdRng::seed_from_u64(!seed),
                api,
                folders: ["contacts".to_owned(), work],
                made: 0,
                own: BTreeMap::new(),
                notes: BTreeMap::new(),
            },
            world,
            checked: 0,
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
        self.keep_log();
        if self.mount.is_none() {
            self.story.push("---- a new process".to_owned());
            self.mount = Some(self.world.mount(OPTIONS));
        }
    }

    /// Checks the requests since the last time, and forgets them.
    fn keep_log(&mut self) {
        let log = self.world.log();
        self.checked += log.len();
        check_rates(&log);
        let changes = log.iter().filter(|entry| entry.method != "GET");
        let changes = changes.filter(|entry| !entry.path.ends_with("$batch"));
        self.story.extend(changes.map(told));
        self.world.clear_log();
    }

    fn end(mut self) {
        self.world.clear_faults();
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
        tell(self.checked, there.len());
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

fn told(entry: &LogEntry) -> String {
    let LogEntry {
        at_ms,
        method,
        path,
        status,
        fault,
        ..
    } = entry;
    let request = entry.request.as_ref().map(ToString::to_string);
    let made = entry.response.as_ref().map(|reply| reply["id"].to_string());
    let (request, made) = (request.unwrap_or_default(), made.unwrap_or_default());
    format!("{at_ms} {method} {path} {fault:?} {status} {request} -> {made}")
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

/// How early a request may come, and how late a refusal may be heard of, on a busy machine.
const EARLY: u64 = 100;
const LATE: u64 = 900;

/// "429 and 503 are obeyed": after a pause was asked for, nothing comes before its end, but from another process.
fn check_rates(log: &[LogEntry]) {
    let agent = ("user-agent".to_owned(), "elsewhere".to_owned());
    let ours = log
        .iter()
        .filter(|entry| !entry.request_headers.contains(&agent));
    let ours: Vec<&LogEntry> = ours.collect();
    for entry in &ours {
        let (Some(pause), Some(_)) = (entry.retry_after, entry.fault) else {
            continue;
        };
        // A member of a batch is heard of with the rest of it; which of several batches it was in is not told.
        let spans = |other: &&&LogEntry| {
            other.path.ends_with("$batch") && (other.at_ms..=other.done_ms).contains(&entry.at_ms)
        };
        let batches: Vec<_> = ours
            .iter()
            .filter(|_| entry.in_batch)
            .filter(spans)
            .collect();
        if batches.iter().any(|batch| batch.fault.is_some()) {
            continue; // The reply may never have come.
        }
        let heard = batches.iter().map(|batch| batch.done_ms).max();
        let heard = heard.unwrap_or(entry.done_ms);
        let silence = (heard + LATE)..(heard + pause * 1000).saturating_sub(EARLY);
        let early = ours.iter().find(|entry| silence.contains(&entry.at_ms));
        assert!(
            early.is_none(),
            "{early:?} came within the pause of {entry:?}"
        );
    }
}

#[expect(clippy::print_stderr, reason = "for a run by hand")]
fn tell(requests: usize, contacts: usize) {
    eprintln!("{requests} requests, {contacts} contacts in the end");
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
