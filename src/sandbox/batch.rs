//! `POST /$batch` (graph-facts 9.1): at most 20 members, four at a time, replies in no order to rely on.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::exchange::Exchange;
use super::faults::FaultAction;
use super::http::{Content, Refusal, Reply, Request};
use super::seats::AT_A_TIME;
use super::service::{Service, stamped};
use super::tokens::Caller;

const MAX_MEMBERS: usize = 20;

/// What all members have in common.
struct Batch<'a> {
    outer: &'a Request,
    caller: &'a Caller,
    /// For how many at a time there is room, and the refusal of the others.
    room: (usize, Refusal),
}

struct Member {
    id: String,
    /// Lower case, as ids are compared.
    depends_on: Vec<String>,
    request: Result<Request, Refusal>,
}

/// Answers a batch; its members are logged one by one.
pub(super) async fn answer(
    service: &Service,
    outer: &Request,
    exchange: &Exchange<'_>,
    caller: &Caller,
) -> Result<Reply, Refusal> {
    if outer.method != "POST" {
        return Err(Refusal::not_supported());
    }
    let mut waiting = members(outer, exchange.seq())?;
    let batch = Batch {
        outer,
        caller,
        room: exchange.room(),
    };
    let mut statuses: HashMap<String, u16> = HashMap::new();
    let mut responses = Vec::new();
    while !waiting.is_empty() {
        let (group, rest) = next_group(waiting, &statuses);
        waiting = rest;
        for (id, reply) in run(service, &batch, group, &statuses).await {
            statuses.insert(id.to_lowercase(), reply.status);
            responses.push(shown(&id, reply));
        }
    }
    // Not the order asked for: the real service promises none.
    responses.reverse();
    let body = Map::from_iter([("responses".to_owned(), Value::Array(responses))]);
    Ok(Reply::json(200, Value::Object(body)))
}

fn members(outer: &Request, seq: u64) -> Result<Vec<Member>, Refusal> {
    let body = outer.json_object()?;
    let requests = body.get("requests").and_then(Value::as_array);
    let requests = requests.ok_or_else(|| Refusal::bad_request("The batch has no 'requests'."))?;
    if requests.is_empty() || requests.len() > MAX_MEMBERS {
        return Err(Refusal::bad_request(format!(
            "Number of batch request steps must be between 1 and {MAX_MEMBERS}."
        )));
    }
    let mut members: Vec<Member> = Vec::new();
    for request in requests {
        let member = member(outer, seq, request)?;
        let known = |id: &String| {
            members
                .iter()
                .any(|earlier| earlier.id.to_lowercase() == *id)
        };
        if known(&member.id.to_lowercase()) {
            return Err(Refusal::bad_request(format!(
                "Batch request ids must be unique: '{}'.",
                member.id
            )));
        }
        if !member.depends_on.iter().all(known) {
            return Err(Refusal::bad_request(format!(
                "The dependsOn of '{}' names no earlier request.",
                member.id
            )));
        }
        members.push(member);
    }
    Ok(members)
}

fn member(outer: &Request, seq: u64, value: &Value) -> Result<Member, Refusal> {
    let text = |name: &str| {
        value
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let missing = |name: &str| Refusal::bad_request(format!("A batch request has no '{name}'."));
    let id = text("id").ok_or_else(|| missing("id"))?.to_owned();
    let (method, url) = (
        text("method").ok_or_else(|| missing("method"))?,
        text("url").ok_or_else(|| missing("url"))?,
    );
    let depends = value.get("dependsOn").and_then(Value::as_array);
    let depends_on = depends
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_lowercase)
        .collect();
    let request = inner_request(outer, seq, method, url, value);
    Ok(Member {
        id,
        depends_on,
        request,
    })
}

