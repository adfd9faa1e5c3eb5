//! Which line goes where: to a field, to the residue, or nowhere because we made it up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::draft::Draft;
use super::line::Line;
use super::meaning::{Meaning, is_address, labelled_field};
use super::residue::{Entry, INVENTED_GIVEN_NAME, UNMAPPED};
use super::{
    Card, CardError, CardErrorKind, Style, Version, Yearless, compose, dates, essence, render,
    settle, shadow, slots,
};
use crate::model::{Contact, ContactId, Email, Field, Value};

/// Longest line that can be kept, in bytes (vcard-mapping 6).
const MAX_LINE: usize = 16 << 10;
/// Largest residue, in bytes (vcard-mapping 6).
const MAX_RESIDUE: usize = 24 << 10;

/// A line with its number in the file.
type Numbered = (usize, Line);

/// The card a file was rendered from.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) card: &'a Card,
    pub(super) id: Option<&'a ContactId>,
}

/// Makes a card of a file's lines.
pub(super) fn assign(
    mut lines: Vec<Numbered>,
    shown: Option<Shown<'_>>,
    style: Style,
) -> Result<Card, CardError> {
    lines.retain(|(_, line)| !line.is_time() && !shown.is_some_and(|shown| shown.made_up(line)));
    let Placement {
        mut contact,
        placed,
        left,
    } = place(&lines, shown, style);
    if let Some(shown) = shown {
        carry_over(&mut contact, &shown.card.contact, style);
    }
    let shadows = shadows(&contact, placed, shown, style.version);
    let kept = || {
        left.iter()
            .chain(shadows.iter().map(|(_, line)| line))
            .copied()
    };
    kept().try_for_each(check_length)?;
    let longest = kept().max_by_key(|(_, line)| line.raw.len());
    let unmapped = left
        .iter()
        .map(|(_, line)| Entry::new(UNMAPPED, line.raw.as_str()));
    let shadows = shadows
        .iter()
        .map(|(slot, (_, line))| Entry::new(slot, line.raw.as_str()));
    let residue = settle::settled(
        unmapped.collect(),
        shadows.collect(),
        notes(shown, &contact),
    );
    match residue.encode().as_str().len() {
        size if size > MAX_RESIDUE => Err(too_much(size, longest)),
        // Of equal values the spellings are shown in the order of the slots.
        _ => {
            let residue = settle::residue(&contact, &residue);
            Ok(Card { contact, residue })
        }
    }
}

impl Shown<'_> {
    /// Whether a line only repeats what we made up for the shown card (vcard-mapping D10).
    fn made_up(&self, line: &Line) -> bool {
        let contact = &self.card.contact;
        match line.name.as_str() {
            "UID" => {
                self.id.is_some_and(|id| line.raw == render::uid_line(id))
                    && self.card.uid().is_none()
            }
            "FN" if contact.text(Field::DisplayName).is_empty() => {
                line.params.is_empty()
                    && line.group.is_none()
                    && line.text() == slots::made_up_name(contact)
            }
            "X-MS-OL-DEFAULT-POSTAL-ADDRESS" => {
                let word = contact.text(Field::MailingAddress);
                !word.is_empty() && line.raw == slots::mailing_line(word).raw
            }
            _ => false,
        }
    }
}

struct Placement<'a> {
    contact: Contact,
    /// The lines that have a field, in the order they were placed.
    placed: Vec<(&'static str, &'a Numbered)>,
    /// The others, in the order of the file.
    left: Vec<&'a Numbered>,
}

/// A line that wants a slot.
struct Candidate<'a> {
    at: usize,
    numbered: &'a Numbered,
    /// Whether the line was residue in the shown card.
    was_left: bool,
}

/// Fills the slots. A line that was residue although its slot was free stays residue: only a user
/// who frees a taken slot means the next line to move up.
fn place<'a>(lines: &'a [Numbered], shown: Option<Shown<'_>>, style: Style) -> Placement<'a> {
    let labels = labels(lines);
    let held = shown.filter(|shown| !shown.card.residue.is_empty());
    let held = held.map(|shown| Draft::of(&shown.card.contact));
    let several_categories = has_several_categories(lines);
    let (mut draft, mut placed, mut left) = (Draft::default(), Vec::new(), Vec::new());
    for Candidate {
        at,
        numbered,
        was_left,
    } in in_order(lines, shown, style.version)
    {
        let line = &numbered.1;
        let was_free = |meaning: &Meaning| held.as_ref().is_some_and(|held| held.has_room(meaning));
        let meaning = Meaning::of(line)
            .or_else(|| Meaning::labelled(line, *labels.get(line.group.as_deref()?)?))
            .filter(|meaning| has_home(meaning, shown, style))
            .filter(|meaning| !is_kept_out(meaning, line, shown, style))
            .map(|meaning| draft.aimed(meaning, shown.map(|shown| &shown.card.contact)))
            .filter(|meaning| !(was_left && was_free(meaning)))
            .filter(|_| !(several_categories && is_marked_category(line)));
        match meaning {
            // Merged categories have no single line that could be their user's spelling.
            Some(Meaning::Categories(names)) if several_categories => {
                draft.place(&Meaning::Categories(names));
            }
            Some(meaning) if draft.place(&meaning) => placed.push((meaning.slot(), numbered)),
            _ => left.push((at, numbered)),
        }
    }
    left.sort_by_key(|(at, _)| *at);
    let left = left.into_iter().map(|(_, numbered)| numbered).collect();
    Placement {
        contact: draft.finish(),
        placed,
        left,
    }
}

