//! Writing contacts: what is demanded, what is invented, what is refused.

use serde_json::{Value, json};

use crate::support::{IMMUTABLE, empty, named, path, text};

#[tokio::test]
async fn a_post_needs_a_given_name() {
    let bed = empty();
    bed.post("/me/contacts", json!({"surname": "Ng"}))
        .await
        .refused(400, "ErrorInvalidProperty");
    bed.post("/me/contacts", json!({"givenName": ""}))
        .await
        .refused(400, "ErrorInvalidProperty");
    assert_eq!(
        bed.contact(json!({"givenName": "Bo", "surname": "Ng"}))
            .await["displayName"],
        "Bo Ng"
    );
}

#[tokio::test]
async fn nulls_where_nothing_was_are_server_errors() {
    let bed = empty();
    for extra in [
        json!({"homeAddress": null}),
        json!({"homeAddress": {}}),
        json!({"jobTitle": null}),
        json!({"homePhones": []}),
    ] {
        let mut body = named("Bo");
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        bed.post("/me/contacts", body)
            .await
            .refused(500, "ErrorInternalServerError");
    }
    let contact = bed
        .contact(json!({"givenName": "Bo", "jobTitle": "x", "homeAddress": {"city": "Oslo"}}))
        .await;
    bed.patch(&path(&contact), json!({"department": null}))
        .await
        .refused(500, "ErrorInternalServerError");
    bed.patch(&path(&contact), json!({"homeAddress": null}))
        .await
        .refused(500, "ErrorInternalServerError");
    let cleared = bed
        .patch(&path(&contact), json!({"jobTitle": null}))
        .await
        .expect(200)
        .json;
    assert_eq!(cleared["jobTitle"], Value::Null);
}

#[tokio::test]
async fn addresses_are_replaced_whole_and_cleared_by_empty_texts() {
    let bed = empty();
    let contact = bed
        .contact(
            json!({"givenName": "Bo", "homeAddress": {"city": "Oslo", "street": "Storgata 1"}}),
        )
        .await;
    assert_eq!(contact["businessAddress"], json!({}));
    let moved = bed
        .patch(&path(&contact), json!({"homeAddress": {"city": "Bergen"}}))
        .await
        .expect(200)
        .json;
    assert_eq!(moved["homeAddress"], json!({"city": "Bergen"}));
    let kept = bed
        .patch(&path(&contact), json!({"homeAddress": {}}))
        .await
        .expect(200)
        .json;
    assert_eq!(kept["homeAddress"], json!({"city": "Bergen"}));
    let blank = json!({"homeAddress": {"street": "", "city": "", "state": "", "postalCode": "", "countryOrRegion": ""}});
    let cleared = bed.patch(&path(&contact), blank).await.expect(200).json;
    assert_eq!(cleared["homeAddress"], json!({}));
}

#[tokio::test]
async fn lists_have_their_limits() {
    let bed = empty();
    let four: Vec<Value> = (0..4)
        .map(|slot| json!({"address": format!("a{slot}@b.example")}))
        .collect();
    let got = bed
        .post(
            "/me/contacts",
            json!({"givenName": "Bo", "emailAddresses": four}),
        )
        .await;
    assert_eq!(
        got.json["error"]["message"],
        "The multi value property 'EmailAddresses' has 4 entries, that exceeds the max allowed value of 3."
    );
    got.refused(400, "ErrorInvalidProperty");
    for (name, count) in [("businessPhones", 3), ("homePhones", 3), ("imAddresses", 4)] {
        let body = json!({"givenName": "Bo", name: vec!["1"; count]});
        bed.post("/me/contacts", body)
            .await
            .refused(400, "ErrorInvalidProperty");
    }
    bed.contact(json!({"givenName": "Bo", "children": vec!["x"; 9], "categories": vec!["x"; 9]}))
        .await;
}

