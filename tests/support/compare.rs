//! Finds what one card says and another does not. Written apart from the code under test: it takes lines apart with plain
//! text functions only, and speaks all three versions and every character set a line may declare.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// What the first card says and the second does not. Case of names and types, escapes, the form of dates, the one-line form
/// of CATEGORIES and the names that 3.0 and 4.0 have for the same property count as spelling; so do the encodings of 2.1.
pub(crate) fn lost(original: &[u8], rewritten: &[u8]) -> Vec<String> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for fact in facts(rewritten) {
        *found.entry(fact).or_default() += 1;
    }
    let mut lost = Vec::new();
    for fact in facts(original) {
        match found.get_mut(&fact) {
            Some(count) if *count > 0 => *count -= 1,
            _ => lost.push(fact),
        }
    }
    lost
}

fn facts(bytes: &[u8]) -> Vec<String> {
    let bytes = without_mark(bytes);
    let lines = logical(&bytes);
    let is_21 = lines
        .iter()
        .any(|line| line.to_ascii_uppercase().trim_ascii() == b"VERSION:2.1");
    let mut facts: Vec<String> = lines
        .iter()
        .flat_map(|line| line_facts(line, is_21))
        .collect();
    // Merged categories name each once.
    let mut seen = Vec::new();
    facts.retain(|fact| {
        let is_double = fact.starts_with("CATEGORIES:") && seen.contains(fact);
        seen.push(fact.clone());
        !is_double
    });
    facts
}

/// As bytes in which a line break is a line break.
fn without_mark(bytes: &[u8]) -> Cow<'_, [u8]> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| unit(*pair))
            .collect();
        Cow::Owned(String::from_utf16(&units).unwrap().into_bytes())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        bytes => Cow::Borrowed(bytes),
    }
}

/// Lines put together again: folds, the soft breaks of quoted-printable, base64 that was not folded.
fn logical(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let (mut after_blank, mut agents) = (true, 0);
    // Old programs for the Macintosh end lines with a return only.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    for physical in bytes.split(|byte| *byte == end) {
        let physical = physical.strip_suffix(b"\r").unwrap_or(physical);
        let is_blank = physical.trim_ascii().is_empty();
        match lines.last_mut() {
            Some(agent) if agents > 0 || (is_agent(agent) && physical == b"BEGIN:VCARD") => {
                if agents > 0 {
                    agent.push(b'\n');
                }
                agent.extend(physical);
                agents += i32::from(physical == b"BEGIN:VCARD");
                agents -= i32::from(physical == b"END:VCARD");
            }
            Some(last) if is_soft(last) => {
                last.pop();
                last.extend(physical);
            }
            Some(last)
                if !is_blank && physical.starts_with(b" ") || physical.starts_with(b"\t") =>
            {
                last.extend(&physical[1..]);
            }
            Some(last)
                if !is_blank && !after_blank && is_base64(last) && !physical.contains(&b':') =>
            {
                last.extend(physical);
            }
            _ if !is_blank => lines.push(physical.to_vec()),
            _ => {}
        }
        after_blank = is_blank;
    }
    lines
}

/// Whether the card of an agent may follow, as lines of its own.
fn is_agent(line: &[u8]) -> bool {
    line == b"AGENT:"
}

fn head_of(line: &[u8]) -> String {
    let head = line.split(|byte| *byte == b':').next().unwrap();
    String::from_utf8_lossy(head).to_uppercase()
}

fn is_soft(line: &[u8]) -> bool {
    line.ends_with(b"=") && head_of(line).contains("QUOTED-PRINTABLE")
}

fn is_base64(line: &[u8]) -> bool {
    let head = head_of(line);
    let mut params = head.split(';');
    params.any(|param| matches!(param, "BASE64" | "ENCODING=BASE64" | "ENCODING=B"))
}

