//! What may be written to a contact, and what the service makes of it.
//!
//! Pure: a body and the present properties go in, the new properties or a refusal come out. Where graph-facts leaves
//! a behaviour open, the harsher one is played.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::extended;
use super::http::Refusal;
use super::people;
use super::properties::{ADDRESS_MEMBERS, Kind, Properties, READ_ONLY, find};

/// Extended properties by canonical id.
pub(super) type Extended = BTreeMap<String, String>;

/// What a contact says: all that a caller can write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Writing {
    pub(super) properties: Properties,
    pub(super) extended: Extended,
}

/// A new contact from the body of a POST.
pub(super) fn create(body: &Map<String, Value>) -> Result<Writing, Refusal> {
    if body
        .get("givenName")
        .is_none_or(|name| name.as_str() == Some(""))
    {
        return Err(Refusal::property(
            "The property 'GivenName' is required when creating the entity.",
        ));
    }
    let mut writing = Writing::default();
    for (name, value) in body {
        // Nulls, `{}` for an address and empty lists break a POST (graph-facts 1.3).
        if value.is_null()
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
        {
            check_name(name)?;
            return Err(Refusal::internal());
        }
        apply(&mut writing, name, value)?;
    }
    if !body.contains_key("displayName") {
        compose_display_name(&mut writing.properties);
    }
    Ok(writing)
}

/// The present writing with the body of a PATCH applied.
pub(super) fn patch(present: &Writing, body: &Map<String, Value>) -> Result<Writing, Refusal> {
    let mut writing = present.clone();
    for (name, value) in body {
        let kind = check_name(name)?;
        if value.is_null() && kind.is_some() {
            // Null over nothing, and null over an address, are server errors (graph-facts 1.3).
            if kind == Some(Kind::Address) || present.properties.get(name).is_none() {
                return Err(Refusal::internal());
            }
            writing.properties.set(name, Value::Null);
        } else {
            apply(&mut writing, name, value)?;
        }
    }
    let renamed = body
        .keys()
        .any(|name| matches!(find(name), Some((_, Kind::Name))));
    if renamed && !body.contains_key("displayName") {
        compose_display_name(&mut writing.properties);
    }
    if renamed && !body.contains_key("fileAs") {
        compose_file_as(&mut writing.properties);
    }
    Ok(writing)
}

/// As Outlook writes it; whether the service makes it anew with the name is not recorded, and it would be the harsher way.
fn compose_file_as(properties: &mut Properties) {
    let mut parts = ["surname", "givenName"]
        .map(|name| properties.text(name).to_owned())
        .to_vec();
    parts.retain(|part| !part.is_empty());
    properties.set("fileAs", Value::String(parts.join(", ")));
}

/// Joins the name parts as the recorded contact shows: given, middle, surname.
fn compose_display_name(properties: &mut Properties) {
    let parts = ["givenName", "middleName", "surname"].map(|name| properties.text(name).to_owned());
    let name = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    properties.set("displayName", Value::String(name));
}

fn apply(writing: &mut Writing, name: &str, value: &Value) -> Result<(), Refusal> {
    if name == "singleValueExtendedProperties" {
        return apply_extended(&mut writing.extended, value);
    }
    let Some(kind) = check_name(name)? else {
        return Ok(());
    };
    let value = match kind {
        Kind::Text | Kind::Name => Some(Value::String(text(value)?.to_owned())),
        Kind::List { max } => Some(list(name, value, max)?),
        Kind::Emails => Some(emails(name, value)?),
        Kind::Address => address(value)?,
        Kind::Birthday => Some(Value::String(birthday(text(value)?)?)),
        Kind::Slot(_) => {
            return Err(Refusal::property(format!(
                "The property '{name}' is read-only and cannot be set."
            )));
        }
    };
    if let Some(value) = value {
        writing.properties.set(name, value);
    }
    Ok(())
}

/// The kind of a writable property; `None` for what is accepted without effect.
fn check_name(name: &str) -> Result<Option<Kind>, Refusal> {
    // A changed parent is taken and ignored: no source confirms that it moves anything (graph-facts 2.5).
    if matches!(
        name,
        "parentFolderId" | "@odata.type" | "singleValueExtendedProperties"
    ) {
        return Ok(None);
    }
    if READ_ONLY.contains(&name) {
        return Err(Refusal::body(format!(
            "The property '{name}' is read-only and cannot be set."
        )));
    }
    find(name).map(|(_, kind)| Some(kind)).ok_or_else(|| {
        Refusal::body(format!(
            "The property '{name}' does not exist on type 'microsoft.graph.contact'. Make sure to only use property names that are defined by the type."
        ))
    })
}

fn text(value: &Value) -> Result<&str, Refusal> {
    value
        .as_str()
        .ok_or_else(|| cannot_convert(value, "Edm.String"))
}

fn cannot_convert(value: &Value, to: &str) -> Refusal {
    let literal = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    Refusal::body(format!(
        "Cannot convert the literal '{literal}' to the expected type '{to}'."
    ))
}

