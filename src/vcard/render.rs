//! Cards to files: the canonical text of vcard-mapping 7.

use super::line::{is_photo, is_uid};
use super::residue::UNMAPPED;
use super::{Card, Eol, Style, Version, card, compose, fold, photo, shadow, slots};
use crate::model::{ContactId, Photo, Stamp};

/// When the service made a contact and last changed it. No part of what a card means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was made.
    pub created: Stamp,
    /// When it was last changed.
    pub modified: Stamp,
}

/// The bytes of a card: the same for the same card, id and style, on every machine.
///
/// A card without a UID shows one derived from `id`; without an id it has none.
#[must_use]
pub fn render(card: &Card, id: Option<&ContactId>, style: Style) -> Vec<u8> {
    render_with(card, id, None, None, style)
}

/// The bytes of a card with its times, if they are to be shown, and with its picture, which comes last so that the
/// readable part is on top (vcard-mapping D7, D8).
#[must_use]
pub fn render_with(
    card: &Card,
    id: Option<&ContactId>,
    photo: Option<&Photo>,
    times: Option<Times>,
    style: Style,
) -> Vec<u8> {
    let eol = match style.eol {
        Eol::Crlf => "\r\n",
        Eol::Lf => "\n",
    };
    let mut out = String::with_capacity(1024);
    let picture = photo.map(|photo| photo::line(photo, card, style.version));
    // The first picture is the contact's, and further ones are residue.
    let (further, lines): (Vec<_>, Vec<_>) = lines(card, id, style.version)
        .into_iter()
        .partition(|line| is_photo(line));
    let pictures = picture.into_iter().chain(further);
    let times = times.filter(|_| style.rev);
    let times = times.map(|times| time_lines(times, style.version));
    for line in lines
        .into_iter()
        .chain(times.into_iter().flatten())
        .chain(pictures)
        .chain(["END:VCARD".to_owned()])
    {
        if style.unfolded {
            out.push_str(&line);
            out.push_str(eol);
        } else {
            fold::push(&mut out, &line, eol);
        }
    }
    out.into_bytes()
}

fn lines(card: &Card, id: Option<&ContactId>, version: Version) -> Vec<String> {
    let mut lines = vec!["BEGIN:VCARD".to_owned(), version_line(version).to_owned()];
    let (uids, others): (Vec<&str>, Vec<&str>) =
        card.residue.lines_of(UNMAPPED).partition(|raw| is_uid(raw));
    if uids.is_empty() {
        lines.extend(id.map(uid_line));
    }
    lines.extend(uids.into_iter().map(str::to_owned));
    lines.extend(mapped(card, version));
    lines.extend(others.into_iter().map(str::to_owned));
    lines
}

/// The lines that tell times; 3.0 has none for when a contact was made.
fn time_lines(times: Times, version: Version) -> Vec<String> {
    let said = |form: &str, time: Stamp| time.to_timestamp().strftime(form).to_string();
    match version {
        Version::V3 => vec![said("REV:%Y-%m-%dT%H:%M:%SZ", times.modified)],
        Version::V4 => vec![
            said("CREATED:%Y%m%dT%H%M%SZ", times.created),
            said("REV:%Y%m%dT%H%M%SZ", times.modified),
        ],
    }
}

/// The line shown for a UID we made up.
pub(super) fn uid_line(id: &ContactId) -> String {
    format!("UID:{}", card::derived_uid(id))
}

/// The lines that fields have, in their order.
pub(super) fn mapped(card: &Card, version: Version) -> impl Iterator<Item = String> {
    let slots = slots::slots(&card.contact);
    let canonical = compose::lines(&card.contact, &slots, version);
    let shadows = shadow::pick(&card.contact, &slots, &card.residue);
    let shadows: Vec<Option<String>> = shadows
        .into_iter()
        .map(|raw| raw.map(str::to_owned))
        .collect();
    canonical
        .into_iter()
        .zip(shadows)
        .filter_map(|(line, shadow)| shadow.or(line.map(|line| line.raw)))
}

fn version_line(version: Version) -> &'static str {
    match version {
        Version::V3 => "VERSION:3.0",
        Version::V4 => "VERSION:4.0",
    }
}
