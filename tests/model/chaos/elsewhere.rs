//! The second client, and what the service holds.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::PEOPLE;
use crate::support::{Api, id};

/// Somebody with a phone: makes, edits and deletes contacts of its own, and writes notes into those of the writers.
pub struct Elsewhere {
    random: StdRng,
    pub api: Api,
    pub folders: [String; 2],
    made: usize,
    pub own: BTreeMap<String, (String, String)>,
    pub notes: BTreeMap<String, BTreeSet<String>>,
}

impl Elsewhere {
    pub fn new(seed: u64, api: Api, work: String) -> Self {
        Self {
            random: StdRng::seed_from_u64(!seed),
            api,
            folders: ["contacts".to_owned(), work],
            made: 0,
            own: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }

    pub fn act(&mut self, deeds: usize) {
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
pub struct There {
    pub mark: String,
    pub id: String,
    pub folder: usize,
    pub phone: String,
    pub note: String,
}

/// Every contact at the service by id.
pub fn all(api: &Api, folders: &[String; 2]) -> BTreeMap<String, There> {
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
