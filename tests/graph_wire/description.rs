//! Every kind of request judged by the service's own OpenAPI description: path, method, query options, body.

use std::path::PathBuf;

use contactfs::graph::{Client, DeltaFrom, Write};
use contactfs::model::{
    Address, ChangeKey, ClientId, Contact, ContactId, Email, Field, FolderId, Kind, ResidueText,
    Value as Held,
};
use serde_json::{Value, json};

use super::server::{Request, Server, batch, ok, raw, status};
use super::{client, ids, link};

/// The description; `None` where it is not at hand, which fails a CI run.
fn description() -> Option<Value> {
    let shared = std::env::var_os("CONTACTFS_SHARED").map(PathBuf::from);
    let shared =
        shared.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")));
    let path = shared.join("graph/openapi-contacts.json");
    match std::fs::read(&path) {
        Ok(bytes) => Some(allow_null(serde_json::from_slice(&bytes).unwrap())),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(error) => {
            eprintln!("SKIPPED: no description {}: {error}", path.display());
            None
        }
    }
}

/// OpenAPI 3.0 says `nullable` where JSON Schema says "or null".
fn allow_null(schema: Value) -> Value {
    match schema {
        Value::Object(members) => {
            let is_nullable = members.get("nullable") == Some(&json!(true));
            let inner = members
                .into_iter()
                .map(|(name, value)| (name, allow_null(value)))
                .collect::<Value>();
            if is_nullable {
                json!({ "anyOf": [{ "type": "null" }, inner] })
            } else {
                inner
            }
        }
        Value::Array(items) => items.into_iter().map(allow_null).collect(),
        other => other,
    }
}

/// Contacts are an open type, so that a misspelt property would pass for an unknown one.
#[test]
fn every_field_is_in_the_description() {
    let Some(description) = description() else {
        return;
    };
    let schemas = &description["components"]["schemas"];
    let known = format!(
        "{}{}",
        schemas["microsoft.graph.contact"], schemas["microsoft.graph.outlookItem"]
    );
    for field in Field::ALL {
        assert!(
            known.contains(&format!("\"{}\":", field.name())),
            "{field:?}"
        );
    }
}

#[tokio::test]
async fn every_request_fits_the_description() {
    let Some(description) = description() else {
        return;
    };
    let person = json!({ "id": "c1", "changeKey": "k1" });
    let server = Server::start(move |_, request| match request.method.as_str() {
        "POST" if request.target.ends_with("$batch") => batch(request, |_| (200, json!({}), person.clone())),
        "POST" => status(201, &person),
        "DELETE" => raw(204, b""),
        _ => ok(&json!({ "id": "x", "changeKey": "k", "displayName": "F", "value": [], "@odata.deltaLink": "x" })),
    })
    .await;
    call_everything(&client(&server), &server).await;

    let requests = server.requests();
    assert!(requests.len() >= 16);
    for request in &requests {
        let body = (!request.body.is_empty() && request.header("content-type").contains("json"))
            .then(|| request.json());
        judge(
            &description,
            &request.method,
            request.target.strip_prefix("/v1.0").unwrap(),
            body.as_ref(),
        );
        for member in Request::members(request) {
            judge(
                &description,
                member["method"].as_str().unwrap(),
                member["url"].as_str().unwrap(),
                member.get("body"),
            );
        }
    }
}

async fn call_everything(client: &Client, server: &Server) {
    let (folder, id) = (FolderId::new("f"), ContactId::new("c1"));
    client.folders().await.unwrap();
    client
        .delta_page(&DeltaFrom::Start(folder.clone()))
        .await
        .unwrap();
    client
        .delta_page(&DeltaFrom::Link(link(
            server,
            "/me/contactFolders/f/contacts/delta?$skiptoken=x",
        )))
        .await
        .unwrap();
    client.list_page(&folder, 20, 100).await.unwrap();
    client.contacts(&ids(&["c1", "c2"])).await.unwrap();
    client.change_keys(&ids(&["c1"])).await.unwrap()[0]
        .as_ref()
        .unwrap();
    client
        .find_created(&folder, &ClientId::new("c"))
        .await
        .unwrap();
    client.create_folder(None, "New").await.unwrap();
    client.create_folder(Some(&folder), "New").await.unwrap();
    client.rename_folder(&folder, "Other").await.unwrap();
    client.delete_folder(&folder).await.unwrap();
    client.photo(&id).await.unwrap();
    client.put_photo(&id, b"jpeg", "image/jpeg").await.unwrap();
    client.move_extras(&id).await.unwrap();
    let writes = [
        create(),
        clear(),
        Write::Delete {
            id,
            change_key: None,
        },
    ];
    for write in &writes {
        client
            .write(std::slice::from_ref(write))
            .await
            .unwrap()
            .remove(0)
            .unwrap();
    }
    client.write(&writes).await.unwrap();
}