#[tokio::test]
async fn names_are_recomputed_unless_sent() {
    let bed = empty();
    let contact = bed
        .contact(json!({"givenName": "Bo", "surname": "Ng", "displayName": "Boss"}))
        .await;
    assert_eq!(
        (
            &contact["displayName"],
            &contact["fileAs"],
            &contact["initials"]
        ),
        (&json!("Boss"), &json!(""), &Value::Null)
    );
    let other = bed
        .patch(&path(&contact), json!({"jobTitle": "x"}))
        .await
        .expect(200)
        .json;
    assert_eq!(other["displayName"], "Boss");
    let renamed = bed
        .patch(&path(&contact), json!({"surname": "Wu"}))
        .await
        .expect(200)
        .json;
    assert_eq!(renamed["displayName"], "Bo Wu");
    let both = bed
        .patch(
            &path(&contact),
            json!({"surname": "Xu", "displayName": "Boss"}),
        )
        .await
        .expect(200)
        .json;
    assert_eq!(both["displayName"], "Boss");
}

#[tokio::test]
async fn mail_names_default_and_malformed_addresses_vanish() {
    let bed = empty();
    let mails = json!([{"address": "bo@b.example"}, {"address": "bo@b.example,", "name": "Bo"}]);
    let contact = bed
        .contact(json!({"givenName": "Bo", "emailAddresses": mails}))
        .await;
    assert_eq!(
        contact["emailAddresses"],
        json!([{"address": "bo@b.example", "name": "bo@b.example"}])
    );
    assert_eq!(contact["primaryEmailAddress"]["address"], "bo@b.example");
    assert_eq!(contact.get("secondaryEmailAddress"), None);
}

#[tokio::test]
async fn birthdays_need_a_zone_and_are_kept_at_1159() {
    let bed = empty();
    let contact = bed
        .contact(json!({"givenName": "Bo", "birthday": "1815-12-10T00:00:00Z"}))
        .await;
    assert_eq!(contact["birthday"], "1815-12-10T11:59:00Z");
    bed.patch(&path(&contact), json!({"birthday": "1815-12-10"}))
        .await
        .refused(400, "RequestBodyRead");
    let cleared = bed
        .patch(&path(&contact), json!({"birthday": null}))
        .await
        .expect(200)
        .json;
    assert_eq!(cleared["birthday"], Value::Null);
    assert_eq!(
        bed.contact(json!({"givenName": "Bo", "birthday": "1604-02-29T11:59:00Z"}))
            .await["birthday"],
        "1604-02-29T11:59:00Z"
    );
}

#[tokio::test]
async fn unknown_and_read_only_properties_are_refused() {
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    bed.post("/me/contacts", json!({"givenName": "Bo", "phones": ["1"]}))
        .await
        .refused(400, "RequestBodyRead");
    bed.patch(&path(&contact), json!({"gender": "f"}))
        .await
        .refused(400, "RequestBodyRead");
    bed.patch(&path(&contact), json!({"jobTitle": 3}))
        .await
        .refused(400, "RequestBodyRead");
    bed.patch(&path(&contact), contact.clone())
        .await
        .refused(400, "RequestBodyRead");
    for name in ["id", "changeKey", "createdDateTime", "lastModifiedDateTime"] {
        bed.patch(&path(&contact), json!({name: contact[name]}))
            .await
            .refused(400, "RequestBodyRead");
    }
    let raw = bed
        .http
        .post(format!("{}/me/contacts", bed.sandbox.graph_url()))
        .bearer_auth(&bed.token)
        .body("{\"givenName\":\"Bo\"}");
    crate::support::read(raw)
        .await
        .unwrap()
        .refused(400, "BadRequest");
}

#[tokio::test]
async fn a_changed_parent_is_taken_without_effect() {
    let bed = empty();
    let folder = bed
        .post("/me/contactFolders", json!({"displayName": "F"}))
        .await
        .expect(201)
        .json;
    let contact = bed.contact(named("Bo")).await;
    let same = bed
        .patch(&path(&contact), json!({"parentFolderId": folder["id"]}))
        .await
        .expect(200)
        .json;
    assert_eq!(same["parentFolderId"], contact["parentFolderId"]);
}

