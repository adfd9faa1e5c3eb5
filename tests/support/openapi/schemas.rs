//! The description's schemas as JSON Schema that says more.
//!
//! Inheritance is flattened, so that types can be closed: members must be named by the description or be annotations.
//! `nullable` becomes "or null", observed limits of lists become limits. What is sent must not set what only the service sets.

use serde_json::{Map, Value, json};

/// Who sends a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The client.
    Sent,
    /// The service.
    Received,
}

/// Open in the description, as applications may add data of their own, which this client does not.
const CLOSED: &str = "contact";

/// All named schemas.
pub(super) fn components(all: &Value, direction: Direction) -> Value {
    let named = all.as_object().unwrap().iter();
    named
        .map(|(name, schema)| (name.clone(), converted(schema, all, direction)))
        .collect()
}

/// One schema; `all` are the named ones as the description has them.
pub(super) fn converted(schema: &Value, all: &Value, direction: Direction) -> Value {
    let Some(members) = schema.as_object() else {
        return schema.clone();
    };
    let mut members = flattened(members, all);
    let is_nullable = members.remove("nullable") == Some(Value::Bool(true));
    if let Some(most) = members.remove("x-observed-max-items") {
        members.insert("maxItems".into(), most);
    }
    if let Some(Value::Object(properties)) = members.remove("properties") {
        close(&mut members);
        let properties = properties
            .iter()
            .filter(|(_, property)| !is_forbidden(property, &members, direction))
            .map(|(name, property)| (name.clone(), converted(property, all, direction)))
            .collect();
        members.insert("properties".into(), properties);
    }
    for name in ["items", "oneOf", "additionalProperties"] {
        match members.get_mut(name) {
            Some(Value::Array(several)) => {
                for one in several {
                    *one = converted(one, all, direction);
                }
            }
            Some(one) => *one = converted(one, all, direction),
            None => {}
        }
    }
    if is_nullable {
        or_null(members)
    } else {
        Value::Object(members)
    }
}

/// Spelled so that messages name what is wrong, where that can be.
fn or_null(mut members: Map<String, Value>) -> Value {
    match members.get_mut("type") {
        Some(kind) => {
            *kind = json!([kind, "null"]);
            Value::Object(members)
        }
        None => json!({ "anyOf": [{ "type": "null" }, members] }),
    }
}

/// A schema with the properties of those it is made of.
fn flattened(members: &Map<String, Value>, all: &Value) -> Map<String, Value> {
    let mut flat = members.clone();
    let Some(Value::Array(parts)) = flat.remove("allOf") else {
        return flat;
    };
    // A type that is only named, to be nullable, stays named.
    if let ([part], false) = (parts.as_slice(), flat.contains_key("not")) {
        flat.extend(part.as_object().unwrap().clone());
        return flat;
    }
    for part in &parts {
        let part = match part["$ref"].as_str() {
            Some(name) => &all[name.rsplit('/').next().unwrap()],
            None => part,
        };
        for (name, value) in flattened(part.as_object().unwrap(), all) {
            match (flat.get_mut(&name), value) {
                (Some(Value::Object(held)), Value::Object(more)) if name == "properties" => {
                    held.extend(more);
                }
                // What a type says itself counts.
                (Some(_), _) => {}
                (None, value) => drop(flat.insert(name, value)),
            }
        }
    }
    flat
}

/// Refuses members that are neither named nor annotations, unless the type is open.
fn close(members: &mut Map<String, Value>) {
    let is_open = match members.get("additionalProperties") {
        Some(Value::Bool(true)) => members.get("title") != Some(&json!(CLOSED)),
        Some(Value::Object(_)) => true,
        _ => false,
    };
    if !is_open {
        members.insert("additionalProperties".into(), json!(false));
        members.insert("patternProperties".into(), json!({ "@odata\\.": {} }));
    }
}

/// Extended properties are named by their id, which everything else gets from the service.
fn is_forbidden(property: &Value, owner: &Map<String, Value>, direction: Direction) -> bool {
    let title = owner
        .get("title")
        .and_then(Value::as_str)
        .unwrap_or_default();
    direction == Direction::Sent
        && property["readOnly"] == true
        && !title.ends_with("ExtendedProperty")
}
