//! The obvious model: who must be there, where, and what each may say.

use std::collections::{BTreeMap, BTreeSet};

use crate::deeds::Property;

/// Whether somebody is there. `Maybe` when a deletion on one side met an edit on the other, which of them came first
/// only the machine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    Yes,
    Maybe,
    No,
}

/// What a property may say after the next synchronisation.
#[derive(Clone, Debug, Default)]
struct Prop {
    may: BTreeSet<String>,
    /// What was written elsewhere since the last synchronisation.
    elsewhere: BTreeSet<String>,
    /// Everything it has said since then.
    past: BTreeSet<String>,
}

/// One person.
#[derive(Clone, Debug)]
pub struct Person {
    pub there: There,
    pub folder: usize,
    props: BTreeMap<Property, Prop>,
    edited_here: bool,
    edited_there: bool,
}

/// What was seen of a person, in a file or at the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub folder: usize,
    pub values: BTreeMap<Property, String>,
}

/// Everybody, by the mark that each carries.
#[derive(Debug, Default)]
pub struct People(BTreeMap<String, Person>);

impl People {
    pub fn make(&mut self, mark: &str, folder: usize) {
        let person = Person {
            there: There::Yes,
            folder,
            props: Property::ALL
                .into_iter()
                .map(|p| (p, Prop::default()))
                .collect(),
            edited_here: false,
            edited_there: false,
        };
        self.0.insert(mark.to_owned(), person);
        for property in Property::ALL {
            self.edit(mark, property, "");
        }
    }

    pub fn edit(&mut self, mark: &str, property: Property, value: &str) {
        self.touch(mark);
        let person = self.0.get_mut(mark).unwrap();
        let prop = person.props.get_mut(&property).unwrap();
        prop.may = prop.elsewhere.clone();
        prop.may.insert(value.to_owned());
        prop.past.insert(value.to_owned());
    }

    /// An edit elsewhere: what was written here and not sent yet may clash with it, and the service's value stands then; or it
    /// was sent before, and is overwritten. Only a save under way at this moment may still win.
    pub fn edit_there(&mut self, mark: &str, property: Property, value: &str) {
        let person = self.0.get_mut(mark).unwrap();
        let here = person.edited_here;
        person.edited_there = true;
        let prop = person.props.get_mut(&property).unwrap();
        if !here {
            prop.may.clear();
        }
        prop.may.insert(value.to_owned());
        prop.past.insert(value.to_owned());
        prop.elsewhere.insert(value.to_owned());
        if person.there == There::No {
            person.there = There::Maybe;
        }
    }

    /// A removal makes edits void that were not sent; if the person comes back, it is as it was at the service.
    pub fn remove(&mut self, mark: &str) {
        let person = self.0.get_mut(mark).unwrap();
        for prop in person.props.values_mut() {
            prop.may.extend(prop.past.iter().cloned());
        }
        person.there = if person.edited_there {
            There::Maybe
        } else {
            There::No
        };
    }

    /// Who is made again is as this machine knew them, which had not heard of the last edits elsewhere.
    pub fn remove_there(&mut self, mark: &str) {
        let person = self.0.get_mut(mark).unwrap();
        for prop in person.props.values_mut() {
            prop.may.extend(prop.past.iter().cloned());
        }
        person.there = match person.there {
            There::No => There::No,
            _ if person.edited_here => There::Maybe,
            _ => There::No,
        };
    }

    pub fn put(&mut self, mark: &str, folder: usize) {
        self.touch(mark);
        self.0.get_mut(mark).unwrap().folder = folder;
    }

    /// Any edit here, of the file's name as well: it brings back who was deleted elsewhere.
    pub fn touch(&mut self, mark: &str) {
        let person = self.0.get_mut(mark).unwrap();
        person.edited_here = true;
        if person.there == There::No {
            person.there = There::Maybe;
        }
    }

    /// Compares with what was seen on both sides after a synchronisation, which is the truth from then on.
    pub fn check(&mut self, seen: &BTreeMap<String, Seen>) {
        for (mark, person) in &self.0 {
            match (seen.get(mark), person.there) {
                (None, There::Yes) => panic!("{mark} is lost: {person:?}"),
                (Some(seen), There::No) => panic!("{mark} is back: {seen:?}"),
                (None, _) => {}
                (Some(seen), _) => {
                    assert_eq!(seen.folder, person.folder, "{mark} is elsewhere");
                    for (property, value) in &seen.values {
                        let may = &person.props[property].may;
                        assert!(
                            may.contains(value),
                            "{mark} {property:?}: {value:?}, not one of {may:?}"
                        );
                    }
                }
            }
        }
        let strangers: Vec<_> = seen
            .keys()
            .filter(|mark| !self.0.contains_key(*mark))
            .collect();
        assert!(strangers.is_empty(), "strangers: {strangers:?}");
        self.0.retain(|mark, _| seen.contains_key(mark));
        for (mark, person) in &mut self.0 {
            person.there = There::Yes;
            (person.edited_here, person.edited_there) = (false, false);
            for (property, value) in &seen[mark].values {
                let prop = person.props.get_mut(property).unwrap();
                prop.may = BTreeSet::from([value.clone()]);
                prop.past = prop.may.clone();
                prop.elsewhere.clear();
            }
        }
    }
}
