//! Contacts and folders as replies show them.
//!
//! The shape follows the recordings: which members are there, what unset ones read as, and what lists cut short.

use serde_json::{Map, Value, json};

use super::clock;
use super::ids::Ids;
use super::mailbox::{Contact, Folder, Origin};
use super::properties::{Kind, Properties, READ_ONLY, TABLE};

/// Characters a list keeps of notes that begin with a line break, and of an extended property (graph-facts 1.6).
const NOTES_IN_LIST: usize = 256;
const EXTENDED_IN_LIST: usize = 255;

/// PidLidHasPicture, which the service keeps itself (graph-facts 5).
const HAS_PICTURE: &str = "Boolean {00062004-0000-0000-c000-000000000046} Id 0x8015";

/// How one request wants contacts shown.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) ids: Ids,
    pub(super) immutable: bool,
    pub(super) select: Option<&'a [String]>,
    /// What [`plain`] says of `select`.
    pub(super) plain: Vec<(&'static str, Kind)>,
    /// Canonical ids of extended properties.
    pub(super) expand: &'a [String],
    pub(super) shape: Shape,
}

/// Where a contact is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Alone: whole.
    Entity,
    /// In a list: long texts are cut.
    List,
    /// In a delta: like a list, and typed.
    Delta,
}

/// The plain properties that a selection shows.
pub(super) fn plain(select: Option<&[String]>) -> Vec<(&'static str, Kind)> {
    let shown = TABLE.iter().filter(|(name, _)| shows(select, name));
    shown.copied().collect()
}

fn shows(select: Option<&[String]>, name: &str) -> bool {
    select.is_none_or(|select| select.iter().any(|selected| selected == name))
}

impl View<'_> {
    /// The id in the form the request asked for (graph-facts 3.3).
    pub(super) fn id(&self, contact: &Contact) -> String {
        if self.immutable {
            self.ids.immutable(contact.number)
        } else {
            self.ids.regular(contact.number, contact.folder)
        }
    }

    /// A contact.
    pub(super) fn contact(&self, contact: &Contact) -> Map<String, Value> {
        let mut shown = Map::new();
        let key = self.ids.change_key(contact.revision);
        shown.insert("@odata.etag".into(), json!(format!("W/\"{key}\"")));
        if self.shape == Shape::Delta {
            shown.insert("@odata.type".into(), json!("#microsoft.graph.contact"));
        }
        self.managed(contact, key, &mut shown);
        if !self.plain.is_empty() {
            self.plain(contact, &mut shown);
        }
        if !self.expand.is_empty() {
            self.extended(contact, &mut shown);
        }
        shown
    }

    fn shows(&self, name: &str) -> bool {
        shows(self.select, name)
    }

    fn plain(&self, contact: &Contact, shown: &mut Map<String, Value>) {
        let properties = contact.properties.open();
        for (name, kind) in &self.plain {
            if let Some(value) = self.property(contact.origin, &properties, name, *kind) {
                shown.insert((*name).to_owned(), value);
            }
        }
    }

    fn managed(&self, contact: &Contact, key: String, shown: &mut Map<String, Value>) {
        for name in READ_ONLY.iter().copied().chain(["parentFolderId"]) {
            // `$select` never suppresses the id (graph-facts 3.1).
            if name != "id" && !self.shows(name) {
                continue;
            }
            let value = match name {
                "id" => self.id(contact),
                "changeKey" => key.clone(),
                "createdDateTime" => clock::with_zone(contact.created),
                "lastModifiedDateTime" => clock::with_zone(contact.modified),
                _ => self.ids.folder(contact.folder),
            };
            shown.insert(name.to_owned(), Value::String(value));
        }
    }

    fn property(
        &self,
        origin: Origin,
        properties: &Properties,
        name: &str,
        kind: Kind,
    ) -> Option<Value> {
        if let Kind::Slot(slot) = kind {
            return properties.get("emailAddresses")?.get(slot).cloned();
        }
        let Some(value) = properties.get(name) else {
            return Some(unset(origin, name, kind));
        };
        if name == "personalNotes" && self.shape != Shape::Entity {
            return Some(notes_in_list(value));
        }
        Some(value.clone())
    }

    fn extended(&self, contact: &Contact, shown: &mut Map<String, Value>) {
        let rows = self.expand.iter().filter_map(|id| {
            let value = extended_value(contact, id)?;
            Some(match self.shape {
                Shape::Entity => json!({"id": id, "value": value}),
                Shape::List | Shape::Delta => {
                    json!({"id": id, "value": cut(value, EXTENDED_IN_LIST)})
                }
            })
        });
        let rows: Vec<Value> = rows.collect();
        if !rows.is_empty() {
            shown.insert("singleValueExtendedProperties".into(), Value::Array(rows));
        }
    }
}

fn extended_value<'c>(contact: &'c Contact, id: &str) -> Option<&'c str> {
    match &contact.photo {
        Some(_) if id == HAS_PICTURE => Some("true"),
        _ => contact.extended.get(id).map(String::as_str),
    }
}

/// What an unset property reads as (graph-facts 1.3).
fn unset(origin: Origin, name: &str, kind: Kind) -> Value {
    match kind {
        Kind::List { .. } | Kind::Emails => json!([]),
        Kind::Address => json!({}),
        Kind::Name | Kind::Text if name == "fileAs" => json!(""),
        Kind::Name if origin == Origin::Outlook => json!(""),
        Kind::Text
            if origin == Origin::Outlook
                && matches!(name, "nickName" | "initials" | "displayName") =>
        {
            json!("")
        }
        Kind::Name | Kind::Text | Kind::Birthday | Kind::Slot(_) => Value::Null,
    }
}

/// Notes that begin with a line break lose their breaks and their tail in lists.
fn notes_in_list(notes: &Value) -> Value {
    match notes.as_str() {
        Some(text) if text.starts_with(['\r', '\n']) => {
            let flat = text
                .split(['\r', '\n'])
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            Value::String(cut(&flat, NOTES_IN_LIST))
        }
        _ => notes.clone(),
    }
}

fn cut(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

/// A folder (graph-facts 2.1).
pub(super) fn folder(ids: Ids, folder: &Folder) -> Value {
    json!({
        "id": ids.folder(folder.number),
        "displayName": folder.name,
        // The default folder hangs under the root of the mailbox, which has no contacts of its own.
        "parentFolderId": ids.folder(folder.parent.unwrap_or(0)),
    })
}
