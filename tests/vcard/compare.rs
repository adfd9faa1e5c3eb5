//! Finds what a card says and another does not. Written apart from the code under test: it takes
//! lines apart with plain text functions only.

use std::collections::BTreeMap;

/// What the first card says and the second does not. Case of names and types, escapes, the form of
/// dates, and the one-line form of CATEGORIES count as spelling.
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
    let text = String::from_utf8_lossy(bytes)
        .replace("\r\n", "\n")
        .replace("\n ", "")
        .replace("\n\t", "");
    let text = text.trim_start_matches('\u{feff}');
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .flat_map(line_facts)
        .collect()
}

fn line_facts(line: &str) -> Vec<String> {
    let colon = outside_quotes(line, ':')
        .first()
        .map_or_else(|| line.find(':').unwrap(), |at| *at);
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    let mut parts = cut(head, ';').into_iter();
    let mut name = parts.next().unwrap().to_uppercase();
    let mut params: Vec<String> = parts.flat_map(|param| param_facts(&param)).collect();
    match name.as_str() {
        "BEGIN" | "END" | "VERSION" | "REV" => return Vec::new(),
        "X-MS-SPOUSE" | "X-MS-CHILD" => {
            params.extend([
                format!("TYPE={}", name[5..].to_lowercase()),
                "VALUE=text".into(),
            ]);
            name = "RELATED".into();
        }
        "BDAY" => {
            params.retain(|param| param != "VALUE=date" && !param.starts_with("X-APPLE-OMIT-YEAR"));
        }
        "PHOTO" if is_embedded(&params, value) => {
            params.retain(|param| !is_form_of_a_picture(param));
            return picture(value, &params);
        }
        _ => {}
    }
    let values = match name.as_str() {
        "N" | "ADR" | "ORG" => vec![value.trim_end_matches(';').to_owned()],
        "CATEGORIES" => cut(&value.replace("\\,", "\u{1}"), ',')
            .iter()
            .map(|item| item.replace('\u{1}', ","))
            .collect(),
        "BDAY" if !value.contains('T') => vec![value.replace("1604-", "--").replace('-', "")],
        _ => vec![value.to_owned()],
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

fn param_facts(param: &str) -> Vec<String> {
    let (name, values) = param.split_once('=').unwrap_or(("TYPE", param));
    let name = name.to_uppercase();
    let values = values.replace('"', "");
    let fact = |value: &str| match (name.as_str(), value.to_lowercase().as_str()) {
        ("TYPE", "pref") => "PREF=1".to_owned(),
        ("TYPE" | "VALUE", value) => format!("{name}={value}"),
        _ => format!("{name}={value}"),
    };
    values.split(',').map(fact).collect()
}

/// Escapes undone, except that a line break stays visible.
fn plain(value: &str) -> String {
    value
        .replace("\\n", "\u{2028}")
        .replace("\\N", "\u{2028}")
        .replace('\\', "")
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
}

/// Whether a PHOTO holds its picture, which each version writes in another way.
fn is_embedded(params: &[String], value: &str) -> bool {
    let is_base64 =
        |param: &String| ["ENCODING=B", "ENCODING=BASE64"].contains(&param.to_uppercase().as_str());
    value.starts_with("data:") || params.iter().any(is_base64)
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
