//! Request bodies.
//!
//! A POST leaves out what is empty, a PATCH says only what changes (traps 5 and 12).

use serde_json::{Map, Value as Json, json};

use super::super::properties;
use crate::model::{
    Address, ClientId, Contact, Email, Field, Kind, Patch, ResidueText, Tier, Value,
};

/// The member that holds extended properties.
const EXTENDED: &str = "singleValueExtendedProperties";

/// The body that creates a contact.
pub(in super::super) fn create_body(
    contact: &Contact,
    residue: &ResidueText,
    client: &ClientId,
    extra: &[(String, String)],
) -> Json {
    let mut body: Map<String, Json> = contact
        .iter()
        .filter(|(field, _)| field.tier() == Tier::Graph)
        .map(|(field, value)| (field.name().to_owned(), created(value)))
        .collect();
    let mut extended = vec![properties::to_json(properties::CLIENT, client.as_str())];
    if !residue.as_str().is_empty() {
        extended.push(properties::to_json(properties::RESIDUE, residue.as_str()));
    }
    extended.extend(
        contact
            .iter()
            .filter_map(|(field, value)| properties::field_to_json(field, Some(value))),
    );
    extended.extend(
        extra
            .iter()
            .map(|(id, value)| properties::to_json(id, value)),
    );
    body.insert(EXTENDED.to_owned(), extended.into());
    body.into()
}

/// The body that changes a contact towards `target`.
pub(in super::super) fn update_body(
    patch: &Patch,
    target: &Contact,
    residue: Option<&ResidueText>,
) -> Json {
    let mut body: Map<String, Json> = patch
        .iter()
        .filter(|(field, _)| field.tier() == Tier::Graph)
        .map(|(field, value)| (field.name().to_owned(), patched(field, value)))
        .collect();
    if let Some(name) = resent_display_name(patch, target) {
        body.insert(Field::DisplayName.name().to_owned(), name.into());
    }
    let residue = residue.map(|residue| properties::to_json(properties::RESIDUE, residue.as_str()));
    let fields = patch
        .iter()
        .filter_map(|(field, value)| properties::field_to_json(field, value));
    let extended: Vec<Json> = residue.into_iter().chain(fields).collect();
    if !extended.is_empty() {
        body.insert(EXTENDED.to_owned(), extended.into());
    }
    body.into()
}

/// The body that names a folder.
pub(in super::super) fn folder_body(name: &str) -> Json {
    json!({ "displayName": name })
}

/// The display name to repeat because the service would recompute it (trap 7).
fn resent_display_name<'a>(patch: &Patch, target: &'a Contact) -> Option<&'a str> {
    let recomputed = patch.iter().any(|(field, _)| field.is_name_part());
    let name = target.text(Field::DisplayName);
    (recomputed && !patch.touches(Field::DisplayName) && !name.is_empty()).then_some(name)
}

fn created(value: &Value) -> Json {
    match value {
        Value::Address(value) => address(value, false),
        other => plain(other),
    }
}

fn patched(field: Field, value: Option<&Value>) -> Json {
    match value {
        Some(Value::Address(value)) => address(value, true),
        Some(value) => plain(value),
        None => cleared(field.kind()),
    }
}

/// A value as JSON; an address with all its members.
pub(in super::super) fn plain(value: &Value) -> Json {
    match value {
        Value::Text(text) => text.as_str().into(),
        Value::List(list) => list.as_slice().into(),
        Value::Emails(list) => list.iter().map(email).collect(),
        Value::Address(value) => address(value, true),
        // Noon less a minute in UTC, as the service itself answers (graph-facts 1.5).
        Value::Date(date) => format!("{date}T11:59:00Z").into(),
    }
}

/// How a property that holds a value is emptied (graph-facts 1.3).
fn cleared(kind: Kind) -> Json {
    match kind {
        Kind::Text | Kind::Date => Json::Null,
        Kind::List { .. } | Kind::Emails => json!([]),
        Kind::Address => address(&Address::default(), true),
    }
}

fn email(email: &Email) -> Json {
    if email.name.is_empty() {
        json!({ "address": email.address })
    } else {
        json!({ "address": email.address, "name": email.name })
    }
}

/// Addresses are replaced whole, so a change spells out all five members (trap 11).
fn address(address: &Address, complete: bool) -> Json {
    let members = [
        ("street", &address.street),
        ("city", &address.city),
        ("state", &address.state),
        ("postalCode", &address.postal_code),
        ("countryOrRegion", &address.country_or_region),
    ];
    let kept = members
        .into_iter()
        .filter(|(_, text)| complete || !text.is_empty());
    kept.map(|(name, text)| (name.to_owned(), Json::from(text.as_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Contact {
        let mut contact = Contact::default();
        contact.set_text(Field::DisplayName, "Ada Lovelace");
        contact.set_text(Field::GivenName, "Ada");
        contact.set(
            Field::Birthday,
            Value::Date(jiff::civil::date(1815, 12, 10)),
        );
        contact.set(
            Field::HomeAddress,
            Value::Address(Address {
                city: "London".to_owned(),
                ..Address::default()
            }),
        );
        let email = Email {
            address: "ada@example.test".to_owned(),
            name: String::new(),
        };
        contact.set(Field::EmailAddresses, Value::Emails(vec![email]));
        contact
    }

    #[test]
    fn create_leaves_out_what_is_empty() {
        let extra = [("String 0x3A24".to_owned(), "123".to_owned())];
        let body = create_body(&ada(), &ResidueText::new(""), &ClientId::new("c1"), &extra);
        let expected = json!({
            "displayName": "Ada Lovelace",
            "givenName": "Ada",
            "birthday": "1815-12-10T11:59:00Z",
            "homeAddress": { "city": "London" },
            "emailAddresses": [{ "address": "ada@example.test" }],
            "singleValueExtendedProperties": [
                { "id": properties::CLIENT, "value": "c1" },
                { "id": "String 0x3A24", "value": "123" },
            ],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn clearing_has_a_form_for_each_kind() {
        let patch = ada().patch_to(&Contact::default());
        let body = update_body(&patch, &Contact::default(), Some(&ResidueText::new("")));
        let expected = json!({
            "displayName": null,
            "givenName": null,
            "birthday": null,
            "homeAddress": { "street": "", "city": "", "state": "", "postalCode": "", "countryOrRegion": "" },
            "emailAddresses": [],
            "singleValueExtendedProperties": [{ "id": properties::RESIDUE, "value": "" }],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_name_part_brings_the_display_name() {
        let mut target = ada();
        target.set_text(Field::Surname, "King");
        let patch = ada().patch_to(&target);
        assert_eq!(
            update_body(&patch, &target, None),
            json!({ "surname": "King", "displayName": "Ada Lovelace" })
        );

        target.set_text(Field::DisplayName, "");
        let patch = ada().patch_to(&target);
        assert_eq!(
            update_body(&patch, &target, None),
            json!({ "surname": "King", "displayName": null })
        );

        let mut target = ada();
        target.set_text(Field::JobTitle, "Countess");
        let patch = ada().patch_to(&target);
        assert_eq!(
            update_body(&patch, &target, None),
            json!({ "jobTitle": "Countess" })
        );
    }
}
