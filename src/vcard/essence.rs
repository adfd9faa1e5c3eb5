//! Whether a user's line says more than our canonical line of the same meaning.
//!
//! Case of names, order of parameters and escapes are spelling and are normalised away. A group, a
//! further parameter, a component list or a time of day is content and is kept as a shadow line
//! (vcard-mapping 6).

use std::collections::BTreeSet;

use super::line::Line;
use super::meaning::{EMAIL_NAME, Meaning, components, decoded, list};
use super::{dates, escape};

/// Whether the canonical line says all that the user's line says.
pub(super) fn is_covered(user: &Line, canonical: &Line) -> bool {
    user.raw == canonical.raw
        || (user.group.is_none()
            && user.name == canonical.name
            && params(user) == as_far_as(user, params(canonical))
            && content(user) == content(canonical))
}

type Params = BTreeSet<(String, String)>;

fn params(line: &Line) -> Params {
    let types = line
        .types()
        .into_iter()
        .map(|kind| ("TYPE".to_owned(), kind));
    let others = line.params.iter().filter(|param| param.name != "TYPE");
    let others = others.flat_map(|param| {
        param
            .values
            .iter()
            .map(|value| (param.name.clone(), value.clone()))
    });
    types
        .chain(others)
        .filter(|(name, value)| !is_spelling(line, name, value))
        .collect()
}

/// The canonical parameters without what we say of an e-mail address by ourselves and the user's line does not: a name
/// beside it is the service's and was only carried along, and the first of several is marked.
fn as_far_as(user: &Line, mut canonical: Params) -> Params {
    if user.name == "EMAIL" {
        let is_named = user.param(EMAIL_NAME).next().is_some();
        let is_marked = user.preference() == 1;
        canonical.retain(|(name, value)| match (name.as_str(), value.as_str()) {
            (EMAIL_NAME, _) => is_named,
            ("PREF", "1") | ("TYPE", "pref") => is_marked,
            _ => true,
        });
    }
    canonical
}

/// Parameters that are part of how we or others spell a date.
fn is_spelling(line: &Line, name: &str, value: &str) -> bool {
    match line.name.as_str() {
        "BDAY" | "ANNIVERSARY" | "X-ANNIVERSARY" => {
            name == "X-APPLE-OMIT-YEAR" || (name == "VALUE" && value.eq_ignore_ascii_case("date"))
        }
        _ => false,
    }
}

#[derive(PartialEq)]
enum Content {
    Parts(Vec<Vec<String>>),
    Items(Vec<String>),
    Day(Option<Meaning>, bool),
    Text(String),
}

fn content(line: &Line) -> Content {
    match line.name.as_str() {
        "N" | "ADR" => Content::Parts(parts(components(line).map(decoded))),
        "ORG" => Content::Parts(parts(
            components(line).map(|part| vec![escape::unescape(part)]),
        )),
        "NICKNAME" => Content::Items(list(line)),
        "CATEGORIES" => Content::Items(super::meaning::without_doubles(&list(line))),
        "CLASS" => Content::Text(line.text().to_ascii_uppercase()),
        "BDAY" | "ANNIVERSARY" | "X-ANNIVERSARY" if dates::has_time(line) => {
            Content::Text(line.value.clone())
        }
        "BDAY" | "ANNIVERSARY" | "X-ANNIVERSARY" => {
            Content::Day(Meaning::of(line), dates::omits_year(line))
        }
        _ => Content::Text(line.text()),
    }
}

/// Missing parts at the end are empty parts. A list of nothing is somebody's spelling.
fn parts(parts: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = parts.collect();
    while parts
        .pop_if(|part| matches!(part.as_slice(), [only] if only.is_empty()))
        .is_some()
    {}
    parts
}