/// Whether the service keeps a meaning in a field, and this mount knows of it. 4.0 has no word for the sensitivity
/// (vcard-mapping 3).
fn has_home(meaning: &Meaning, shown: Option<Shown<'_>>, style: Style) -> bool {
    if let Meaning::Email(email) = meaning {
        let mut held = shown.iter().flat_map(|shown| shown.card.contact.emails());
        return is_address(&email.address) || held.any(|held| held.address == email.address);
    }
    let field = meaning.field();
    let in_tier = field.is_none_or(|field| field.tier() <= style.tier);
    in_tier && !(field == Some(Field::Sensitivity) && style.version == Version::V4)
}

/// Whether a birthday without a year is not for Outlook to see. One that the contact has already is no news.
fn is_kept_out(meaning: &Meaning, line: &Line, shown: Option<Shown<'_>>, style: Style) -> bool {
    let Meaning::Day(Field::Birthday, day) = meaning else {
        return false;
    };
    let held = shown.and_then(|shown| shown.card.contact.get(Field::Birthday));
    style.yearless == Yearless::Residue
        && dates::omits_year(line)
        && held != Some(&Value::Date(*day))
}

/// What the labels of Apple's address book say of the lines that have the same prefix.
fn labels(lines: &[Numbered]) -> BTreeMap<&str, Field> {
    let labels = lines.iter().filter(|(_, line)| line.name == "X-ABLABEL");
    labels
        .filter_map(|(_, line)| Some((line.group.as_deref()?, labelled_field(&line.text())?)))
        .collect()
}

/// By preference for FN and EMAIL, else in file order; what was residue comes last, so that it takes
/// no slot from a line the service holds.
fn in_order<'a>(
    lines: &'a [Numbered],
    shown: Option<Shown<'_>>,
    version: Version,
) -> Vec<Candidate<'a>> {
    let mut left = shown
        .map(|shown| left(lines, shown, version))
        .unwrap_or_default();
    let candidate = |(at, numbered): (usize, &'a Numbered)| {
        // Of equal lines the last are the residue: that is where it is shown.
        let count = left.get_mut(numbered.1.raw.as_str());
        let was_left = count.is_some_and(|count| {
            let is_left = *count > 0;
            *count = count.saturating_sub(1);
            is_left
        });
        Candidate {
            at,
            numbered,
            was_left,
        }
    };
    let mut order: Vec<_> = lines.iter().enumerate().rev().map(candidate).collect();
    order.sort_by_key(|line| (line.was_left, rank(&line.numbered.1), line.at));
    order
}

/// How many of each line were residue. A line that is fewer times in the file than it was shown is a field's first.
fn left(lines: &[Numbered], shown: Shown<'_>, version: Version) -> BTreeMap<String, usize> {
    let mut left = counted(shown.card.residue.lines_of(UNMAPPED).map(str::to_owned));
    let of_fields = counted(render::mapped(shown.card, version));
    let in_file = counted(lines.iter().map(|(_, line)| line.raw.clone()));
    let count = |of: &BTreeMap<String, usize>, line: &str| of.get(line).copied().unwrap_or(0);
    for (line, left) in &mut left {
        *left = (*left).min(count(&in_file, line).saturating_sub(count(&of_fields, line)));
    }
    left
}

fn counted(lines: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    lines.for_each(|line| *counted.entry(line).or_default() += 1);
    counted
}

fn has_several_categories(lines: &[Numbered]) -> bool {
    lines
        .iter()
        .filter(|(_, line)| line.name == "CATEGORIES")
        .nth(1)
        .is_some()
}

fn rank(line: &Line) -> u8 {
    if matches!(line.name.as_str(), "FN" | "EMAIL") {
        line.preference()
    } else {
        0
    }
}

/// Several CATEGORIES lines become one, which cannot carry the group or parameters of one of them.
fn is_marked_category(line: &Line) -> bool {
    line.name == "CATEGORIES" && (line.group.is_some() || !line.params.is_empty())
}