fn line_facts(line: &[u8], is_21: bool) -> Vec<String> {
    let colon = colon_of(line);
    let is_utf8 = std::str::from_utf8(line).is_ok();
    let is_quoted = head_of(line).contains("QUOTED-PRINTABLE");
    let binary = is_base64(line);
    let head = decoded(&line[..colon], None);
    let mut parts = cut(&head, ';').into_iter();
    let mut name = parts.next().unwrap().to_uppercase();
    let raw: Vec<(String, String)> = parts.flat_map(|param| param_facts(&param)).collect();
    let charset = raw.iter().find(|(name, _)| name == "CHARSET");
    let charset = charset
        .filter(|(_, set)| is_quoted || !is_utf8 || set.to_lowercase().starts_with("iso-2022"))
        .map(|(_, set)| set.as_str());
    let bytes = if is_quoted {
        unquoted(&line[colon + 1..])
    } else {
        line[colon + 1..].to_vec()
    };
    let mut value = decoded(&bytes, charset);
    value.retain(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
    let converted = is_21 || is_quoted || !is_utf8;
    let mut params: Vec<String> = raw
        .into_iter()
        .filter(|(name, value)| {
            let is_encoding = name == "ENCODING" && !matches!(value.as_str(), "b");
            !(converted && (name == "CHARSET" || is_encoding))
        })
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    if converted && binary {
        value.retain(|c| !c.is_whitespace());
    }
    match name.as_str() {
        "BEGIN" | "END" | "VERSION" | "REV" | "CREATED" => return Vec::new(),
        "X-MS-SPOUSE" | "X-MS-CHILD" => {
            params.extend([
                format!("TYPE={}", name[5..].to_lowercase()),
                "VALUE=text".into(),
            ]);
            name = "RELATED".into();
        }
        "PHOTO" if is_embedded(&params, &value) => {
            params.retain(|param| !is_form_of_a_picture(param));
            return picture(&value, &params);
        }
        "X-ANNIVERSARY" => name = "ANNIVERSARY".into(),
        "X-GENDER" => name = "GENDER".into(),
        "X-MS-INTERESTS" => name = "HOBBY".into(),
        "X-MS-TEL" if params.contains(&"TYPE=ttytdd".to_owned()) => {
            name = "TEL".into();
            params = vec!["TYPE=textphone".into()];
        }
        _ => {}
    }
    let is_date = matches!(name.as_str(), "BDAY" | "ANNIVERSARY");
    if is_date {
        params.retain(|param| param != "VALUE=date" && !param.starts_with("X-APPLE-OMIT-YEAR"));
    }
    let plain = match is_21 {
        true if name == "AGENT" => |value: &str| value.replace('\n', "\u{2028}"),
        true => plain_21,
        false => plain,
    };
    let values = match name.as_str() {
        "N" | "ADR" | "ORG" => vec![value.trim_end_matches(';').to_owned()],
        "CATEGORIES" => cut(&value.replace("\\,", "\u{1}"), ',')
            .iter()
            .map(|item| item.replace('\u{1}', ","))
            .collect(),
        _ if is_date && !value.contains('T') => {
            vec![value.replace("1604-", "--").replace('-', "")]
        }
        _ => vec![value],
    };
    let values: Vec<String> = values
        .iter()
        .map(|value| plain(value))
        .filter(|value| !value.is_empty())
        .collect();
    let about = format!("{name}:{}", values.join("|"));
    params.sort();
    let params = params
        .into_iter()
        .map(|param| format!("{about} has {param}"));
    values
        .iter()
        .map(|value| format!("{name}:{value}"))
        .chain(params)
        .collect()
}

/// Whether a PHOTO holds its picture, which each version writes in another way.
fn is_embedded(params: &[String], value: &str) -> bool {
    value.starts_with("data:") || params.iter().any(|param| param == "ENCODING=b")
}

fn is_form_of_a_picture(param: &str) -> bool {
    ["ENCODING=", "TYPE=", "VALUE=", "MEDIATYPE="]
        .iter()
        .any(|form| param.starts_with(form))
}

/// The base64 digits are the picture, whatever stands before them.
fn picture(value: &str, params: &[String]) -> Vec<String> {
    let digits = value.rsplit(',').next().unwrap_or(value);
    let digits: String = digits
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '=')
        .collect();
    let about = format!("PHOTO:{digits}");
    let params = params.iter().map(|param| format!("{about} has {param}"));
    params.chain([about.clone()]).collect()
}

