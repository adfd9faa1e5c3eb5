//! The controls of the sandbox under `/sandbox/`: what tests and people do that Graph cannot.
//!
//! No token is asked for: the service holds invented people and listens on loopback.

use std::time::Duration;

use serde_json::{Value, json};

use super::faults::Fault;
use super::http::{Refusal, Reply, Request};
use super::ids::{ItemId, Number};
use super::login::Consent;
use super::mailbox::{DEFAULT_FOLDER, Mailbox};
use super::people;
use super::properties::Packed;
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
        ("GET", "state") => Ok(summary(&state)),
        ("GET", "log") => Ok(json!(state.log.entries())),
        ("GET", "faults") => Ok(json!(state.faults.planned())),
        ("POST", "faults") => add_fault(&mut state, body),
        ("POST", "storm") => begin_storm(&mut state, body),
        ("POST", "settings") => settings(&mut state, &body),
        ("POST", "device/approve") => approve(&mut state, request, &body),
        ("POST", "device/decline") => {
            Ok(json!({"decided": state.login.decide(&field(request, &body, "user_code"), None)}))
        }
        ("POST", "certificates") => certificate(&mut state, &body),
        ("GET", "subscriptions") => Ok(state.subscriptions.summary()),
        ("POST", "subscriptions/lifecycle") => lifecycle(&mut state, &body),
        ("POST", "move") => move_item(&mut state, &body),
        ("POST", "birthday") => birthday(&mut state, &body),
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
        ("POST", "sign-ins/revoke") => state.login.revoke_sign_ins(),
        ("POST", "tokens/challenge") => state.login.challenge_tokens(),
        ("POST", "delta/expire") => expire_all(&mut state.mailbox),
        _ => return Err(Refusal::new(404, "NotFound", "There is no such control.")),
    }
    Ok(())
}

fn approve(state: &mut State, request: &Request, body: &Value) -> Result<Value, Refusal> {
    let person = match field(request, body, "user").as_str() {
        "" => people::ALEX,
        user => people::addressed(user)?,
    };
    let code = field(request, body, "user_code");
    Ok(json!({"decided": state.login.decide(&code, Some(person))}))
}

/// Tells subscribers of `missed`, `subscriptionRemoved` or `reauthorizationRequired`, and makes it so.
fn lifecycle(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let event = body.get("event").and_then(Value::as_str);
    state.subscriptions.lifecycle(event.unwrap_or_default())?;
    Ok(json!({}))
}

/// Registers `pem` with the application.
fn certificate(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let pem = body.get("pem").and_then(Value::as_str).unwrap_or_default();
    if state.login.register(pem) {
        Ok(json!({}))
    } else {
        Err(Refusal::bad_request("'pem' is no RSA certificate in PEM."))
    }
}

fn summary(state: &State) -> Value {
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
        "mailbox": people::ALEX.upn,
        "contacts": mailbox.contacts.len(),
        "folders": folders,
        "faults": state.faults.planned().len(),
        "expires_in": state.login.settings.expires_in,
        "device_interval": state.login.settings.device_interval,
        "enforce_if_match": state.switches.enforce_if_match,
        "retry_after": state.switches.retry_after,
        "takes_photos": state.switches.takes_photos,
        "removes_photos": state.switches.removes_photos,
        "encodes_photos": state.switches.encodes_photos,
    })
}

