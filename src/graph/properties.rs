//! Extended properties: our own two, and the MAPI ones a contact keeps beside its Graph properties (graph-facts 6.2, 6.3,
//! vcard-mapping 3).
//!
//! The only place that spells their ids. Replies may spell the GUID or the number otherwise, so they are matched by name
//! or number.

use serde_json::{Value, json};

use super::{endpoint, wire};
use crate::model::{self, Contact, Field, Tier};

/// The id of a property of Outlook's address set (PSETID_Address).
macro_rules! address {
    ($kind:literal, $id:literal) => {
        concat!($kind, " {00062004-0000-0000-C000-000000000046} Id ", $id)
    };
}

/// The residue: what the card says beyond the Graph properties (vcard-mapping 6).
pub(super) const RESIDUE: &str = "String {abe447e2-eca4-48f3-b531-405763018d42} Name vcf-residue";

/// The private id by which a create with a lost reply is found again (behaviour 4.2).
pub(super) const CLIENT: &str =
    "String {abe447e2-eca4-48f3-b531-405763018d42} Name contactfs-client-id";

/// Whether the contact has a picture, so that only those that have one are asked for it (graph-facts 5).
pub(super) const HAS_PICTURE: &str = address!("Boolean", "0x8015");

const ANNIVERSARY: &str = "SystemTime 0x3A41";

/// The days of the birthday and the anniversary as Outlook keeps them beside the moments (vcard-mapping 3; [MS-OXPROPS]
/// PidLidBirthdayLocal, PidLidWeddingAnniversaryLocal). Read only.
pub(super) const LOCAL_DAYS: [&str; 2] = [
    address!("SystemTime", "0x80DE"),
    address!("SystemTime", "0x80DF"),
];

/// Where Outlook keeps the fields of a contact that Graph has no property for (graph-facts 6.3; [MS-OXPROPS]).
const FIELDS: &[(Field, &str, Form)] = &[
    (Field::BusinessFax, "String 0x3A24", Form::Text),
    (Field::HomeFax, "String 0x3A25", Form::Text),
    (Field::OtherFax, "String 0x3A23", Form::Text),
    (Field::Pager, "String 0x3A21", Form::Text),
    (Field::OtherPhone, "String 0x3A1F", Form::Text),
    (Field::CarPhone, "String 0x3A1E", Form::Text),
    (Field::AssistantPhone, "String 0x3A2E", Form::Text),
    (Field::CompanyPhone, "String 0x3A57", Form::Text),
    (
        Field::BusinessPostBox,
        address!("String", "0x804A"),
        Form::Text,
    ),
    (Field::HomePostBox, "String 0x3A5E", Form::Text),
    (Field::OtherPostBox, "String 0x3A64", Form::Text),
    (Field::PersonalHomePage, "String 0x3A50", Form::Text),
    (Field::Anniversary, ANNIVERSARY, Form::Day),
    (Field::PrimaryPhone, "String 0x3A1A", Form::Text),
    (Field::CallbackPhone, "String 0x3A02", Form::Text),
    (Field::RadioPhone, "String 0x3A1D", Form::Text),
    (Field::TextPhone, "String 0x3A4B", Form::Text),
    (Field::IsdnNumber, "String 0x3A2D", Form::Text),
    (Field::TelexNumber, "String 0x3A2C", Form::Text),
    (Field::Gender, "Short 0x3A4D", Form::Word(&["", "F", "M"])),
    (Field::Hobbies, "String 0x3A43", Form::Text),
    (Field::FreeBusyUrl, address!("String", "0x80D8"), Form::Text),
    (Field::UserField1, address!("String", "0x804F"), Form::Text),
    (Field::UserField2, address!("String", "0x8050"), Form::Text),
    (Field::UserField3, address!("String", "0x8051"), Form::Text),
    (Field::UserField4, address!("String", "0x8052"), Form::Text),
    (
        Field::MailingAddress,
        address!("Integer", "0x8022"),
        Form::Word(&["", "HOME", "WORK", "OTHER"]),
    ),
    (
        Field::Sensitivity,
        "Integer 0x0036",
        Form::Word(&["", "PERSONAL", "PRIVATE", "CONFIDENTIAL"]),
    ),
];

