//! Replies have the shape of recorded ones, read in place from `$CONTACTFS_SHARED/graph/examples`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use contactfs::sandbox::Options;
use serde_json::{Map, Value, json};

use crate::support::{Bed, empty, path, start, text};

/// A recorded body, or `None` (said loudly) where the recordings are not; an error where they must be.
fn recorded(name: &str) -> Option<Value> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("CONTACTFS_SHARED").map_or(beside, PathBuf::from);
    let file = shared
        .join("graph/examples")
        .join(format!("recorded-{name}-response.json"));
    match fs::read(&file) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("{}: {error}", file.display())
        }
        Err(error) => {
            // Written past the capture of the test runner, which hides the output of tests that pass.
            let note = format!(
                "SKIPPED: {}: {error}; set CONTACTFS_SHARED to run this test\n",
                file.display()
            );
            std::io::stderr().write_all(note.as_bytes()).unwrap();
            None
        }
    }
}

/// Members with the JSON type of each.
fn shape(value: &Value) -> BTreeMap<String, &'static str> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    value
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), kind(value)))
        .collect()
}

/// What a caller would have sent to get this contact.
fn body(contact: &Value) -> Value {
    let managed = [
        "id",
        "changeKey",
        "createdDateTime",
        "lastModifiedDateTime",
        "parentFolderId",
    ];
    let empty = [Value::Null, json!(""), json!([]), json!({})];
    let sent = contact.as_object().unwrap().iter().filter(|(name, value)| {
        !name.starts_with('@')
            && !name.ends_with("EmailAddress")
            && !managed.contains(&name.as_str())
            && !empty.contains(value)
    });
    Value::Object(
        sent.map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

/// Without what differs from one mailbox to the next.
fn lasting(contact: &Value) -> Map<String, Value> {
    let mut members = contact.as_object().unwrap().clone();
    members.retain(|name, _| {
        !name.starts_with('@')
            && !["id", "changeKey", "parentFolderId"].contains(&name.as_str())
            && !name.ends_with("DateTime")
    });
    members
}

#[tokio::test]
async fn contacts_made_read_and_changed() {
    let (Some(made), Some(got), Some(changed)) = (
        recorded("contact-create"),
        recorded("contact-get"),
        recorded("contact-update"),
    ) else {
        return;
    };
    let bed = empty();
    let ours = bed.contact(body(&made)).await;
    assert_eq!(
        (shape(&ours), lasting(&ours)),
        (shape(&made), lasting(&made))
    );
    let read = bed.get(&path(&ours)).await.expect(200).json;
    assert_eq!((shape(&read), lasting(&read)), (shape(&got), lasting(&got)));
    let patched = bed
        .patch(&path(&ours), json!({"jobTitle": changed["jobTitle"]}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (shape(&patched), lasting(&patched)),
        (shape(&changed), lasting(&changed))
    );
}

#[tokio::test]
async fn deltas_first_changed_and_removed() {
    let (Some(first), Some(changed), Some(removed)) = (
        recorded("contact-delta-initial"),
        recorded("contact-delta-changed"),
        recorded("contact-delta-removed"),
    ) else {
        return;
    };
    let bed = empty();
    let row = &first["value"][0];
    let contact = bed.contact(body(row)).await;
    let select: Vec<&str> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .filter(|name| !name.starts_with('@'))
        .collect();
    let (page, link) = last_page(
        &bed,
        &format!("/me/contacts/delta?$select={}", select.join(",")),
    )
    .await;
    assert_eq!(
        (shape(&page), shape(&page["value"][0])),
        (shape(&first), shape(row))
    );
    assert_eq!(lasting(&page["value"][0]), lasting(row));
    bed.patch(
        &path(&contact),
        json!({"jobTitle": changed["value"][0]["jobTitle"]}),
    )
    .await
    .expect(200);
    let (page, link) = last_page(&bed, &link).await;
    assert_eq!(
        (shape(&page), lasting(&page["value"][0])),
        (shape(&changed), lasting(&changed["value"][0]))
    );
    bed.delete(&path(&contact)).await.expect(204);
    let (page, _) = last_page(&bed, &link).await;
    let (ours, theirs) = (&page["value"][0], &removed["value"][0]);
    assert_eq!(
        (shape(&page), shape(ours), &ours["@removed"]),
        (shape(&removed), shape(theirs), &theirs["@removed"])
    );
}

/// The page with the deltaLink; a blank page may come before it.
async fn last_page(bed: &Bed, url: &str) -> (Value, String) {
    let mut page = bed.get(url).await.expect(200);
    while let Some(next) = page.json.get("@odata.nextLink") {
        page = bed.get(&text(next)).await.expect(200);
    }
    let link = text(&page.json["@odata.deltaLink"]);
    (page.json, link)
}

#[tokio::test]
async fn folders_and_their_children() {
    let (Some(top), Some(children)) = (
        recorded("contactfolder-list"),
        recorded("contactfolder-childfolders-list"),
    ) else {
        return;
    };
    let bed = start(Options::default());
    let listed = bed
        .get("/me/contactFolders?$select=id,displayName,parentFolderId")
        .await
        .expect(200)
        .json;
    assert_eq!(
        (shape(&listed), shape(&listed["value"][0])),
        (shape(&top), shape(&top["value"][0]))
    );
    let below = bed
        .get(&format!(
            "/me/contactFolders/{}/childFolders",
            text(&listed["value"][1]["id"])
        ))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (shape(&below), shape(&below["value"][0])),
        (shape(&children), shape(&children["value"][0]))
    );
}

#[tokio::test]
async fn errors() {
    let bed = empty();
    for (name, url) in [
        (
            "error-delta-token-malformed",
            "/me/contacts/delta?$deltatoken=bogus",
        ),
        ("error-msa-unsupported", "/contacts/delta"),
        ("error-directory-unauthorized", "/users/delta"),
        ("error-bad-select", "/me/contacts?$select=wellKnownName"),
    ] {
        let Some(theirs) = recorded(name) else { return };
        let ours = bed.get(url).await.json;
        same_error(&ours, &theirs);
    }
    let Some(theirs) = recorded("error-unauthorized") else {
        return;
    };
    let request = bed
        .http
        .get(format!("{}/me", bed.sandbox.graph_url()))
        .bearer_auth("nodots");
    same_error(
        &crate::support::read(request)
            .await
            .unwrap()
            .expect(401)
            .json,
        &theirs,
    );
}

#[track_caller]
fn same_error(ours: &Value, theirs: &Value) {
    assert_eq!(
        (shape(ours), shape(&ours["error"])),
        (shape(theirs), shape(&theirs["error"]))
    );
    assert_eq!(
        shape(&ours["error"]["innerError"]),
        shape(&theirs["error"]["innerError"])
    );
    assert_eq!(ours["error"]["code"], theirs["error"]["code"]);
}
