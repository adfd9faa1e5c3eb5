//! Reply bodies: bounded reading, and JSON that is almost JSON (graph-facts 1.6, trap 22).

use std::borrow::Cow;

use serde_json::Value;
use tokio::time::error::Elapsed;

use super::{Error, silence};

/// Why a body did not arrive.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The connection broke.
    Broken(reqwest::Error),
    /// Nothing came for too long.
    Silent(Elapsed),
    /// It is longer than the limit, in bytes.
    TooLong,
}

/// Reads a body of at most `limit` bytes (after decompression).
pub(super) async fn read(
    response: &mut reqwest::Response,
    limit: usize,
) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    while let Some(chunk) = silence::until_piece(response.chunk())
        .await
        .map_err(ReadError::Silent)?
        .map_err(|error| ReadError::Broken(error.without_url()))?
    {
        if body.len() + chunk.len() > limit {
            return Err(ReadError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Parses a body; raw control characters inside strings and broken UTF-8 are repaired first if need be.
///
/// # Errors
/// [`Error::Malformed`] for anything else that is not JSON.
pub(super) fn parse(body: &[u8]) -> Result<Value, Error> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice(body)
        .or_else(|_| serde_json::from_str(&escape_controls(&String::from_utf8_lossy(body))))
        .map_err(|_| Error::Malformed {
            what: "the body is not JSON",
        })
}

/// Escapes what JSON wants escaped inside strings, so that a line break in a note stays one.
fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < 0x20) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len() + 16);
    let (mut in_string, mut after_backslash) = (false, false);
    for char in text.chars() {
        if in_string && char < ' ' {
            // A backslash before a raw control escapes nothing JSON knows; it was meant as itself.
            if after_backslash {
                clean.push('\\');
            }
            clean.push_str(&format!("\\u{:04x}", u32::from(char)));
            after_backslash = false;
            continue;
        }
        if char == '"' && !after_backslash {
            in_string = !in_string;
        }
        after_backslash = in_string && char == '\\' && !after_backslash;
        clean.push(char);
    }
    clean.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_in_strings_are_kept() {
        let value = parse(b"{\n\t\"note\": \"a\nb\x01\\\\\",\n \"x\": \"\\\"\x02\"}").unwrap();
        assert_eq!(value["note"], "a\nb\u{1}\\");
        assert_eq!(value["x"], "\"\u{2}");
    }

    #[test]
    fn broken_utf8_and_a_byte_order_mark_are_read() {
        assert_eq!(
            parse(b"\xEF\xBB\xBF{\"a\":\"\xFFb\"}").unwrap()["a"],
            "\u{FFFD}b"
        );
    }

    #[test]
    fn empty_cut_and_foreign_bodies_are_malformed() {
        for body in [&b""[..], b"{\"value\":[", b"<html></html>", b"{\"a\":\"\n"] {
            assert!(matches!(parse(body), Err(Error::Malformed { .. })));
        }
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes()).is_err());
    }
}
