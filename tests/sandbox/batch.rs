//! `$batch`: limits, dependencies, concurrency.

use std::time::{Duration, Instant};

use contactfs::sandbox::{Fault, FaultAction, Options};
use serde_json::{Value, json};

use crate::support::{Bed, IMMUTABLE, empty, named, path, start};

fn headers() -> Value {
    json!({IMMUTABLE.0: IMMUTABLE.1, "Content-Type": "application/json"})
}

fn member(id: &str, method: &str, url: &str, body: Value) -> Value {
    json!({"id": id, "method": method, "url": url, "headers": headers(), "body": body})
}

async fn batch(bed: &Bed, requests: Vec<Value>) -> Vec<Value> {
    let got = bed
        .post("/$batch", json!({"requests": requests}))
        .await
        .expect(200);
    got.json["responses"].as_array().unwrap().clone()
}

fn of<'r>(responses: &'r [Value], id: &str) -> &'r Value {
    responses
        .iter()
        .find(|response| response["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {responses:?}"))
}

#[tokio::test]
async fn members_are_answered_each_and_in_another_order() {
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    bed.sandbox.clear_log();
    let requests = vec![
        member("1", "GET", &path(&contact), Value::Null),
        member("2", "PATCH", &path(&contact), json!({"jobTitle": "x"})),
        member("3", "GET", "/me/contacts/bogus", Value::Null),
        member("4", "POST", "/me/contacts", named("Al")),
    ];
    let responses = batch(&bed, requests).await;
    assert_ne!(responses[0]["id"], "1");
    let statuses: Vec<&Value> = ["1", "2", "3", "4"]
        .map(|id| &of(&responses, id)["status"])
        .into();
    assert_eq!(statuses, [200, 200, 400, 201]);
    assert_eq!(of(&responses, "2")["body"]["jobTitle"], "x");
    assert_eq!(
        of(&responses, "3")["body"]["error"]["code"],
        "ErrorInvalidIdMalformed"
    );
    let log = bed.sandbox.log();
    let told: Vec<(bool, u16)> = log
        .iter()
        .map(|entry| (entry.batch.is_some(), entry.status))
        .collect();
    assert_eq!(
        told,
        [
            (false, 200),
            (true, 200),
            (true, 200),
            (true, 400),
            (true, 201)
        ]
    );
    assert!(
        log[1].path.starts_with("/v1.0/me/contacts/"),
        "{}",
        log[1].path
    );
}

#[tokio::test]
async fn batches_are_limited_and_checked() {
    let bed = empty();
    let gets = |count: usize| {
        (0..count)
            .map(|id| member(&id.to_string(), "GET", "/me/contacts", Value::Null))
            .collect::<Vec<_>>()
    };
    assert_eq!(batch(&bed, gets(20)).await.len(), 20);
    let refused = async |requests: Vec<Value>| {
        bed.post("/$batch", json!({"requests": requests}))
            .await
            .refused(400, "BadRequest");
    };
    refused(gets(21)).await;
    refused(vec![
        member("a", "GET", "/me", Value::Null),
        member("A", "GET", "/me", Value::Null),
    ])
    .await;
    let mut dangling = member("1", "GET", "/me", Value::Null);
    dangling["dependsOn"] = json!(["9"]);
    refused(vec![dangling]).await;
    let untyped =
        json!({"id": "1", "method": "POST", "url": "/me/contacts", "body": {"givenName": "Bo"}});
    let nested = member("2", "POST", "/$batch", json!({"requests": []}));
    let responses = batch(&bed, vec![untyped, nested]).await;
    assert_eq!(
        (
            &of(&responses, "1")["status"],
            &of(&responses, "2")["status"]
        ),
        (&json!(400), &json!(400))
    );
}

