//! Bytes to lines: size guards, line numbers, and the envelope of one card.

use ::vcard::tree::line::VcardLine;

use super::line::Line;
use super::{CardError, CardErrorKind, decode, photo};

/// Largest file looked at, in bytes: a photo of 4 MiB in base64 and some text.
const MAX_BYTES: usize = 6 << 20;
/// Longest line other than a photo, in bytes; the service takes requests of less than 4 MiB.
const MAX_LINE: usize = 1 << 20;
/// Most line ends: a photo of 4 MiB in base64 has 74,000.
const MAX_LINE_ENDS: usize = 100_000;
/// Most semicolons and commas; base64 has none, and a file of little else must not cost seconds.
const MAX_SEPARATORS: usize = 50_000;
/// Most logical lines.
const MAX_LINES: usize = 10_000;

/// The lines between BEGIN and END, without VERSION.
pub(super) struct Scanned {
    /// What VERSION says, with its line number.
    pub(super) version: Option<(usize, String)>,
    /// The other lines with their numbers in the file.
    pub(super) lines: Vec<(usize, Line)>,
}

/// Refuses what is too large to be looked at, without looking at what it says.
pub(super) fn guard(bytes: &[u8]) -> Result<(), CardError> {
    if bytes.len() > MAX_BYTES {
        if let Some((number, size)) = photo::in_oversize(bytes) {
            let kind = CardErrorKind::PictureTooLong { size };
            return Err(CardError::at(number, kind).property("PHOTO"));
        }
        return Err(CardError::whole(CardErrorKind::TooLong {
            size: bytes.len(),
            limit: MAX_BYTES,
        }));
    }
    let end = decode::line_end(bytes);
    let line_ends = bytes.iter().filter(|byte| end.contains(byte)).count();
    let separators = bytes
        .iter()
        .filter(|byte| matches!(byte, b';' | b','))
        .count();
    for (count, limit) in [(line_ends, MAX_LINE_ENDS), (separators, MAX_SEPARATORS)] {
        if count > limit {
            return Err(CardError::whole(CardErrorKind::TooMany { limit }));
        }
    }
    Ok(())
}

/// Takes the text of one card apart.
pub(super) fn scan(text: &str) -> Result<Scanned, CardError> {
    let mut lines = logical_lines(text)?.into_iter();
    match lines.next() {
        Some((_, line)) if is_mark(&line, "BEGIN") => {}
        Some((number, _)) => return Err(CardError::at(number, CardErrorKind::NotACard)),
        None => return Err(CardError::whole(CardErrorKind::NotACard)),
    }
    let mut scanned = Scanned {
        version: None,
        lines: Vec::new(),
    };
    for (number, line) in lines.by_ref() {
        match line.name.as_str() {
            "END" if is_mark(&line, "END") => return nothing_after(lines.next()).map(|()| scanned),
            "BEGIN" if is_mark(&line, "BEGIN") => {
                return Err(CardError::at(number, CardErrorKind::SecondCard));
            }
            "VERSION" if scanned.version.is_none() => scanned.version = Some((number, line.text())),
            _ => scanned.lines.push((number, line)),
        }
    }
    Err(CardError::at(
        text.lines().count(),
        CardErrorKind::Unfinished,
    ))
}

fn nothing_after(line: Option<(usize, Line)>) -> Result<(), CardError> {
    match line {
        None => Ok(()),
        Some((number, line)) if is_mark(&line, "BEGIN") => {
            Err(CardError::at(number, CardErrorKind::SecondCard))
        }
        Some((number, _)) => Err(CardError::at(number, CardErrorKind::TextAfterEnd)),
    }
}

pub(super) fn is_mark(line: &Line, name: &str) -> bool {
    line.name == name && line.value.trim().eq_ignore_ascii_case("VCARD")
}

fn logical_lines(text: &str) -> Result<Vec<(usize, Line)>, CardError> {
    let mut lines = Vec::new();
    let (mut rest, mut passed) = (text, 1);
    while !rest.trim_start().is_empty() {
        let number = passed + newlines(leading_blank(rest));
        let (line, tail) =
            VcardLine::take(rest.as_bytes()).map_err(|_| not_a_line(rest, number))?;
        let taken = rest.len() - tail.len();
        if taken > MAX_LINE && !line.bare_name().eq_ignore_ascii_case("PHOTO") {
            let kind = CardErrorKind::TooLong {
                size: taken,
                limit: MAX_LINE,
            };
            return Err(CardError::at(number, kind).property(line.bare_name()));
        }
        let line = Line::from(line);
        if !is_name(&line.name) {
            return Err(not_a_line(rest, number));
        }
        lines.push((number, line));
        if lines.len() > MAX_LINES {
            return Err(CardError::at(
                number,
                CardErrorKind::TooMany { limit: MAX_LINES },
            ));
        }
        passed += newlines(rest.get(..taken).unwrap_or(""));
        rest = rest.get(taken..).unwrap_or("");
    }
    Ok(lines)
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
}

fn not_a_line(rest: &str, number: usize) -> CardError {
    let line = rest.trim_start().lines().next().unwrap_or("");
    CardError::at(number, CardErrorKind::syntax(line)).column(1)
}

fn leading_blank(text: &str) -> &str {
    text.get(..text.len() - text.trim_start().len())
        .unwrap_or("")
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}