fn add_fault(state: &mut State, body: Value) -> Result<Value, Refusal> {
    let fault: Fault =
        serde_json::from_value(body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    state.faults.add(fault);
    Ok(json!({}))
}

fn begin_storm(state: &mut State, body: Value) -> Result<Value, Refusal> {
    let weather =
        serde_json::from_value(body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    state.faults.begin_storm(weather);
    Ok(json!({}))
}

/// Changes any of `expires_in`, `device_interval`, `device_seconds`, `clock_skew` (seconds), `public_client`,
/// `interaction_required`, `enforce_if_match`, `retry_after`, `takes_photos`, `removes_photos`,
/// `encodes_photos`, `notifies` (yes or no), `subscription_seconds` (granted whatever is asked for), `delta_lag`
/// (milliseconds), `budget` (requests in ten minutes), `grantable` (permissions), `consent` (`anybody` or
/// `admin`).
fn settings(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let login = &mut state.login.settings;
    for (name, value) in body.as_object().into_iter().flatten() {
        match (name.as_str(), value.as_i64(), value.as_bool()) {
            ("expires_in", Some(seconds), _) => login.expires_in = Some(seconds),
            ("device_interval", Some(seconds), _) => login.device_interval = seconds,
            ("device_seconds", Some(seconds), _) => login.device_seconds = seconds,
            ("clock_skew", Some(seconds), _) => login.clock_skew = seconds,
            ("public_client", _, Some(on)) => login.public_client = on,
            ("interaction_required", _, Some(on)) => login.interaction_required = on,
            ("delta_lag", Some(time), _) => {
                state.switches.delta_lag = Duration::from_millis(time.unsigned_abs());
            }
            ("budget", Some(requests), _) => {
                state.switches.budget = requests.unsigned_abs();
            }
            ("grantable", ..) => login.grantable = value.as_str().map(str::to_owned),
            ("consent", ..) if value == "anybody" => login.consent = Consent::Anybody,
            ("consent", ..) if value == "admin" => login.consent = Consent::Admin,
            ("enforce_if_match", _, Some(on)) => state.switches.enforce_if_match = on,
            ("retry_after", _, Some(on)) => state.switches.retry_after = on,
            ("takes_photos", _, Some(on)) => state.switches.takes_photos = on,
            ("removes_photos", _, Some(on)) => state.switches.removes_photos = on,
            ("subscription_seconds", seconds, _) => state.subscriptions.granted = seconds,
            ("notifies", _, Some(on)) => state.subscriptions.is_silent = !on,
            ("encodes_photos", _, Some(on)) => state.switches.encodes_photos = on,
            _ => {
                return Err(Refusal::bad_request(format!(
                    "The setting '{name}' is not known or not of this type."
                )));
            }
        }
    }
    Ok(json!({}))
}

/// A field of a JSON body or of the form of the device page; empty when absent.
fn field(request: &Request, body: &Value, name: &str) -> String {
    let in_json = body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut form = url::form_urlencoded::parse(&request.body);
    in_json
        .or_else(|| {
            form.find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        })
        .unwrap_or_default()
}

/// Moves a contact, or a folder, as a person does in Outlook, which v1.0 cannot (graph-facts 2.4, 2.5).
fn move_item(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let mailbox = &mut state.mailbox;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let read = |id| {
        mailbox
            .ids
            .read_folder(id)
            .ok_or_else(Refusal::malformed_id)
    };
    let target = match text("folder") {
        "contacts" => DEFAULT_FOLDER,
        id => read(id)?,
    };
    mailbox.folder(target)?;
    if let Ok(number) = read(text("id")) {
        mailbox.folder(number)?;
        mailbox.move_folder(number, target);
    } else {
        let number = item(mailbox, text("id"))?;
        mailbox.contact(number)?;
        mailbox.move_contact(number, target);
    }
    Ok(json!({}))
}

/// Sets the birthday to a moment as Outlook does, whose hour Graph would change (graph-facts 1.5).
fn birthday(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = item(&state.mailbox, text("id"))?;
    state.mailbox.contact(number)?;
    state.mailbox.change_contact(number, |contact| {
        let mut properties = contact.properties.open();
        properties.set("birthday", text("birthday").into());
        contact.properties = Packed::new(&properties);
    });
    Ok(json!({}))
}

fn item(mailbox: &Mailbox, id: &str) -> Result<Number, Refusal> {
    let id = mailbox
        .ids
        .read_item(id)
        .ok_or_else(Refusal::malformed_id)?;
    Ok(match id {
        ItemId::Immutable(number) | ItemId::Regular { item: number, .. } => number,
    })
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