#[tokio::test]
async fn every_change_has_a_new_key_and_stale_ones_are_refused_on_request() {
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    assert_eq!(
        text(&contact["@odata.etag"]),
        format!("W/\"{}\"", text(&contact["changeKey"]))
    );
    let stale = text(&contact["@odata.etag"]);
    let tagged = [IMMUTABLE, ("If-Match", stale.as_str())];
    let body = json!({"jobTitle": "x"});
    let changed = bed
        .try_send("PATCH", &path(&contact), Some(&body), &tagged)
        .await
        .unwrap()
        .expect(200)
        .json;
    assert_ne!(changed["changeKey"], contact["changeKey"]);
    bed.try_send("PATCH", &path(&contact), Some(&body), &tagged)
        .await
        .unwrap()
        .expect(200);
    bed.control("POST", "settings", json!({"enforce_if_match": true}))
        .await
        .expect(200);
    bed.try_send("PATCH", &path(&contact), Some(&body), &tagged)
        .await
        .unwrap()
        .refused(412, "ErrorIrresolvableConflict");
    bed.try_send("DELETE", &path(&contact), None, &tagged)
        .await
        .unwrap()
        .refused(412, "ErrorIrresolvableConflict");
    bed.control("POST", "settings", json!({"enforce_if_match": false}))
        .await
        .expect(200);
    bed.try_send("DELETE", &path(&contact), None, &tagged)
        .await
        .unwrap()
        .expect(204);
    bed.get(&path(&contact))
        .await
        .refused(404, "ErrorItemNotFound");
    bed.delete(&path(&contact))
        .await
        .refused(404, "ErrorItemNotFound");
}

#[tokio::test]
async fn extended_properties_are_written_silently_and_read_on_request() {
    let bed = empty();
    let id = "String {66F5A359-4659-4830-9070-00047EC6AC6E} Name Color";
    let with =
        |value: Value| json!({"singleValueExtendedProperties": [{"id": id, "value": value}]});
    let mut body = with(json!("green"));
    body["givenName"] = json!("Bo");
    let contact = bed.contact(body).await;
    assert_eq!(contact.get("singleValueExtendedProperties"), None);
    let expanded = format!(
        "{}?$expand=singleValueExtendedProperties($filter=id eq '{id}' or id eq 'String 0x3A24')",
        path(&contact)
    );
    let shown = bed.get(&expanded).await.expect(200).json;
    let rows = shown["singleValueExtendedProperties"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["value"]), (1, &json!("green")));
    assert_ne!(
        rows[0]["id"], id,
        "the guid may come back in another spelling"
    );
    bed.patch(&path(&contact), with(json!(3)))
        .await
        .refused(400, "RequestBodyRead");
    let changed = bed
        .patch(&path(&contact), with(json!("red")))
        .await
        .expect(200)
        .json;
    assert_ne!(changed["changeKey"], contact["changeKey"]);
    for empty in [json!(""), json!(null)] {
        bed.patch(&path(&contact), with(json!("red")))
            .await
            .expect(200);
        bed.patch(&path(&contact), with(empty)).await.expect(200);
        assert_eq!(
            bed.get(&expanded)
                .await
                .json
                .get("singleValueExtendedProperties"),
            None
        );
    }
}