/// A contact with every property the service has.
fn full() -> Contact {
    let mut contact = Contact::default();
    for &field in Field::ALL {
        let value = match field.kind() {
            Kind::Text => Held::Text(format!("text of {}", field.name())),
            Kind::List { .. } => Held::List(vec!["one".to_owned(), "two".to_owned()]),
            Kind::Emails => Held::Emails(vec![Email {
                address: "a@example.test".to_owned(),
                name: "A".to_owned(),
            }]),
            Kind::Address => Held::Address(Address {
                city: "London".to_owned(),
                ..Address::default()
            }),
            Kind::Date => Held::Date(jiff::civil::date(1815, 12, 10)),
        };
        contact.set(field, value);
    }
    contact
}

fn create() -> Write {
    Write::Create {
        folder: FolderId::new("f"),
        contact: full(),
        residue: ResidueText::new("residue"),
        client: ClientId::new("client"),
        extra: Vec::new(),
    }
}

fn clear() -> Write {
    let target = Contact::default();
    Write::Update {
        id: ContactId::new("c1"),
        change_key: ChangeKey::new("k1"),
        patch: full().patch_to(&target),
        target,
        residue: Some(ResidueText::new("")),
    }
}

fn judge(description: &Value, method: &str, target: &str, body: Option<&Value>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let operation = operation(description, method, path);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let name = option.split('=').next().unwrap();
        // Documented for every item (graph-facts 6.2); the description lists it only where the path goes through the folder.
        if name == "$expand" && path.starts_with("/me/contacts/") {
            continue;
        }
        assert!(
            parameters(description, operation).contains(&name),
            "{method} {path} does not take {name}"
        );
    }
    let schema = operation.pointer("/requestBody/content/application~1json/schema");
    assert_eq!(
        schema.is_some(),
        body.is_some() || method == "PUT" && schema.is_some(),
        "{method} {path}"
    );
    if let (Some(schema), Some(body)) = (schema, body) {
        let mut whole = schema.clone();
        whole["components"] = description["components"].clone();
        let errors: Vec<String> = jsonschema::validator_for(&whole)
            .unwrap()
            .iter_errors(body)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{method} {path}: {errors:?}\n{body}");
    }
}

/// The operation of the most literal path that matches.
fn operation<'a>(description: &'a Value, method: &str, path: &str) -> &'a Value {
    let matches = |template: &str| {
        let (ours, theirs): (Vec<&str>, Vec<&str>) =
            (path.split('/').collect(), template.split('/').collect());
        ours.len() == theirs.len()
            && ours
                .iter()
                .zip(&theirs)
                .all(|(a, b)| a == b || b.starts_with('{') && !a.is_empty())
    };
    let paths = description["paths"].as_object().unwrap();
    let found = paths
        .iter()
        .filter(|(template, _)| matches(template))
        .min_by_key(|(template, _)| template.matches('{').count());
    let (template, item) = found.unwrap_or_else(|| panic!("there is no {path}"));
    item.get(method.to_lowercase())
        .unwrap_or_else(|| panic!("{template} has no {method}"))
}

fn parameters<'a>(description: &'a Value, operation: &'a Value) -> Vec<&'a str> {
    let Some(listed) = operation["parameters"].as_array() else {
        return Vec::new();
    };
    let resolve = |parameter: &'a Value| match parameter["$ref"].as_str() {
        Some(reference) => description
            .pointer(reference.trim_start_matches('#'))
            .unwrap(),
        None => parameter,
    };
    listed
        .iter()
        .filter_map(|parameter| resolve(parameter)["name"].as_str())
        .collect()
}
