//! Each call's URL, headers and body, and what its reply becomes.

use contactfs::graph::{Error, ResidueHint, Write};
use contactfs::model::{ChangeKey, ClientId, Contact, ContactId, Field, FolderId, ResidueText};
use serde_json::{Value, json};

use super::server::{Server, batch, error, failure, ok, raw, status};
use super::{TOKEN, client, ids};

fn find<'a>(body: &'a Value, name: &str) -> &'a str {
    let properties = body["singleValueExtendedProperties"].as_array().unwrap();
    let found = properties
        .iter()
        .find(|property| property["id"].as_str().unwrap().ends_with(name))
        .unwrap();
    found["value"].as_str().unwrap()
}

fn person() -> Value {
    json!({
        "@odata.etag": "W/\"k1\"", "id": "c1", "changeKey": "k1", "parentFolderId": "f",
        "createdDateTime": "2026-07-27T12:15:27Z", "lastModifiedDateTime": "2026-07-27T12:15:31Z",
        "givenName": "Ada", "surname": "", "homePhones": [], "otherAddress": {}, "jobTitle": null, "title": 7,
        "birthday": "1815-12-10T11:59:00Z", "unknown": { "x": 1 },
        "singleValueExtendedProperties": [
            { "id": "String {00000000-1111-2222-3333-444444444444} Name vcf-residue", "value": "residue" },
            { "id": "String {00000000-1111-2222-3333-444444444444} Name contactfs-client-id", "value": "client" },
        ],
    })
}

/// Trap 17, for every kind of call.
#[tokio::test]
async fn every_request_and_member_asks_for_immutable_ids() {
    let server = Server::start(|_, request| {
        match (request.method.as_str(), request.target.contains("photo")) {
            ("POST", _) if request.target.ends_with("$batch") => {
                batch(request, |_| (200, json!({}), person()))
            }
            ("GET", true) => raw(200, b"jpeg"),
            ("DELETE", _) => raw(204, b""),
            ("GET", _) if request.target.contains("contactFolders") => ok(&json!({
                "id": "f", "displayName": "F", "value": [], "@odata.deltaLink": "x",
            })),
            _ => ok(&person()),
        }
    })
    .await;
    let client = client(&server);
    let (folder, id) = (FolderId::new("f"), ContactId::new("c1"));
    client.folders().await.unwrap();
    client.list_page(&folder, 0, 100).await.unwrap();
    client.contacts(&ids(&["c1"])).await.unwrap();
    client.contacts(&ids(&["c1", "c2"])).await.unwrap();
    client
        .find_created(&folder, &ClientId::new("c"))
        .await
        .unwrap();
    client.create_folder(Some(&folder), "New").await.unwrap();
    client.rename_folder(&folder, "Other").await.unwrap();
    client.delete_folder(&folder).await.unwrap();
    client.photo(&id).await.unwrap();
    client.put_photo(&id, b"jpeg", "image/jpeg").await.unwrap();
    client.move_extras(&id).await.unwrap();
    let delete = Write::Delete {
        id,
        change_key: None,
    };
    client.write(std::slice::from_ref(&delete)).await.unwrap();
    client.write(&[delete.clone(), delete]).await.unwrap();

    assert!(server.requests().len() >= 14);
    let immutable = "IdType=\"ImmutableId\"";
    for request in server.requests() {
        assert!(
            request.header("prefer").contains(immutable),
            "{} {}",
            request.method,
            request.target
        );
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(request.header("client-request-id").len(), 36);
        for member in request.members() {
            assert!(
                member["headers"]["Prefer"]
                    .as_str()
                    .unwrap()
                    .contains(immutable),
                "{member}"
            );
            assert!(
                member["url"].as_str().unwrap().starts_with("/me/"),
                "{member}"
            );
        }
    }
    let stats = client.stats();
    assert_eq!(stats.requests, server.requests().len() as u64);
    assert!(stats.bytes_in > 0 && stats.bytes_out > 0);
}

