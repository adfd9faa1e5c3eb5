//! Replies.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value as Json;

use super::super::properties;
use super::super::{DeltaItem, DeltaNext, DeltaPage, Error, ResidueHint, Snapshot, Version};
use super::ServiceError;
use crate::model::{
    Address, ChangeKey, ClientId, Contact, ContactId, DeltaLink, Email, Field, Folder, FolderId,
    Kind, ResidueText, Tier, Value,
};

/// The longest text taken from one property, in bytes; the rest is dropped.
const MAX_TEXT: usize = 1 << 20;

/// Most entries taken from one list property.
const MAX_ENTRIES: usize = 1000;

/// The time zone that is farthest from Greenwich, in hours.
const FARTHEST_ZONE: i64 = 14;

/// How much of a service's message is kept, in characters.
const MAX_MESSAGE: usize = 300;

/// How a reply came about, which decides what it can be trusted to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Source {
    /// A single GET with our extended properties expanded.
    Expanded,
    /// The echo of a write: everything but extended properties.
    Echo,
    /// A delta page: notes may be cut, properties may be missing, no extended properties.
    Delta,
}

/// Reads one contact.
///
/// # Errors
/// [`Error::Malformed`] without an id or version.
pub(in super::super) fn snapshot(item: &Json, source: Source) -> Result<Snapshot, Error> {
    let is_expanded = source == Source::Expanded;
    let extended = |id| is_expanded.then(|| properties::value(item, id).unwrap_or_default());
    let client = extended(properties::CLIENT).filter(|text| !text.is_empty());
    let mut contact = contact(item);
    if is_expanded {
        contact.take_extended(&properties::fields(item));
    }
    Ok(Snapshot {
        id: id(item)?,
        change_key: change_key(item)?,
        parent: string(item, "parentFolderId").map(FolderId::new),
        created: timestamp(item, "createdDateTime"),
        modified: timestamp(item, "lastModifiedDateTime"),
        contact,
        residue: extended(properties::RESIDUE).map(ResidueText::new),
        picture: is_expanded.then(|| has_picture(item)),
        client: client.map(ClientId::new),
        notes_cut: source == Source::Delta && (notes_look_cut(item) || is_partial(item)),
    })
}

/// Reads an id and version.
///
/// # Errors
/// [`Error::Malformed`] without either.
pub(in super::super) fn version(item: &Json) -> Result<Version, Error> {
    let residue = ResidueHint(properties::value(item, properties::RESIDUE).map(str::to_owned));
    Ok(Version {
        id: id(item)?,
        change_key: change_key(item)?,
        residue,
        extended: properties::fields(item),
        is_cut: properties::looks_cut(item),
        picture: has_picture(item),
    })
}

