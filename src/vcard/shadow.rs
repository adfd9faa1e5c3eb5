//! Shadow lines: a user's spelling of a value the service also holds, shown as long as the service's
//! value is still that value (vcard-mapping 6).

use super::line::{Line, NO_PREFERENCE, is_presentable};
use super::meaning::Meaning;
use super::residue::{Entry, Residue};
use crate::model::{Contact, Field};

/// Slots that hold several fields.
const JOINT_SLOTS: [&str; 2] = ["name", "org"];

/// For each slot the user's line that may be shown for it. A line serves one slot only.
pub(super) fn pick<'a>(
    contact: &Contact,
    slots: &[Meaning],
    residue: &'a Residue,
) -> Vec<Option<&'a str>> {
    let mut kept = understood(residue);
    let pick = |slot: &Meaning| {
        if is_made_up(contact, slot) {
            return None;
        }
        let fits = |(name, meaning, _): &(&str, Meaning, &str)| {
            *name == slot.slot() && meaning.may_show(slot)
        };
        let at = kept.iter().position(fits)?;
        Some(kept.remove(at).2)
    };
    slots.iter().map(pick).collect()
}

/// Whether the order of the e-mail addresses is the one that a user's lines say. It was changed elsewhere where it is not,
/// for the first is the preferred one (vcard-mapping 2).
pub(super) fn is_in_order(slots: &[Meaning], shown: &[Option<&str>]) -> bool {
    let emails = slots
        .iter()
        .zip(shown)
        .filter(|(slot, _)| matches!(slot, Meaning::Email(_)));
    let user = |raw: &str| Line::parse(raw).map_or(NO_PREFERENCE, |line| line.preference());
    emails
        .enumerate()
        .map(|(at, (_, shown))| match shown {
            Some(raw) => user(raw),
            None if at == 0 => 1,
            None => NO_PREFERENCE,
        })
        .is_sorted()
}

/// Whether a residue slot is that of a shadow line.
pub(super) fn is_slot(slot: &str) -> bool {
    JOINT_SLOTS.contains(&slot) || Field::ALL.iter().any(|field| field.name() == slot)
}

/// Whether a slot only shows a name we made up.
pub(super) fn is_made_up(contact: &Contact, slot: &Meaning) -> bool {
    matches!(slot, Meaning::Text(Field::DisplayName, _))
        && contact.text(Field::DisplayName).is_empty()
}

fn understood(residue: &Residue) -> Vec<(&str, Meaning, &str)> {
    let shadows = residue
        .entries()
        .iter()
        .filter(|entry| is_slot(&entry.slot));
    shadows
        .filter_map(|entry| Some((entry.slot.as_str(), meaning(entry)?, entry.line.as_str())))
        .collect()
}

/// What a kept line says. Its slot tells what a label told when it was kept.
fn meaning(entry: &Entry) -> Option<Meaning> {
    let line = Line::parse(&entry.line).filter(|_| is_presentable(&entry.line))?;
    let field = Field::ALL.iter().find(|field| field.name() == entry.slot);
    Meaning::of(&line).or_else(|| Meaning::labelled(&line, *field?))
}