#[tokio::test]
async fn a_contact_is_read_whole() {
    let server = Server::start(|_, _| ok(&person())).await;
    let read = client(&server)
        .contacts(&ids(&["c1"]))
        .await
        .unwrap()
        .remove(0)
        .unwrap();

    assert_eq!((read.id.as_str(), read.change_key.as_str()), ("c1", "k1"));
    assert_eq!(read.residue, Some(ResidueText::new("residue")));
    assert_eq!(read.client, Some(ClientId::new("client")));
    assert_eq!(
        read.contact.birthday(),
        Some(jiff::civil::date(1815, 12, 10))
    );
    assert_eq!(
        read.contact.iter().count(),
        2,
        "what is empty or of the wrong type is unset: {:?}",
        read.contact
    );
    assert_eq!(read.created.unwrap().to_string(), "2026-07-27T12:15:27Z");
    assert!(!read.notes_cut);
    let target = &server.requests()[0].target;
    assert!(
        target.starts_with(
            "/v1.0/me/contacts/c1?$expand=singleValueExtendedProperties($filter=id%20eq%20%27String"
        ),
        "{target}"
    );
}

#[tokio::test]
async fn writes_carry_version_and_residue() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "POST" => status(201, &person()),
        "DELETE" => raw(204, b""),
        _ => ok(&person()),
    })
    .await;
    let client = client(&server);
    let mut before = Contact::default();
    before.set_text(Field::GivenName, "Ada");
    before.set_text(Field::DisplayName, "Ada L");
    let mut after = before.clone();
    after.set_text(Field::GivenName, "Augusta");

    let create = Write::Create {
        folder: FolderId::new("f+1"),
        contact: before.clone(),
        residue: ResidueText::new("rest"),
        client: ClientId::new("mine"),
        extra: vec![("String 0x3A24".to_owned(), "fax".to_owned())],
    };
    let created = client
        .write(&[create])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
        .unwrap();
    assert_eq!(
        created.residue, None,
        "an echo never shows extended properties"
    );
    let update = Write::Update {
        id: ContactId::new("c1"),
        change_key: ChangeKey::new("k1"),
        patch: before.patch_to(&after),
        target: after,
        residue: Some(ResidueText::new("")),
    };
    client
        .write(&[update])
        .await
        .unwrap()
        .remove(0)
        .unwrap()
        .unwrap();
    let delete = Write::Delete {
        id: ContactId::new("c1"),
        change_key: Some(ChangeKey::new("k2")),
    };
    assert_eq!(
        client.write(&[delete]).await.unwrap().remove(0).unwrap(),
        None
    );

    let requests = server.requests();
    assert_eq!(
        server.targets(),
        [
            "POST /v1.0/me/contactFolders/f%2B1/contacts",
            "PATCH /v1.0/me/contacts/c1",
            "DELETE /v1.0/me/contacts/c1"
        ]
    );
    let body = requests[0].json();
    assert_eq!(
        (
            find(&body, "vcf-residue"),
            find(&body, "contactfs-client-id"),
            find(&body, "0x3A24")
        ),
        ("rest", "mine", "fax")
    );
    let body = requests[1].json();
    assert_eq!(
        (body["givenName"].as_str(), body["displayName"].as_str()),
        (Some("Augusta"), Some("Ada L"))
    );
    assert_eq!(find(&body, "vcf-residue"), "");
    assert_eq!(requests[1].header("if-match"), "W/\"k1\"");
    assert_eq!(requests[2].header("if-match"), "W/\"k2\"");
    assert_eq!(requests[0].header("content-type"), "application/json");
}

