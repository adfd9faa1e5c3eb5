//! A contact as a set of named properties.
//!
//! Every property of the Graph v1.0 contact that can be written is one [`Field`] with one [`Kind`]
//! (graph-facts 1.1). A contact is a map from field to non-empty value, so "unset", `null`, `""`, `{}`
//! and `[]` are one thing (graph-facts 1.3) and comparing, patching and merging are loops over a table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

macro_rules! fields {
    ($($variant:ident $name:literal $kind:expr,)*) => {
        /// A writable property of a contact.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(missing_docs, reason = "each is the Graph property of the same name")]
        pub enum Field { $($variant,)* }

        impl Field {
            /// Every field, in the order of the Graph reference.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The Graph property name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the property holds.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind,)* }
            }
        }
    };
}

/// What a property holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One string.
    Text,
    /// A list of strings; the service refuses more entries than `max` (graph-facts 1.2).
    List {
        /// Most entries the service takes.
        max: usize,
    },
    /// Up to three e-mail addresses.
    Emails,
    /// A postal address.
    Address,
    /// A calendar day.
    Date,
}

const ANY: usize = usize::MAX;

fields! {
    DisplayName "displayName" Kind::Text,
    GivenName "givenName" Kind::Text,
    MiddleName "middleName" Kind::Text,
    Surname "surname" Kind::Text,
    Title "title" Kind::Text,
    Generation "generation" Kind::Text,
    NickName "nickName" Kind::Text,
    Initials "initials" Kind::Text,
    FileAs "fileAs" Kind::Text,
    YomiGivenName "yomiGivenName" Kind::Text,
    YomiSurname "yomiSurname" Kind::Text,
    YomiCompanyName "yomiCompanyName" Kind::Text,
    CompanyName "companyName" Kind::Text,
    Department "department" Kind::Text,
    JobTitle "jobTitle" Kind::Text,
    Profession "profession" Kind::Text,
    OfficeLocation "officeLocation" Kind::Text,
    Manager "manager" Kind::Text,
    AssistantName "assistantName" Kind::Text,
    BusinessHomePage "businessHomePage" Kind::Text,
    EmailAddresses "emailAddresses" Kind::Emails,
    BusinessPhones "businessPhones" Kind::List { max: 2 },
    HomePhones "homePhones" Kind::List { max: 2 },
    MobilePhone "mobilePhone" Kind::Text,
    ImAddresses "imAddresses" Kind::List { max: 3 },
    BusinessAddress "businessAddress" Kind::Address,
    HomeAddress "homeAddress" Kind::Address,
    OtherAddress "otherAddress" Kind::Address,
    Birthday "birthday" Kind::Date,
    SpouseName "spouseName" Kind::Text,
    Children "children" Kind::List { max: ANY },
    PersonalNotes "personalNotes" Kind::Text,
    Categories "categories" Kind::List { max: ANY },
}

impl Field {
    /// Most e-mail addresses the service takes (graph-facts 1.2).
    pub const MAX_EMAILS: usize = 3;

    /// Whether changing this field makes the service recompute `displayName` (graph-facts 1.4).
    #[must_use]
    pub fn is_name_part(self) -> bool {
        matches!(
            self,
            Self::GivenName | Self::MiddleName | Self::Surname | Self::Title | Self::Generation
        )
    }
}

/// The value of a property. Empty values are never stored in a [`Contact`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Value {
    /// Of a [`Kind::Text`] field.
    Text(String),
    /// Of a [`Kind::List`] field.
    List(Vec<String>),
    /// Of a [`Kind::Emails`] field.
    Emails(Vec<Email>),
    /// Of a [`Kind::Address`] field.
    Address(Address),
    /// Of a [`Kind::Date`] field.
    Date(Date),
}

impl Value {
    /// Whether the service would read this back as unset.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Emails(list) => list.is_empty(),
            Self::Address(address) => *address == Address::default(),
            Self::Date(_) => false,
        }
    }
}

/// One e-mail slot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    /// The address.
    pub address: String,
    /// The name beside it; the service may invent or replace it (graph-facts 1.4).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// A postal address; v1.0 has no post-office box.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Address {
    /// Street, possibly several lines.
    pub street: String,
    /// City.
    pub city: String,
    /// State or province.
    pub state: String,
    /// Postal code.
    pub postal_code: String,
    /// Country or region.
    pub country_or_region: String,
}

/// What a person's contact says; only properties that hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contact(BTreeMap<Field, Value>);

impl Contact {
    /// The value of a field, if it holds one.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<&Value> {
        self.0.get(&field)
    }

    /// Sets a field; an empty value clears it.
    pub fn set(&mut self, field: Field, value: Value) {
        if value.is_empty() {
            self.0.remove(&field);
        } else {
            self.0.insert(field, value);
        }
    }

    /// Sets a text field.
    pub fn set_text(&mut self, field: Field, text: impl Into<String>) {
        self.set(field, Value::Text(text.into()));
    }

    /// A text field, empty when unset.
    #[must_use]
    pub fn text(&self, field: Field) -> &str {
        match self.0.get(&field) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A list field, empty when unset.
    #[must_use]
    pub fn list(&self, field: Field) -> &[String] {
        match self.0.get(&field) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// The e-mail slots in order.
    #[must_use]
    pub fn emails(&self) -> &[Email] {
        match self.0.get(&Field::EmailAddresses) {
            Some(Value::Emails(list)) => list,
            _ => &[],
        }
    }

    /// An address field, if set.
    #[must_use]
    pub fn address(&self, field: Field) -> Option<&Address> {
        match self.0.get(&field) {
            Some(Value::Address(address)) => Some(address),
            _ => None,
        }
    }

    /// The birthday, if set.
    #[must_use]
    pub fn birthday(&self) -> Option<Date> {
        match self.0.get(&Field::Birthday) {
            Some(Value::Date(date)) => Some(*date),
            _ => None,
        }
    }

    /// Every field that holds something, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.0.iter().map(|(field, value)| (*field, value))
    }

    /// The smallest change that turns `self` into `target`.
    #[must_use]
    pub fn patch_to(&self, target: &Self) -> Patch {
        let fields: BTreeSet<Field> = self.0.keys().chain(target.0.keys()).copied().collect();
        Patch(
            fields
                .into_iter()
                .filter(|field| self.0.get(field) != target.0.get(field))
                .map(|field| (field, target.0.get(&field).cloned()))
                .collect(),
        )
    }

    /// This contact with a change applied.
    #[must_use]
    pub fn patched(mut self, patch: &Patch) -> Self {
        for (field, value) in patch.iter() {
            match value {
                Some(value) => self.set(field, value.clone()),
                None => drop(self.0.remove(&field)),
            }
        }
        self
    }
}

/// A change to a contact: a field is left alone (absent), cleared (`None`) or set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Patch(BTreeMap<Field, Option<Value>>);

impl Patch {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Changes one field: `None` clears it.
    pub fn insert(&mut self, field: Field, value: Option<Value>) {
        self.0.insert(field, value);
    }

    /// Whether the change touches a field.
    #[must_use]
    pub fn touches(&self, field: Field) -> bool {
        self.0.contains_key(&field)
    }

    /// Each changed field with its new value.
    pub fn iter(&self) -> impl Iterator<Item = (Field, Option<&Value>)> {
        self.0.iter().map(|(field, value)| (*field, value.as_ref()))
    }
}
