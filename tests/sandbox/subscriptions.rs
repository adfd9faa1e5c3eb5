//! Subscriptions: what may be asked for, who is told of what, and how they end.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::{Bed, empty, named, path, text};

/// Longer than any notification takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Status, media type and body of a reply.
type Said = (&'static str, &'static str, String);

/// An address that notifications go to; what arrives there comes out of `heard`.
struct Ear {
    url: String,
    heard: Receiver<(String, Value)>,
}

impl Ear {
    /// Repeats validation tokens and takes notifications.
    fn open() -> Self {
        Self::answering(|target, _| match token(target) {
            Some(token) => ("200 OK", "text/plain", token),
            None => ("202 Accepted", "text/plain", String::new()),
        })
    }

    /// Answers as told by target and number of the request.
    fn answering(answer: impl Fn(&str, usize) -> Said + Send + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/told", socket.local_addr().unwrap());
        let (tell, heard) = channel();
        // Ends with the test program.
        thread::spawn(move || {
            for (number, stream) in socket.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let (target, body) = read(&mut stream);
                let (status, kind, reply) = answer(&target, number);
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    reply.len()
                );
                stream.write_all((head + &reply).as_bytes()).unwrap();
                if token(&target).is_none() && tell.send((target, body)).is_err() {
                    return;
                }
            }
        });
        Self { url, heard }
    }

    /// The items of the next notification.
    #[track_caller]
    fn items(&self) -> Vec<Value> {
        let (_, body) = self.heard.recv_timeout(PATIENCE).expect("a notification");
        body["value"].as_array().unwrap().clone()
    }

    #[track_caller]
    fn is_silent(&self) {
        let heard = self.heard.recv_timeout(Duration::from_millis(500));
        assert!(heard.is_err(), "{heard:?}");
    }
}

fn token(target: &str) -> Option<String> {
    let (_, query) = target.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs
        .find(|(name, _)| name == "validationToken")
        .map(|(_, token)| token.into_owned())
}

/// Target and JSON body of a request.
fn read(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        bytes.extend(&piece[..count]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if count == 0 || bytes.len() >= end + 4 + length {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let target = head.split(' ').nth(1).unwrap().to_owned();
            return (
                target,
                serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default(),
            );
        }
    }
}

fn in_minutes(minutes: i64) -> String {
    let time = Timestamp::now() + SignedDuration::from_mins(minutes);
    format!("{time:.0}")
}

fn body(ear: &Ear) -> Value {
    json!({
        "changeType": "created,updated,deleted",
        "notificationUrl": ear.url,
        "lifecycleNotificationUrl": ear.url,
        "resource": "me/contacts",
        "expirationDateTime": in_minutes(10_000),
        "clientState": "a secret",
    })
}

async fn subscribed(bed: &Bed, ear: &Ear) -> Value {
    bed.post("/subscriptions", body(ear)).await.expect(201).json
}

fn url_of(subscription: &Value) -> String {
    format!("/subscriptions/{}", text(&subscription["id"]))
}

fn minutes_left(subscription: &Value) -> i64 {
    let end: Timestamp = text(&subscription["expirationDateTime"]).parse().unwrap();
    end.duration_since(Timestamp::now()).as_mins()
}

#[tokio::test]
async fn an_address_must_repeat_the_token() {
    let bed = empty();
    let made = subscribed(&bed, &Ear::open()).await;
    assert_eq!(made["clientState"], "a secret");
    assert!(minutes_left(&made) > 9_990, "{made}");
    bed.delete(&url_of(&made)).await.expect(204);
    let refused: [fn(String) -> Said; 4] = [
        |token| ("201 Created", "text/plain", token),
        |token| ("200 OK", "text/html", token),
        |_| ("200 OK", "text/plain", "something else".to_owned()),
        |token| ("200 OK", "text/plain", token.replace(' ', "+")),
    ];
    for answer in refused {
        let ear = Ear::answering(move |target, _| answer(token(target).unwrap()));
        let got = bed.post("/subscriptions", body(&ear)).await;
        got.refused(400, "ValidationError");
    }
    let nobody =
        json!({"notificationUrl": "http://127.0.0.1:1/", "lifecycleNotificationUrl": null});
    let got = bed
        .post("/subscriptions", with(&Ear::open(), &nobody))
        .await;
    got.refused(400, "ValidationError");
}

