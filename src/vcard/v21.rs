//! What only vCard 2.1 has: quoted-printable, character sets per line, parameters without a name,
//! other escapes. Its lines are turned into lines of today, so nothing else need know of them.
//! 2.1 is never written.

use super::line::{Line, Param};
use super::{CardErrorKind, decode, escape};

/// Properties that are one text in 2.1, in which a semicolon separates nothing.
const TEXTS: [&str; 9] = [
    "FN", "NOTE", "TITLE", "ROLE", "EMAIL", "TEL", "LABEL", "MAILER", "UID",
];
/// Properties whose commas separate, though 2.1 does not know them.
const LISTS: [&str; 2] = ["CATEGORIES", "NICKNAME"];

/// How the file of a line is written.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    /// Whether it is a 2.1 card.
    pub(super) is_21: bool,
    /// Whether its text stands for bytes, see [`decode::Text`].
    pub(super) is_widened: bool,
}

/// The same line in the spelling of 3.0 and 4.0.
pub(super) fn modern(mut line: Line, origin: Origin) -> Result<Line, CardErrorKind> {
    if origin.is_21 {
        name_parameters(&mut line);
    }
    let transfer = line
        .param("ENCODING")
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let is_quoted = transfer == "QUOTED-PRINTABLE";
    if !origin.is_21 && !origin.is_widened && !is_quoted {
        return Ok(line);
    }
    line.value = decoded_value(&line, origin.is_widened, is_quoted)?;
    if origin.is_widened {
        narrow_head(&mut line)?;
    }
    let is_binary = transfer == "BASE64" || transfer == "B";
    line.value = line.value.replace("\r\n", "\n");
    line.value = match (is_binary, origin.is_21) {
        _ if is_agent(&line) => line.value,
        (true, _) => line.value.replace([' ', '\t', '\n'], ""),
        (false, true) => modern_escapes(&line),
        (false, false) => line.value.replace('\n', "\\n"),
    };
    modern_params(&mut line, is_binary);
    line.value = decode::without_controls(&line.value).replace(['\r', '\n'], "");
    line.write_raw();
    Ok(line)
}

/// The text with what 2.1 programs leave out or put in put right; `None` when it has nothing of the kind.
pub(super) fn repaired(text: &str) -> Option<String> {
    let inlined = with_agents(text);
    refolded(inlined.as_deref().unwrap_or(text)).or(inlined)
}

/// Puts the card of an agent, which 2.1 has as lines within the card (its section 2.4.4), into the value of its line, which
/// is how 3.0 writes it (RFC 2426 section 3.5.4). Each of its lines becomes a folded one, so that all keep their numbers.
fn with_agents(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 1024);
    let (mut depth, mut is_announced, mut changed) = (0_usize, false, false);
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let begins = content.trim().eq_ignore_ascii_case("BEGIN:VCARD");
        if depth > 0 || (is_announced && begins) {
            out.push_str(if depth > 0 { " \\n" } else { " " });
            out.push_str(&escape::text(content));
            out.push('\n');
            let ends = content.trim().eq_ignore_ascii_case("END:VCARD");
            depth = (depth + usize::from(begins)) - usize::from(ends);
            (is_announced, changed) = (false, true);
            continue;
        }
        out.push_str(line);
        is_announced = announces_agent(content) || (is_announced && content.trim().is_empty());
    }
    changed.then_some(out)
}

fn announces_agent(content: &str) -> bool {
    let name = content.split([':', ';']).next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or_default();
    name.eq_ignore_ascii_case("AGENT") && content.trim_end().ends_with(':')
}

/// Whether a line holds the card of an agent, in which nothing is to be changed.
fn is_agent(line: &Line) -> bool {
    line.name == "AGENT" && line.value.starts_with("BEGIN:")
}

/// Puts back the leading space of base64 lines that were not folded: 2.1 programs end such a value
/// with an empty line instead. `None` when there is nothing to put back.
fn refolded(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 1024);
    let (mut in_base64, mut changed) = (false, false);
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        if let Some((head, _)) = content.split_once(':') {
            in_base64 = declares_base64(head);
        } else if content.is_empty() {
            in_base64 = false;
        } else if in_base64 && !line.starts_with([' ', '\t']) && is_base64(content) {
            out.push(' ');
            changed = true;
        }
        out.push_str(line);
    }
    changed.then_some(out)
}

fn declares_base64(head: &str) -> bool {
    head.split(';').any(|param| {
        ["BASE64", "ENCODING=BASE64", "ENCODING=B"]
            .iter()
            .any(|form| param.eq_ignore_ascii_case(form))
    })
}

fn is_base64(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// A parameter without a name was taken as a TYPE; some are encodings or kinds of value.
fn name_parameters(line: &mut Line) {
    for param in line.params.iter_mut().filter(|param| param.name == "TYPE") {
        let value = param
            .values
            .first()
            .map(|value| value.to_ascii_uppercase())
            .unwrap_or_default();
        param.name = match value.as_str() {
            "QUOTED-PRINTABLE" | "BASE64" | "8BIT" | "7BIT" => "ENCODING".to_owned(),
            "URL" | "INLINE" | "CONTENT-ID" | "CID" => "VALUE".to_owned(),
            _ => continue,
        };
    }
}

fn decoded_value(line: &Line, is_widened: bool, is_quoted: bool) -> Result<String, CardErrorKind> {
    let bytes = if is_widened {
        decode::narrowed(&line.value)
    } else {
        line.value.clone().into_bytes()
    };
    let bytes = if is_quoted { unquoted(&bytes) } else { bytes };
    // A file that is UTF-8 as a whole is UTF-8, whatever a line without an encoding declares.
    let charset = line
        .param("CHARSET")
        .next()
        .filter(|_| is_widened || is_quoted);
    let wrong = || charset.map_or(CardErrorKind::Encoding, CardErrorKind::charset);
    match charset.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes())) {
        Some(encoding) => {
            let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
            text.map(std::borrow::Cow::into_owned).ok_or_else(wrong)
        }
        None => String::from_utf8(bytes).map_err(|_| wrong()),
    }
}

