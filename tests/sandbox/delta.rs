//! Delta queries: rounds, removals, oddities and lost tokens.

use std::collections::BTreeSet;

use contactfs::sandbox::{DeltaExpiry, Fault, FaultAction, Options};
use serde_json::{Value, json};

use crate::support::{Bed, IMMUTABLE, empty, named, path, start, text};

fn live(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .filter(|row| row.get("@removed").is_none())
        .map(|row| text(&row["id"]))
        .collect()
}

fn removed(rows: &[Value]) -> BTreeSet<String> {
    rows.iter()
        .filter(|row| row.get("@removed").is_some())
        .map(|row| text(&row["id"]))
        .collect()
}

#[tokio::test]
async fn a_first_round_tells_everything_once_and_later_ones_what_changed() {
    let bed = start(Options {
        empty: true,
        contacts: Some(75),
        ..Options::default()
    });
    let (rows, link) = bed.delta("/me/contacts/delta").await;
    assert_eq!((rows.len(), live(&rows).len()), (75, 75));
    let (changed, gone) = (rows[3].clone(), rows[4].clone());
    bed.patch(&path(&changed), json!({"jobTitle": "new"}))
        .await
        .expect(200);
    bed.delete(&path(&gone)).await.expect(204);
    let made = bed.contact(named("Bo")).await;
    let (rows, link) = bed.delta(&link).await;
    let told = live(&rows);
    assert!(
        told.contains(&text(&changed["id"])) && told.contains(&text(&made["id"])),
        "{told:?}"
    );
    assert_eq!(removed(&rows), BTreeSet::from([text(&gone["id"])]));
    let (rows, _) = bed.delta(&link).await;
    assert!(
        removed(&rows).is_empty() && rows.len() <= 1,
        "nothing but perhaps a replay: {rows:?}"
    );
}

#[tokio::test]
async fn departures_before_the_first_call_are_not_told() {
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    bed.delete(&path(&contact)).await.expect(204);
    assert_eq!(bed.delta("/me/contacts/delta").await.0, Vec::<Value>::new());
}

#[tokio::test]
async fn page_size_comes_from_the_preference_and_has_a_ceiling() {
    let bed = start(Options {
        empty: true,
        contacts: Some(250),
        ..Options::default()
    });
    for (wanted, most) in [("5", 5), ("1000", 200)] {
        let prefer = format!("odata.maxpagesize={wanted}, {}", IMMUTABLE.1);
        let mut url = "/me/contacts/delta?$select=displayName".to_owned();
        let mut largest = 0;
        loop {
            let page = bed
                .try_send("GET", &url, None, &[("Prefer", &prefer)])
                .await
                .unwrap()
                .expect(200);
            largest = largest.max(page.rows().len());
            let Some(next) = page.json.get("@odata.nextLink") else {
                break;
            };
            url = text(next);
        }
        assert_eq!(largest, most);
    }
}

#[tokio::test]
async fn whims_of_the_service_occur() {
    let (mut blank, mut replayed) = (0, 0);
    for seed in 1..20 {
        let bed = start(Options {
            empty: true,
            contacts: Some(30),
            seed,
            ..Options::default()
        });
        let first = bed.get("/me/contacts/delta").await.expect(200);
        blank += usize::from(first.rows().is_empty());
        let (_, link) = bed.delta("/me/contacts/delta").await;
        replayed += bed.delta(&link).await.0.len();
    }
    assert!(
        blank > 0 && replayed > 0,
        "{blank} empty pages, {replayed} replays"
    );
}

#[tokio::test]
async fn select_is_kept_in_the_token_and_other_options_are_refused() {
    let bed = empty();
    bed.contact(named("Bo")).await;
    let (rows, link) = bed.delta("/me/contacts/delta?$select=displayName").await;
    let members: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["@odata.etag", "@odata.type", "displayName", "id"]);
    bed.patch(&path(&rows[0]), json!({"surname": "Ng"}))
        .await
        .expect(200);
    let (rows, _) = bed.delta(&link).await;
    assert_eq!(
        (&rows[0]["displayName"], rows[0].get("surname")),
        (&json!("Bo Ng"), None)
    );
    for option in [
        "$top=5",
        "$filter=emailAddresses/any(a:a/address eq 'x')",
        "$orderby=displayName",
        "$skip=1",
    ] {
        bed.get(&format!("/me/contacts/delta?{option}"))
            .await
            .refused(400, "ErrorInvalidUrlQuery");
    }
    bed.get(
        "/me/contacts/delta?$expand=singleValueExtendedProperties($filter=id eq 'String 0x3A24')",
    )
    .await
    .refused(400, "BadRequest");
}

