//! `$batch`: several requests in one round trip (graph-facts 9.1).

use reqwest::Method;
use serde_json::{Value, json};

use super::obstacle::Blocked;
use super::request::{About, Body, Call, Payload, Reply};
use super::throttle;
use super::verdict::Outcome;
use crate::auth::Challenge;

/// The one request that carries these.
pub(super) fn request(calls: &[&Call]) -> Call {
    let members: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(id, call)| call.to_member(id))
        .collect();
    Call::new(
        Method::POST,
        About::Mailbox,
        "/$batch".to_owned(),
        Payload::Json(json!({ "requests": members })),
    )
}

/// What came of each member, in order. A failure of the whole is one of each member; a member without an answer got none.
pub(super) fn split(whole: Outcome, members: usize) -> Vec<Outcome> {
    let reply = match whole {
        Outcome::Replied(reply) => reply,
        Outcome::NotSent(lost) => return repeat(members, || Outcome::NotSent(lost.clone())),
        Outcome::NoReply(lost) => return repeat(members, || Outcome::NoReply(lost.clone())),
        Outcome::TooLong => return repeat(members, || Outcome::TooLong),
    };
    if !reply.is_success() {
        return repeat(members, || refused(&reply));
    }
    let mut outcomes = repeat(members, || {
        Outcome::NoReply(Blocked::lost(
            "the batch reply has no answer to this member",
        ))
    });
    for answer in answers(reply) {
        let Some((id, reply)) = member(&answer) else {
            continue;
        };
        if let Some(outcome) = outcomes.get_mut(id) {
            *outcome = Outcome::Replied(reply);
        }
    }
    outcomes
}

/// What a refusal of the whole says about a member: never that an item is gone, changed or wrong, for none was looked at.
fn refused(whole: &Reply) -> Outcome {
    match whole.status {
        300..=399 | 401 | 403 | 408 | 413 | 429 | 500.. => Outcome::Replied(whole.clone()),
        status => Outcome::NoReply(Blocked::lost(&format!(
            "the batch was refused with status {status}"
        ))),
    }
}

fn repeat(members: usize, outcome: impl Fn() -> Outcome) -> Vec<Outcome> {
    (0..members).map(|_| outcome()).collect()
}

fn answers(reply: Reply) -> Vec<Value> {
    let Ok(Value::Object(mut body)) = reply.into_json() else {
        return Vec::new();
    };
    match body.remove("responses") {
        Some(Value::Array(answers)) => answers,
        _ => Vec::new(),
    }
}

fn member(answer: &Value) -> Option<(usize, Reply)> {
    let id = answer.get("id").and_then(as_number)?;
    let status = u16::try_from(answer.get("status").and_then(as_number)?).ok()?;
    let retry_after = header(answer, "retry-after").and_then(|value| throttle::retry_after(&value));
    let body = answer.get("body").cloned().unwrap_or_default();
    Some((
        id,
        Reply {
            status,
            retry_after,
            challenge: header(answer, "www-authenticate")
                .and_then(|value| Challenge::of_header(&value)),
            body: Body::Parsed(body),
        },
    ))
}

fn as_number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => usize::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn header(answer: &Value, name: &str) -> Option<String> {
    let headers = answer.get("headers")?.as_object()?;
    let (_, value) = headers
        .iter()
        .find(|(other, _)| other.eq_ignore_ascii_case(name))?;
    value
        .as_str()
        .map(str::to_owned)
        .or_else(|| as_number(value).map(|number| number.to_string()))
}