/// Undoes quoted-printable; what is no escape stands for itself.
fn unquoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = if byte == b'=' {
            tail.split_at_checked(2).and_then(hex_byte)
        } else {
            None
        };
        match escaped {
            Some((value, after)) => {
                out.push(value);
                rest = after;
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}

fn hex_byte<'a>((digits, after): (&'a [u8], &'a [u8])) -> Option<(u8, &'a [u8])> {
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|digits| !digits.starts_with('+'))?;
    Some((u8::from_str_radix(digits, 16).ok()?, after))
}

fn narrow_head(line: &mut Line) -> Result<(), CardErrorKind> {
    let narrow =
        |text: &str| String::from_utf8(decode::narrowed(text)).map_err(|_| CardErrorKind::Encoding);
    line.group = line.group.as_deref().map(narrow).transpose()?;
    line.name = narrow(&line.name)?;
    for param in &mut line.params {
        param.name = narrow(&param.name)?;
        for value in &mut param.values {
            *value = narrow(value)?;
        }
    }
    Ok(())
}

/// In 2.1 only `\;` is an escape; every other backslash is a backslash.
fn modern_escapes(line: &Line) -> String {
    let (is_text, is_list) = (
        TEXTS.contains(&line.name.as_str()),
        LISTS.contains(&line.name.as_str()),
    );
    let is_uri = line.name == "URL";
    let mut out = String::with_capacity(line.value.len() + 8);
    let mut chars = line.value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if_eq(&';').is_some() => out.push_str("\\;"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            ',' if !is_list && !is_uri => out.push_str("\\,"),
            ';' if is_text => out.push_str("\\;"),
            c => out.push(c),
        }
    }
    out
}

/// One TYPE with all types, lower case; no CHARSET; ENCODING only for what is still encoded.
fn modern_params(line: &mut Line, is_binary: bool) {
    let types = line.types();
    line.params
        .retain(|param| !matches!(param.name.as_str(), "TYPE" | "CHARSET" | "ENCODING"));
    if !types.is_empty() {
        line.params.insert(
            0,
            Param {
                name: "TYPE".to_owned(),
                values: types,
            },
        );
    }
    if is_binary {
        line.params.push(Param::new("ENCODING", &["b"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V21: Origin = Origin {
        is_21: true,
        is_widened: false,
    };

    fn modernised(raw: &str, origin: Origin) -> String {
        modern(Line::parse(raw).unwrap(), origin).unwrap().raw
    }

    #[test]
    fn parameters_get_names() {
        assert_eq!(
            modernised("TEL;HOME;VOICE:+1", V21),
            "TEL;TYPE=home,voice:+1"
        );
        assert_eq!(modernised("NOTE;QUOTED-PRINTABLE:a=3Bb", V21), "NOTE:a\\;b");
        assert_eq!(
            modernised("PHOTO;JPEG;BASE64:AB CD", V21),
            "PHOTO;TYPE=jpeg;ENCODING=b:ABCD"
        );
    }

    #[test]
    fn escapes_of_2_1() {
        assert_eq!(
            modernised("N:D\\;oe;Jo\\hn,x", V21),
            "N:D\\;oe;Jo\\\\hn\\,x"
        );
        assert_eq!(modernised("FN:a;b", V21), "FN:a\\;b");
        assert_eq!(modernised("URL:http://x/a,b;c", V21), "URL:http://x/a,b;c");
    }

    #[test]
    fn quoted_printable_and_character_sets() {
        let line = "NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:caf=E9=0D=0A=zz=";
        assert_eq!(modernised(line, V21), "NOTE:café\\n=zz");
        let plain = Origin {
            is_21: false,
            is_widened: false,
        };
        assert_eq!(
            modernised("X-A;ENCODING=QUOTED-PRINTABLE:=C3=A9\\;", plain),
            "X-A:é\\;"
        );
        let widened = Origin {
            is_21: true,
            is_widened: true,
        };
        assert_eq!(
            modernised("FN;CHARSET=windows-1252:\u{80}", widened),
            "FN:€"
        );
        assert_eq!(modernised("FN:\u{c3}\u{a9}", widened), "FN:é");
        let undeclared = modern(Line::parse("FN:\u{e9}").unwrap(), widened);
        assert_eq!(undeclared, Err(CardErrorKind::Encoding));
    }

    #[test]
    fn the_card_of_an_agent_becomes_the_value_of_its_line() {
        let text = "N:a\r\nAGENT:\r\nBEGIN:VCARD\r\nFN:b\\;c\r\nEND:VCARD\r\nFN:a\r\n";
        assert_eq!(
            repaired(text).unwrap(),
            "N:a\r\nAGENT:\r\n BEGIN:VCARD\n \\nFN:b\\\\\\;c\n \\nEND:VCARD\nFN:a\r\n"
        );
        assert_eq!(repaired("AGENT:x\nBEGIN:VCARD\n"), None);
    }

    #[test]
    fn unfolded_base64_is_folded() {
        let text = "PHOTO;ENCODING=BASE64:\r\nAAAA\r\nBB==\r\n\r\nFN:x\r\n";
        assert_eq!(
            refolded(text).unwrap(),
            "PHOTO;ENCODING=BASE64:\r\n AAAA\r\n BB==\r\n\r\nFN:x\r\n"
        );
        assert_eq!(refolded("FN:x\r\nAAAA\r\n"), None);
    }
}
