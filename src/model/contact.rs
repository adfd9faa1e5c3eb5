//! A contact as a set of named properties.
//!
//! Every property of the Graph v1.0 contact that can be written is one [`Field`] with one [`Kind`]
//! (graph-facts 1.1), and so is every one that Outlook keeps beside them (graph-facts 6.3, vcard-mapping 3); the
//! [`Tier`] tells which is which. A contact is a map from field to non-empty value, so "unset", `null`, `""`, `{}`
//! and `[]` are one thing (graph-facts 1.3) and comparing, patching and merging are loops over a table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

macro_rules! fields {
    ($($variant:ident $name:literal $kind:ident $tier:ident,)*) => {
        /// A property of a contact.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[allow(missing_docs, reason = "each is the Graph or Outlook property of the same name")]
        pub enum Field { $($variant,)* }

        impl Field {
            /// Every field, in the order of the Graph reference, those of Outlook last.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The Graph property name, or ours for what Graph has no property for.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the property holds.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind,)* }
            }

            /// Where the service keeps the property.
            #[must_use]
            pub fn tier(self) -> Tier {
                match self { $(Self::$variant => Tier::$tier,)* }
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

/// Where the service keeps a property, and so which mounts read it (vcard-mapping 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Among the properties of Graph v1.0: always read.
    Graph,
    /// An extended property that every mount reads.
    #[default]
    Basic,
    /// An extended property that a mount reads when it is asked to read all.
    All,
}

const TEXT: Kind = Kind::Text;
const TWO: Kind = Kind::List { max: 2 };
const THREE: Kind = Kind::List { max: 3 };
const ANY: Kind = Kind::List { max: usize::MAX };
const EMAILS: Kind = Kind::Emails;
const ADDRESS: Kind = Kind::Address;
const DATE: Kind = Kind::Date;

fields! {
    DisplayName "displayName" TEXT Graph,
    GivenName "givenName" TEXT Graph,
    MiddleName "middleName" TEXT Graph,
    Surname "surname" TEXT Graph,
    Title "title" TEXT Graph,
    Generation "generation" TEXT Graph,
    NickName "nickName" TEXT Graph,
    Initials "initials" TEXT Graph,
    FileAs "fileAs" TEXT Graph,
    YomiGivenName "yomiGivenName" TEXT Graph,
    YomiSurname "yomiSurname" TEXT Graph,
    YomiCompanyName "yomiCompanyName" TEXT Graph,
    CompanyName "companyName" TEXT Graph,
    Department "department" TEXT Graph,
    JobTitle "jobTitle" TEXT Graph,
    Profession "profession" TEXT Graph,
    OfficeLocation "officeLocation" TEXT Graph,
    Manager "manager" TEXT Graph,
    AssistantName "assistantName" TEXT Graph,
    BusinessHomePage "businessHomePage" TEXT Graph,
    EmailAddresses "emailAddresses" EMAILS Graph,
    BusinessPhones "businessPhones" TWO Graph,
    HomePhones "homePhones" TWO Graph,
    MobilePhone "mobilePhone" TEXT Graph,
    ImAddresses "imAddresses" THREE Graph,
    BusinessAddress "businessAddress" ADDRESS Graph,
    HomeAddress "homeAddress" ADDRESS Graph,
    OtherAddress "otherAddress" ADDRESS Graph,
    Birthday "birthday" DATE Graph,
    SpouseName "spouseName" TEXT Graph,
    Children "children" ANY Graph,
    PersonalNotes "personalNotes" TEXT Graph,
    Categories "categories" ANY Graph,
    BusinessFax "businessFax" TEXT Basic,
    HomeFax "homeFax" TEXT Basic,
    OtherFax "otherFax" TEXT Basic,
    Pager "pager" TEXT Basic,
    OtherPhone "otherPhone" TEXT Basic,
    CarPhone "carPhone" TEXT Basic,
    AssistantPhone "assistantPhone" TEXT Basic,
    CompanyPhone "companyPhone" TEXT Basic,
    BusinessPostBox "businessPostBox" TEXT Basic,
    HomePostBox "homePostBox" TEXT Basic,
    OtherPostBox "otherPostBox" TEXT Basic,
    PersonalHomePage "personalHomePage" TEXT Basic,
    Anniversary "anniversary" DATE Basic,
    PrimaryPhone "primaryPhone" TEXT All,
    CallbackPhone "callbackPhone" TEXT All,
    RadioPhone "radioPhone" TEXT All,
    TextPhone "textPhone" TEXT All,
    IsdnNumber "isdnNumber" TEXT All,
    TelexNumber "telexNumber" TEXT All,
    Gender "gender" TEXT All,
    Hobbies "hobbies" TEXT All,
    FreeBusyUrl "freeBusyUrl" TEXT All,
    UserField1 "userField1" TEXT All,
    UserField2 "userField2" TEXT All,
    UserField3 "userField3" TEXT All,
    UserField4 "userField4" TEXT All,
    MailingAddress "mailingAddress" TEXT All,
    Sensitivity "sensitivity" TEXT All,
}

impl Field {
    /// Most e-mail addresses the service takes (graph-facts 1.2).
    pub const MAX_EMAILS: usize = 3;

    /// The four texts of a user's own that Outlook has, in their order.
    pub const USER_FIELDS: [Self; 4] = [
        Self::UserField1,
        Self::UserField2,
        Self::UserField3,
        Self::UserField4,
    ];

    /// Fields that hold one telephone or fax number, the most telling first.
    pub const NUMBERS: [Self; 15] = [
        Self::MobilePhone,
        Self::OtherPhone,
        Self::PrimaryPhone,
        Self::CompanyPhone,
        Self::CarPhone,
        Self::AssistantPhone,
        Self::BusinessFax,
        Self::HomeFax,
        Self::OtherFax,
        Self::Pager,
        Self::CallbackPhone,
        Self::RadioPhone,
        Self::TextPhone,
        Self::IsdnNumber,
        Self::TelexNumber,
    ];

    /// Where the post-office box of an address is kept: v1.0 has no member for it.
    #[must_use]
    pub fn post_box(self) -> Option<Self> {
        match self {
            Self::BusinessAddress => Some(Self::BusinessPostBox),
            Self::HomeAddress => Some(Self::HomePostBox),
            Self::OtherAddress => Some(Self::OtherPostBox),
            _ => None,
        }
    }

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
        self.day(Field::Birthday)
    }

    /// A field that is a calendar day, if set.
    #[must_use]
    pub fn day(&self, field: Field) -> Option<Date> {
        match self.0.get(&field) {
            Some(Value::Date(date)) => Some(*date),
            _ => None,
        }
    }

    /// Every field that holds something, with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Field, &Value)> {
        self.0.iter().map(|(field, value)| (*field, value))
    }

    /// Takes over every field of `other` that is kept beyond `tier`, in place of its own.
    pub fn take_beyond(&mut self, tier: Tier, other: &Self) {
        self.0.retain(|field, _| field.tier() <= tier);
        let theirs = other.0.iter().filter(|(field, _)| field.tier() > tier);
        self.0
            .extend(theirs.map(|(field, value)| (*field, value.clone())));
    }

    /// Takes over what extended properties say, the day of the birthday among it where they know it better.
    pub fn take_extended(&mut self, extended: &Self) {
        self.take_beyond(Tier::Graph, extended);
        if let Some(day) = extended.get(Field::Birthday) {
            self.set(Field::Birthday, day.clone());
        }
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
