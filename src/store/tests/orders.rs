//! Delta says the same in any order, repeated and replayed, and the store ends up the same (behaviour 2.6).

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{World, person};
use crate::model::{ChangeKey, ContactId};
use crate::store::{FolderRowId, Seen, ServerContact};

/// One thing that happens at the service.
#[derive(Clone, Debug)]
enum Deed {
    /// A contact is made, changed or moved.
    Put {
        who: usize,
        folder: usize,
        phone: u8,
    },
    /// A contact is deleted.
    Delete { who: usize },
    /// Somebody asks for the changes.
    Pull { shuffle: u64, replays: Vec<usize> },
}

/// One row of a delta page.
#[derive(Clone, Debug)]
enum Row {
    Changed(ContactId, ChangeKey),
    Removed(ContactId),
}

/// The service: who is where now, and what each folder has ever said.
#[derive(Default)]
struct Service {
    now: BTreeMap<usize, (ContactId, usize, ServerContact)>,
    /// Rows not told yet, and all those told before, by folder.
    due: [BTreeSet<ContactId>; 2],
    told: [Vec<Row>; 2],
    version: u32,
}

impl Service {
    fn put(&mut self, who: usize, folder: usize, phone: u8) {
        self.version += 1;
        let key = self.version.to_string();
        let id = match self.now.get(&who) {
            Some((id, before, _)) => {
                self.due[*before].insert(id.clone());
                id.clone()
            }
            None => ContactId::new(format!("{who}-{key}")),
        };
        self.due[folder].insert(id.clone());
        // No two have one name: who comes first keeps the plain one, which is another matter.
        let name = format!("{} {}", id.as_str(), phone % 2);
        let contact = person(id.as_str(), &key, &name, &phone.to_string());
        self.now.insert(who, (id, folder, contact));
    }

    fn delete(&mut self, who: usize) {
        if let Some((id, folder, _)) = self.now.remove(&who) {
            self.due[folder].insert(id);
        }
    }

    fn find(&self, id: &ContactId) -> Option<(usize, &ServerContact)> {
        let found = self.now.values().find(|(other, ..)| other == id);
        found.map(|(_, folder, contact)| (*folder, contact))
    }

    /// The rows of a round: what is due, and some that were told before and are still no lie about who is gone.
    fn rows(&mut self, folder: usize, replays: &[usize]) -> Vec<Row> {
        let due = std::mem::take(&mut self.due[folder]).into_iter();
        let fresh: Vec<Row> = due
            .map(|id| match self.find(&id) {
                Some((at, contact)) if at == folder => Row::Changed(id, contact.change_key.clone()),
                _ => Row::Removed(id),
            })
            .collect();
        let told = &self.told[folder];
        let mut rows = fresh.clone();
        for index in replays.iter().filter(|_| !told.is_empty()) {
            rows.push(told[index % told.len()].clone());
        }
        let is_here = |id: &ContactId| self.find(id).is_some_and(|(at, _)| at == folder);
        let is_shown = |id: &ContactId| {
            fresh
                .iter()
                .any(|row| matches!(row, Row::Changed(other, _) if other == id))
        };
        rows.retain(|row| match row {
            Row::Removed(id) => !is_here(id) || is_shown(id),
            Row::Changed(..) => true,
        });
        self.told[folder].extend(fresh);
        rows
    }
}

/// Takes a round's rows as a pull does.
fn pull(world: &World, service: &Service, folder: usize, rows: &[Row]) {
    let (mut news, mut removed, mut changed) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    world.change(|tx| {
        for row in rows {
            match row {
                Row::Changed(id, key) => {
                    changed.insert(id.clone());
                    if tx.hear(place(world, folder), id, key)? == Seen::News {
                        news.push(id.clone());
                    }
                }
                Row::Removed(id) => drop(removed.insert(id.clone())),
            }
        }
        Ok(())
    });
    look(world, service, folder, news);
    let (doubtful, gone): (Vec<_>, Vec<_>) =
        removed.into_iter().partition(|id| changed.contains(id));
    world.change(|tx| {
        gone.iter()
            .try_for_each(|id| tx.vanish(place(world, folder), id))
    });
    look(world, service, folder, doubtful);
}

