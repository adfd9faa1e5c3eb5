//! Lists: paging, options, and what they cut.

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use crate::support::{Bed, empty, named, path, start, text};

async fn walk(bed: &Bed, url: &str) -> Vec<Value> {
    let (mut rows, mut url) = (Vec::new(), url.to_owned());
    loop {
        let page = bed.get(&url).await.expect(200);
        rows.extend(page.rows().iter().cloned());
        match page.json.get("@odata.nextLink") {
            Some(next) => url = text(next),
            None => return rows,
        }
    }
}

#[tokio::test]
async fn pages_are_ten_unless_told_and_links_are_absolute() {
    let bed = start(Options {
        empty: true,
        contacts: Some(25),
        ..Options::default()
    });
    let page = bed
        .get("/me/contacts?$select=displayName")
        .await
        .expect(200);
    assert_eq!(page.rows().len(), 10);
    let next = text(&page.json["@odata.nextLink"]);
    assert!(
        next.starts_with(&format!("{}/me/contacts?", bed.sandbox.graph_url())),
        "{next}"
    );
    let mut members: Vec<&String> = page.rows()[0].as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["@odata.etag", "displayName", "id"]);
    let rows = walk(&bed, "/me/contacts?$select=displayName&$top=7").await;
    let mut ids: Vec<String> = rows.iter().map(|row| text(&row["id"])).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((rows.len(), ids.len()), (25, 25));
    bed.get("/me/contacts?$top=1000")
        .await
        .refused(400, "BadRequest");
    bed.get("/me/contacts?$select=phones")
        .await
        .refused(400, "BadRequest");
    bed.get("/me/contacts?$expand=photo")
        .await
        .refused(400, "BadRequest");
    bed.get("/me/contacts?$search=x")
        .await
        .refused(400, "BadRequest");
}

#[tokio::test]
async fn counts_include_hidden_lists() {
    let bed = start(Options::default());
    let rows = walk(&bed, "/me/contacts?$top=100").await;
    let counted = bed
        .get("/me/contacts?$top=1&$count=true")
        .await
        .expect(200)
        .json;
    assert_eq!(counted["@odata.count"], json!(rows.len() + 1));
    let plain = bed.get("/me/contacts/$count").await.expect(200);
    assert_eq!(
        String::from_utf8(plain.bytes).unwrap(),
        (rows.len() + 1).to_string()
    );
}

#[tokio::test]
async fn lists_cut_what_single_reads_keep() {
    let bed = empty();
    let notes = format!("\nfirst\n{}", "long ".repeat(100));
    let (id, value) = (
        "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name rest",
        "v".repeat(2000),
    );
    let contact = bed
        .contact(json!({"givenName": "Bo", "personalNotes": notes, "singleValueExtendedProperties": [{"id": id, "value": value}]}))
        .await;
    let expand = format!("$expand=singleValueExtendedProperties($filter=id eq '{id}')");
    let alone = bed
        .get(&format!("{}?{expand}", path(&contact)))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (
            &alone["personalNotes"],
            &alone["singleValueExtendedProperties"][0]["value"]
        ),
        (&json!(notes), &json!(value))
    );
    let listed = bed.get(&format!("/me/contacts?{expand}")).await.expect(200);
    let listed = &listed.rows()[0];
    let cut = text(&listed["personalNotes"]);
    assert!(cut.chars().count() == 256 && !cut.contains('\n'), "{cut:?}");
    assert_eq!(
        text(&listed["singleValueExtendedProperties"][0]["value"]).len(),
        255
    );
    let (rows, _) = bed.delta("/me/contacts/delta").await;
    assert_eq!(text(&rows[0]["personalNotes"]), cut);
}

#[tokio::test]
async fn filters_and_orders() {
    let bed = empty();
    let tagged = |name: &str, value: &str| {
        json!({"givenName": name, "emailAddresses": [{"address": format!("{name}@b.example")}],
            "singleValueExtendedProperties": [{"id": "String 0x3A24", "value": value}]})
    };
    for (name, value) in [("bo", "One"), ("al", "Two")] {
        bed.contact(tagged(name, value)).await;
    }
    let any = "$filter=singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x3A24' and ep/value eq 'one')";
    let found = bed.get(&format!("/me/contacts?{any}")).await.expect(200);
    assert_eq!(
        (found.rows().len(), &found.rows()[0]["givenName"]),
        (1, &json!("bo"))
    );
    let found = bed
        .get("/me/contacts?$filter=emailAddresses/any(a:a/address eq 'AL@b.example')")
        .await
        .expect(200);
    assert_eq!(
        (found.rows().len(), &found.rows()[0]["givenName"]),
        (1, &json!("al"))
    );
    let sorted = bed
        .get("/me/contacts?$orderby=displayName desc")
        .await
        .expect(200);
    assert_eq!(sorted.rows()[0]["givenName"], "bo");
    bed.get("/me/contacts?$filter=jobTitle eq 'x'")
        .await
        .refused(400, "BadRequest");
    bed.get("/me/contacts?$orderby=jobTitle")
        .await
        .refused(400, "BadRequest");
}

#[tokio::test]
async fn unset_reads_differently_by_maker() {
    let bed = start(Options::default());
    let rows = walk(&bed, "/me/contacts?$top=100").await;
    let find = |name: &str| rows.iter().find(|row| row["displayName"] == name).unwrap();
    assert_eq!(find("Ines Okafor")["middleName"], "");
    assert_eq!(bed.contact(named("Bo")).await["middleName"], Value::Null);
    assert!(
        rows.iter()
            .any(|row| row["displayName"] == "" && row["emailAddresses"] == json!([])),
        "the empty contact"
    );
}
