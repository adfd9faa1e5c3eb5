//! Failures on request.

use std::time::{Duration, Instant};

use contactfs::sandbox::{Fault, FaultAction};
use serde_json::json;

use crate::support::{Bed, IMMUTABLE, empty, named};

fn next(bed: &Bed, action: FaultAction) {
    bed.sandbox.add_fault(Fault {
        method: None,
        path_contains: Some("/me/contacts".into()),
        skip: 0,
        times: 1,
        action,
    });
}

#[tokio::test]
async fn statuses_come_with_and_without_a_body() {
    let bed = empty();
    let status = |retry_after, empty_body| FaultAction::Status {
        code: 503,
        error_code: "UnknownError".into(),
        retry_after,
        empty_body,
    };
    next(&bed, status(Some(7), false));
    let got = bed.get("/me/contacts").await;
    assert_eq!(got.header("retry-after"), "7");
    got.refused(503, "UnknownError");
    next(&bed, status(None, true));
    let got = bed.get("/me/contacts").await.expect(503);
    assert_eq!((got.bytes.len(), got.header("retry-after")), (0, ""));
    bed.get("/me/contacts").await.expect(200);
}

#[tokio::test]
async fn connections_drop_before_and_after_the_work() {
    let bed = empty();
    let post = || async {
        bed.try_send("POST", "/me/contacts", Some(&named("Bo")), &[IMMUTABLE])
            .await
    };
    next(&bed, FaultAction::DropBefore);
    assert!(post().await.is_err());
    assert!(bed.get("/me/contacts").await.rows().is_empty());
    next(&bed, FaultAction::DropAfter);
    assert!(post().await.is_err());
    assert_eq!(bed.get("/me/contacts").await.rows().len(), 1);
    assert_eq!(bed.sandbox.log()[0].status, 0);
}

#[tokio::test]
async fn replies_break_off_redirect_or_make_no_sense() {
    let bed = empty();
    next(&bed, FaultAction::Truncate);
    assert!(
        bed.try_send("GET", "/me/contacts", None, &[])
            .await
            .is_err()
    );
    next(
        &bed,
        FaultAction::Redirect("http://127.0.0.1:9/elsewhere".into()),
    );
    assert_eq!(
        bed.get("/me/contacts").await.expect(302).header("location"),
        "http://127.0.0.1:9/elsewhere"
    );
    next(&bed, FaultAction::Malformed);
    let got = bed.get("/me/contacts").await.expect(200);
    assert!(serde_json::from_slice::<serde_json::Value>(&got.bytes).is_err());
    assert!(got.bytes.iter().any(|byte| *byte < 0x20));
}

#[tokio::test]
async fn delays_delay() {
    let bed = empty();
    next(&bed, FaultAction::Delay(Duration::from_millis(80)));
    let began = Instant::now();
    bed.get("/me/contacts").await.expect(200);
    assert!(began.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn faults_can_be_planned_over_http() {
    let bed = empty();
    let fault = json!({"method": "GET", "action": {"status": {"code": 429, "error_code": "ApplicationThrottled"}}});
    bed.control("POST", "faults", fault).await.expect(200);
    assert_eq!(
        bed.control("GET", "faults", json!(null))
            .await
            .json
            .as_array()
            .unwrap()
            .len(),
        1
    );
    bed.get("/me").await.refused(429, "ApplicationThrottled");
    bed.get("/me").await.expect(200);
    bed.control(
        "POST",
        "faults",
        json!({"action": "dropBefore", "times": 9}),
    )
    .await
    .expect(200);
    bed.control("DELETE", "faults", json!(null))
        .await
        .expect(200);
    bed.get("/me").await.expect(200);
    bed.control("POST", "faults", json!({"action": "explode"}))
        .await
        .refused(400, "BadRequest");
}

#[tokio::test]
async fn replies_are_withheld_after_the_work_and_trickle() {
    let bed = empty();
    let time = Duration::from_millis(160);
    next(&bed, FaultAction::Late(time));
    let (began, body) = (Instant::now(), named("Bo"));
    let post = bed.try_send("POST", "/me/contacts", Some(&body), &[IMMUTABLE]);
    let impatient = tokio::time::timeout(time / 4, post).await;
    assert!(impatient.is_err());
    assert_eq!(bed.get("/me/contacts").await.rows().len(), 1);
    assert!(began.elapsed() < time, "nobody else waits");

    next(&bed, FaultAction::Trickle(time));
    let began = Instant::now();
    assert_eq!(bed.get("/me/contacts").await.rows().len(), 1);
    assert!(began.elapsed() >= time);
}

#[tokio::test]
async fn who_hangs_up_is_in_the_log() {
    let bed = empty();
    next(&bed, FaultAction::Delay(Duration::from_secs(60)));
    let get = bed.try_send("GET", "/me/contacts", None, &[]);
    let impatient = tokio::time::timeout(Duration::from_millis(50), get).await;
    assert!(impatient.is_err());
    let until = Instant::now() + Duration::from_secs(5);
    while bed.sandbox.log().is_empty() {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let log = bed.sandbox.log();
    assert_eq!((log[0].status, log[0].fault), (0, Some("delay")));
    assert_eq!(bed.get("/me/contacts").await.rows().len(), 0);
    assert_eq!(bed.sandbox.log()[1].open, 1, "the place is free again");
}
