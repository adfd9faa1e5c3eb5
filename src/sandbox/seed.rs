//! The people in a new mailbox: a hand-made sample, and as many generated ones as wanted.
//!
//! All are invented. They are put straight into the mailbox, since Outlook's own contacts need not follow the rules
//! that bind callers of Graph (no given name, for one).

mod generate;

use std::collections::HashMap;
use std::io;

use serde::Deserialize;
use serde_json::{Value, json};

use super::contact_rules::{Extended, Writing};
use super::ids::Number;
use super::mailbox::{Category, DEFAULT_FOLDER, Mailbox, Origin};
use super::properties::Properties;

pub(super) use self::generate::generate;

/// One person of the sample.
#[derive(Deserialize)]
struct Sample {
    /// Path of the folder; empty for the default one.
    #[serde(default)]
    folder: String,
    origin: Origin,
    properties: Properties,
    #[serde(default)]
    extended: Extended,
}

/// Fills a mailbox with the sample.
pub(super) fn sample(mailbox: &mut Mailbox) -> io::Result<()> {
    let people: Vec<Sample> = serde_json::from_str(include_str!("seed/people.json"))?;
    let mut folders = HashMap::from([(String::new(), DEFAULT_FOLDER)]);
    for mut person in people {
        let folder = folder(mailbox, &mut folders, &person.folder);
        name_emails(&mut person.properties);
        let writing = Writing {
            properties: person.properties,
            extended: person.extended,
        };
        mailbox.create_contact(folder, person.origin, writing);
    }
    for (name, color) in [
        ("Choir", "preset0"),
        ("Neighbours", "preset3"),
        ("Work", "preset7"),
    ] {
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string();
        mailbox.categories.push(Category {
            id,
            display_name: name.to_owned(),
            color: color.to_owned(),
        });
    }
    Ok(())
}

/// The folder of a path like `Work/Clients`, made on first use.
fn folder(mailbox: &mut Mailbox, known: &mut HashMap<String, Number>, path: &str) -> Number {
    if let Some(number) = known.get(path) {
        return *number;
    }
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = folder(mailbox, known, parent);
    let number = mailbox.create_folder(Some(parent), name);
    known.insert(path.to_owned(), number);
    number
}

/// Slots without a name carry their address as name (graph-facts 1.4).
fn name_emails(properties: &mut Properties) {
    let Some(slots) = properties.get("emailAddresses").and_then(Value::as_array) else {
        return;
    };
    let named = slots.iter().map(|slot| {
        let address = slot.get("address").cloned().unwrap_or_default();
        let name = slot.get("name").cloned().unwrap_or_else(|| address.clone());
        json!({"address": address, "name": name})
    });
    let named = named.collect();
    properties.set("emailAddresses", named);
}
