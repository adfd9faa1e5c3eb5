//! The judge finds what the description forbids, and the client and the sandbox do nothing of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

mod support;

use std::panic::catch_unwind;
use std::sync::Arc;

use contactfs::auth::StaticToken;
use contactfs::graph::{Client, DeltaFrom, DeltaNext, Endpoint, Mailbox, Write};
use contactfs::model::{
    Address, ChangeKey, ClientId, Contact, ContactId, Email, Field, FolderId, Kind, ResidueText,
    Tier, Value as Held,
};
use contactfs::sandbox::FaultAction;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use support::World;
use support::openapi::{Exchange, Judge};

fn exchange(method: &str, path: &str, request: Value, status: u16, response: Value) -> Exchange {
    let fields = json!({
        "method": method,
        "path": format!("/v1.0{path}"),
        "status": status,
        "request_headers": [["content-type", if request.is_null() { "" } else { "application/json" }]],
        "request": request,
        "response": response,
    });
    serde_json::from_value(fields).unwrap()
}

fn contact() -> Value {
    json!({"@odata.etag": "W/\"k\"", "id": "c", "changeKey": "k", "givenName": "Ada", "homeAddress": {}, "birthday": null})
}

#[track_caller]
fn judged(exchange: &Exchange) -> Vec<String> {
    Judge::get().map_or_else(Vec::new, |judge| judge.violations(exchange))
}

#[track_caller]
fn fine(exchange: &Exchange) {
    assert_eq!(judged(exchange), [""; 0]);
}

#[track_caller]
fn found(exchange: &Exchange, violation: &str) {
    if Judge::get().is_some() {
        let violations = judged(exchange).join("\n");
        assert!(
            violations.contains(violation),
            "{violation} not in: {violations}"
        );
    }
}

#[test]
fn what_is_described_passes() {
    let none = Value::Null;
    let list = json!({"@odata.context": "x", "value": [contact()]});
    fine(&exchange(
        "GET",
        "/me/contacts?$top=5&$select=id,givenName",
        none.clone(),
        200,
        list,
    ));
    let sent = json!({"givenName": "Ada", "singleValueExtendedProperties": [{"id": "String x", "value": "y"}]});
    fine(&exchange(
        "POST",
        "/me/contactFolders/f/contacts",
        sent,
        201,
        contact(),
    ));
    fine(&exchange(
        "DELETE",
        "/users/a%40b/contacts/c",
        none.clone(),
        204,
        none.clone(),
    ));
    let removed = json!({"id": "c", "@removed": {"reason": "deleted"}});
    let page = json!({"value": [contact(), removed], "@odata.deltaLink": "x"});
    fine(&exchange(
        "GET",
        "/me/contacts/delta?$deltatoken=x",
        none.clone(),
        200,
        page,
    ));
    let error = json!({"error": {"code": "ErrorItemNotFound", "message": "gone", "innerError": {"date": "x"}}});
    fine(&exchange("GET", "/me/contacts/c", none, 404, error));
}

#[test]
fn a_path_or_method_that_is_not_described_is_found() {
    let none = Value::Null;
    found(
        &exchange(
            "GET",
            "/me/people/c/photos",
            none.clone(),
            200,
            none.clone(),
        ),
        "no such path",
    );
    found(
        &exchange("GET", "/me/contacts/", none.clone(), 200, none.clone()),
        "no such path",
    );
    found(
        &exchange("PUT", "/me/contacts/c", json!({}), 200, none),
        "has no PUT",
    );
}

#[test]
fn a_query_option_that_is_not_described_is_found() {
    let page = json!({"value": []});
    let get = |path: &str| exchange("GET", path, Value::Null, 200, page.clone());
    found(&get("/me/contacts/delta?$top=5"), "does not take $top");
    found(
        &get("/me/contacts?$orderby=shoeSize"),
        "$orderby does not take",
    );
    found(
        &get("/me/contactFolders?$expand=contacts"),
        "does not take $expand",
    );
    found(&get("/me/contacts?$top=many"), "$top does not take many");
}

#[test]
fn a_body_that_is_not_described_is_found() {
    let post = |body: Value| exchange("POST", "/me/contacts", body, 201, contact());
    found(
        &post(json!({"givenName": "Ada", "shoeSize": 38})),
        "shoeSize",
    );
    found(&post(json!({"givenName": 7})), "7");
    found(&post(json!({"givenName": "Ada", "id": "c"})), "id");
    found(
        &post(json!({"homePhones": ["1", "2", "3"]})),
        "more than 2 items",
    );
    found(&post(json!({"birthday": "1815-12-10"})), "date-time");
    found(&post(json!({"homeAddress": {"planet": "Earth"}})), "planet");
    found(&post(Value::Null), "a body of type");
    let get = exchange("GET", "/me/contacts/c", json!({}), 200, contact());
    found(&get, "a body where none is taken");
}

#[test]
fn a_reply_that_is_not_described_is_found() {
    let get = |status, body: Value| exchange("GET", "/me/contacts/c", Value::Null, status, body);
    found(&get(200, json!({"id": "c", "givenName": ["Ada"]})), "Ada");
    found(&get(200, json!({"id": "c", "shoeSize": 38})), "shoeSize");
    found(&get(202, contact()), "status 202");
    found(&get(404, json!({"message": "gone"})), "error");
    found(&get(200, Value::Null), "without JSON");
    let mut fault = get(200, json!({"shoeSize": 38}));
    fault.fault = Some("malformed".to_owned());
    fine(&fault);
    fault.path.push_str("?$top=1");
    found(&fault, "does not take $top");
}