/// A contact without the property has none.
fn has_picture(item: &Json) -> bool {
    properties::value(item, properties::HAS_PICTURE)
        .is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Reads a page of versions.
///
/// # Errors
/// [`Error::Malformed`] when it is no page.
pub(in super::super) fn versions(page: &Json) -> Result<Vec<Version>, Error> {
    rows(page)?.iter().map(version).collect()
}

/// Reads a page of a delta query.
///
/// # Errors
/// [`Error::Malformed`] when it is no page, or has no link to go on from.
pub(in super::super) fn delta_page(page: &Json) -> Result<DeltaPage, Error> {
    let next = match (next_link(page), string(page, "@odata.deltaLink")) {
        (Some(link), _) => DeltaNext::More(DeltaLink::new(link)),
        (None, Some(link)) => DeltaNext::Done(DeltaLink::new(link)),
        (None, None) => {
            return Err(Error::Malformed {
                what: "a delta page has no link",
            });
        }
    };
    Ok(DeltaPage {
        items: rows(page)?
            .iter()
            .map(delta_item)
            .collect::<Result<_, _>>()?,
        next,
    })
}

/// Where a list goes on.
pub(in super::super) fn next_link(page: &Json) -> Option<&str> {
    string(page, "@odata.nextLink")
}

/// Reads a page of folders below `parent`.
///
/// # Errors
/// [`Error::Malformed`] when it is no page, or a folder has no id.
pub(in super::super) fn folders(
    page: &Json,
    parent: Option<&FolderId>,
) -> Result<Vec<Folder>, Error> {
    rows(page)?
        .iter()
        .map(|item| folder(item, parent.cloned(), false))
        .collect()
}

/// Reads one folder.
///
/// # Errors
/// [`Error::Malformed`] without an id.
pub(in super::super) fn folder(
    item: &Json,
    parent: Option<FolderId>,
    is_default: bool,
) -> Result<Folder, Error> {
    let id = string(item, "id").ok_or(Error::Malformed {
        what: "a folder has no id",
    })?;
    let display_name = bounded(
        "displayName",
        string(item, "displayName").unwrap_or_default(),
    )
    .to_owned();
    Ok(Folder {
        id: FolderId::new(id),
        parent,
        display_name,
        is_default,
    })
}

/// The folder an item says it is in.
pub(in super::super) fn parent(item: &Json) -> Option<FolderId> {
    string(item, "parentFolderId").map(FolderId::new)
}

/// Reads an error body; anything unreadable says nothing.
pub(in super::super) fn error(body: &Json) -> ServiceError {
    let Some(error) = body.get("error") else {
        return ServiceError::default();
    };
    let inner = error.get("innerError").or_else(|| error.get("innererror"));
    ServiceError {
        code: string(error, "code").unwrap_or_default().to_owned(),
        inner: inner
            .and_then(|inner| string(inner, "code"))
            .unwrap_or_default()
            .to_owned(),
        message: string(error, "message")
            .unwrap_or_default()
            .chars()
            .take(MAX_MESSAGE)
            .collect(),
    }
}

/// The rows of a page.
///
/// # Errors
/// [`Error::Malformed`] when it is no page.
pub(in super::super) fn rows(page: &Json) -> Result<&Vec<Json>, Error> {
    page.get("value")
        .and_then(Json::as_array)
        .ok_or(Error::Malformed {
            what: "a page has no rows",
        })
}

/// `@removed` reasons do not mean what they say (graph-facts 3.2), so none is read.
fn delta_item(item: &Json) -> Result<DeltaItem, Error> {
    if item.get("@removed").is_some_and(|mark| !mark.is_null()) {
        return Ok(DeltaItem::Removed(id(item)?));
    }
    Ok(DeltaItem::Changed(Box::new(snapshot(item, Source::Delta)?)))
}

fn id(item: &Json) -> Result<ContactId, Error> {
    string(item, "id")
        .map(ContactId::new)
        .ok_or(Error::Malformed {
            what: "a contact has no id",
        })
}

/// The change key, or the same thing out of the etag, which is there even when not selected (graph-facts 1.1).
fn change_key(item: &Json) -> Result<ChangeKey, Error> {
    let etag = || {
        string(item, "@odata.etag")?
            .strip_prefix("W/\"")?
            .strip_suffix('"')
    };
    string(item, "changeKey")
        .or_else(etag)
        .map(ChangeKey::new)
        .ok_or(Error::Malformed {
            what: "a contact has no version",
        })
}

fn graph_fields() -> impl Iterator<Item = Field> {
    let fields = Field::ALL.iter().copied();
    fields.filter(|field| field.tier() == Tier::Graph)
}

fn contact(item: &Json) -> Contact {
    let mut contact = Contact::default();
    for field in graph_fields() {
        let Some(json) = item
            .get(field.name())
            .filter(|json| !json.is_null() && **json != "")
        else {
            continue;
        };
        match value(field, json) {
            Some(value) => contact.set(field, value),
            None => tracing::debug!(
                property = field.name(),
                "a value of an unexpected type was taken as unset"
            ),
        }
    }
    contact
}

fn value(field: Field, json: &Json) -> Option<Value> {
    match field.kind() {
        Kind::Text => Some(Value::Text(clean(field.name(), json.as_str()?))),
        Kind::List { .. } => Some(Value::List(list(field.name(), json.as_array()?))),
        Kind::Emails => Some(Value::Emails(emails(json.as_array()?))),
        Kind::Address => json.is_object().then(|| Value::Address(address(json))),
        Kind::Date => day(json.as_str()?).map(Value::Date),
    }
}

fn list(name: &'static str, entries: &[Json]) -> Vec<String> {
    entries
        .iter()
        .take(MAX_ENTRIES)
        .filter_map(Json::as_str)
        .filter(|entry| !entry.is_empty())
        .map(|entry| clean(name, entry))
        .collect()
}

fn emails(entries: &[Json]) -> Vec<Email> {
    let member = |entry: &Json, name| {
        string(entry, name)
            .map(|text| clean(name, text))
            .unwrap_or_default()
    };
    entries
        .iter()
        .take(MAX_ENTRIES)
        .map(|entry| Email {
            address: member(entry, "address"),
            name: member(entry, "name"),
        })
        .filter(|email| *email != Email::default())
        .collect()
}

fn address(json: &Json) -> Address {
    let member = |name| {
        string(json, name)
            .map(|text| clean(name, text))
            .unwrap_or_default()
    };
    Address {
        street: member("street"),
        city: member("city"),
        state: member("state"),
        postal_code: member("postalCode"),
        country_or_region: member("countryOrRegion"),
    }
}

/// The day of a birthday or anniversary. The service answers 11:59 UTC, Outlook writes local midnight as UTC: the nearest day, which is
/// that of twelve hours later, serves both (graph-facts 1.5, trap 9).
pub(in super::super) fn day(moment: &str) -> Option<Date> {
    if let Ok(moment) = moment.parse::<Timestamp>() {
        let noon = moment.checked_add(SignedDuration::from_hours(12)).ok()?;
        return Some(TimeZone::UTC.to_datetime(noon).date());
    }
    moment.get(..10)?.parse().ok()
}

/// The day that is kept beside a moment, where it tells more than the moment: thirteen hours east of Greenwich, and farther,
/// the nearest day is not that of the calendar. A writer that knows the moment only leaves an old day behind; that is so
/// where the moment is 11:59, and where no time zone makes the two one.
pub(in super::super) fn local_day(moment: &str, local: &str) -> Option<Date> {
    let [moment, local]: [Timestamp; 2] = [moment.parse().ok()?, local.parse().ok()?];
    let time = TimeZone::UTC.to_datetime(moment).time();
    let is_by_day = (time.hour(), time.minute()) == (11, 59);
    let apart = moment.duration_since(local).abs();
    let is_same = !is_by_day && apart <= SignedDuration::from_hours(FARTHEST_ZONE);
    is_same.then(|| TimeZone::UTC.to_datetime(local).date())
}

/// Whether a list reply may show the notes flattened and cut: they do so when the notes begin with a line break, and what is left
/// has no line break and at most 256 characters (graph-facts 1.6).
fn notes_look_cut(item: &Json) -> bool {
    let Some(notes) = string(item, "personalNotes") else {
        return false;
    };
    let breaks = notes.contains(['\r', '\n']);
    notes.starts_with(char::is_whitespace)
        || (!breaks && matches!(notes.chars().count(), 255 | 256))
}

/// Whether properties are missing altogether; the service promises only the changed ones in delta (graph-facts 3.2).
fn is_partial(item: &Json) -> bool {
    graph_fields().any(|field| item.get(field.name()).is_none())
}

fn timestamp(item: &Json, name: &str) -> Option<Timestamp> {
    string(item, name)?.parse().ok()
}

/// A member that is a non-empty string.
fn string<'a>(item: &'a Json, name: &str) -> Option<&'a str> {
    item.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Text with plain line ends and a bounded length.
pub(in super::super) fn clean(name: &'static str, text: &str) -> String {
    bounded(name, text).replace("\r\n", "\n")
}

fn bounded<'a>(name: &'static str, text: &'a str) -> &'a str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    tracing::debug!(
        property = name,
        bytes = text.len(),
        "an overlong value was cut"
    );
    let end = (0..=MAX_TEXT)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
