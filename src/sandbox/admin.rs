//! The controls of the sandbox under `/sandbox/`: what tests and people do that Graph cannot.
//!
//! No token is asked for: the service holds invented people and listens on loopback.

use serde_json::{Value, json};

use super::faults::Fault;
use super::http::{Refusal, Reply, Request};
use super::ids::{ItemId, Number};
use super::mailbox::{DEFAULT_FOLDER, Mailbox};
use super::service::{Service, State, stamped};

/// Answers a control request.
pub(super) fn answer(service: &Service, request: &Request) -> Reply {
    let path = request
        .path()
        .trim_start_matches("/sandbox/")
        .trim_end_matches('/')
        .to_owned();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    if (request.method.as_str(), path.as_str()) == ("GET", "device") {
        return device_page();
    }
    let mut state = service.state();
    let answered = match (request.method.as_str(), path.as_str()) {
        ("GET", "state") => Ok(summary(&state, service)),
        ("GET", "log") => Ok(json!(state.log.entries())),
        ("GET", "faults") => Ok(json!(state.faults.planned())),
        ("POST", "faults") => add_fault(&mut state, body),
        ("POST", "settings") => settings(&mut state, &body),
        ("POST", "device/approve") => Ok(decide(&mut state, &user_code(request, &body), true)),
        ("POST", "device/decline") => Ok(decide(&mut state, &user_code(request, &body), false)),
        ("POST", "move") => move_contact(&mut state, &body),
        (method, path) => command(&mut state, method, path).map(|()| json!({})),
    };
    let saved = state.save();
    stamped(
        request,
        answered.and_then(|value| saved.map(|()| Reply::json(200, value))),
    )
}

/// The controls that take nothing and tell nothing.
fn command(state: &mut State, method: &str, path: &str) -> Result<(), Refusal> {
    match (method, path) {
        ("DELETE", "log") | ("POST", "log/clear") => state.log.clear(),
        ("DELETE", "faults") | ("POST", "faults/clear") => state.faults.clear(),
        ("POST", "device/expire") => state.login.expire_devices(),
        ("POST", "delta/expire") => expire_all(&mut state.mailbox),
        _ => return Err(Refusal::new(404, "NotFound", "There is no such control.")),
    }
    Ok(())
}

fn decide(state: &mut State, user_code: &str, approve: bool) -> Value {
    json!({"decided": state.login.decide(user_code, approve)})
}

fn summary(state: &State, service: &Service) -> Value {
    let mailbox = &state.mailbox;
    let folders: Vec<Value> = mailbox
        .folders
        .values()
        .map(|folder| {
            json!({
                "id": mailbox.ids.folder(folder.number),
                "displayName": folder.name,
                "contacts": folder.rows.members.len(),
            })
        })
        .collect();
    json!({
        "mailbox": service.person().upn,
        "contacts": mailbox.contacts.len(),
        "folders": folders,
        "faults": state.faults.planned().len(),
        "expires_in": state.login.expires_in,
        "device_interval": state.login.interval,
        "enforce_if_match": state.switches.enforce_if_match,
        "retry_after": state.switches.retry_after,
    })
}

fn add_fault(state: &mut State, body: Value) -> Result<Value, Refusal> {
    let fault: Fault =
        serde_json::from_value(body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    state.faults.add(fault);
    Ok(json!({}))
}

/// Changes any of `expires_in`, `device_interval` (seconds), `enforce_if_match`, `retry_after`.
fn settings(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    for (name, value) in body.as_object().into_iter().flatten() {
        match (name.as_str(), value.as_i64(), value.as_bool()) {
            ("expires_in", Some(seconds), _) => state.login.expires_in = seconds,
            ("device_interval", Some(seconds), _) => state.login.interval = seconds,
            ("enforce_if_match", _, Some(on)) => state.switches.enforce_if_match = on,
            ("retry_after", _, Some(on)) => state.switches.retry_after = on,
            _ => {
                return Err(Refusal::bad_request(format!(
                    "The setting '{name}' is not known or not of this type."
                )));
            }
        }
    }
    Ok(json!({}))
}

/// The code in a JSON body or in the form of the device page; empty for all.
fn user_code(request: &Request, body: &Value) -> String {
    let in_json = body
        .get("user_code")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let mut form = url::form_urlencoded::parse(&request.body);
    in_json
        .or_else(|| {
            form.find(|(name, _)| name == "user_code")
                .map(|(_, value)| value.into_owned())
        })
        .unwrap_or_default()
}

/// Moves a contact as a person does in Outlook, which v1.0 cannot (graph-facts 2.5).
fn move_contact(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let mailbox = &mut state.mailbox;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = match mailbox
        .ids
        .read_item(text("id"))
        .ok_or_else(Refusal::malformed_id)?
    {
        ItemId::Immutable(number) | ItemId::Regular { item: number, .. } => number,
    };
    let target = match text("folder") {
        "contacts" => DEFAULT_FOLDER,
        id => mailbox
            .ids
            .read_folder(id)
            .ok_or_else(Refusal::malformed_id)?,
    };
    mailbox.contact(number)?;
    mailbox.folder(target)?;
    mailbox.move_contact(number, target);
    Ok(json!({}))
}

fn expire_all(mailbox: &mut Mailbox) {
    let folders: Vec<Number> = mailbox.folders.keys().copied().collect();
    for folder in folders {
        mailbox.expire_delta(folder);
    }
}

fn device_page() -> Reply {
    let page = "<!doctype html><title>Sandbox sign-in</title><form method=post action=/sandbox/device/approve>\
        <label>Code <input name=user_code autofocus></label> <button>Approve</button></form>";
    Reply::bytes("text/html; charset=utf-8", page.as_bytes().to_vec())
}
