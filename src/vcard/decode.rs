//! Bytes to text: byte order marks, UTF-16, and files in older character sets.

use std::borrow::Cow;

use super::{CardError, CardErrorKind};

const BIG_ENDIAN: &[u8] = b"\xfe\xff";
const LITTLE_ENDIAN: &[u8] = b"\xff\xfe";

/// The text of a file.
pub(super) struct Text<'a> {
    /// The text itself.
    pub(super) text: Cow<'a, str>,
    /// Whether the file is not UTF-8 and each character stands for one byte, because the character
    /// set is only known line by line.
    pub(super) is_widened: bool,
}

/// Decodes a file. Controls are dropped: they cannot be shown and would not survive the service.
pub(super) fn decode(bytes: &[u8]) -> Result<Text<'_>, CardError> {
    if is_utf16(bytes) {
        let mut text = utf16(bytes)?;
        if has_returns_only(text.as_bytes()) {
            text = text.replace('\r', "\n");
        }
        return Ok(Text {
            text: Cow::Owned(without_controls(&text).into_owned()),
            is_widened: false,
        });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    Ok(match std::str::from_utf8(bytes) {
        Ok(_) if has_seven_bit_sets(bytes) => Text {
            text: Cow::Owned(widened(bytes)),
            is_widened: true,
        },
        Ok(text) if has_returns_only(bytes) => Text {
            text: Cow::Owned(without_controls(&text.replace('\r', "\n")).into_owned()),
            is_widened: false,
        },
        Ok(text) => Text {
            text: without_controls(text),
            is_widened: false,
        },
        Err(_) => Text {
            text: Cow::Owned(widened(bytes)),
            is_widened: true,
        },
    })
}

/// Whether a file begins with the byte order mark of UTF-16.
pub(super) fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(BIG_ENDIAN) || bytes.starts_with(LITTLE_ENDIAN)
}

/// Whether lines may be in a character set of seven bits that switches by escapes: Japanese programs declare ISO-2022-JP.
fn has_seven_bit_sets(bytes: &[u8]) -> bool {
    let mut names = bytes.windows(8);
    bytes.contains(&0x1b)
        && bytes.is_ascii()
        && names.any(|name| name.eq_ignore_ascii_case(b"ISO-2022"))
}

/// What ends a line of a file: old programs for the Macintosh write carriage returns only.
pub(super) fn line_end(bytes: &[u8]) -> &'static [u8] {
    if has_returns_only(bytes) {
        b"\r"
    } else {
        b"\n"
    }
}

fn has_returns_only(bytes: &[u8]) -> bool {
    !bytes.contains(&b'\n') && bytes.contains(&b'\r')
}

/// The bytes a widened text stands for.
pub(super) fn narrowed(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect()
}

/// Drops controls other than tab and line ends. A carriage return only belongs before a line feed.
pub(super) fn without_controls(text: &str) -> Cow<'_, str> {
    let is_stray = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let has_lone_return = || {
        text.split('\r')
            .skip(1)
            .any(|after| !after.starts_with('\n'))
    };
    if !text.contains(is_stray) && !has_lone_return() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .filter(|c| !is_stray(*c) && *c != '\r')
            .collect(),
    )
}

fn widened(bytes: &[u8]) -> String {
    let is_kept =
        |byte: &&u8| !byte.is_ascii_control() || matches!(byte, b'\n' | b'\r' | b'\t' | 0x1b);
    let text = bytes.iter().filter(is_kept).map(|byte| char::from(*byte));
    if has_returns_only(bytes) {
        text.map(|c| if c == '\r' { '\n' } else { c }).collect()
    } else {
        text.collect()
    }
}

fn utf16(bytes: &[u8]) -> Result<String, CardError> {
    let big_endian = bytes.starts_with(BIG_ENDIAN);
    let unit = |pair: &[u8; 2]| {
        if big_endian {
            u16::from_be_bytes(*pair)
        } else {
            u16::from_le_bytes(*pair)
        }
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().skip(1).map(unit)).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(CardError::whole(CardErrorKind::Encoding)),
    }
}
