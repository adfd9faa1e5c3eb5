//! Contact folders, owners and unknown paths.

use contactfs::sandbox::Options;
use serde_json::json;

use crate::support::{empty, named, path, start, text};

#[tokio::test]
async fn the_default_folder_is_not_listed_but_has_an_alias() {
    let bed = start(Options::default());
    let default = bed
        .get("/me/contactFolders/contacts")
        .await
        .expect(200)
        .json;
    let listed = bed.get("/me/contactFolders").await.expect(200);
    let names: Vec<String> = listed
        .rows()
        .iter()
        .map(|folder| text(&folder["displayName"]))
        .collect();
    assert_eq!(names, ["Family", "Work"]);
    assert!(
        listed
            .rows()
            .iter()
            .all(|folder| folder["parentFolderId"] == default["id"])
    );
    let work = text(&listed.rows()[1]["id"]);
    let below = bed
        .get(&format!("/me/contactFolders/{work}/childFolders"))
        .await
        .expect(200);
    assert_eq!(below.rows()[0]["displayName"], "Clients");
    let clients = text(&below.rows()[0]["id"]);
    let nested = bed
        .get(&format!(
            "/me/contactFolders/{work}/childFolders/{clients}/contacts"
        ))
        .await
        .expect(200);
    assert_eq!(nested.rows().len(), 3);
    bed.get(&format!(
        "/me/contactFolders/{clients}/childFolders/{work}/contacts"
    ))
    .await
    .refused(404, "ErrorFolderNotFound");
}

#[tokio::test]
async fn folders_are_made_renamed_and_deleted_with_their_contents() {
    let bed = empty();
    let folder = bed
        .post("/me/contactFolders", json!({"displayName": "Old"}))
        .await
        .expect(201)
        .json;
    let url = format!("/me/contactFolders/{}", text(&folder["id"]));
    bed.post("/me/contactFolders", json!({"displayName": "old"}))
        .await
        .refused(409, "ErrorFolderExists");
    bed.post(
        &format!("{url}/childFolders"),
        json!({"displayName": "Old"}),
    )
    .await
    .expect(201);
    let renamed = bed
        .patch(&url, json!({"displayName": "New"}))
        .await
        .expect(200)
        .json;
    assert_eq!(
        (&renamed["displayName"], &renamed["id"]),
        (&json!("New"), &folder["id"])
    );
    let unmoved = bed
        .patch(&url, json!({"parentFolderId": folder["id"]}))
        .await
        .expect(200)
        .json;
    assert_eq!(unmoved["parentFolderId"], folder["parentFolderId"]);
    let contact = bed
        .post(&format!("{url}/contacts"), named("Bo"))
        .await
        .expect(201)
        .json;
    bed.get(&path(&contact)).await.expect(200);
    bed.delete(&url).await.expect(204);
    bed.get(&path(&contact))
        .await
        .refused(404, "ErrorItemNotFound");
    bed.get(&url).await.refused(404, "ErrorFolderNotFound");
}

#[tokio::test]
async fn the_default_folder_stays() {
    let bed = empty();
    bed.delete("/me/contactFolders/contacts").await.expect(403);
    bed.patch(
        "/me/contactFolders/contacts",
        json!({"displayName": "Mine"}),
    )
    .await
    .expect(403);
}

#[tokio::test]
async fn empty_ids_and_unknown_paths_are_refused() {
    let bed = empty();
    bed.patch("/me/contactFolders/", json!({"displayName": "x"}))
        .await
        .refused(405, "ErrorInvalidRequest");
    bed.patch("/me/contacts/", json!({"givenName": "x"}))
        .await
        .refused(405, "ErrorInvalidRequest");
    bed.delete("/me/contacts")
        .await
        .refused(405, "ErrorInvalidRequest");
    bed.get("/me/nonsense")
        .await
        .refused(400, "RequestBroker--ParseUri");
    bed.get("/contacts/delta").await.refused(400, "BadRequest");
    bed.get("/users/delta").await.refused(401, "UnknownError");
    bed.post("/me/subscriptions", json!({}))
        .await
        .refused(400, "RequestBroker--ParseUri");
}

#[tokio::test]
async fn one_mailbox_has_two_addresses() {
    let bed = start(Options::default());
    let mine = bed.get("/me/contacts").await.expect(200);
    let user = format!("/users/{}", bed.sandbox.mailbox());
    assert_eq!(
        bed.get(&format!("{user}/contacts"))
            .await
            .expect(200)
            .rows(),
        mine.rows()
    );
    let me = bed.get("/me").await.expect(200).json;
    assert_eq!(me["userPrincipalName"], bed.sandbox.mailbox());
    bed.get(&format!("/users/{}/contactFolders", text(&me["id"])))
        .await
        .expect(200);
    bed.get("/users/nobody@sandbox.example/contacts")
        .await
        .refused(404, "ErrorInvalidUser");
}

#[tokio::test]
async fn categories_are_listed_and_unique() {
    let bed = start(Options::default());
    let names = bed.get("/me/outlook/masterCategories").await.expect(200);
    assert_eq!(names.rows().len(), 3);
    let made = bed
        .post(
            "/me/outlook/masterCategories",
            json!({"displayName": "Club", "color": "preset2"}),
        )
        .await
        .expect(201)
        .json;
    bed.post(
        "/me/outlook/masterCategories",
        json!({"displayName": "club"}),
    )
    .await
    .expect(409);
    bed.delete(&format!(
        "/me/outlook/masterCategories/{}",
        text(&made["id"])
    ))
    .await
    .expect(204);
}