#[tokio::test]
async fn a_stale_version_is_told() {
    let server = Server::start(|_, _| failure(412, "ErrorIrresolvableConflict")).await;
    let delete = Write::Delete {
        id: ContactId::new("c1"),
        change_key: Some(ChangeKey::new("k")),
    };
    assert!(matches!(
        client(&server).write(&[delete]).await.unwrap()[0],
        Err(Error::Changed)
    ));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_lost_create_is_found_by_its_client_id() {
    let server = Server::start(|number, _| match number {
        0 => ok(&json!({ "value": [person()] })),
        1 => ok(&person()),
        _ => ok(&json!({ "value": [] })),
    })
    .await;
    let client = client(&server);
    let (folder, mine) = (FolderId::new("f"), ClientId::new("client"));
    let found = client.find_created(&folder, &mine).await.unwrap().unwrap();
    assert_eq!(
        (found.id.as_str(), found.client.as_ref()),
        ("c1", Some(&mine))
    );
    assert_eq!(client.find_created(&folder, &mine).await.unwrap(), None);
    assert!(
        server.requests()[0]
            .target
            .contains("ep%2Fvalue%20eq%20%27client%27")
    );
}

/// Graph-facts 3.1: the service may make smaller pages than asked for.
#[tokio::test]
async fn a_list_page_is_filled_from_smaller_ones() {
    let server = Server::start(|number, request| {
        let next = format!(
            "http://{}/v1.0/me/contactFolders/f/contacts?$skip={number}",
            request.header("host")
        );
        let row = json!({ "id": format!("c{number}"), "@odata.etag": format!("W/\"k{number}\"") });
        if number == 0 {
            return ok(&json!({ "value": [person()], "@odata.nextLink": next }));
        }
        ok(&json!({ "value": [row], "@odata.nextLink": next }))
    })
    .await;
    let versions = client(&server)
        .list_page(&FolderId::new("f"), 40, 3)
        .await
        .unwrap();
    assert_eq!(versions.len(), 3);
    assert_eq!(versions[0].residue, ResidueHint(Some("residue".to_owned())));
    assert_eq!(
        (versions[2].change_key.as_str(), &versions[2].residue),
        ("k2", &ResidueHint(None))
    );
    assert_eq!(server.requests().len(), 3);
    assert!(server.requests()[0].target.contains("$top=3&$skip=40"));
}

/// Graph-facts 2.3: the alias of the default folder is in no reference; the documented way needs a contact in it.
#[tokio::test]
async fn the_default_folder_is_found_where_its_alias_is_refused() {
    for (contacts, folders, found) in [
        (json!([{ "parentFolderId": "root=" }]), json!([]), true),
        (json!([]), json!([{ "parentFolderId": "root=" }]), true),
        (json!([]), json!([]), false),
    ] {
        for refusal in [400, 404] {
            let (contacts, folders) = (contacts.clone(), folders.clone());
            let server = Server::start(move |_, request| {
                match request.target.split("/me").nth(1).unwrap() {
                    "/contacts?$top=1&$select=parentFolderId" => ok(&json!({ "value": contacts })),
                    "/contactFolders?$top=1&$select=parentFolderId" => {
                        ok(&json!({ "value": folders }))
                    }
                    path if path.starts_with("/contactFolders/root=?") => {
                        ok(&json!({ "id": "root=", "displayName": "Kontakte" }))
                    }
                    _ => failure(refusal, "ErrorInvalidIdMalformed"),
                }
            })
            .await;
            let probed = client(&server).probe().await;
            match (refusal, probed) {
                (_, Ok(name)) if found => assert_eq!(name, "Kontakte"),
                (400, Err(Error::Refused { code, .. })) | (404, Err(Error::NoMailbox { code }))
                    if !found =>
                {
                    assert_eq!(code, "ErrorInvalidIdMalformed");
                }
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

/// Graph-facts 2.2 and 2.3: the list lacks the default folder, whose children it shows; deeper ones are asked for.
#[tokio::test]
async fn the_folder_tree_is_walked_by_levels() {
    let server = Server::start(|_, request| {
        let page = |rows: &[(&str, &str)]| {
            let rows: Vec<Value> = rows
                .iter()
                .map(
                    |(id, parent)| json!({ "id": id, "displayName": id, "parentFolderId": parent }),
                )
                .collect();
            json!({ "value": rows })
        };
        if request.target.ends_with("$batch") {
            // One child is the grandparent again: a cycle.
            return batch(request, |member| {
                match member["url"].as_str().unwrap().contains("/a/") {
                    true => (200, json!({}), page(&[("deep", "a"), ("a", "a")])),
                    false => (404, json!({}), error("ErrorItemNotFound")),
                }
            });
        }
        let next = format!(
            "http://{}/v1.0/me/contactFolders?$skip=1",
            request.header("host")
        );
        match request.target.split("/me").nth(1).unwrap() {
            path if path.starts_with("/contactFolders/contacts?") => {
                ok(&json!({ "id": "root", "displayName": "Kontakte" }))
            }
            path if path.starts_with("/contactFolders?$select") => {
                let mut first = page(&[("a", "root")]);
                first["@odata.nextLink"] = json!(next);
                ok(&first)
            }
            "/contactFolders?$skip=1" => ok(&page(&[("root", "x"), ("b", "root")])),
            _ => ok(&page(&[])),
        }
    })
    .await;
    let client = client(&server);
    let folders = client.folders().await.unwrap();
    let seen: Vec<_> = folders
        .iter()
        .map(|f| {
            (
                f.id.as_str(),
                f.parent.as_ref().map(FolderId::as_str),
                f.is_default,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("root", None, true),
            ("a", None, false),
            ("b", None, false),
            ("deep", Some("a"), false)
        ]
    );
    assert_eq!(folders[0].display_name, "Kontakte");
}

#[tokio::test]
async fn folders_are_made_where_they_belong() {
    let server = Server::start(|number, _| match number {
        2 => failure(409, "ErrorFolderExists"),
        _ => status(
            201,
            &json!({ "id": "n", "displayName": "N", "parentFolderId": "p" }),
        ),
    })
    .await;
    let client = client(&server);
    assert_eq!(client.create_folder(None, "N").await.unwrap().parent, None);
    let below = client
        .create_folder(Some(&FolderId::new("p")), "N")
        .await
        .unwrap();
    assert_eq!(below.parent, Some(FolderId::new("p")));
    assert!(matches!(
        client.create_folder(None, "N").await,
        Err(Error::FolderExists)
    ));
    assert_eq!(
        server.targets()[..2],
        [
            "POST /v1.0/me/contactFolders",
            "POST /v1.0/me/contactFolders/p/childFolders"
        ]
    );
}

/// Trap 19: the same answer twice.
#[tokio::test]
async fn no_photo_and_no_contact_are_told_apart() {
    let server = Server::start(|_, request| {
        match request.target.contains("/gone") || request.target.contains("photo") {
            true => failure(404, "ErrorItemNotFound"),
            false => ok(&person()),
        }
    })
    .await;
    let client = client(&server);
    assert_eq!(client.photo(&ContactId::new("c1")).await.unwrap(), None);
    assert!(matches!(
        client.photo(&ContactId::new("gone")).await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn photos_travel_as_they_are() {
    let server = Server::start(|_, request| match request.method.as_str() {
        "GET" => raw(200, b"\xFF\xD8jpeg"),
        _ => raw(200, b""),
    })
    .await;
    let client = client(&server);
    let id = ContactId::new("c1");
    assert_eq!(client.photo(&id).await.unwrap().unwrap(), b"\xFF\xD8jpeg");
    client
        .put_photo(&id, b"\xFF\xD8new", "image/jpeg")
        .await
        .unwrap();
    assert!(matches!(
        client
            .put_photo(&id, &vec![0; (4 << 20) + 1], "image/jpeg")
            .await,
        Err(Error::TooLarge { .. })
    ));
    let put = &server.requests()[1];
    assert_eq!(
        (put.method.as_str(), put.target.as_str()),
        ("PUT", "/v1.0/me/contacts/c1/photo/$value")
    );
    assert_eq!(
        (put.header("content-type"), put.body.as_slice()),
        ("image/jpeg", &b"\xFF\xD8new"[..])
    );
}

#[tokio::test]
async fn move_extras_speak_our_spelling() {
    let mut item = person();
    item["singleValueExtendedProperties"] = json!([
        { "id": "String 0x3a07", "value": "id" },
        { "id": "String 0x3a24", "value": "a field: not carried twice" },
        { "id": "Short 0x3a4d", "value": "1" },
        { "id": "Boolean {00062008-0000-0000-c000-000000000046} Id 0x8506", "value": "true" },
        { "id": "String {x} Name vcf-residue", "value": "residue" },
    ]);
    let server = Server::start(move |_, _| ok(&item)).await;
    let extras = client(&server)
        .move_extras(&ContactId::new("c1"))
        .await
        .unwrap();
    let expected = [
        ("Short 0x3A4D", "1"), // A field of mounts that read all, which this client does not.
        ("String 0x3A07", "id"),
        (
            "Boolean {00062008-0000-0000-C000-000000000046} Id 0x8506",
            "true",
        ),
    ];
    assert_eq!(
        extras,
        expected.map(|(id, value)| (id.to_owned(), value.to_owned()))
    );
}
