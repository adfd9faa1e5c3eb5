//! PHOTO: the one line of a card that is no text (vcard-mapping 5).
//!
//! The first line that holds a picture is the contact's; the service keeps it apart from the fields, so it is no part of
//! a [`Card`]. What such a line says beside the picture is a note in the residue. A line that names a picture somewhere
//! else, or a second one, is residue as any other; it stands behind the contact's, so that the first is that everywhere.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::line::{Line, Param, is_photo};
use super::residue::{Residue, UNMAPPED};
use super::{Card, CardError, CardErrorKind, Version, settle};
use crate::model::Photo;

/// Other programs leave out the padding, or leave bits behind it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The residue's note: a PHOTO line without its value.
const NOTE: &str = "photo";
/// Longest note, in bytes.
const MAX_NOTE: usize = 1024;

/// A picture taken out of a file.
pub(super) struct Taken {
    pub(super) photo: Photo,
    /// What the line says besides; empty for nothing.
    note: String,
}

/// Takes the first line that holds a picture, and is no `kept` line, out of a card's lines.
///
/// # Errors
/// [`CardError`] when it is no picture, or longer than the service takes.
pub(super) fn take(
    lines: &mut Vec<(usize, Line)>,
    kept: &Residue,
) -> Result<Option<Taken>, CardError> {
    let further = further(lines, kept);
    let found = lines.iter().enumerate().find_map(|(at, (_, line))| {
        let is_first = line.name == "PHOTO" && !further.contains(&at);
        let bytes = is_first.then(|| embedded(line)).flatten();
        bytes.map(|bytes| (at, bytes))
    });
    let Some((at, bytes)) = found else {
        return Ok(None);
    };
    let (number, line) = lines.remove(at);
    let refused = |kind| CardError::at(number, kind).property("PHOTO");
    let size = bytes.len();
    if size > Photo::MAX_BYTES {
        return Err(refused(CardErrorKind::PictureTooLong { size }));
    }
    let photo = Photo::new(bytes).ok_or_else(|| refused(CardErrorKind::NotAPicture))?;
    let note = note(line);
    match note.len() {
        size if size > MAX_NOTE => Err(refused(CardErrorKind::TooLong {
            size,
            limit: MAX_NOTE,
        })),
        _ => Ok(Some(Taken { photo, note })),
    }
}

/// Where a card's further pictures are: lines that are kept as they are. Of equal lines the last are those.
fn further(lines: &[(usize, Line)], kept: &Residue) -> Vec<usize> {
    let mut kept: Vec<&str> = kept
        .lines_of(UNMAPPED)
        .filter(|raw| is_photo(raw))
        .collect();
    let mut further = Vec::new();
    for (at, (_, line)) in lines.iter().enumerate().rev() {
        if kept.is_empty() {
            break;
        }
        if let Some(known) = kept.iter().position(|raw| *raw == line.raw) {
            kept.swap_remove(known);
            further.push(at);
        }
    }
    further
}

/// The size of the picture in a file that is too long to be looked at, if that is what makes it so long.
pub(super) fn in_oversize(file: &[u8]) -> Option<(usize, usize)> {
    let (mut number, mut at) = (1, 0);
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| matches!(byte, b':' | b';')).next()?;
        let name = name.rsplit(|byte| *byte == b'.').next()?;
        if name.eq_ignore_ascii_case(b"PHOTO") {
            let size = (file.len() - at) / 4 * 3;
            return (size > Photo::MAX_BYTES).then_some((number, size));
        }
        number += 1;
        at += line.len();
    }
    None
}

impl Card {
    /// Remembers what the PHOTO line says beside the picture. A file without such a line says nothing about it: the
    /// picture may only not have been there yet.
    pub(super) fn note_photo(&mut self, taken: &Taken) {
        self.residue.set(
            NOTE,
            Some(taken.note.as_str()).filter(|note| !note.is_empty()),
        );
        self.residue = settle::residue(&self.contact, &self.residue);
    }
}

/// The line that shows a picture.
pub(super) fn line(photo: &Photo, card: &Card, version: Version) -> String {
    let note = card.residue.lines_of(NOTE).next();
    let mut line = note
        .and_then(Line::parse)
        .unwrap_or_else(|| Line::new("PHOTO", Vec::new(), String::new()));
    let data = BASE64.encode(photo.bytes());
    match version {
        Version::V3 => {
            let format = photo.format().to_ascii_uppercase();
            line.params.insert(0, Param::new("ENCODING", &["b"]));
            line.params.insert(1, Param::new("TYPE", &[&format]));
            line.value = data;
        }
        Version::V4 => line.value = format!("data:{};base64,{data}", photo.media_type()),
    }
    line.write_raw();
    line.raw
}

/// The bytes a line holds; `None` when it names them only, or cannot be decoded.
fn embedded(line: &Line) -> Option<Vec<u8>> {
    let text = line.text();
    let (head, data) = text.split_once(',').unwrap_or_default();
    let is_data = head
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let is_base64 =
        |name: &str| name.eq_ignore_ascii_case("b") || name.eq_ignore_ascii_case("base64");
    let data = if is_data {
        head.rsplit(';')
            .next()
            .filter(|last| is_base64(last))
            .map(|_| data)
    } else {
        line.param("ENCODING")
            .any(is_base64)
            .then_some(text.as_str())
    };
    let data: String = data?.split_ascii_whitespace().collect();
    BASE64.decode(data).ok().filter(|bytes| !bytes.is_empty())
}

/// A line without its value and without what the picture itself says: group, crop marks, preference.
fn note(mut line: Line) -> String {
    for param in &mut line.params {
        if param.name == "TYPE" {
            param.values.retain(|value| !names_format(value));
        }
    }
    line.params.retain(|param| {
        !matches!(param.name.as_str(), "ENCODING" | "VALUE" | "MEDIATYPE")
            && !param.values.is_empty()
    });
    if line.group.is_none() && line.params.is_empty() {
        return String::new();
    }
    line.value.clear();
    line.write_raw();
    line.raw
}

fn names_format(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.trim_start_matches("image/");
    matches!(
        kind,
        "jpeg" | "jpg" | "pjpeg" | "png" | "gif" | "webp" | "bmp" | "tiff" | "heic" | "avif"
    )
}