/// What a card does not always show is not deleted by its absence (vcard-mapping 2): `fileAs`, which address is for
/// letters, the sensitivity in 4.0, and the name beside an unchanged e-mail address.
fn carry_over(contact: &mut Contact, shown: &Contact, style: Style) {
    let hidden = [Field::FileAs, Field::MailingAddress, Field::Sensitivity];
    let count = if style.version == Version::V4 { 3 } else { 2 };
    for field in hidden.into_iter().take(count) {
        if contact.text(field).is_empty() {
            contact.set_text(field, shown.text(field));
        }
    }
    // A card without FN goes by the name its other lines make (see `Card::for_create`).
    let name = shown.text(Field::DisplayName);
    if contact.text(Field::DisplayName).is_empty() && slots::composed_name(shown) == name {
        contact.set_text(Field::DisplayName, slots::composed_name(contact));
    }
    let mut known: Vec<&Email> = shown.emails().iter().collect();
    let mut emails = contact.emails().to_vec();
    for email in &mut emails {
        let Some(at) = known.iter().position(|old| old.address == email.address) else {
            continue;
        };
        let old = known.remove(at);
        if email.name.is_empty() {
            email.name.clone_from(&old.name);
        }
    }
    contact.set(Field::EmailAddresses, Value::Emails(emails));
}

/// The placed lines that say more than the canonical line of their slot does.
fn shadows<'a>(
    contact: &Contact,
    placed: Vec<(&'static str, &'a Numbered)>,
    shown: Option<Shown<'_>>,
    version: Version,
) -> Vec<(&'static str, &'a Numbered)> {
    let known: BTreeSet<(&str, &str)> = shown
        .iter()
        .flat_map(|shown| shown.card.residue.entries())
        .map(|entry| (entry.slot.as_str(), entry.line.as_str()))
        .collect();
    let mut lines_of: BTreeMap<&str, VecDeque<&Numbered>> = BTreeMap::new();
    for (slot, numbered) in placed {
        lines_of.entry(slot).or_default().push_back(numbered);
    }
    // A line as we showed it is our spelling, even where its slot is now spelled otherwise; once more, it is the user's.
    let mut ours = shown
        .map(|shown| canonical(&shown.card.contact, version))
        .unwrap_or_default();
    let mut is_ours = |line: &str| {
        let left = ours.get_mut(line).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    };
    let slots = slots::slots(contact);
    let canonical = compose::lines(contact, &slots, version);
    let mut lines = Vec::new();
    for (slot, canonical) in slots.iter().zip(canonical) {
        if shadow::is_made_up(contact, slot) {
            continue;
        }
        let Some(line) = lines_of.get_mut(slot.slot()).and_then(VecDeque::pop_front) else {
            continue;
        };
        let is_covered = is_ours(&line.1.raw)
            || canonical.is_some_and(|canonical| essence::is_covered(&line.1, &canonical));
        let is_known = known.contains(&(slot.slot(), line.1.raw.as_str()));
        lines.push((slot, line, !is_covered || is_known));
    }
    // Of two equal addresses the order is that of their spellings, so that each has one or none has.
    let is_spelled = |of: &Meaning| {
        let mut spelled = lines.iter().filter(|(_, _, is)| *is);
        spelled.any(|(slot, ..)| slot.is_same_address(of))
    };
    let is_shadow = |(slot, _, is): &&(&Meaning, _, bool)| *is || is_spelled(slot);
    let shadows = lines.iter().filter(is_shadow);
    shadows
        .map(|(slot, line, _)| (slot.slot(), *line))
        .collect()
}

/// The lines we would write for a contact, and how often.
fn canonical(contact: &Contact, version: Version) -> BTreeMap<String, usize> {
    let lines = compose::lines(contact, &slots::slots(contact), version);
    counted(lines.into_iter().flatten().map(|line| line.raw))
}

/// What is remembered about the contact and never a line. A given name that is there now is the
/// user's, whatever we invented before.
fn notes(shown: Option<Shown<'_>>, contact: &Contact) -> Vec<Entry> {
    let mut notes = shown
        .map(|shown| settle::notes(&shown.card.residue))
        .unwrap_or_default();
    if !contact.text(Field::GivenName).is_empty() {
        notes.retain(|note| note.slot != INVENTED_GIVEN_NAME);
    }
    notes
}

fn too_much(size: usize, longest: Option<&Numbered>) -> CardError {
    let kind = CardErrorKind::TooMuch {
        size,
        limit: MAX_RESIDUE,
    };
    match longest {
        Some((number, line)) => CardError::at(*number, kind).property(&line.name),
        None => CardError::whole(kind),
    }
}

fn check_length((number, line): &Numbered) -> Result<(), CardError> {
    let size = line.raw.len();
    if size <= MAX_LINE {
        return Ok(());
    }
    let kind = CardErrorKind::TooLong {
        size,
        limit: MAX_LINE,
    };
    Err(CardError::at(*number, kind).property(&line.name))
}
