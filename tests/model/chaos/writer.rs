//! A program that edits contacts of its own in the mount, and knows of each what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{FOLDERS, PEOPLE};

/// What a person of one writer may be: what was acknowledged last, or tried since.
#[derive(Clone, Debug)]
pub struct Person {
    pub phone: BTreeSet<String>,
    pub there: BTreeSet<bool>,
    pub folder: BTreeSet<usize>,
}

/// A writer and its people, whom nobody else touches but for their notes.
pub struct Writer {
    random: StdRng,
    name: usize,
    made: usize,
    pub people: BTreeMap<String, Person>,
}

impl Writer {
    pub fn new(seed: u64, name: usize) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed ^ (name as u64 + 1)),
            name,
            made: 0,
            people: BTreeMap::new(),
        }
    }

    /// Acts for a while; what fails may or may not have happened.
    pub fn act(&mut self, root: &Path, deeds: usize) {
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
