//! Names of single-value extended properties (graph-facts 6.2).
//!
//! A property has many spellings: case of the type and the guid, padding of the number. Here they become one
//! canonical spelling, which is also what replies use, so it may differ from what the caller wrote.

use super::http::Refusal;

const TYPES: &[&str] = &[
    "String",
    "Integer",
    "Short",
    "Long",
    "Boolean",
    "Double",
    "Float",
    "Currency",
    "SystemTime",
    "ApplicationTime",
    "Binary",
    "CLSID",
];

/// Numbers that have a meaning on a contact, each with its type (graph-facts 6.3; [MS-OXPROPS]).
const STANDARD: &[(&str, &[u32])] = &[
    (
        "String",
        &[
            0x001A, 0x10F3, 0x3A00, 0x3A02, 0x3A07, 0x3A1A, 0x3A1B, 0x3A1D, 0x3A1E, 0x3A1F, 0x3A21,
            0x3A23, 0x3A24, 0x3A25, 0x3A2C, 0x3A2D, 0x3A2E, 0x3A2F, 0x3A43, 0x3A47, 0x3A49, 0x3A4A,
            0x3A4B, 0x3A4C, 0x3A50, 0x3A51, 0x3A57, 0x3A5E, 0x3A5F, 0x3A60, 0x3A61, 0x3A62, 0x3A63,
            0x3A64, 0x8045, 0x8046, 0x8047, 0x8048, 0x8049, 0x804A, 0x804F, 0x8050, 0x8051, 0x8052,
            0x8062, 0x8080, 0x8083, 0x8090, 0x8093, 0x80A0, 0x80A3, 0x80D8,
        ],
    ),
    ("SystemTime", &[0x3A41, 0x3A42, 0x80DE, 0x80DF]),
    ("Integer", &[0x0036, 0x8022]),
    ("Short", &[0x3A4D]),
    ("Boolean", &[0x8015, 0x8506]),
];

/// Refuses to write a number under another type than its own, and a tag that has no meaning: new ones cannot be made
/// (graph-facts 6.2).
pub(super) fn check_writable(canonical_id: &str) -> Result<(), Refusal> {
    let (kind, rest) = canonical_id.split_once(' ').unwrap_or_default();
    let is_tag = !rest.starts_with('{');
    let Some(id) = rest.rsplit(' ').next().and_then(number) else {
        return Ok(());
    };
    let own = STANDARD.iter().find(|(_, ids)| ids.contains(&id));
    match own {
        Some((own, _)) if *own == kind => Ok(()),
        None if !is_tag => Ok(()),
        _ => Err(Refusal::property(format!(
            "The extended property '{canonical_id}' cannot be set."
        ))),
    }
}

/// The canonical spelling of a property id: type as documented, guid in lower case, number in upper-case hex; a name
/// keeps its case, because names differ by case.
pub(super) fn canonical(id: &str) -> Result<String, Refusal> {
    parse(id.trim()).ok_or_else(|| {
        Refusal::new(
            400,
            "ErrorInvalidProperty",
            format!("The extended property identifier '{id}' is not valid."),
        )
    })
}

/// Refuses a value its type cannot hold.
pub(super) fn check_value(canonical_id: &str, value: &str) -> Result<(), Refusal> {
    let kind = canonical_id.split(' ').next().unwrap_or_default();
    let fits = match kind {
        "Integer" => value.parse::<i32>().is_ok(),
        "Short" => value.parse::<i16>().is_ok(),
        "Long" | "Currency" => value.parse::<i64>().is_ok(),
        "Boolean" => matches!(value.to_ascii_lowercase().as_str(), "true" | "false"),
        "Double" | "Float" => value.parse::<f64>().is_ok(),
        "SystemTime" => value.parse::<jiff::Timestamp>().is_ok(),
        _ => true,
    };
    if fits {
        Ok(())
    } else {
        Err(Refusal::property(format!(
            "The value of the extended property '{canonical_id}' is not valid."
        )))
    }
}

fn parse(id: &str) -> Option<String> {
    let (kind, rest) = id.split_once(' ')?;
    let kind = TYPES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(kind))?;
    let rest = rest.trim_start();
    let Some(rest) = rest.strip_prefix('{') else {
        // Tags from 0x8000 on are named properties and need their set (graph-facts 6.2).
        return number(rest)
            .filter(|tag| *tag < 0x8000)
            .map(|tag| format!("{kind} 0x{tag:04X}"));
    };
    let (guid, rest) = rest.split_once('}')?;
    let guid = uuid::Uuid::parse_str(guid).ok()?;
    let (form, name) = rest.trim_start().split_once(' ')?;
    if form.eq_ignore_ascii_case("name") && !name.is_empty() {
        Some(format!("{kind} {{{guid}}} Name {name}"))
    } else if form.eq_ignore_ascii_case("id") {
        number(name.trim()).map(|id| format!("{kind} {{{guid}}} Id 0x{id:04X}"))
    } else {
        None
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_property_meet() {
        assert_eq!(canonical("string 0x3a24").unwrap(), "String 0x3A24");
        assert_eq!(
            canonical("String {66F5A359-4659-4830-9070-00047EC6AC6E} name Color").unwrap(),
            canonical("String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color").unwrap()
        );
        assert_ne!(
            canonical("String {66f5a359-4659-4830-9070-00047ec6ac6e} Name color").unwrap(),
            canonical("String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color").unwrap()
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for id in [
            "",
            "String",
            "Text 0x3A24",
            "String 0x8045",
            "String {x} Name a",
            "String {66f5a359-4659-4830-9070-00047ec6ac6e} Color",
        ] {
            assert!(canonical(id).is_err(), "{id}");
        }
        assert!(check_value("Integer 0x0036", "two").is_err());
        assert!(check_value("Short 0x3A4D", "70000").is_err());
        assert!(check_value("SystemTime 0x3A41", "2001-02-03").is_err());
        assert!(check_value("SystemTime 0x3A41", "").is_err());
        assert!(check_value("SystemTime 0x3A41", "2001-02-03T00:00:00Z").is_ok());
    }

    #[test]
    fn a_number_has_one_type_and_new_tags_cannot_be_made() {
        for id in [
            "String 0x3A24",
            "Short 0x3A4D",
            "Integer {00062004-0000-0000-c000-000000000046} Id 0x8022",
            "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color",
        ] {
            assert!(check_writable(id).is_ok(), "{id}");
        }
        for id in [
            "String 0x3A4D",
            "Integer 0x3A4D",
            "String 0x3AFF",
            "String 0x3A41",
            "String {00062004-0000-0000-c000-000000000046} Id 0x8022",
        ] {
            assert!(check_writable(id).is_err(), "{id}");
        }
    }
}