/// MAPI lists cut texts at 255 or 510 bytes; a character cut in half is left out.
const SHORTEST_CUT: usize = 252;

/// What no field shows and a move by create and delete carries along all the same.
const CARRIED: &[&str] = &[
    "String 0x3A00",                                                     // account
    "String 0x3A07",                                                     // government id
    "String 0x3A47",                                                     // referred by
    "String 0x3A49",                                                     // computer network name
    "String 0x3A4A",                                                     // customer id
    "String 0x3A4C",                                                     // FTP site
    "Boolean {00062008-0000-0000-C000-000000000046} Id 0x8506",          // private mark
    "String {c8e5e5cf-3f6c-4f0a-9d4e-52f1e7b2a9d3} Name cardamum-vcard", // what another program keeps here
];

/// How a property's text stands for a field's value. Values are always JSON strings (graph-facts 6.2).
#[derive(Clone, Copy, Debug)]
enum Form {
    /// The text itself.
    Text,
    /// A moment, of which only the day counts (vcard-mapping 5).
    Day,
    /// A number, by its place in the list.
    Word(&'static [&'static str]),
}

/// The ids of all fields that are kept as extended properties up to a tier.
pub(super) fn ids(tier: Tier) -> impl Iterator<Item = &'static str> {
    FIELDS
        .iter()
        .filter(move |(field, _, _)| field.tier() <= tier)
        .map(|(_, id, _)| *id)
}

/// The ids of what a mount of a tier does not read and a move carries along.
pub(super) fn carried(tier: Tier) -> Vec<&'static str> {
    let unread = FIELDS
        .iter()
        .filter(|(field, _, _)| field.tier() > tier)
        .map(|(_, id, _)| *id);
    unread.chain(CARRIED.iter().copied()).collect()
}

/// What the extended properties of a reply say, as far as it shows them; the birthday is among it where they know its day
/// better than its moment tells.
pub(super) fn fields(item: &Value) -> Contact {
    let mut contact = Contact::default();
    for property in shown(item) {
        let found = FIELDS.iter().find(|(_, id, _)| is(property, id));
        if let Some((field, _, form)) = found
            && let Some(value) = text(property).and_then(|text| form.read(text))
        {
            contact.set(*field, value);
        }
    }
    let moments = [
        (
            Field::Birthday,
            item.get("birthday").and_then(Value::as_str),
        ),
        (Field::Anniversary, value(item, ANNIVERSARY)),
    ];
    for ((field, moment), local) in moments.into_iter().zip(LOCAL_DAYS) {
        let day = moment.zip(value(item, local));
        if let Some(day) = day.and_then(|(moment, local)| wire::local_day(moment, local)) {
            contact.set(field, model::Value::Date(day));
        }
    }
    contact
}

/// Whether a list may have cut one of the texts it shows, the residue aside: that one tells by itself (vcard-mapping 6).
pub(super) fn looks_cut(item: &Value) -> bool {
    shown(item)
        .filter(|property| !is(property, RESIDUE))
        .any(|property| text(property).is_some_and(|text| text.len() >= SHORTEST_CUT))
}

/// The property that sets a field, or clears one that is set; `None` for a property of Graph.
pub(super) fn field_to_json(field: Field, value: Option<&model::Value>) -> Option<Value> {
    let (_, id, form) = FIELDS.iter().find(|(known, _, _)| *known == field)?;
    let value = value.map_or_else(|| form.cleared(), |value| form.write(value));
    Some(json!({ "id": id, "value": value }))
}

