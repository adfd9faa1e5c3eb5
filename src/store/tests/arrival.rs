//! A first load gives the names that age demands, whatever comes first (behaviour 1.4).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{World, folder, person};
use crate::model::{ChangeKey, Contact, ContactId, ResidueText, Stamp};
use crate::names;
use crate::store::{FolderRowId, ServerContact};

/// Contacts of few names and ages; the last name is what another contact is told apart by.
fn people(ages: &[i64], wanted: &[usize]) -> Vec<ServerContact> {
    let id = |who: usize| ContactId::new(format!("who-{who}"));
    let taken = names::disambiguated("Ann.vcf", &id(0));
    let pool = ["Ann", "ann", taken.trim_end_matches(".vcf")];
    let person = |who: usize| ServerContact {
        created: Some(Stamp(ages[who])),
        ..person(id(who).as_str(), "1", pool[wanted[who]], "1")
    };
    (0..ages.len()).map(person).collect()
}

/// The names after a first load in this order; `late` ones have their residue told after the page.
fn load(people: &[ServerContact], late: &[bool]) -> BTreeMap<String, String> {
    let world = World::new();
    let made = world.change(|tx| tx.add_folder(Some(&folder("new")), None, "new"));
    for (person, late) in people.iter().zip(late) {
        let residue = person.residue.clone().filter(|_| !late);
        let shown = ServerContact {
            residue,
            ..person.clone()
        };
        world.change(|tx| tx.apply(made.id, &shown));
    }
    world.change(|tx| {
        for person in people {
            tx.set_residue(
                &person.id,
                &ChangeKey::new("1"),
                &ResidueText::new(""),
                &Contact::default(),
            )?;
        }
        let rest = tx.unshown(made.id, 99)?;
        rest.into_iter().try_for_each(|id| tx.show(id))
    });
    shown(&world, made.id)
}

fn shown(world: &World, folder: FolderRowId) -> BTreeMap<String, String> {
    let contacts = world.change(|tx| tx.contacts_of(folder));
    let mut shown = BTreeMap::new();
    for id in contacts {
        let row = world.store.contact(id).unwrap().unwrap();
        let names = world.change(|tx| tx.names(row.ino.unwrap()));
        assert_eq!(names.len(), 1, "{names:?}");
        let id = row.graph.unwrap().as_str().to_owned();
        assert!(shown.insert(names[0].1.clone(), id).is_none());
    }
    shown
}

fn history() -> impl Strategy<Value = Vec<(i64, usize, bool)>> {
    prop::collection::vec((0..3_i64, 0..3_usize, any::<bool>()), 1..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_oldest_has_the_plain_name(history in history(), turn in any::<prop::sample::Index>()) {
        let ages: Vec<i64> = history.iter().map(|(age, ..)| *age).collect();
        let wanted: Vec<usize> = history.iter().map(|(_, name, _)| *name).collect();
        let late: Vec<bool> = history.iter().map(|(.., late)| *late).collect();
        let mut people = people(&ages, &wanted);
        let mut by_age = people.clone();
        by_age.sort_by_key(|person| (person.created, person.id.clone()));
        people.rotate_left(turn.index(ages.len()));
        prop_assert_eq!(load(&people, &late), load(&by_age, &vec![false; ages.len()]));
    }
}
