//! Telephone numbers: which TYPE is which field, and which line each field has (vcard-mapping 2, 3).

use super::line::{Line, Param};
use super::meaning::Meaning;
use super::{Version, escape};
use crate::model::Field;

/// Types that say how a number is used, not what it is of.
const MANNERS: [&str; 8] = [
    "voice", "pref", "video", "text", "msg", "modem", "internet", "other",
];
/// Types that make a number of another sort of whoever it belongs to.
const SORTS: [(&str, Field); 7] = [
    ("pager", Field::Pager),
    ("car", Field::CarPhone),
    ("isdn", Field::IsdnNumber),
    ("textphone", Field::TextPhone),
    ("x-primary", Field::PrimaryPhone),
    ("x-telex", Field::TelexNumber),
    ("main", Field::CompanyPhone),
];
/// Types of Outlook's own property.
const SPECIAL: [(&str, Field); 5] = [
    ("assistant", Field::AssistantPhone),
    ("company", Field::CompanyPhone),
    ("callback", Field::CallbackPhone),
    ("radio", Field::RadioPhone),
    ("ttytdd", Field::TextPhone),
];

/// What a TEL says; `None` for a number of a kind that no field is for.
pub(super) fn phone(line: &Line) -> Option<Meaning> {
    let types = line.types();
    let is = |kind: &str| types.iter().any(|found| found == kind);
    let number = number(line);
    let sort = SORTS.iter().find(|(kind, _)| is(kind));
    let field = match sort {
        _ if is("fax") => fax(&types),
        Some((_, field)) => *field,
        None if is("bbs") || (is("modem") && (is("work") || is("home"))) => return None,
        None if is("cell") || is("iphone") => Field::MobilePhone,
        None if is("work") => return Some(Meaning::Item(Field::BusinessPhones, number)),
        None if is("home") => return Some(Meaning::Item(Field::HomePhones, number)),
        None if types.iter().all(|kind| MANNERS.contains(&kind.as_str())) => Field::OtherPhone,
        None => return None,
    };
    Some(Meaning::Text(field, number))
}

/// What an X-MS-TEL says.
pub(super) fn special(line: &Line) -> Option<Meaning> {
    let types = line.types();
    let of_kind = |(kind, _): &&(&str, Field)| types.iter().any(|found| found == kind);
    let (_, field) = SPECIAL.iter().find(of_kind)?;
    Some(Meaning::Text(*field, number(line)))
}

/// The canonical line of a field that holds one number; `None` for other fields.
pub(super) fn line(field: Field, number: &str, version: Version) -> Option<Line> {
    let special = SPECIAL.iter().find(|(_, known)| *known == field);
    let (name, types): (_, &[&str]) = match (field, special) {
        (Field::TextPhone, _) if version == Version::V4 => ("TEL", &["textphone"]),
        (_, Some((kind, _))) => ("X-MS-TEL", &[kind]),
        (Field::MobilePhone, _) => ("TEL", &["cell"]),
        (Field::BusinessFax, _) => ("TEL", &["work", "fax"]),
        (Field::HomeFax, _) => ("TEL", &["home", "fax"]),
        (Field::OtherFax, _) => ("TEL", &["fax"]),
        (Field::OtherPhone, _) => ("TEL", &["voice"]),
        _ => {
            let (kind, _) = SORTS.iter().find(|(_, known)| *known == field)?;
            ("TEL", &[kind])
        }
    };
    let params = vec![Param::new("TYPE", types)];
    Some(Line::new(name, params, escape::text(number)))
}

fn fax(types: &[String]) -> Field {
    match () {
        () if types.iter().any(|kind| kind == "work") => Field::BusinessFax,
        () if types.iter().any(|kind| kind == "home") => Field::HomeFax,
        () => Field::OtherFax,
    }
}

fn number(line: &Line) -> String {
    let text = line.text();
    if line.is_value("uri") {
        text.strip_prefix("tel:").unwrap_or(&text).to_owned()
    } else {
        text
    }
}
