//! What the service sends by itself: the validation of an address, and notifications (graph-facts 8).
//!
//! Each goes over a connection of its own, in plain HTTP.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use url::{Position, Url};
use uuid::Uuid;

use super::http::Refusal;
use super::service::Service;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What happens within this time is told together.
const GATHER: Duration = Duration::from_millis(50);
/// Tries before a notification is given up, with pauses that double from a second on; the real service goes on for four
/// hours.
const TRIES: u32 = 8;
/// The longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// A notification on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) url: Url,
    /// Of a subscription's own life; such ones are sent apart.
    pub(super) is_lifecycle: bool,
    pub(super) item: Value,
}

struct Answer {
    status: u16,
    kind: String,
    body: Bytes,
}

/// Asks an address whether it wants notifications: it must repeat a token.
pub(super) async fn handshake(url: &Url) -> Result<(), Refusal> {
    let id = Uuid::new_v4();
    let token = format!(
        "Validation: Testing client application reachability for subscription Request-Id: {id}"
    );
    let mut asked = url.clone();
    asked
        .query_pairs_mut()
        .append_pair("validationToken", &token);
    let repeated = |answer: &Answer| {
        answer.status == 200
            && answer.kind.starts_with("text/plain")
            && answer.body == token.as_bytes()
    };
    match post(&asked, "text/plain; charset=utf-8", Bytes::new()).await {
        Ok(answer) if repeated(&answer) => Ok(()),
        Ok(answer) => Err(unvalidated(&format!("status {}", answer.status))),
        Err(error) => Err(unvalidated(&error.to_string())),
    }
}

fn unvalidated(reason: &str) -> Refusal {
    Refusal::new(
        400,
        "ValidationError",
        format!(
            "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request. ({reason})"
        ),
    )
}

/// Delivers what there is to deliver; never returns.
pub(super) async fn run(service: Arc<Service>) {
    let wake = service.state().subscriptions.wake();
    loop {
        wake.notified().await;
        tokio::time::sleep(GATHER).await;
        let mut posts: BTreeMap<(Url, bool), Vec<Value>> = BTreeMap::new();
        for outgoing in service.state().subscriptions.take() {
            let to = (outgoing.url, outgoing.is_lifecycle);
            posts.entry(to).or_default().push(outgoing.item);
        }
        for ((url, _), items) in posts {
            drop(tokio::spawn(deliver(url, items)));
        }
    }
}

async fn deliver(url: Url, items: Vec<Value>) {
    let body = Bytes::from(json!({"value": items}).to_string());
    for attempt in 0..TRIES {
        match post(&url, "application/json", body.clone()).await {
            // Whoever refuses it does not want it.
            Ok(answer) if answer.status < 500 => return,
            Ok(_) | Err(_) => tokio::time::sleep(Duration::from_secs(1 << attempt)).await,
        }
    }
}

async fn post(url: &Url, kind: &str, body: Bytes) -> io::Result<Answer> {
    if url.scheme() != "http" {
        return Err(io::Error::other("this service speaks no TLS"));
    }
    tokio::time::timeout(PATIENCE, exchange(url, kind, body)).await?
}

async fn exchange(url: &Url, kind: &str, body: Bytes) -> io::Result<Answer> {
    let addresses = url.socket_addrs(|| None)?;
    let stream = TcpStream::connect(addresses.as_slice()).await?;
    let connection = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connection.map_err(io::Error::other)?;
    // It ends with the sender; what goes wrong on it, the sender hears.
    drop(tokio::spawn(connection));
    let request = hyper::Request::post(&url[Position::BeforePath..Position::AfterQuery])
        .header("host", &url[Position::BeforeHost..Position::AfterPort])
        .header("content-type", kind)
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let (head, body) = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?
        .into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let kind = head.headers.get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    Ok(Answer {
        status: head.status.as_u16(),
        kind: kind.to_owned(),
        body: body.map_err(io::Error::other)?.to_bytes(),
    })
}
