//! The properties of a contact, as the service sees them.
//!
//! One table says what each may hold; a contact keeps only what is set, packed, so a large mailbox stays small.
//! How an unset property reads depends on who made the contact (graph-facts 1.3) and is decided in `render`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// What a property holds (graph-facts 1.1, 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Part of the name: a change recomputes `displayName`, and Outlook leaves `""` where nothing was typed.
    Name,
    List {
        max: usize,
    },
    Emails,
    /// One e-mail slot, read only here: the stricter of two readings.
    Slot(usize),
    Address,
    Birthday,
}

/// Every plain property in the order of the reference.
pub(super) const TABLE: &[(&str, Kind)] = &[
    ("displayName", Kind::Text),
    ("givenName", Kind::Name),
    ("middleName", Kind::Name),
    ("surname", Kind::Name),
    ("title", Kind::Name),
    ("generation", Kind::Name),
    ("nickName", Kind::Text),
    ("initials", Kind::Text),
    ("fileAs", Kind::Text),
    ("yomiGivenName", Kind::Text),
    ("yomiSurname", Kind::Text),
    ("yomiCompanyName", Kind::Text),
    ("companyName", Kind::Text),
    ("department", Kind::Text),
    ("jobTitle", Kind::Text),
    ("profession", Kind::Text),
    ("officeLocation", Kind::Text),
    ("manager", Kind::Text),
    ("assistantName", Kind::Text),
    ("businessHomePage", Kind::Text),
    ("emailAddresses", Kind::Emails),
    ("primaryEmailAddress", Kind::Slot(0)),
    ("secondaryEmailAddress", Kind::Slot(1)),
    ("tertiaryEmailAddress", Kind::Slot(2)),
    ("businessPhones", Kind::List { max: 2 }),
    ("homePhones", Kind::List { max: 2 }),
    ("mobilePhone", Kind::Text),
    ("imAddresses", Kind::List { max: 3 }),
    ("businessAddress", Kind::Address),
    ("homeAddress", Kind::Address),
    ("otherAddress", Kind::Address),
    ("birthday", Kind::Birthday),
    ("spouseName", Kind::Text),
    ("children", Kind::List { max: usize::MAX }),
    ("personalNotes", Kind::Text),
    ("categories", Kind::List { max: usize::MAX }),
];

/// Properties the service alone writes (graph-facts 1.1).
pub(super) const READ_ONLY: &[&str] =
    &["id", "changeKey", "createdDateTime", "lastModifiedDateTime"];

/// Members of a postal address.
pub(super) const ADDRESS_MEMBERS: &[&str] =
    &["street", "city", "state", "postalCode", "countryOrRegion"];

/// The table's entry of a name; names differ by case.
pub(super) fn find(name: &str) -> Option<(&'static str, Kind)> {
    TABLE.iter().find(|(known, _)| *known == name).copied()
}

/// Whether `$select` may name it.
pub(super) fn is_selectable(name: &str) -> bool {
    find(name).is_some() || READ_ONLY.contains(&name) || name == "parentFolderId"
}

/// The properties that hold something.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Properties(BTreeMap<&'static str, Value>);

impl Properties {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text property, empty when unset.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets a property; an empty text, list or object clears it. Unknown names are left out.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        let Some((name, _)) = find(name) else { return };
        if is_empty(&value) {
            self.0.remove(name);
        } else {
            self.0.insert(name, value);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut properties = Self::default();
        for (name, value) in Map::deserialize(deserializer)? {
            properties.set(&name, value);
        }
        Ok(properties)
    }
}

/// [`Properties`] at rest: JSON text, a quarter of the size, opened when somebody looks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Packed(Box<str>);

impl Packed {
    pub(super) fn new(properties: &Properties) -> Self {
        Self(
            serde_json::to_string(properties)
                .unwrap_or_default()
                .into_boxed_str(),
        )
    }

    pub(super) fn open(&self) -> Properties {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

// Stored as text within JSON: writing or reading a large mailbox then opens no contact.
impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into_boxed_str()))
    }
}