/// Every test with a world rests on this.
#[test]
fn a_world_fails_when_something_was_said_that_is_not_described() {
    if Judge::get().is_none() {
        return;
    }
    let ended = catch_unwind(|| {
        let world = World::new();
        let (status, _) = world.api().request("GET", "/contacts/delta?$top=5", None);
        assert_eq!(status, 400);
    });
    let violation = ended.unwrap_err().downcast::<String>().unwrap();
    assert!(violation.contains("does not take $top"), "{violation}");
}

#[test]
fn planned_failures_are_marked_and_not_judged() {
    let world = World::new();
    let api = world.api();
    world.fail(Some("GET"), "contacts", 1, FaultAction::Malformed);
    assert_eq!(api.request("GET", "/contacts", None).1, Value::Null);
    world.fail_with(Some("GET"), "contacts", 1, 503, "");
    assert_eq!(api.request("GET", "/contacts", None).0, 503);
    let record = std::fs::read_to_string(world.dir().join("record.jsonl")).unwrap();
    let marks = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["fault"].clone());
    assert_eq!(marks.collect::<Vec<_>>(), ["malformed", "status"]);
}

/// The client itself at every kind of call, alone and in batches.
#[tokio::test]
async fn client_and_sandbox_keep_to_the_description() {
    let world = World::new();
    let client = client(&world);
    let folder = folders(&client).await;
    let made = client
        .write(&[create(&folder, full(), "1"), create(&folder, full(), "2")])
        .await
        .unwrap();
    let made: Vec<_> = made
        .into_iter()
        .map(|made| made.unwrap().unwrap())
        .collect();
    let ids: Vec<ContactId> = made.iter().map(|made| made.id.clone()).collect();
    let one = client
        .write(&[create(&folder, full(), "3")])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
        .unwrap();

    read(&client, &folder, &ids).await;
    photo(&client, &one.id).await;
    change(
        &client,
        &ids,
        &made
            .iter()
            .map(|made| made.change_key.clone())
            .collect::<Vec<_>>(),
    )
    .await;
    client.delete_folder(&folder).await.unwrap();
    assert!(client.delta_page(&DeltaFrom::Start(folder)).await.is_err());

    let writes = world.writes();
    assert!(
        writes
            .iter()
            .any(|write| write.batch.is_some() && write.method == "PATCH"),
        "{writes:?}"
    );
    assert!(world.log().len() > writes.len());
}

fn client(world: &World) -> Client {
    let root = Url::parse(&world.graph_url()).unwrap();
    let tokens = StaticToken::new(SecretString::from(world.token()));
    Client::new(
        Endpoint::new(root, Mailbox::Me).unwrap(),
        Arc::new(tokens),
        Tier::Basic,
    )
    .unwrap()
}

async fn folders(client: &Client) -> FolderId {
    client.folders().await.unwrap();
    let work = client.create_folder(None, "Work").await.unwrap();
    client.create_folder(Some(&work.id), "Inner").await.unwrap();
    client.rename_folder(&work.id, "Office").await.unwrap();
    assert_eq!(client.folders().await.unwrap().len(), 3);
    work.id
}

async fn read(client: &Client, folder: &FolderId, ids: &[ContactId]) {
    client.contacts(ids).await.unwrap();
    client.contacts(&ids[..1]).await.unwrap();
    client.change_keys(ids).await.unwrap();
    client.list_page(folder, 0, 100).await.unwrap();
    let found = client
        .find_created(folder, &ClientId::new("1"))
        .await
        .unwrap();
    assert_eq!(found.unwrap().id, ids[0]);
    client.move_extras(&ids[0]).await.unwrap();
    let page = client
        .delta_page(&DeltaFrom::Start(folder.clone()))
        .await
        .unwrap();
    assert_eq!(page.items.len(), 3);
    let (DeltaNext::Done(link) | DeltaNext::More(link)) = page.next;
    client
        .delta_page(&DeltaFrom::Link(link.clone()))
        .await
        .unwrap();
    client.delta_round(&[link.clone(), link]).await.unwrap();
}

async fn photo(client: &Client, id: &ContactId) {
    let jpeg = b"\xff\xd8\xff\xe0 a picture \xff\xd9";
    assert_eq!(client.photo(id).await.unwrap(), None);
    client.put_photo(id, jpeg, "image/jpeg").await.unwrap();
    assert_eq!(client.photo(id).await.unwrap().unwrap(), jpeg);
}

/// One is cleared, one deleted; what is stale and what is gone is refused.
async fn change(client: &Client, ids: &[ContactId], keys: &[ChangeKey]) {
    let target = Contact::default();
    let mut clearing = full().patch_to(&target);
    clearing.insert(Field::GivenName, Some(Held::Text("Bo".to_owned())));
    let update = Write::Update {
        id: ids[0].clone(),
        change_key: keys[0].clone(),
        patch: clearing,
        target,
        residue: Some(ResidueText::new("")),
    };
    let delete = Write::Delete {
        id: ids[1].clone(),
        change_key: Some(keys[1].clone()),
    };
    let results = client
        .write(&[update.clone(), delete.clone()])
        .await
        .unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let again = client.write(&[update, delete]).await.unwrap();
    assert!(again.iter().all(Result::is_err), "{again:?}");
}

fn create(folder: &FolderId, contact: Contact, client: &str) -> Write {
    Write::Create {
        folder: folder.clone(),
        contact,
        residue: ResidueText::new("residue"),
        client: ClientId::new(client),
        extra: Vec::new(),
    }
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
