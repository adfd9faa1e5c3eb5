//! Throttling, lost replies, batches that fail in part.

use std::time::{Duration, Instant};

use contactfs::graph::{Error, Write};
use contactfs::model::{
    ChangeKey, ClientId, Contact, ContactId, Field, FolderId, Patch, ResidueText, Value,
};
use serde_json::json;

use super::server::{Answer, Server, batch, error, failure, ok, raw};
use super::{client, client_at, ids};

fn create() -> Write {
    let mut contact = Contact::default();
    contact.set_text(Field::GivenName, "Ada");
    let (residue, client) = (ResidueText::new(""), ClientId::new("client-1"));
    Write::Create {
        folder: FolderId::new("f"),
        contact,
        residue,
        client,
        extra: Vec::new(),
    }
}

fn update(id: &str) -> Write {
    let mut patch = Patch::default();
    patch.insert(Field::JobTitle, Some(Value::Text("Countess".to_owned())));
    let (id, change_key) = (ContactId::new(id), ChangeKey::new("k1"));
    Write::Update {
        id,
        change_key,
        patch,
        target: Contact::default(),
        residue: None,
    }
}

fn delete(id: &str) -> Write {
    Write::Delete {
        id: ContactId::new(id),
        change_key: Some(ChangeKey::new("k1")),
    }
}

/// Behaviour 7.2: Retry-After is obeyed, by the whole client.
#[tokio::test]
async fn retry_after_holds_back_every_request() {
    let server = Server::start(|number, _| match number {
        0 => failure(429, "ApplicationThrottled").with("Retry-After", "1"),
        _ => ok(&json!({ "id": "c1", "changeKey": "k" })),
    })
    .await;
    let client = client(&server);
    let started = Instant::now();
    let c1 = ids(&["c1"]);

    let first = client.change_keys(&c1);
    let second = async {
        while client.throttled_until().is_none() {
            tokio::task::yield_now().await;
        }
        client.change_keys(&c1).await.unwrap();
        started.elapsed()
    };
    let (first, second) = tokio::join!(first, second);

    assert!(first.unwrap()[0].is_ok());
    assert!(
        second >= Duration::from_millis(900),
        "the other request waited only {second:?}"
    );
    assert_eq!(server.requests().len(), 3);
    assert_eq!(client.stats().throttled, 1);
    assert!(client.throttled_until().is_none());
}

