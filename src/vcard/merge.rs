//! Three-way merge of cards, property by property (behaviour 6.1).
//!
//! What one side alone changed is taken from that side. Lists merge by element, so that two different numbers added here
//! and there are both kept. What both sides changed to different values is a *clash*: the preferred side's value stands,
//! and the clash is reported, for whoever keeps the losing card. Runs over the model's field enumeration, so that a new
//! property is merged as one value without being mentioned here.

mod elements;

use std::collections::{BTreeMap, BTreeSet};

use super::line::{Line, is_uid};
use super::meaning::{Meaning, NAME_PARTS};
use super::residue::{Entry, INVENTED_GIVEN_NAME, Residue, UNMAPPED};
use super::{Card, Style, Version, compose, shadow, slots};
use crate::model::{Address, Contact, Email, Field, Kind, Tier, Value};
use elements::Element;

/// Whose value stands where both sides changed the same property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefer {
    /// The service's.
    #[default]
    Theirs,
    /// This machine's.
    Ours,
}

impl Prefer {
    fn pick<T>(self, ours: T, theirs: T) -> T {
        match self {
            Self::Ours => ours,
            Self::Theirs => theirs,
        }
    }
}

/// Two cards made one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The card that holds what both sides changed.
    pub card: Card,
    /// The properties that both sides changed to different values, as a card spells them: `TEL cell`, `X-FOO`.
    pub clashes: Vec<String>,
}

/// Merges two cards that were both made from `base`.
#[must_use]
pub fn merge(base: &Card, ours: &Card, theirs: &Card, prefer: Prefer) -> Merged {
    let whole = |card: &Card| Merged {
        card: card.clone(),
        clashes: Vec::new(),
    };
    if base == ours || ours == theirs {
        return whole(theirs);
    }
    if base == theirs {
        return whole(ours);
    }
    let mut merging = Merging {
        sides: Sides { base, ours, theirs },
        prefer,
        contact: Contact::default(),
        entries: Vec::new(),
        clashes: BTreeSet::new(),
    };
    for (slot, fields) in units() {
        merging.unit(slot, &fields);
    }
    merging.unmapped();
    merging.notes();
    let Merging {
        contact,
        entries,
        mut clashes,
        ..
    } = merging;
    let card = Card::settled(&contact, &Residue::from_entries(entries));
    let card = said_by_its_text(&card).unwrap_or_else(|| {
        // More lines than can be kept with the contact: they cannot both stand.
        clashes.insert(TOO_MUCH.to_owned());
        prefer.pick(ours, theirs).clone()
    });
    Merged {
        card,
        clashes: clashes.into_iter().collect(),
    }
}

/// The clash of two cards that are too large for one.
const TOO_MUCH: &str = "the lines that Outlook has no field for";

/// Lines of two cards may mean something else together. A card is what its own text says.
fn said_by_its_text(card: &Card) -> Option<Card> {
    let style = Style {
        tier: Tier::All,
        ..Style::default()
    };
    let text = super::render(card, None, style);
    super::read(&text, Some((card, None)), style).ok()
}

/// Three of a kind: what was, and what each side made of it.
#[derive(Clone, Copy)]
struct Sides<T> {
    base: T,
    ours: T,
    theirs: T,
}

impl<T> Sides<T> {
    fn map<U>(&self, each: impl Fn(&T) -> U) -> Sides<U> {
        Sides {
            base: each(&self.base),
            ours: each(&self.ours),
            theirs: each(&self.theirs),
        }
    }

    fn any(&self, is: impl Fn(&T) -> bool) -> bool {
        is(&self.base) || is(&self.ours) || is(&self.theirs)
    }
}

impl<T: PartialEq + Clone> Sides<T> {
    /// One value, and whether both sides changed it to something else.
    fn one(&self, prefer: Prefer) -> (T, bool) {
        if self.base == self.ours || self.ours == self.theirs {
            (self.theirs.clone(), false)
        } else if self.base == self.theirs {
            (self.ours.clone(), false)
        } else {
            (prefer.pick(self.ours.clone(), self.theirs.clone()), true)
        }
    }
}

struct Merging<'a> {
    sides: Sides<&'a Card>,
    prefer: Prefer,
    contact: Contact,
    entries: Vec<Entry>,
    clashes: BTreeSet<String>,
}

/// The fields that one line of a card shows, by the residue slot of that line.
fn units() -> BTreeMap<&'static str, Vec<Field>> {
    let mut units = BTreeMap::<_, Vec<Field>>::new();
    let address_of = |part: Field| {
        let mut all = Field::ALL.iter().copied();
        all.find(|field| field.post_box() == Some(part))
    };
    for &field in Field::ALL {
        let slot = match field {
            Field::CompanyName | Field::Department => "org",
            part if NAME_PARTS.contains(&part) => "name",
            field => address_of(field).unwrap_or(field).name(),
        };
        units.entry(slot).or_default().push(field);
    }
    units
}