fn list(name: &str, value: &Value, max: usize) -> Result<Value, Refusal> {
    let entries = entries(name, value, max)?;
    let texts = entries.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(texts
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| Value::String(text.to_owned()))
        .collect())
}

fn entries<'v>(name: &str, value: &'v Value, max: usize) -> Result<&'v Vec<Value>, Refusal> {
    let entries = value
        .as_array()
        .ok_or_else(|| cannot_convert(value, "Collection"))?;
    if entries.len() > max {
        let count = entries.len();
        let mut title = name.chars();
        let title: String = title
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(title)
            .collect();
        return Err(Refusal::property(format!(
            "The multi value property '{title}' has {count} entries, that exceeds the max allowed value of {max}."
        )));
    }
    if entries.iter().any(Value::is_null) {
        Err(Refusal::internal())
    } else {
        Ok(entries)
    }
}

fn emails(name: &str, value: &Value) -> Result<Value, Refusal> {
    let slots = entries(name, value, 3)?
        .iter()
        .map(email)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(slots.into_iter().flatten().collect())
}

/// One slot; `None` for an address so malformed that it will not be there at the next read (graph-facts 1.4).
fn email(value: &Value) -> Result<Option<Value>, Refusal> {
    let members = object(value, &["address", "name"], "microsoft.graph.emailAddress")?;
    let member = |name: &str| {
        members
            .get(name)
            .filter(|value| !value.is_null())
            .map(text)
            .transpose()
    };
    let address = member("address")?.unwrap_or_default();
    if !is_plausible_address(address) {
        return Ok(None);
    }
    let given = member("name")?.filter(|name| !name.is_empty());
    // Whoever is in the directory has the name there, whatever the caller says (graph-facts 1.4).
    let known = people::find(address).map(|person| person.name);
    let name = known.or(given).unwrap_or(address);
    Ok(Some(serde_json::json!({"address": address, "name": name})))
}

fn is_plausible_address(address: &str) -> bool {
    let odd = |char: char| char.is_whitespace() || char.is_control() || ",;<>()\"".contains(char);
    address.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.ends_with('.') && !address.contains(odd)
    })
}

/// A whole address; `None` leaves the present one alone, which is what `{}` does here.
fn address(value: &Value) -> Result<Option<Value>, Refusal> {
    let members = object(value, ADDRESS_MEMBERS, "microsoft.graph.physicalAddress")?;
    if members.is_empty() {
        return Ok(None);
    }
    let mut kept = Map::new();
    for (name, value) in members {
        if value.is_null() {
            return Err(Refusal::internal());
        }
        if !text(value)?.is_empty() {
            kept.insert(name.clone(), value.clone());
        }
    }
    Ok(Some(Value::Object(kept)))
}

fn object<'v>(
    value: &'v Value,
    known: &[&str],
    kind: &str,
) -> Result<&'v Map<String, Value>, Refusal> {
    let members = value
        .as_object()
        .ok_or_else(|| cannot_convert(value, kind))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::body(format!(
            "The property '{name}' does not exist on type '{kind}'."
        ))),
        None => Ok(members),
    }
}

/// The day at 11:59 UTC, as recorded (graph-facts 1.5). The day is that of the instant in UTC.
fn birthday(literal: &str) -> Result<String, Refusal> {
    let instant: Timestamp = literal
        .parse()
        .map_err(|_| cannot_convert(&Value::String(literal.to_owned()), "Edm.DateTimeOffset"))?;
    let day = instant.to_zoned(TimeZone::UTC).date();
    // Exchange dates begin in 1601.
    if day.year() < 1601 {
        return Err(Refusal::property(
            "The value of the property 'Birthday' is not valid.",
        ));
    }
    Ok(format!("{day}T11:59:00Z"))
}

