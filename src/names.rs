//! File and folder names: what a contact is called in a directory and which names are contacts.
//!
//! Owns the rules of behaviour 1.3, 1.4 and 5.1. Pure text in, text out; it knows nothing of what
//! else is in a directory, so collisions are found by the caller and only resolved here. Names from
//! the server are hostile: whatever comes in, the result is one safe path component.

mod clean;

use uuid::Uuid;

use crate::model::{Contact, ContactId, Field, Tier};

/// Longest name Linux filesystems take, in bytes (`NAME_MAX`).
const MAX_BYTES: usize = 255;
/// Ending of every contact's file.
const CARD_SUFFIX: &str = ".vcf";
/// Room kept for `" (xxxxxx)"`, so that telling two contacts apart never shortens a name.
const TAG_BYTES: usize = 9;
/// What is used when nothing about a contact or folder makes a name.
const NAMELESS: &str = "Unnamed";

/// Namespace of the hash in [`disambiguated`]; changing it would rename files everywhere.
const NAME_SPACE: Uuid = Uuid::from_u128(0x5b6f_0a4e_2d2c_4c1f_9a57_4f1d_93c0_7e21);

/// The file name of a contact, ending in `.vcf` (behaviour 1.3).
///
/// The display name, else given name and surname, else company, first e-mail, first phone, else
/// `Unnamed`. At most 246 bytes, so [`disambiguated`] still fits.
#[must_use]
pub fn file_name(contact: &Contact) -> String {
    let room = MAX_BYTES - CARD_SUFFIX.len() - TAG_BYTES;
    let stem = candidates(contact)
        .iter()
        .map(|text| clean::component(text, room))
        .find(|stem| !stem.is_empty());
    stem.unwrap_or_else(|| NAMELESS.to_owned()) + CARD_SUFFIX
}

/// The directory name of a contact folder: never empty, `.`, `..` or hidden (behaviour 1.3).
#[must_use]
pub fn folder_name(display_name: &str) -> String {
    let name = clean::component(display_name, MAX_BYTES - TAG_BYTES);
    if name.is_empty() {
        NAMELESS.to_owned()
    } else {
        name
    }
}

/// The name with ` (xxxxxx)` before its `.vcf`, for a contact whose plain name is taken (behaviour 1.4).
///
/// The six hex digits are the first 24 bits of the UUIDv5 (SHA-1) of the immutable id in a fixed
/// namespace: the same on every machine and for ever.
#[must_use]
pub fn disambiguated(name: &str, id: &ContactId) -> String {
    let (stem, suffix) = split_suffix(name);
    let tag = format!(" ({})", short_hash(id.as_str()));
    let stem = clean::cut(stem, MAX_BYTES.saturating_sub(tag.len() + suffix.len()));
    format!("{stem}{tag}{suffix}")
}

/// Whether a regular file of this name is a contact (behaviour 5.1).
#[must_use]
pub fn is_card_name(name: &str) -> bool {
    !is_hidden(name) && !split_suffix(name).1.is_empty()
}

/// Whether the name begins with a dot: such a directory and all below it is scratch (behaviour 5.1).
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Where the refused text of a card is kept: `.NAME.vcf.rejected` (behaviour 3.2).
#[must_use]
pub fn rejected_name(card_name: &str) -> String {
    beside(card_name, ".rejected")
}

/// Where the reason of a refusal is kept: `.NAME.vcf.error` (behaviour 3.2).
#[must_use]
pub fn error_name(card_name: &str) -> String {
    beside(card_name, ".error")
}

fn candidates(contact: &Contact) -> Vec<String> {
    let full_name = [contact.text(Field::GivenName), contact.text(Field::Surname)];
    let full_name: Vec<&str> = full_name
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let mut found = vec![
        contact.text(Field::DisplayName).to_owned(),
        full_name.join(" "),
        contact.text(Field::CompanyName).to_owned(),
    ];
    found.extend(contact.emails().first().map(|email| email.address.clone()));
    found.extend(first_phone(contact));
    found
}

fn first_phone(contact: &Contact) -> Option<String> {
    // Every machine must give the same name, so only what every mount reads counts.
    let numbers = Field::NUMBERS
        .into_iter()
        .filter(|field| field.tier() <= Tier::Basic)
        .map(|field| contact.text(field));
    let lists = contact
        .list(Field::BusinessPhones)
        .iter()
        .chain(contact.list(Field::HomePhones));
    lists
        .map(String::as_str)
        .chain(numbers)
        .find(|phone| !phone.is_empty())
        .map(str::to_owned)
}

/// The name before its `.vcf` (any case), and that ending; an empty ending when there is none.
fn split_suffix(name: &str) -> (&str, &str) {
    let split = name
        .len()
        .checked_sub(CARD_SUFFIX.len())
        .and_then(|at| name.split_at_checked(at));
    match split {
        Some((stem, suffix)) if suffix.eq_ignore_ascii_case(CARD_SUFFIX) => (stem, suffix),
        _ => (name, ""),
    }
}

/// A hidden companion of a card. A name too long for the ending is cut and marked with its own
/// hash, so the companions of two long names stay apart.
fn beside(card_name: &str, ending: &str) -> String {
    let whole = format!(".{card_name}{ending}");
    if whole.len() <= MAX_BYTES {
        return whole;
    }
    let mark = format!("~{}", short_hash(card_name));
    let room = MAX_BYTES.saturating_sub(1 + mark.len() + ending.len());
    format!(".{}{mark}{ending}", clean::cut(card_name, room))
}

fn short_hash(text: &str) -> String {
    let mut digits = Uuid::new_v5(&NAME_SPACE, text.as_bytes())
        .simple()
        .to_string();
    digits.truncate(6);
    digits
}

#[cfg(test)]
mod tests;