impl Form {
    fn read(self, text: &str) -> Option<model::Value> {
        match self {
            Self::Text => Some(model::Value::Text(wire::clean("extended", text))),
            Self::Day => wire::day(text).map(model::Value::Date),
            Self::Word(words) => {
                let word = text.parse().ok().and_then(|at: usize| words.get(at))?;
                Some(model::Value::Text((*word).to_owned()))
            }
        }
    }

    fn write(self, value: &model::Value) -> Value {
        match (self, value) {
            (Self::Word(words), model::Value::Text(text)) => {
                let at = words.iter().position(|word| word == text);
                at.unwrap_or_default().to_string().into()
            }
            (_, value) => wire::plain(value),
        }
    }

    /// Numbers have no empty form; a moment that is not there is null (graph-facts 6.2).
    fn cleared(self) -> Value {
        match self {
            Self::Text => "".into(),
            Self::Day => Value::Null,
            Self::Word(_) => "0".into(),
        }
    }
}

/// The query option that adds these properties to a reply, escaped.
pub(super) fn expand<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let wanted: Vec<String> = ids
        .into_iter()
        .map(|id| format!("id eq '{}'", quoted(id)))
        .collect();
    format!(
        "$expand=singleValueExtendedProperties($filter={})",
        endpoint::escape(&wanted.join(" or "))
    )
}

/// The query option that finds the items with this value, escaped.
pub(super) fn filter(id: &str, value: &str) -> String {
    let any = format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq '{}' and ep/value eq '{}')",
        quoted(id),
        quoted(value)
    );
    format!("$filter={}", endpoint::escape(&any))
}

/// The property as a request body carries it.
pub(super) fn to_json(id: &str, value: &str) -> Value {
    json!({ "id": id, "value": value })
}

/// The value of one property in an item, if the reply holds it.
pub(super) fn value<'a>(item: &'a Value, id: &str) -> Option<&'a str> {
    shown(item).find(|property| is(property, id)).and_then(text)
}

fn shown(item: &Value) -> impl Iterator<Item = &Value> {
    let properties = item.get("singleValueExtendedProperties");
    properties.and_then(Value::as_array).into_iter().flatten()
}

fn is(property: &Value, id: &str) -> bool {
    let theirs = property.get("id").and_then(Value::as_str);
    theirs.is_some_and(|theirs| same(id, theirs))
}

fn text(property: &Value) -> Option<&str> {
    property.get("value")?.as_str()
}

/// Whether two ids mean the same property: same name, or same number.
fn same(ours: &str, theirs: &str) -> bool {
    match (ours.split_once(" Name "), theirs.split_once(" Name ")) {
        (Some((_, a)), Some((_, b))) => a == b,
        (None, None) => number(ours).is_some() && number(ours) == number(theirs),
        _ => false,
    }
}

fn number(id: &str) -> Option<u32> {
    let last = id.rsplit(' ').next()?;
    let digits = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok()
}

/// Text inside an OData string.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_match_by_name_or_number() {
        assert!(same(
            RESIDUE,
            "String {ABE447E2-0000-0000-0000-000000000000} Name vcf-residue"
        ));
        assert!(!same(RESIDUE, CLIENT));
        assert!(
            !same(RESIDUE, "String {x} Name VCF-residue"),
            "names are case-sensitive"
        );
        assert!(same("String 0x3A24", "String 0x3a24"));
        assert!(same("String {A} Id 0x804A", "String {a} Id 0x804a"));
        assert!(!same("String 0x3A24", "String 0x3A25"));
        assert!(!same("String 0x3A24", RESIDUE));
    }

    #[test]
    fn query_options_are_escaped() {
        let option = filter(CLIENT, "it's");
        assert!(option.starts_with("$filter=singleValueExtendedProperties%2FAny(ep:%20ep%2Fid%20eq%20%27String%20%7Babe447e2"));
        assert!(option.ends_with("%27it%27%27s%27)"));
        assert!(
            expand(["String 0x3A24", "String 0x3A25"]).ends_with(
                "id%20eq%20%27String%200x3A24%27%20or%20id%20eq%20%27String%200x3A25%27)"
            )
        );
    }
}