#[tokio::test]
async fn moves_and_photos_are_told() {
    let bed = empty();
    let folder = bed
        .post("/me/contactFolders", json!({"displayName": "F"}))
        .await
        .expect(201)
        .json;
    let there = format!("/me/contactFolders/{}/contacts/delta", text(&folder["id"]));
    let contact = bed.contact(named("Bo")).await;
    let (_, here_link) = bed
        .delta("/me/contactFolders/contacts/contacts/delta")
        .await;
    let (_, there_link) = bed.delta(&there).await;
    bed.control(
        "POST",
        "move",
        json!({"id": contact["id"], "folder": folder["id"]}),
    )
    .await
    .expect(200);
    let (left, _) = bed.delta(&here_link).await;
    let (came, there_link) = bed.delta(&there_link).await;
    assert_eq!(
        (removed(&left), live(&came)),
        (
            BTreeSet::from([text(&contact["id"])]),
            BTreeSet::from([text(&contact["id"])])
        )
    );
    let photo = format!("{}{}/photo/$value", bed.sandbox.graph_url(), path(&contact));
    let put = bed
        .http
        .put(photo)
        .bearer_auth(&bed.token)
        .header(IMMUTABLE.0, IMMUTABLE.1)
        .header("Content-Type", "image/png");
    crate::support::read(put.body(vec![1]))
        .await
        .unwrap()
        .expect(200);
    let (rows, _) = bed.delta(&there_link).await;
    assert_ne!(rows[0]["changeKey"], came[0]["changeKey"]);
}

#[tokio::test]
async fn folders_have_a_delta_too() {
    let bed = empty();
    let kept = bed
        .post("/me/contactFolders", json!({"displayName": "A"}))
        .await
        .expect(201)
        .json;
    let (rows, link) = bed.delta("/me/contactFolders/delta").await;
    assert_eq!(live(&rows), BTreeSet::from([text(&kept["id"])]));
    bed.patch(
        &format!("/me/contactFolders/{}", text(&kept["id"])),
        json!({"displayName": "B"}),
    )
    .await
    .expect(200);
    let (rows, link) = bed.delta(&link).await;
    assert_eq!(rows.last().unwrap()["displayName"], "B");
    bed.delete(&format!("/me/contactFolders/{}", text(&kept["id"])))
        .await
        .expect(204);
    assert_eq!(
        removed(&bed.delta(&link).await.0),
        BTreeSet::from([text(&kept["id"])])
    );
}

#[tokio::test]
async fn a_lost_token_stays_lost() {
    let bed = empty();
    for (form, status, code) in [
        (DeltaExpiry::Gone, 410, "SyncStateNotFound"),
        (DeltaExpiry::BadToken, 400, "BadRequest"),
    ] {
        let (_, link) = bed.delta("/me/contacts/delta").await;
        lose(&bed, form);
        let got = bed.get(&link).await;
        assert_eq!(
            got.header("location").is_empty(),
            form == DeltaExpiry::BadToken
        );
        got.refused(status, code);
        bed.get(&link).await.refused(410, "SyncStateNotFound");
        bed.delta("/me/contacts/delta").await;
    }
}

fn lose(bed: &Bed, form: DeltaExpiry) {
    let action = FaultAction::ExpireDelta(form);
    bed.sandbox.add_fault(Fault {
        method: None,
        path_contains: None,
        skip: 0,
        times: 1,
        action,
    });
}

#[tokio::test]
async fn damaged_tokens_and_gone_folders_are_told_apart() {
    let bed = empty();
    bed.get("/me/contacts/delta?$deltatoken=bogus")
        .await
        .refused(400, "BadRequest");
    let folder = bed
        .post("/me/contactFolders", json!({"displayName": "F"}))
        .await
        .expect(201)
        .json;
    let url = format!("/me/contactFolders/{}", text(&folder["id"]));
    let (_, link) = bed.delta(&format!("{url}/contacts/delta")).await;
    let token = link.split_once("$deltatoken=").unwrap().1;
    bed.get(&format!("/me/contacts/delta?$deltatoken={token}"))
        .await
        .refused(400, "BadRequest");
    bed.get(&format!("{url}/contacts/delta?$skiptoken={token}"))
        .await
        .refused(400, "BadRequest");
    bed.delete(&url).await.expect(204);
    bed.get(&link).await.refused(404, "ErrorSyncFolderNotFound");
}
