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
        "Integer" | "Short" | "Long" | "Currency" => value.parse::<i64>().is_ok(),
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
        assert!(check_value("SystemTime 0x3A41", "2001-02-03T00:00:00Z").is_ok());
    }
}
