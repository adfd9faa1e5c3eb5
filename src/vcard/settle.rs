//! Bringing what comes from the service into the form a card has, so that a card read back from its
//! own text is the same card.

use super::meaning::{Meaning, without_doubles};
use super::residue::{Entry, ODD, Residue, UNMAPPED};
use super::{line, shadow, slots};
use crate::model::{Address, Contact, Email, Field, Value};

/// A contact without what cannot be shown in a card: controls other than tab and line break, empty
/// list entries, double categories.
pub(super) fn clean(contact: &Contact) -> Contact {
    let mut clean = Contact::default();
    for (field, value) in contact.iter() {
        clean.set(field, clean_value(field, value));
    }
    clean
}

/// A residue in its settled order (UID, other lines, pictures, user spellings that still hold, notes), without
/// the spellings of values that were changed elsewhere.
pub(super) fn residue(contact: &Contact, residue: &Residue) -> Residue {
    let slots = slots::slots(contact);
    let held = shadow::pick(contact, &slots, residue);
    let is_in_order = shadow::is_in_order(&slots, &held);
    let shadows = slots.iter().zip(held).filter_map(|(slot, raw)| {
        let mut entry = Entry::new(slot.slot(), raw?);
        if !is_in_order && matches!(slot, Meaning::Email(_)) {
            entry.line = line::without_preference(&entry.line);
        }
        Some(entry)
    });
    let (unmapped, odd): (Vec<&str>, Vec<&str>) = residue
        .lines_of(UNMAPPED)
        .partition(|line| line::is_presentable(line));
    let mut notes = notes(residue);
    notes.extend(odd.into_iter().map(|line| Entry::new(ODD, line)));
    notes.sort_by(|a, b| a.slot.cmp(&b.slot));
    let unmapped = unmapped.into_iter().map(|line| Entry::new(UNMAPPED, line));
    settled(unmapped.collect(), shadows.collect(), notes)
}

/// Puts the parts of a residue in their order.
pub(super) fn settled(unmapped: Vec<Entry>, shadows: Vec<Entry>, notes: Vec<Entry>) -> Residue {
    let (mut all, others): (Vec<_>, Vec<_>) = unmapped
        .into_iter()
        .partition(|entry| line::is_uid(&entry.line));
    let (photos, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|entry| line::is_photo(&entry.line));
    all.extend(others);
    all.extend(photos);
    all.extend(shadows);
    all.extend(notes);
    Residue::from_entries(all)
}

/// The entries that are never lines of a card, by slot.
pub(super) fn notes(residue: &Residue) -> Vec<Entry> {
    let is_note = |entry: &&Entry| entry.slot != UNMAPPED && !shadow::is_slot(&entry.slot);
    let mut notes: Vec<Entry> = residue.entries().iter().filter(is_note).cloned().collect();
    notes.sort_by(|a, b| a.slot.cmp(&b.slot));
    notes
}

/// The first of display name, company, department, e-mail and phone.
pub(super) fn any_name(contact: &Contact) -> Option<&str> {
    let texts = [Field::DisplayName, Field::CompanyName, Field::Department];
    let texts = texts.into_iter().map(|field| contact.text(field));
    let emails = contact.emails().iter().map(|email| email.address.as_str());
    let lists = [Field::BusinessPhones, Field::HomePhones]
        .into_iter()
        .flat_map(|field| contact.list(field));
    let numbers = Field::NUMBERS.into_iter().map(|field| contact.text(field));
    let phones = lists.map(String::as_str).chain(numbers);
    texts
        .chain(emails)
        .chain(phones)
        .find(|text| !text.is_empty())
}

fn clean_value(field: Field, value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(printable(text)),
        Value::List(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| printable(item))
                .filter(|item| !item.is_empty())
                .collect();
            Value::List(if field == Field::Categories {
                without_doubles(&items)
            } else {
                items
            })
        }
        Value::Emails(emails) => {
            let emails = emails.iter().map(|email| Email {
                address: printable(&email.address),
                name: printable(&email.name),
            });
            Value::Emails(emails.filter(|email| !email.address.is_empty()).collect())
        }
        Value::Address(address) => Value::Address(Address {
            street: printable(&address.street),
            city: printable(&address.city),
            state: printable(&address.state),
            postal_code: printable(&address.postal_code),
            country_or_region: printable(&address.country_or_region),
        }),
        Value::Date(date) => Value::Date(*date),
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}