fn with(ear: &Ear, changes: &Value) -> Value {
    let mut body = body(ear);
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn what_may_be_asked_for_is_limited() {
    let bed = empty();
    let ear = Ear::open();
    let robin = bed.sandbox.shared_mailbox();
    let cases = [
        (400, json!({"expirationDateTime": in_minutes(10_090)})),
        (400, json!({"expirationDateTime": in_minutes(-1)})),
        (400, json!({"expirationDateTime": "soon"})),
        (400, json!({"expirationDateTime": null})),
        (400, json!({"changeType": "created,moved"})),
        (400, json!({"changeType": ""})),
        (400, json!({"notificationUrl": "http://me.example/told"})),
        (400, json!({"notificationUrl": "told"})),
        (400, json!({"clientState": "x".repeat(129)})),
        (400, json!({"resource": "me/contacts/1"})),
        (
            400,
            json!({"resource": "me/contactFolders/nonsense/contacts"}),
        ),
        (400, json!({"colour": "red"})),
        (403, json!({"resource": format!("users/{robin}/contacts")})),
    ];
    for (status, changes) in cases {
        let got = bed.post("/subscriptions", with(&ear, &changes)).await;
        assert_eq!(got.status, status, "{changes}: {}", got.json);
    }
    let made = bed.post(
        "/subscriptions",
        with(
            &ear,
            &json!({"expirationDateTime": in_minutes(1), "clientState": "x".repeat(128)}),
        ),
    );
    let made = made.await.expect(201).json;
    assert!((44..=45).contains(&minutes_left(&made)), "raised: {made}");
    let second = bed.post("/subscriptions", body(&ear)).await;
    second.refused(409, "Conflict");
}

#[tokio::test]
async fn changes_in_the_folder_are_told_until_the_end() {
    let bed = empty();
    let ear = Ear::open();
    let folder = bed.post("/me/contactFolders", json!({"displayName": "F"}));
    let folder = text(&folder.await.expect(201).json["id"]);
    let resource = format!("me/contactFolders/{folder}/contacts");
    let wanted = with(&ear, &json!({"resource": resource}));
    let made = bed.post("/subscriptions", wanted).await.expect(201).json;

    bed.contact(named("Elsewhere")).await;
    ear.is_silent();

    let contacts = format!("/me/contactFolders/{folder}/contacts");
    let bo = bed.post(&contacts, named("Bo")).await.expect(201).json;
    let items = ear.items();
    let kinds: Vec<&Value> = items.iter().map(|item| &item["changeType"]).collect();
    assert_eq!(kinds, ["created", "updated"]);
    for item in &items {
        assert_eq!(item["subscriptionId"], made["id"]);
        assert_eq!(item["clientState"], "a secret");
        assert_eq!(item["resourceData"]["id"], bo["id"]);
    }
    bed.patch(&path(&bo), json!({"surname": "Ek"}))
        .await
        .expect(200);
    assert_eq!(ear.items()[0]["changeType"], "updated");
    bed.delete(&path(&bo)).await.expect(204);
    assert_eq!(ear.items()[0]["changeType"], "deleted");

    let listed = bed.get("/subscriptions").await.expect(200);
    assert_eq!(listed.rows()[0]["id"], made["id"]);
    assert_eq!(listed.rows()[0]["clientState"], Value::Null);
    bed.delete(&url_of(&made)).await.expect(204);
    bed.delete(&url_of(&made))
        .await
        .refused(404, "ResourceNotFound");
    bed.post(&contacts, named("Cy")).await.expect(201);
    ear.is_silent();
}

#[tokio::test]
async fn a_notification_that_fails_comes_again() {
    let bed = empty();
    let ear = Ear::answering(|target, number| match (token(target), number) {
        (Some(token), _) => ("200 OK", "text/plain", token),
        (None, 1) => ("503 Service Unavailable", "text/plain", String::new()),
        (None, _) => ("202 Accepted", "text/plain", String::new()),
    });
    subscribed(&bed, &ear).await;
    bed.contact(named("Bo")).await;
    assert_eq!(ear.items(), ear.items());
    ear.is_silent();
}

#[tokio::test]
async fn a_subscription_is_renewed_and_ends_by_itself() {
    let bed = empty();
    let made = subscribed(&bed, &Ear::open()).await;
    let url = url_of(&made);
    let ends = |minutes| json!({"expirationDateTime": in_minutes(minutes)});
    let renewed = bed.patch(&url, ends(60)).await.expect(200).json;
    assert!(minutes_left(&renewed) <= 60);
    bed.patch(&url, ends(10_090)).await.expect(400);
    bed.patch(&url, json!({"resource": "me/contacts"}))
        .await
        .expect(400);
    let short = json!({"subscription_seconds": 1});
    bed.control("POST", "settings", short).await.expect(200);
    bed.patch(&url, ends(60)).await.expect(200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    bed.patch(&url, ends(60))
        .await
        .refused(404, "ResourceNotFound");
}

#[tokio::test]
async fn subscribers_hear_of_the_life_of_a_subscription() {
    let bed = empty();
    let ear = Ear::open();
    let made = subscribed(&bed, &ear).await;
    let tell = async |event: &str| {
        let event = json!({"event": event});
        bed.control("POST", "subscriptions/lifecycle", event).await
    };
    tell("unheardOf").await.expect(400);
    for event in ["missed", "reauthorizationRequired"] {
        tell(event).await.expect(200);
        let items = ear.items();
        assert_eq!(
            (items.len(), &items[0]["lifecycleEvent"]),
            (1, &json!(event))
        );
        assert_eq!(items[0]["subscriptionId"], made["id"]);
    }
    bed.contact(named("Untold")).await;
    ear.is_silent();
    let again = format!("{}/reauthorize", url_of(&made));
    bed.post(&again, json!({})).await.expect(204);
    bed.contact(named("Told")).await;
    assert_eq!(ear.items()[0]["changeType"], "created");
    tell("subscriptionRemoved").await.expect(200);
    assert_eq!(ear.items()[0]["lifecycleEvent"], "subscriptionRemoved");
    assert!(
        bed.get("/subscriptions")
            .await
            .expect(200)
            .rows()
            .is_empty()
    );
}