fn inner_request(
    outer: &Request,
    seq: u64,
    method: &str,
    url: &str,
    value: &Value,
) -> Result<Request, Refusal> {
    if url.contains("://") || url.to_ascii_lowercase().contains("$batch") {
        return Err(Refusal::bad_request(format!(
            "Invalid batch request url '{url}'."
        )));
    }
    let headers = value.get("headers").and_then(Value::as_object);
    let headers = headers
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?.to_owned())));
    let request = Request {
        method: method.to_ascii_uppercase(),
        target: format!("/v1.0/{}", url.trim_start_matches('/')),
        headers: headers.collect(),
        body: Vec::new(),
        origin: outer.origin.clone(),
        batch: Some(seq),
    };
    let body = value
        .get("body")
        .filter(|body| !body.is_null())
        .map(|body| body_bytes(&request, body))
        .transpose()?;
    Ok(Request {
        body: body.unwrap_or_default(),
        ..request
    })
}

/// A JSON body as it is, any other from base64.
fn body_bytes(request: &Request, body: &Value) -> Result<Vec<u8>, Refusal> {
    let kind = request.header("content-type");
    let kind = kind.ok_or_else(|| {
        Refusal::bad_request("A batch request with a body must have a Content-Type header.")
    })?;
    match body.as_str() {
        Some(text) if !kind.contains("json") => STANDARD
            .decode(text)
            .map_err(|_| Refusal::bad_request("The body of a batch request is not base64.")),
        _ => serde_json::to_vec(body).map_err(|_| Refusal::internal()),
    }
}

/// The next members whose dependencies are settled; never empty while any wait, as dependencies come earlier.
fn next_group(waiting: Vec<Member>, statuses: &HashMap<String, u16>) -> (Vec<Member>, Vec<Member>) {
    let (mut group, mut rest) = (Vec::new(), Vec::new());
    for member in waiting {
        let ready = member.depends_on.iter().all(|id| statuses.contains_key(id));
        if ready && group.len() < AT_A_TIME {
            group.push(member);
        } else {
            rest.push(member);
        }
    }
    (group, rest)
}

async fn run(
    service: &Service,
    batch: &Batch<'_>,
    group: Vec<Member>,
    statuses: &HashMap<String, u16>,
) -> Vec<(String, Reply)> {
    service.wait().await;
    let mut replies = Vec::new();
    for (place, member) in group.iter().enumerate() {
        let failed = member
            .depends_on
            .iter()
            .any(|id| statuses.get(id).is_some_and(|status| *status >= 400));
        let reply = if failed {
            stamped(
                batch.outer,
                Err(Refusal::new(
                    424,
                    "FailedDependency",
                    "A request this one depends on has failed.",
                )),
            )
        } else {
            match &member.request {
                Err(refusal) => stamped(batch.outer, Err(refusal.clone())),
                Ok(request) => one(service, batch, request, place).await,
            }
        };
        replies.push((member.id.clone(), reply));
    }
    replies
}

/// Answers the member in this place of its group.
async fn one(service: &Service, batch: &Batch<'_>, request: &Request, place: usize) -> Reply {
    let (exchange, strike) = Exchange::begin(service, request);
    let (room, refusal) = &batch.room;
    let (late, strike) = match strike {
        Some(FaultAction::Late(time)) => (Some(time), None),
        other => (None, other),
    };
    let reply = match strike {
        Some(action) => service.refused_on_request(request, action),
        None if place >= *room => stamped(request, Err(refusal.clone())),
        None => stamped(request, service.on_resource(request, batch.caller).await),
    };
    if let Some(time) = late {
        tokio::time::sleep(time).await;
    }
    exchange.end(Some(&reply));
    reply
}

fn shown(id: &str, reply: Reply) -> Value {
    let mut headers: Map<String, Value> = reply
        .headers
        .into_iter()
        .map(|(name, value)| (title(&name), json!(value)))
        .collect();
    let body = match reply.content {
        Content::None => None,
        Content::Json(value) => {
            headers.insert("Content-Type".into(), json!("application/json"));
            Some(value)
        }
        Content::Bytes { kind, bytes } => {
            headers.insert("Content-Type".into(), json!(kind));
            Some(json!(STANDARD.encode(bytes)))
        }
    };
    let mut response = json!({"id": id, "status": reply.status, "headers": headers});
    if let (Some(members), Some(body)) = (response.as_object_mut(), body) {
        members.insert("body".into(), body);
    }
    response
}

/// `retry-after` as `Retry-After`.
fn title(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut chars = word.chars();
        chars
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(chars)
            .collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}
