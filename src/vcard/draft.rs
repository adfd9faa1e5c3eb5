//! A contact under construction: the first line that fits a slot gets it (vcard-mapping D9).

use std::collections::BTreeMap;

use super::meaning::{Meaning, NAME_PARTS, is_user, without_doubles};
use crate::model::{Contact, Email, Field, Kind, Value};

/// The slots filled so far.
#[derive(Default)]
pub(super) struct Draft {
    named: bool,
    emails: Vec<Email>,
    lists: BTreeMap<Field, Vec<String>>,
    fields: BTreeMap<Field, Value>,
}

impl Draft {
    /// The slots a contact occupies. Every card has an N, so a contact's is always taken.
    pub(super) fn of(contact: &Contact) -> Self {
        let mut draft = Self {
            named: true,
            emails: contact.emails().to_vec(),
            ..Self::default()
        };
        for (field, value) in contact.iter() {
            match value {
                Value::List(items) => drop(draft.lists.insert(field, items.clone())),
                value => drop(draft.fields.insert(field, value.clone())),
            }
        }
        draft
    }

    /// Whether a meaning would find its slot free.
    pub(super) fn has_room(&self, meaning: &Meaning) -> bool {
        match meaning {
            // A line of a user's own takes any of its four slots; which, `slot_of` says.
            Meaning::Text(field, _) if is_user(*field) => {
                let mut slots = Field::USER_FIELDS.iter();
                slots.any(|slot| !self.fields.contains_key(slot))
            }
            Meaning::Text(field, _) | Meaning::Day(field, _) => !self.fields.contains_key(field),
            Meaning::Address(field, ..) => ![Some(*field), field.post_box()]
                .into_iter()
                .flatten()
                .any(|part| self.fields.contains_key(&part)),
            Meaning::Name(_) => !self.named,
            Meaning::Org(_) => ![Field::CompanyName, Field::Department]
                .iter()
                .any(|part| self.fields.contains_key(part)),
            Meaning::Email(_) => self.emails.len() < Field::MAX_EMAILS,
            Meaning::Item(field, _) => self.lists.get(field).map_or(0, Vec::len) < limit(*field),
            Meaning::Categories(_) => !self.lists.contains_key(&Field::Categories),
        }
    }

    /// Puts a meaning in its slot, unless that is taken. Categories add up.
    pub(super) fn place(&mut self, meaning: &Meaning) -> bool {
        if !self.has_room(meaning) && !matches!(meaning, Meaning::Categories(_)) {
            return false;
        }
        match meaning {
            Meaning::Text(field, text) => self.text(*field, text),
            Meaning::Name(parts) => {
                self.named = true;
                NAME_PARTS
                    .iter()
                    .zip(parts)
                    .for_each(|(field, part)| self.text(*field, part));
            }
            Meaning::Org([company, department]) => {
                self.text(Field::CompanyName, company);
                self.text(Field::Department, department);
            }
            Meaning::Email(email) => self.emails.push(email.clone()),
            Meaning::Item(field, item) => self.lists.entry(*field).or_default().push(item.clone()),
            Meaning::Address(field, address, post_box) => {
                self.fields.insert(*field, Value::Address(address.clone()));
                if let Some(field) = field.post_box() {
                    self.text(field, post_box);
                }
            }
            Meaning::Day(field, date) => {
                self.fields.insert(*field, Value::Date(*date));
            }
            Meaning::Categories(names) => {
                self.lists
                    .entry(Field::Categories)
                    .or_default()
                    .extend(names.iter().cloned());
            }
        }
        true
    }

    /// The same meaning for the slot it belongs in: a line of a user's own keeps the slot that held its text, else takes
    /// the place of one that was edited, else a free one.
    pub(super) fn aimed(&self, meaning: Meaning, shown: Option<&Contact>) -> Meaning {
        let text = match meaning {
            Meaning::Text(field, text) if is_user(field) => text,
            other => return other,
        };
        let held = |slot: &Field| shown.map_or("", |shown| shown.text(*slot));
        let free = || {
            let slots = Field::USER_FIELDS.into_iter();
            slots.filter(|slot| !self.fields.contains_key(slot))
        };
        let slot = free()
            .find(|slot| held(slot) == text)
            .or_else(|| free().find(|slot| !held(slot).is_empty()))
            .or_else(|| free().next());
        Meaning::Text(slot.unwrap_or(Field::UserField1), text)
    }

    /// The contact.
    pub(super) fn finish(self) -> Contact {
        let mut contact = Contact::default();
        contact.set(Field::EmailAddresses, Value::Emails(self.emails));
        for (field, items) in self.lists {
            let items = if field == Field::Categories {
                without_doubles(&items)
            } else {
                items
            };
            contact.set(field, Value::List(items));
        }
        for (field, value) in self.fields {
            contact.set(field, value);
        }
        contact
    }

    fn text(&mut self, field: Field, text: &str) {
        if !text.is_empty() {
            self.fields.insert(field, Value::Text(text.to_owned()));
        }
    }
}

fn limit(field: Field) -> usize {
    match field.kind() {
        Kind::List { max } => max,
        _ => 1,
    }
}