fn look(world: &World, service: &Service, folder: usize, ids: Vec<ContactId>) {
    world.change(|tx| {
        for id in ids {
            match service.find(&id) {
                Some((at, contact)) => tx.apply(place(world, at), contact)?,
                None => tx.vanish(place(world, folder), &id)?,
            }
        }
        Ok(())
    });
}

fn place(world: &World, folder: usize) -> FolderRowId {
    [world.people, world.others][folder]
}

/// Everything a person could see: folder, name, text, version.
fn shown(world: &World) -> BTreeSet<(i64, String, String, Option<String>)> {
    let mut seen = BTreeSet::new();
    for folder in [world.people, world.others] {
        let dir = world.change(|tx| tx.folder(folder)).unwrap().ino;
        let contacts = world.change(|tx| tx.contacts_of(folder));
        let entries = world.change(|tx| tx.entries_of(dir));
        assert_eq!(contacts.len(), entries.len(), "{entries:?}");
        for id in contacts {
            let row = world.store.contact(id).unwrap().unwrap();
            let ino = row.ino.unwrap();
            let names = world.change(|tx| tx.names(ino));
            assert_eq!(names.len(), 1, "{names:?}");
            assert_eq!(names[0].0, dir);
            let text = String::from_utf8(world.store.text(ino).unwrap().unwrap()).unwrap();
            let key = row.change_key.map(|key| key.as_str().to_owned());
            seen.insert((folder.0, names[0].1.clone(), text, key));
        }
    }
    seen
}

/// Plays a history; `literal` pulls after every deed, in order and once.
fn play(deeds: &[Deed], literal: bool) -> BTreeSet<(i64, String, String, Option<String>)> {
    let (world, mut service) = (World::new(), Service::default());
    let last = [Deed::Pull {
        shuffle: 1,
        replays: Vec::new(),
    }];
    for deed in deeds.iter().chain(&last) {
        match deed {
            Deed::Put { who, folder, phone } => service.put(*who, *folder, *phone),
            Deed::Delete { who } => service.delete(*who),
            Deed::Pull { shuffle, replays } if !literal => {
                for folder in order(*shuffle, 2) {
                    let rows = service.rows(folder, replays);
                    let rows: Vec<Row> = order(*shuffle, rows.len())
                        .into_iter()
                        .map(|index| rows[index].clone())
                        .collect();
                    pull(&world, &service, folder, &rows);
                }
            }
            Deed::Pull { .. } => {}
        }
        if literal {
            for folder in [0, 1] {
                let rows = service.rows(folder, &[]);
                pull(&world, &service, folder, &rows);
            }
        }
    }
    shown(&world)
}

/// The numbers below `len` in some order, the same for the same seed.
fn order(seed: u64, len: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..len).collect();
    let place = |number: &usize| seed.wrapping_mul(2 * *number as u64 + 1).rotate_left(17) % 1009;
    numbers.sort_by_key(place);
    numbers
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..4_usize, 0..2_usize, 0..4_u8)
            .prop_map(|(who, folder, phone)| Deed::Put { who, folder, phone }),
        1 => (0..4_usize).prop_map(|who| Deed::Delete { who }),
        3 => (any::<u64>(), prop::collection::vec(any::<usize>(), 0..4))
            .prop_map(|(shuffle, replays)| Deed::Pull { shuffle, replays }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_with_repeats_and_replays_gives_the_same_store(
        deeds in prop::collection::vec(deed(), 0..24)
    ) {
        prop_assert_eq!(play(&deeds, false), play(&deeds, true));
    }
}