/// The values of a parameter with its name; one without a name is what 2.1 means by it.
fn param_facts(param: &str) -> Vec<(String, String)> {
    let (name, values) =
        param
            .split_once('=')
            .unwrap_or_else(|| match param.to_uppercase().as_str() {
                "QUOTED-PRINTABLE" | "BASE64" | "8BIT" | "7BIT" => ("ENCODING", param),
                "URL" | "INLINE" | "CID" | "CONTENT-ID" => ("VALUE", param),
                _ => ("TYPE", param),
            });
    let name = name.to_uppercase();
    let fact = |value: &str| match (name.as_str(), value.to_lowercase().as_str()) {
        ("TYPE", "pref") => ("PREF".to_owned(), "1".to_owned()),
        ("ENCODING", "base64" | "b") => (name.clone(), "b".to_owned()),
        ("TYPE" | "VALUE", value) => (name.clone(), value.to_owned()),
        _ => (name.clone(), value.to_owned()),
    };
    values.replace('"', "").split(',').map(fact).collect()
}

fn decoded(bytes: &[u8], charset: Option<&str>) -> String {
    let encoding = charset.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()));
    encoding.map_or_else(
        || String::from_utf8(bytes.to_vec()).unwrap(),
        |encoding| encoding.decode_without_bom_handling(bytes).0.into_owned(),
    )
}

fn unquoted(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let mut pieces = text.split('=');
    let mut out: Vec<char> = pieces.next().unwrap().chars().collect();
    for piece in pieces {
        let digits = piece
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match digits {
            Some(byte) => {
                out.push(char::from(byte));
                out.extend(piece[2..].chars());
            }
            None => {
                out.push('=');
                out.extend(piece.chars());
            }
        }
    }
    out.into_iter()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect()
}

/// Escapes undone, except that a line break stays visible.
fn plain(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\u{2028}'),
                Some(other) if other.is_alphanumeric() => out.extend(['\\', other]),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out
}

/// In 2.1 a line break is one, encoded, and only a semicolon is escaped.
fn plain_21(value: &str) -> String {
    value
        .replace("\\;", ";")
        .replace("\r\n", "\u{2028}")
        .replace(['\r', '\n'], "\u{2028}")
}

fn cut(text: &str, separator: char) -> Vec<String> {
    let (mut start, mut parts) = (0, Vec::new());
    for at in outside_quotes(text, separator) {
        parts.push(text[start..at].to_owned());
        start = at + 1;
    }
    parts.push(text[start..].to_owned());
    parts
}

fn outside_quotes(text: &str, wanted: char) -> Vec<usize> {
    let mut quoted = false;
    let hit = |(at, c)| {
        quoted ^= c == '"';
        (c == wanted && !quoted).then_some(at)
    };
    text.char_indices().filter_map(hit).collect()
}

/// The first colon that is not in quotes, or the first.
fn colon_of(line: &[u8]) -> usize {
    let mut quoted = false;
    let mut colons = line.iter().enumerate().filter_map(|(at, byte)| {
        quoted ^= *byte == b'"';
        (*byte == b':' && !quoted).then_some(at)
    });
    colons
        .next()
        .or_else(|| line.iter().position(|byte| *byte == b':'))
        .unwrap()
}

#[test]
fn the_comparer_sees_losses() {
    let card = b"FN:A\nTEL;TYPE=work,voice:1\nNOTE:x\\ny\nCATEGORIES:a,b\n";
    assert!(lost(card, card).is_empty());
    assert_eq!(
        lost(card, b"FN:A\nTEL;TYPE=work:1\nNOTE:xy\nCATEGORIES:a\n").len(),
        3
    );
    assert!(lost(b"CATEGORIES:a\nCATEGORIES:b\n", b"CATEGORIES:a,b").is_empty());
    assert_eq!(lost(b"X:1\nX:1\n", b"X:1\n"), ["X:1"]);
    let old = b"VERSION:2.1\nN;CHARSET=latin1:\xe9;b\nNOTE;QUOTED-PRINTABLE:a=\n=0D=0Ab\\n\nTEL;HOME;VOICE:1\n";
    let new = "N:\u{e9};b;;;\nNOTE:a\\nb\\\\n\nTEL;TYPE=home,voice:1\n";
    assert_eq!(lost(old, new.as_bytes()), Vec::<String>::new());
    assert_eq!(lost(old, b"N:e;b\nNOTE:a\\nb\nTEL;TYPE=home:1\n").len(), 3);
}
