//! The life of the service: sample and generated people, log and record, data on disk.

use std::fs;

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use crate::support::{Bed, empty, named, path, start, text};

#[tokio::test]
async fn replies_name_their_request() {
    let bed = empty();
    let got = bed
        .try_send("GET", "/me", None, &[("client-request-id", "mine")])
        .await
        .unwrap();
    assert_eq!(got.header("client-request-id"), "mine");
    assert!(!got.header("request-id").is_empty());
    let got = bed
        .try_send(
            "GET",
            "/me/nonsense",
            None,
            &[("client-request-id", "mine")],
        )
        .await
        .unwrap();
    assert_eq!(got.json["error"]["innerError"]["client-request-id"], "mine");
    assert_eq!(
        got.json["error"]["innerError"]["request-id"],
        got.header("request-id")
    );
}

#[tokio::test]
async fn the_log_hides_tokens() {
    let bed = empty();
    bed.sandbox.clear_log();
    bed.post("/me/contacts", named("Bo")).await.expect(201);
    let log = bed.sandbox.log();
    assert_eq!(
        (
            log.len(),
            log[0].method.as_str(),
            log[0].path.as_str(),
            log[0].status
        ),
        (1, "POST", "/v1.0/me/contacts", 201)
    );
    assert_eq!(log[0].request, Some(named("Bo")));
    assert_eq!(log[0].response.as_ref().unwrap()["givenName"], "Bo");
    assert!(!format!("{log:?}").contains(&bed.token));
    let over_http = bed
        .control("GET", "log", json!(null))
        .await
        .expect(200)
        .json;
    assert_eq!(over_http[0]["seq"], log[0].seq);
    bed.control("DELETE", "log", json!(null)).await.expect(200);
    assert!(bed.sandbox.log().is_empty());
}

#[tokio::test]
async fn a_record_has_a_line_for_every_exchange() {
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().join("exchanges.jsonl");
    let bed = start(Options {
        empty: true,
        record: Some(record.clone()),
        ..Options::default()
    });
    bed.get("/me").await.expect(200);
    bed.get("/me/nonsense").await.expect(400);
    let text = fs::read_to_string(record).unwrap();
    let statuses: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, [200, 400]);
    assert!(!text.contains(&bed.token));
}

#[tokio::test]
async fn the_same_seed_makes_the_same_people() {
    let options = || Options {
        empty: true,
        contacts: Some(40),
        folders: 3,
        seed: 5,
        ..Options::default()
    };
    let (one, two) = (start(options()), start(options()));
    let shown = async |bed: &Bed| {
        let mut rows = Vec::new();
        for folder in bed.get("/me/contactFolders").await.expect(200).rows() {
            let url = format!(
                "/me/contactFolders/{}/contacts?$top=100",
                text(&folder["id"])
            );
            rows.extend(
                bed.get(&url)
                    .await
                    .expect(200)
                    .rows()
                    .iter()
                    .map(|row| (row["id"].clone(), row["displayName"].clone())),
            );
        }
        rows
    };
    let people = shown(&one).await;
    assert_eq!(people.len(), 40);
    assert_eq!(people, shown(&two).await);
    let state = one
        .control("GET", "state", json!(null))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (
            &state["contacts"],
            state["folders"].as_array().unwrap().len()
        ),
        (&json!(40), 4)
    );
}

#[tokio::test]
async fn a_mailbox_with_data_outlives_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        data: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let bed = start(options());
    let gone = bed.contact(named("Al")).await;
    let kept = bed.contact(json!({"givenName": "Bo", "singleValueExtendedProperties": [{"id": "String 0x3A24", "value": "v"}]})).await;
    let folder = bed
        .post("/me/contactFolders", json!({"displayName": "F"}))
        .await
        .expect(201)
        .json;
    let (_, link) = bed.delta("/me/contacts/delta").await;
    bed.delete(&path(&gone)).await.expect(204);
    // What a kill would leave behind: the file as it is now.
    let killed = tempfile::tempdir().unwrap();
    fs::copy(
        directory.path().join("mailbox.jsonl"),
        killed.path().join("mailbox.jsonl"),
    )
    .unwrap();
    drop(bed);
    for data in [directory.path(), killed.path()] {
        let bed = start(Options {
            data: Some(data.to_owned()),
            ..Options::default()
        });
        let expand = format!(
            "{}?$expand=singleValueExtendedProperties($filter=id eq 'String 0x3A24')",
            path(&kept)
        );
        let shown = bed.get(&expand).await.expect(200).json;
        assert_eq!(
            (
                &shown["changeKey"],
                &shown["singleValueExtendedProperties"][0]["value"]
            ),
            (&kept["changeKey"], &json!("v"))
        );
        assert_eq!(
            bed.get("/me/contactFolders").await.rows().last(),
            Some(&folder_row(&folder))
        );
        let relative = link.split_once("/v1.0").unwrap().1;
        let (rows, _) = bed.delta(relative).await;
        assert!(
            rows.iter()
                .any(|row| row["id"] == gone["id"] && row.get("@removed").is_some()),
            "{rows:?}"
        );
        let made = bed.contact(named("Cy")).await;
        assert!(
            made["id"] != gone["id"] && made["id"] != kept["id"],
            "no id is used twice"
        );
    }
}

fn folder_row(folder: &Value) -> Value {
    let mut row = folder.clone();
    row.as_object_mut().unwrap().remove("@odata.context");
    row
}

#[tokio::test]
async fn a_line_cut_short_by_a_kill_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        empty: true,
        data: Some(directory.path().to_owned()),
        ..Options::default()
    };
    let bed = start(options());
    let kept = bed.contact(named("Bo")).await;
    drop(bed);
    let file = directory.path().join("mailbox.jsonl");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("{\"contact\":{\"number\":9");
    fs::write(&file, text).unwrap();
    start(options()).get(&path(&kept)).await.expect(200);
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let bed = empty();
    let listen = bed
        .sandbox
        .login_url()
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    assert!(
        contactfs::sandbox::Sandbox::start(Options {
            listen,
            ..Options::default()
        })
        .is_err()
    );
}