#[tokio::test]
async fn ids_have_two_forms_and_go_with_the_header() {
    let bed = empty();
    let regular = bed
        .try_send("POST", "/me/contacts", Some(&named("Bo")), &[])
        .await
        .unwrap()
        .expect(201)
        .json;
    let short = text(&bed.get("/me/contacts").await.rows()[0]["id"]);
    let long = text(&regular["id"]);
    assert!(short.len() < long.len(), "{short} {long}");
    bed.get(&path(&regular))
        .await
        .refused(404, "ErrorItemNotFound");
    let bare = |url: String| async { bed.try_send("GET", &{ url }, None, &[]).await.unwrap() };
    bare(format!("/me/contacts/{short}"))
        .await
        .refused(400, "ErrorInvalidIdMalformed");
    bare(format!("/me/contacts/{long}")).await.expect(200);
    bed.get("/me/contacts/bogus")
        .await
        .refused(400, "ErrorInvalidIdMalformed");
    bed.get(&format!("/me/contacts/{}", short.replace('=', "%3D")))
        .await
        .refused(404, "ErrorItemNotFound");
    let translate = json!({"inputIds": [long], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"});
    let got = bed
        .post("/me/translateExchangeIds", translate)
        .await
        .expect(200);
    assert_eq!(got.rows()[0]["targetId"], short.as_str());

    // Moved in Outlook: the regular id changes, the immutable one stays.
    let folder = bed
        .post("/me/contactFolders", json!({"displayName": "F"}))
        .await
        .expect(201)
        .json;
    bed.control("POST", "move", json!({"id": short, "folder": folder["id"]}))
        .await
        .expect(200);
    bare(format!("/me/contacts/{long}"))
        .await
        .refused(404, "ErrorItemNotFound");
    assert_eq!(
        bed.get(&format!("/me/contacts/{short}"))
            .await
            .expect(200)
            .json["parentFolderId"],
        folder["id"]
    );
}

#[tokio::test]
async fn permanent_delete_wants_a_length_and_happens_once() {
    use std::io::{Read, Write};
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    let url = format!("{}/permanentDelete", path(&contact));
    let host = bed
        .sandbox
        .login_url()
        .trim_start_matches("http://")
        .to_owned();
    let head = format!(
        "POST /v1.0{url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nPrefer: {}\r\nAuthorization: Bearer {}\r\n\r\n",
        IMMUTABLE.1, bed.token
    );
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 411"));
    let length = [IMMUTABLE, ("Content-Length", "0")];
    bed.try_send("POST", &url, None, &length)
        .await
        .unwrap()
        .expect(204);
    bed.try_send("POST", &url, None, &length)
        .await
        .unwrap()
        .refused(403, "ErrorCannotDeleteObject");
}

#[tokio::test]
async fn photos_have_one_size_and_cannot_be_removed() {
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    let url = format!("{}/photo/$value", path(&contact));
    bed.get(&url).await.refused(404, "ErrorItemNotFound");
    bed.get(&format!("{}/photo", path(&contact)))
        .await
        .refused(404, "ErrorItemNotFound");
    let put = |bytes: Vec<u8>| {
        let full = format!("{}{url}", bed.sandbox.graph_url());
        let request = bed
            .http
            .put(full)
            .bearer_auth(&bed.token)
            .header(IMMUTABLE.0, IMMUTABLE.1);
        crate::support::read(request.header("Content-Type", "image/jpeg").body(bytes))
    };
    put(vec![0xFF, 0xD8, 0xFF, 0xD9]).await.unwrap().expect(200);
    let got = bed.get(&url).await.expect(200);
    assert_eq!(
        (got.header("content-type"), got.bytes.as_slice()),
        ("image/jpeg", [0xFF, 0xD8, 0xFF, 0xD9].as_slice())
    );
    let metadata = bed
        .get(&format!("{}/photo", path(&contact)))
        .await
        .expect(200)
        .json;
    assert_eq!(metadata["@odata.mediaContentType"], "image/jpeg");
    assert_ne!(
        bed.get(&path(&contact)).await.json["changeKey"],
        contact["changeKey"]
    );
    let has = "$expand=singleValueExtendedProperties($filter=id eq 'Boolean {00062004-0000-0000-C000-000000000046} Id 0x8015')";
    let listed = bed.get(&format!("/me/contacts?{has}")).await.expect(200);
    assert_eq!(
        listed.rows()[0]["singleValueExtendedProperties"][0]["value"],
        "true"
    );
    put(vec![0; 4 * 1024 * 1024]).await.unwrap().expect(413);
    put(Vec::new()).await.unwrap().expect(400);
    bed.delete(&url).await.refused(405, "ErrorInvalidRequest");
    bed.control(
        "POST",
        "settings",
        json!({"removes_photos": true, "takes_photos": false}),
    )
    .await;
    put(vec![0xFF, 0xD8, 0xFF, 0xD9])
        .await
        .unwrap()
        .refused(403, "ErrorAccessDenied");
    bed.delete(&url).await.expect(204);
    bed.get(&url).await.refused(404, "ErrorItemNotFound");
    bed.delete(&url).await.refused(404, "ErrorItemNotFound");
    bed.get(&format!("{}/photos/48x48/$value", path(&contact)))
        .await
        .refused(400, "RequestBroker--ParseUri");
}