impl Merging<'_> {
    fn unit(&mut self, slot: &'static str, fields: &[Field]) {
        let shadows = self.sides.map(|card| shadows(card, slot));
        // A user's own spelling holds more than the fields do and is for one value of them: it is taken whole.
        let is_spelled = shadows.any(|lines| !lines.is_empty());
        match fields {
            [field] if is_list(*field, is_spelled) => self.list(*field),
            fields if is_spelled => self.whole(fields, slot, &shadows),
            fields => {
                for field in fields {
                    match field.kind() {
                        Kind::Address => self.address(*field),
                        _ => self.whole(std::slice::from_ref(field), slot, &shadows),
                    }
                }
            }
        }
    }

    fn whole(&mut self, fields: &[Field], slot: &str, shadows: &Sides<Vec<String>>) {
        let values = self.sides.map(|card| {
            let values = fields.iter().map(|field| card.contact.get(*field).cloned());
            values.collect::<Vec<_>>()
        });
        let both = Sides {
            base: (values.base, &shadows.base),
            ours: (values.ours, &shadows.ours),
            theirs: (values.theirs, &shadows.theirs),
        };
        let ((values, shadows), clashes) = both.one(self.prefer);
        for (field, value) in fields.iter().zip(values) {
            if let Some(value) = value {
                self.contact.set(*field, value);
            }
        }
        self.entries
            .extend(shadows.iter().map(|line| Entry::new(slot, line.as_str())));
        if clashes {
            self.clash(slot);
        }
    }

    /// By component; an address of which both sides changed the same component is taken whole, so that none is made up
    /// of two.
    fn address(&mut self, field: Field) {
        let addresses = self
            .sides
            .map(|card| card.contact.address(field).cloned().unwrap_or_default());
        let mut is_clash = false;
        let mut part = |of: fn(&Address) -> &String| {
            let (value, clashes) = addresses
                .map(|address| of(address).clone())
                .one(self.prefer);
            is_clash |= clashes;
            value
        };
        let merged = Address {
            street: part(|address| &address.street),
            city: part(|address| &address.city),
            state: part(|address| &address.state),
            postal_code: part(|address| &address.postal_code),
            country_or_region: part(|address| &address.country_or_region),
        };
        if is_clash {
            self.clash(field.name());
        }
        let merged = if is_clash {
            self.prefer.pick(addresses.ours, addresses.theirs)
        } else {
            merged
        };
        self.contact.set(field, Value::Address(merged));
    }

    /// By element. What is more than the service takes becomes lines without a field, as in a card that says so much.
    fn list(&mut self, field: Field) {
        let max = match field.kind() {
            Kind::List { max } => max,
            _ => Field::MAX_EMAILS,
        };
        let sides = self.sides.map(|card| listed(card, field));
        let merged = elements::merge(&sides, self.prefer, max);
        for key in merged.clashes {
            self.clashes.insert(
                label(&[meaning(field, &key, "")]).unwrap_or_else(|| field.name().to_owned()),
            );
        }
        let mut kept = merged.elements;
        let over = kept.split_off(max.min(kept.len()));
        for element in over {
            let line = element
                .shadow
                .clone()
                .or_else(|| canonical(&meaning(field, &element.key, &element.name)));
            self.entries
                .extend(line.map(|line| Entry::new(UNMAPPED, line)));
        }
        self.entries.extend(kept.iter().filter_map(|element| {
            let line = element.shadow.as_deref()?;
            Some(Entry::new(field.name(), line))
        }));
        let value = if field.kind() == Kind::Emails {
            let email = |element: Element| Email {
                address: element.key,
                name: element.name,
            };
            Value::Emails(kept.into_iter().map(email).collect())
        } else {
            Value::List(kept.into_iter().map(|element| element.key).collect())
        };
        self.contact.set(field, value);
    }

    /// The lines without a field. A card has one UID; of all else there may be several.
    fn unmapped(&mut self) {
        let lines = self.sides.map(|card| {
            let lines = card.residue.lines_of(UNMAPPED).map(str::to_owned);
            lines.partition::<Vec<_>, _>(|line| is_uid(line))
        });
        let (uid, clashes) = lines.map(|(uid, _)| uid.clone()).one(self.prefer);
        if clashes {
            self.clashes.insert("UID".to_owned());
        }
        let others = lines.map(|(_, others)| {
            let others = others.iter().map(|line| Element::line(line, name_of(line)));
            others.collect::<Vec<_>>()
        });
        let merged = elements::merge(&others, self.prefer, usize::MAX);
        self.clashes
            .extend(merged.clashes.iter().map(|line| name_of(line)));
        let others = merged.elements.into_iter().map(|element| element.key);
        let known = self.entries.iter().filter(|entry| entry.slot == UNMAPPED);
        let known: Vec<String> = known.map(|entry| entry.line.clone()).collect();
        let lines = uid.into_iter().chain(others);
        self.entries.extend(
            lines
                .filter(|line| !known.contains(line))
                .map(|line| Entry::new(UNMAPPED, line)),
        );
    }

    /// What is remembered beside the card and shown nowhere: nobody's edit, so there is nothing to report. A file's name
    /// here is the one that was chosen here.
    fn notes(&mut self) {
        let notes = self.sides.map(|card| super::settle::notes(&card.residue));
        let slots: BTreeSet<String> = [&notes.base, &notes.ours, &notes.theirs]
            .into_iter()
            .flatten()
            .map(|note| note.slot.clone())
            .collect();
        for slot in slots {
            let lines = notes.map(|notes| {
                let notes = notes.iter().filter(|note| note.slot == slot);
                notes.cloned().collect::<Vec<_>>()
            });
            let prefer = if slot == INVENTED_GIVEN_NAME {
                Prefer::Theirs
            } else {
                Prefer::Ours
            };
            self.entries.extend(lines.one(prefer).0);
        }
    }

    /// Reports a clash, by the line that shows the slot.
    fn clash(&mut self, slot: &str) {
        let shown = [self.sides.ours, self.sides.theirs]
            .into_iter()
            .find_map(|card| {
                let slots = slots::slots(&card.contact);
                let of_slot: Vec<_> = slots.into_iter().filter(|m| m.slot() == slot).collect();
                label(&of_slot)
            });
        self.clashes
            .insert(shown.unwrap_or_else(|| slot.to_owned()));
    }
}

