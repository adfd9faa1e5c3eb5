//! Files to cards: check, assign each line to a slot or to the residue, note what only the user's
//! spelling says.

use super::assign::{Shown, assign};
use super::decode::{self, Text};
use super::line::Line;
use super::residue::Residue;
use super::scan::{self, Scanned};
use super::v21::{self, Origin};
use super::{Card, CardError, CardErrorKind, Style, photo};
use crate::model::{ContactId, Photo};

/// Properties that alone make a contact.
const NAMING: [&str; 5] = ["FN", "N", "ORG", "EMAIL", "TEL"];

/// Reads a file.
///
/// `shown` is the card the file was rendered from, if any, and its id: values we made up for it (an
/// FN, a UID) that come back unchanged are not data (vcard-mapping D10), and what a card never shows
/// is carried over from it. `style` is how the mount writes cards.
///
/// # Errors
/// [`CardError`] with the line and reason when the file cannot be taken, or when what it says would
/// not fit in the residue.
pub fn read(
    bytes: &[u8],
    shown: Option<(&Card, Option<&ContactId>)>,
    style: Style,
) -> Result<Card, CardError> {
    read_all(bytes, shown, style).map(|said| said.card)
}

/// All that a file says: the card, and the picture that the service keeps apart from it.
#[derive(Clone, Debug)]
pub struct Said {
    /// The card.
    pub card: Card,
    /// The picture, if there is one.
    pub photo: Option<Photo>,
}

/// Reads a file with its picture; else as [`read()`].
///
/// # Errors
/// As [`read()`].
pub fn read_all(
    bytes: &[u8],
    shown: Option<(&Card, Option<&ContactId>)>,
    style: Style,
) -> Result<Said, CardError> {
    scan::guard(bytes)?;
    let mut scanned = scanned(bytes)?;
    check(&scanned)?;
    let none = Residue::default();
    let kept = shown.map_or(&none, |(card, _)| &card.residue);
    let taken = photo::take(&mut scanned.lines, kept)?;
    let shown = shown.map(|(card, id)| Shown { card, id });
    let mut card = assign(scanned.lines, shown, style)?;
    if let Some(taken) = &taken {
        card.note_photo(taken);
    }
    let photo = taken.map(|taken| taken.photo);
    Ok(Said { card, photo })
}

/// The contact's picture in an acceptable file; further ones are among the `kept` lines of the contact.
#[must_use]
pub fn photo_in(bytes: &[u8], kept: &Residue) -> Option<Photo> {
    if !may_hold_photo(bytes) || scan::guard(bytes).is_err() {
        return None; // Most cards have none, and taking one apart costs something.
    }
    let mut lines = scanned(bytes).ok()?.lines;
    photo::take(&mut lines, kept).ok()?.map(|taken| taken.photo)
}

/// Whether it is worth looking for a picture in a file: cheap, and never wrongly no.
#[must_use]
pub fn may_hold_photo(bytes: &[u8]) -> bool {
    let mut names = bytes.windows(5);
    names.any(|name| name.eq_ignore_ascii_case(b"PHOTO")) || decode::is_utf16(bytes)
}

/// Whether the text reaches from `BEGIN:VCARD` to a final `END:VCARD`; says nothing about what is
/// between. Cheap enough to ask at every close.
#[must_use]
pub fn is_complete(bytes: &[u8]) -> bool {
    if decode::is_utf16(bytes) {
        let ascii: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(u8::is_ascii)
            .filter(|byte| *byte != 0)
            .collect();
        return reaches_end(&ascii);
    }
    reaches_end(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

fn reaches_end(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii();
    let begins = bytes
        .get(..11)
        .is_some_and(|head| head.eq_ignore_ascii_case(b"BEGIN:VCARD"));
    let (rest, end) = bytes.split_at(bytes.len().saturating_sub(9));
    begins && end.eq_ignore_ascii_case(b"END:VCARD") && rest.ends_with(decode::line_end(bytes))
}

/// The lines of a file in the spelling of today.
fn scanned(bytes: &[u8]) -> Result<Scanned, CardError> {
    let Text { text, is_widened } = decode::decode(bytes)?;
    let mut scanned = scan::scan(&text).or_else(|error| match v21::repaired(&text) {
        Some(text) => scan::scan(&text).map_err(|_| error),
        None => Err(error),
    })?;
    let is_21 = scanned
        .version
        .as_ref()
        .is_some_and(|(_, version)| version.trim() == "2.1");
    let origin = Origin { is_21, is_widened };
    for (number, line) in &mut scanned.lines {
        let name = line.name.clone();
        let modern = v21::modern(std::mem::take(line), origin);
        *line = modern.map_err(|kind| refused(bytes, *number, kind).property(&name))?;
    }
    Ok(scanned)
}

/// An error of a line; of bytes in no known character set it says which is the first.
fn refused(bytes: &[u8], number: usize, kind: CardErrorKind) -> CardError {
    let is_encoding = matches!(kind, CardErrorKind::Encoding | CardErrorKind::Charset(_));
    let error = CardError::at(number, kind);
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let odd = lines.find(|(at, line)| at + 1 >= number && std::str::from_utf8(line).is_err());
    match odd {
        Some((at, line)) if is_encoding => {
            let good = line
                .utf8_chunks()
                .next()
                .map_or(0, |chunk| chunk.valid().chars().count());
            CardError {
                line: at + 1,
                ..error
            }
            .column(good + 1)
        }
        _ => error,
    }
}

fn check(scanned: &Scanned) -> Result<(), CardError> {
    let known = |version: &str| matches!(version.trim(), "2.1" | "3.0" | "4.0");
    if let Some((number, _)) = scanned
        .version
        .as_ref()
        .filter(|(_, version)| !known(version))
    {
        return Err(CardError::at(*number, CardErrorKind::Version).property("VERSION"));
    }
    let group = scanned.lines.iter().find(|(_, line)| line.is_group());
    if let Some((number, line)) = group {
        return Err(CardError::at(*number, CardErrorKind::Group).property(&line.name));
    }
    let named = scanned.lines.iter().any(|(_, line)| names(line));
    if named {
        Ok(())
    } else {
        Err(CardError::whole(CardErrorKind::Nameless))
    }
}

fn names(line: &Line) -> bool {
    NAMING.contains(&line.name.as_str())
        && line
            .value
            .contains(|c: char| c != ';' && !c.is_whitespace())
}