/// Whoever waits for room must not go out into a pause that began meanwhile.
#[tokio::test]
async fn a_pause_stops_those_in_the_queue_too() {
    let server = Server::start(|_, _| {
        let answer = failure(429, "ApplicationThrottled").with("Retry-After", "600");
        Answer::Slow(Duration::from_millis(20), Box::new(answer))
    })
    .await;
    let client = client(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        tasks.spawn(async move { client.change_keys(&ids(&["c1"])).await });
    }
    for result in tasks.join_all().await {
        assert!(matches!(result, Err(Error::Throttled { .. })), "{result:?}");
    }
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_long_pause_is_handed_to_the_caller() {
    let server =
        Server::start(|_, _| failure(429, "TooManyRequests").with("Retry-After", "120")).await;
    let client = client(&server);

    for _ in 0..2 {
        let result = client.change_keys(&ids(&["c1"])).await;
        let Err(Error::Throttled { until }) = result else {
            panic!("{result:?}")
        };
        assert!(until > tokio::time::Instant::now() + Duration::from_secs(100));
    }
    assert!(client.throttled_until().is_some());
    assert_eq!(
        server.requests().len(),
        1,
        "nothing is sent while throttled"
    );
}

/// Traps 21 and 22: no Retry-After, an empty body, and a fresh connection after a 503.
#[tokio::test]
async fn trouble_without_retry_after_is_retried_with_backoff() {
    let server = Server::start(|number, _| match number {
        0 => failure(429, "TooManyRequests"),
        1 => raw(503, b""),
        _ => ok(&json!({ "id": "c1", "changeKey": "k" })),
    })
    .await;
    assert!(client(&server).change_keys(&ids(&["c1"])).await.unwrap()[0].is_ok());

    let connections: Vec<usize> = server
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[tokio::test]
async fn retries_end() {
    let server = Server::start(|_, _| failure(500, "ErrorInternalServerError")).await;
    let results = client(&server).change_keys(&ids(&["c1"])).await.unwrap();
    assert!(
        matches!(&results[0], Err(Error::Service { status: 500, code }) if code == "ErrorInternalServerError")
    );
    assert_eq!(server.requests().len(), 3);
}

/// Trap 22: also when the request itself is not sent again.
#[tokio::test]
async fn after_a_503_comes_another_connection() {
    let server = Server::start(|number, _| match number {
        0 => raw(503, b""),
        _ => ok(&json!({ "id": "c1", "changeKey": "k" })),
    })
    .await;
    let client = client(&server);
    client.write(&[create()]).await.unwrap();
    client.change_keys(&ids(&["c1"])).await.unwrap();
    let connections: Vec<_> = server.requests().iter().map(|r| r.connection).collect();
    assert_eq!(connections, [1, 2]);
}

/// Behaviour 3.7: after a wait the look at the contact is worth nothing, and the service may not heed If-Match.
#[tokio::test]
async fn a_guarded_change_is_not_repeated_blindly() {
    for trouble in 0..5 {
        let server = Server::start(move |_, _| match trouble {
            0 => failure(429, "ApplicationThrottled").with("Retry-After", "1"),
            1 => failure(429, "ApplicationThrottled"),
            2 => raw(503, b""),
            3 => failure(500, "UnknownError"),
            _ => Answer::HangUp,
        })
        .await;
        for change in [update("c1"), delete("c1")] {
            let client = client(&server);
            let error = match client.write(&[change]).await {
                Ok(mut results) => results.remove(0).unwrap_err(),
                Err(error) => error,
            };
            assert!(error.is_transient(), "{error:?}");
            assert_eq!(trouble < 2, client.throttled_until().is_some());
        }
        assert_eq!(server.requests().len(), 2, "trouble {trouble}");
    }
}

/// Graph-facts 4.1: a POST whose reply is lost may have been carried out.
#[tokio::test]
async fn a_create_is_sent_once() {
    for trouble in [0, 1, 2] {
        let server = Server::start(move |_, _| match trouble {
            0 => Answer::HangUp,
            1 => Answer::CutShort(b"{\"id\":".to_vec()),
            _ => raw(504, b"gateway"),
        })
        .await;
        let results = client(&server).write(&[create()]).await.unwrap();
        let error = results.into_iter().next().unwrap().unwrap_err();
        assert!(
            error.may_have_happened() && error.is_transient(),
            "{error:?}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_create_without_a_readable_reply_is_a_lost_one() {
    let server = Server::start(|_, _| raw(201, b"")).await;
    let results = client(&server).write(&[create()]).await.unwrap();
    assert!(matches!(results[0], Err(Error::ReplyLost { .. })));
}

#[tokio::test]
async fn an_unreachable_service_got_nothing() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_at(&format!("http://{}", gone.local_addr().unwrap()));
    drop(gone);
    let result = client.write(&[create()]).await;
    assert!(matches!(result, Err(Error::Offline { .. })), "{result:?}");
}

/// The TLS set-up stands on its own: a handshake that fails is a service out of reach.
#[tokio::test]
async fn a_failed_handshake_is_offline() {
    let plain = Server::start(|_, _| ok(&json!({}))).await;
    let client = client_at(&plain.origin.replace("http://", "https://"));
    let result = client.write(&[create()]).await;
    assert!(matches!(result, Err(Error::Offline { .. })), "{result:?}");
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn a_service_out_of_reach_is_tried_with_one_batch() {
    let server = Server::start(|number, request| match number {
        0 => batch(request, |_| {
            (200, json!({}), json!({ "id": "c", "changeKey": "k" }))
        }),
        _ => failure(429, "ApplicationThrottled").with("Retry-After", "600"),
    })
    .await;
    let names: Vec<ContactId> = (0..100)
        .map(|index| ContactId::new(format!("c{index}")))
        .collect();
    let results = client(&server).change_keys(&names).await.unwrap();
    assert!(
        results[..20].iter().all(|key| key.is_ok()),
        "what was read is handed out"
    );
    assert!(
        results[20..]
            .iter()
            .all(|key| matches!(key, Err(Error::Throttled { .. })))
    );
    assert_eq!(server.requests().len(), 2);
}

/// A 429 means that nothing was carried out, so creates go out again with the rest.
#[tokio::test]
async fn a_throttled_batch_is_repeated_whole() {
    let server = Server::start(|number, request| match number {
        0 => failure(429, "ApplicationThrottled").with("Retry-After", "0"),
        _ => batch(request, |_| {
            (201, json!({}), json!({ "id": "c", "changeKey": "k" }))
        }),
    })
    .await;
    let results = client(&server).write(&[create(), create()]).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(server.requests().len(), 2);
}

/// Something on the way says yes to everything.
#[tokio::test]
async fn a_deletion_is_done_when_the_service_says_so() {
    let server = Server::start(|number, _| match number {
        0 => raw(200, b"<html>Welcome to our network</html>"),
        1 => raw(200, b"{\"value\":[{\"displayName\":\"\x01"),
        _ => raw(204, b""),
    })
    .await;
    for is_done in [false, false, true] {
        let done = client(&server).write(&[delete("c1")]).await;
        assert_eq!(done.is_ok_and(|done| done[0].is_ok()), is_done);
    }
    assert_eq!(server.requests().len(), 3);

    let server = Server::start(|_, _| raw(200, b"<html></html>")).await;
    let done = client(&server).write(&[delete("c1")]).await;
    assert!(matches!(done, Err(Error::Offline { .. })), "{done:?}");
    let (client, ada) = (client(&server), ContactId::new("c1"));
    let put = client.put_photo(&ada, b"bytes", "image/jpeg").await;
    assert!(matches!(put, Err(Error::Offline { .. })), "{put:?}");
}

#[tokio::test]
async fn lost_reads_are_repeated() {
    let server = Server::start(|number, _| match number {
        0 => Answer::HangUp,
        1 => Answer::CutShort(b"{\"id\":\"c1\"".to_vec()),
        _ => ok(&json!({ "id": "c1", "changeKey": "k" })),
    })
    .await;
    assert!(client(&server).change_keys(&ids(&["c1"])).await.unwrap()[0].is_ok());
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn nothing_of_a_lost_batch_of_changes_is_repeated() {
    let server = Server::start(|_, _| Answer::HangUp).await;
    let results = client(&server)
        .write(&[create(), update("c2"), delete("c3")])
        .await
        .unwrap();

    assert!(matches!(results[0], Err(Error::ReplyLost { .. })));
    assert!(matches!(results[1], Err(Error::Offline { .. })));
    assert!(matches!(results[2], Err(Error::Offline { .. })));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_throttled_member_is_retried_alone() {
    let server = Server::start(|number, request| match number {
        0 => batch(request, |member| match member["id"].as_str().unwrap() {
            "0" => (200, json!({}), json!({ "id": "c0", "changeKey": "k0" })),
            "1" => (
                429,
                json!({ "retry-after": "0" }),
                error("ApplicationThrottled"),
            ),
            _ => (404, json!({}), error("ErrorItemNotFound")),
        }),
        _ => ok(&json!({ "id": "c1", "changeKey": "k1" })),
    })
    .await;
    let results = client(&server)
        .change_keys(&ids(&["c0", "c1", "c2"]))
        .await
        .unwrap();

    assert_eq!(results[0].as_ref().unwrap().as_str(), "k0");
    assert_eq!(results[1].as_ref().unwrap().as_str(), "k1");
    assert!(matches!(results[2], Err(Error::NotFound)));
    assert_eq!(
        server.targets(),
        [
            "POST /v1.0/$batch",
            "GET /v1.0/me/contacts/c1?$select=id,changeKey"
        ]
    );
}

#[tokio::test]
async fn members_without_an_answer_are_asked_again() {
    let server = Server::start(|number, request| match number {
        0 => ok(&json!({ "responses": [{ "id": "1", "status": 200, "body": { "id": "b", "changeKey": "kb" } }] })),
        1 => ok(&json!({ "id": "a", "changeKey": "ka" })),
        _ => failure(500, request.target.as_str()),
    })
    .await;
    let results = client(&server)
        .change_keys(&ids(&["a", "b"]))
        .await
        .unwrap();
    let keys: Vec<&str> = results
        .iter()
        .map(|key| key.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(keys, ["ka", "kb"]);
}

/// Behaviour 7.2, counted by the server.
#[tokio::test]
async fn never_more_than_four_at_a_time() {
    let server = Server::start(|_, request| {
        let found = json!({ "id": "c", "changeKey": "k" });
        let answer = if request.members().is_empty() {
            ok(&found)
        } else {
            batch(request, |_| (200, json!({}), found.clone()))
        };
        Answer::Slow(Duration::from_millis(10), Box::new(answer))
    })
    .await;
    let client = client(&server);
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..24 {
        let client = client.clone();
        let names = ids(&["a", "b", "c", "d", "e", "f"][..1 + index % 6]);
        tasks.spawn(async move {
            client
                .change_keys(&names)
                .await
                .unwrap()
                .into_iter()
                .all(|key| key.is_ok())
        });
    }
    assert!(tasks.join_all().await.into_iter().all(|good| good));
    assert_eq!(server.most_under_way(), 4);
}

#[tokio::test]
async fn more_than_twenty_go_in_several_batches() {
    let server = Server::start(|_, request| {
        batch(request, |member| {
            let id = member["url"]
                .as_str()
                .unwrap()
                .trim_start_matches("/me/contacts/c")
                .split('?')
                .next()
                .unwrap()
                .to_owned();
            (200, json!({}), json!({ "id": "c", "changeKey": id }))
        })
    })
    .await;
    let names: Vec<ContactId> = (0..45)
        .map(|index| ContactId::new(format!("c{index}")))
        .collect();
    let keys = client(&server).change_keys(&names).await.unwrap();
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(key.as_ref().unwrap().as_str(), index.to_string());
    }
    let sizes: Vec<usize> = server
        .requests()
        .iter()
        .map(|request| request.members().len())
        .collect();
    assert_eq!(sizes, [20, 20, 5]);
}