/// Whether a field merges by element. All categories are one line, so a user's own spelling of them is taken whole.
fn is_list(field: Field, is_spelled: bool) -> bool {
    match field.kind() {
        Kind::Emails => true,
        Kind::List { .. } => field != Field::Categories || !is_spelled,
        _ => false,
    }
}

/// The user's own lines for a slot.
fn shadows(card: &Card, slot: &str) -> Vec<String> {
    card.residue.lines_of(slot).map(str::to_owned).collect()
}

/// A list's elements, each with the user's own line for it.
fn listed(card: &Card, field: Field) -> Vec<Element> {
    let slots = slots::slots(&card.contact);
    let shadows = shadow::pick(&card.contact, &slots, &card.residue);
    let lines: Vec<Option<&str>> = slots
        .iter()
        .zip(shadows)
        .filter(|(slot, _)| slot.slot() == field.name())
        .map(|(_, shadow)| shadow)
        .collect();
    let emails = card
        .contact
        .emails()
        .iter()
        .filter(|_| field.kind() == Kind::Emails);
    let emails = emails.map(|email| (email.address.as_str(), email.name.as_str()));
    let items = card
        .contact
        .list(field)
        .iter()
        .map(|item| (item.as_str(), ""));
    emails
        .chain(items)
        .enumerate()
        .map(|(at, (key, name))| Element {
            key: key.to_owned(),
            name: name.to_owned(),
            shadow: lines.get(at).copied().flatten().map(str::to_owned),
            kin: String::new(),
        })
        .collect()
}

fn meaning(field: Field, key: &str, name: &str) -> Meaning {
    match field.kind() {
        Kind::Emails => Meaning::Email(Email {
            address: key.to_owned(),
            name: name.to_owned(),
        }),
        _ if field == Field::Categories => Meaning::Categories(vec![key.to_owned()]),
        _ => Meaning::Item(field, key.to_owned()),
    }
}

fn canonical(meaning: &Meaning) -> Option<String> {
    let lines = compose::lines(
        &Contact::default(),
        std::slice::from_ref(meaning),
        Version::V4,
    );
    lines.into_iter().flatten().next().map(|line| line.raw)
}

/// How a card spells what these meanings are: the name of the property and its types.
fn label(meanings: &[Meaning]) -> Option<String> {
    let raw = meanings.iter().find_map(canonical)?;
    let line = Line::parse(&raw)?;
    let types = line.types();
    Some(
        std::iter::once(line.name)
            .chain(types)
            .collect::<Vec<_>>()
            .join(" "),
    )
}

fn name_of(line: &str) -> String {
    Line::parse(line).map_or_else(String::new, |line| line.name)
}
