//! Limits of each application on each mailbox (graph-facts 9.2).

use std::time::Duration;

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use crate::support::{Bed, empty, read, start};

/// A GET with a token of another application.
async fn from_another(bed: &Bed, path: &str) -> u16 {
    let url = format!("{}{path}", bed.sandbox.graph_url());
    let token = bed.sandbox.other_access_token();
    read(bed.http.get(url).bearer_auth(token))
        .await
        .unwrap()
        .status
}

fn gets(count: usize) -> Value {
    let one = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/me"});
    json!({"requests": (0..count).map(one).collect::<Vec<_>>()})
}

#[tokio::test]
async fn places_are_counted_for_each_application_and_mailbox() {
    let bed = start(Options {
        empty: true,
        latency: Duration::from_millis(400),
        ..Options::default()
    });
    let shared = format!("/users/{}/contacts", bed.sandbox.shared_mailbox());
    let (batch, _shared, another) = tokio::join!(
        bed.post("/$batch", gets(4)),
        bed.get(&shared),
        from_another(&bed, "/me")
    );
    assert_eq!(another, 200);
    let responses = batch.json["responses"].as_array().unwrap().clone();
    assert!(responses.iter().all(|response| response["status"] == 200));
    let log = bed.sandbox.log();
    let alone: Vec<_> = log.iter().filter(|entry| entry.batch.is_none()).collect();
    let mut open: Vec<usize> = alone.iter().map(|entry| entry.open).collect();
    open.sort_unstable();
    assert_eq!(open, [1, 1, 4], "{alone:#?}");
    let members = log.iter().filter(|entry| entry.batch.is_some());
    let outer = alone.iter().find(|entry| entry.path.ends_with("$batch"));
    let seq = outer.unwrap().seq;
    assert_eq!(members.filter(|entry| entry.batch == Some(seq)).count(), 4);
}

#[tokio::test]
async fn a_spent_budget_says_when_there_is_some_again() {
    let bed = empty();
    bed.control("POST", "settings", json!({"budget": 5}))
        .await
        .expect(200);
    bed.get("/me").await.expect(200);
    bed.post("/$batch", gets(4)).await.expect(200);
    let refused = bed.get("/me").await.expect(429);
    let pause: u64 = refused.header("retry-after").parse().unwrap();
    assert!((590..=600).contains(&pause), "{pause}");
    let batch = bed.post("/$batch", gets(2)).await.expect(200);
    let responses = batch.json["responses"].as_array().unwrap().clone();
    assert!(responses.iter().all(|response| response["status"] == 429));
    assert_eq!(from_another(&bed, "/me").await, 200);
}