#[tokio::test]
async fn a_failed_dependency_is_424() {
    let bed = empty();
    let mut second = member("2", "POST", "/me/contacts", named("Bo"));
    second["dependsOn"] = json!(["1"]);
    let mut third = member("3", "POST", "/me/contacts", named("Al"));
    third["dependsOn"] = json!(["2"]);
    let first = member("1", "GET", "/me/contacts/bogus", Value::Null);
    let responses = batch(&bed, vec![first, second, third]).await;
    assert_eq!(
        (
            &of(&responses, "2")["status"],
            &of(&responses, "3")["status"]
        ),
        (&json!(424), &json!(424))
    );
    assert!(bed.get("/me/contacts").await.rows().is_empty());
}

#[tokio::test]
async fn pictures_travel_as_base64() {
    let bed = empty();
    let contact = bed.contact(named("Bo")).await;
    let url = format!("{}/photo/$value", path(&contact));
    let mut put = member("1", "PUT", &url, json!("AQID"));
    put["headers"]["Content-Type"] = json!("image/png");
    assert_eq!(batch(&bed, vec![put]).await[0]["status"], 200);
    assert_eq!(bed.get(&url).await.bytes, [1, 2, 3]);
    let responses = batch(&bed, vec![member("1", "GET", &url, Value::Null)]).await;
    assert_eq!(
        (
            &responses[0]["body"],
            &responses[0]["headers"]["Content-Type"]
        ),
        (&json!("AQID"), &json!("image/png"))
    );
}

#[tokio::test]
async fn failures_can_hit_one_member() {
    let bed = empty();
    let action = FaultAction::Status {
        code: 503,
        error_code: "ServiceUnavailable".into(),
        retry_after: Some(2),
        empty_body: false,
    };
    bed.sandbox.add_fault(Fault {
        method: Some("POST".into()),
        path_contains: Some("/contacts".into()),
        skip: 1,
        times: 1,
        action,
    });
    let posts = (1..=3)
        .map(|id| member(&id.to_string(), "POST", "/me/contacts", named("Bo")))
        .collect();
    let responses = batch(&bed, posts).await;
    let failed: Vec<&Value> = responses
        .iter()
        .filter(|response| response["status"] == 503)
        .collect();
    assert_eq!(
        (failed.len(), &failed[0]["headers"]["Retry-After"]),
        (1, &json!("2"))
    );
    assert_eq!(bed.get("/me/contacts").await.rows().len(), 2);
}

#[tokio::test]
async fn four_at_a_time_is_the_most() {
    let latency = Duration::from_millis(400);
    let bed = start(Options {
        empty: true,
        latency,
        ..Options::default()
    });
    let five = async || {
        tokio::join!(
            bed.get("/me"),
            bed.get("/me"),
            bed.get("/me"),
            bed.get("/me"),
            bed.get("/me")
        )
    };
    let (a, b, c, d, e) = five().await;
    let mut all = [a, b, c, d, e];
    all.sort_by_key(|got| got.status);
    assert_eq!(
        all.iter().map(|got| got.status).collect::<Vec<_>>(),
        [200, 200, 200, 200, 429]
    );
    assert_eq!(
        (all[4].code(), all[4].header("retry-after")),
        ("ApplicationThrottled", "1")
    );
    bed.control("POST", "settings", json!({"retry_after": false}))
        .await
        .expect(200);
    let (a, b, c, d, e) = five().await;
    let throttled = [a, b, c, d, e]
        .into_iter()
        .find(|got| got.status == 429)
        .unwrap();
    assert_eq!(throttled.header("retry-after"), "");

    // Two batches of four want eight places; a batch of eight alone waits for itself, in two groups.
    let gets = |count: usize| {
        (0..count)
            .map(|id| member(&id.to_string(), "GET", "/me", Value::Null))
            .collect::<Vec<_>>()
    };
    let (one, two) = tokio::join!(batch(&bed, gets(4)), batch(&bed, gets(4)));
    assert!(
        one.iter()
            .chain(&two)
            .any(|response| response["status"] == 429)
    );
    let began = Instant::now();
    assert!(
        batch(&bed, gets(8))
            .await
            .iter()
            .all(|response| response["status"] == 200)
    );
    assert!(began.elapsed() >= latency * 3, "{:?}", began.elapsed());
}