fn apply_extended(extended: &mut Extended, value: &Value) -> Result<(), Refusal> {
    let rows = value
        .as_array()
        .ok_or_else(|| cannot_convert(value, "Collection"))?;
    for row in rows {
        let members = object(
            row,
            &["id", "value", "@odata.type"],
            "microsoft.graph.singleValueLegacyExtendedProperty",
        )?;
        let id = members
            .get("id")
            .and_then(Value::as_str)
            .ok_or_else(|| Refusal::property("The extended property has no id."))?;
        let id = extended::canonical(id)?;
        extended::check_writable(&id)?;
        match members.get("value") {
            None | Some(Value::Null) => drop(extended.remove(&id)),
            // Only a text can be empty.
            Some(value) if text(value)?.is_empty() && id.starts_with("String ") => {
                drop(extended.remove(&id));
            }
            Some(value) => {
                let value = text(value)?;
                extended::check_value(&id, value)?;
                extended.insert(id, value.to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(body: Value) -> Result<Writing, Refusal> {
        create(body.as_object().unwrap())
    }

    fn patched(present: &Writing, body: Value) -> Result<Writing, Refusal> {
        patch(present, body.as_object().unwrap())
    }

    fn status(result: Result<Writing, Refusal>) -> u16 {
        result.unwrap_err().status
    }

    #[test]
    fn given_name_is_required() {
        assert_eq!(
            made(json!({"surname": "Ng"})).unwrap_err().code,
            "ErrorInvalidProperty"
        );
        assert_eq!(status(made(json!({"givenName": ""}))), 400);
        assert!(made(json!({"givenName": "Ng"})).is_ok());
    }

    #[test]
    fn nulls_and_empties_break_a_post() {
        for extra in [json!(null), json!({}), json!([])] {
            assert_eq!(
                status(made(json!({"givenName": "A", "homeAddress": extra}))),
                500
            );
        }
        assert_eq!(
            status(made(json!({"givenName": "A", "jobTitle": null}))),
            500
        );
        assert_eq!(status(made(json!({"givenName": "A", "phones": null}))), 400);
    }

    #[test]
    fn null_clears_only_what_is_set() {
        let present =
            made(json!({"givenName": "A", "jobTitle": "Smith", "homeAddress": {"city": "Oslo"}}))
                .unwrap();
        assert_eq!(
            patched(&present, json!({"jobTitle": null}))
                .unwrap()
                .properties
                .get("jobTitle"),
            None
        );
        assert_eq!(status(patched(&present, json!({"department": null}))), 500);
        assert_eq!(status(patched(&present, json!({"homeAddress": null}))), 500);
        let blank = json!({"homeAddress": {"street": "", "city": "", "state": "", "postalCode": "", "countryOrRegion": ""}});
        assert_eq!(
            patched(&present, blank)
                .unwrap()
                .properties
                .get("homeAddress"),
            None
        );
    }

    #[test]
    fn display_name_follows_the_names_unless_sent() {
        let present =
            made(json!({"givenName": "Ada", "surname": "King", "displayName": "The Countess"}))
                .unwrap();
        assert_eq!(present.properties.text("displayName"), "The Countess");
        let renamed = patched(&present, json!({"surname": "Lovelace"})).unwrap();
        assert_eq!(renamed.properties.text("displayName"), "Ada Lovelace");
        let kept = patched(
            &present,
            json!({"surname": "Lovelace", "displayName": "The Countess"}),
        )
        .unwrap();
        assert_eq!(kept.properties.text("displayName"), "The Countess");
        assert_eq!(kept.properties.text("fileAs"), "Lovelace, Ada");
        let filed = patched(&kept, json!({"surname": "Byron", "fileAs": "Countess"})).unwrap();
        assert_eq!(filed.properties.text("fileAs"), "Countess");
    }

    #[test]
    fn birthdays_need_a_zone_and_become_noon_or_so() {
        let born = |text: &str| made(json!({"givenName": "A", "birthday": text}));
        assert_eq!(
            born("1815-12-10T00:00:00Z")
                .unwrap()
                .properties
                .text("birthday"),
            "1815-12-10T11:59:00Z"
        );
        assert_eq!(
            born("1985-04-12T01:00:00+02:00")
                .unwrap()
                .properties
                .text("birthday"),
            "1985-04-11T11:59:00Z"
        );
        assert_eq!(status(born("1985-04-12")), 400);
        assert_eq!(status(born("1985-04-12T00:00:00")), 400);
    }

    #[test]
    fn lists_and_mails_have_their_limits_and_defaults() {
        let four = json!([{"address": "a@b.c"}, {"address": "a@b.c"}, {"address": "a@b.c"}, {"address": "a@b.c"}]);
        let refusal = made(json!({"givenName": "A", "emailAddresses": four})).unwrap_err();
        assert!(
            refusal.message.contains("'EmailAddresses' has 4 entries"),
            "{}",
            refusal.message
        );
        assert_eq!(
            status(made(
                json!({"givenName": "A", "businessPhones": ["1", "2", "3"]})
            )),
            400
        );
        let mails = made(json!({"givenName": "A", "emailAddresses": [{"address": "a@b.c"}, {"address": "bad@b.c,"}]})).unwrap();
        assert_eq!(
            mails.properties.get("emailAddresses"),
            Some(&json!([{"address": "a@b.c", "name": "a@b.c"}]))
        );
    }

    #[test]
    fn extended_values_are_text_and_empty_deletes() {
        let id = "String 0x3a24";
        let row = |value: Value| json!({"givenName": "A", "singleValueExtendedProperties": [{"id": id, "value": value}]});
        let present = made(row(json!("1"))).unwrap();
        assert_eq!(
            present.extended.get("String 0x3A24").map(String::as_str),
            Some("1")
        );
        assert!(
            patched(&present, row(json!("")))
                .unwrap()
                .extended
                .is_empty()
        );
        assert!(
            patched(&present, row(json!(null)))
                .unwrap()
                .extended
                .is_empty()
        );
        assert_eq!(status(made(row(json!(1)))), 400);
    }
}
