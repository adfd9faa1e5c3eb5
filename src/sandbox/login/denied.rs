//! How the login service says no: to a program, and to a person before a page.

use serde_json::json;

use crate::sandbox::clock;
use crate::sandbox::http::Reply;

/// An OAuth error: status, `error`, AADSTS number, text, `suberror`.
pub(super) struct Denied {
    status: u16,
    pub(super) error: &'static str,
    number: u32,
    text: String,
    suberror: &'static str,
}

impl Denied {
    pub(super) fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        Self {
            status: 400,
            error,
            number,
            text: text.into(),
            suberror: "",
        }
    }

    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(super) fn consent(client: &str) -> Self {
        let text = format!(
            "The user or administrator has not consented to use the application with ID '{client}'. Send an interactive authorization request for this user and resource."
        );
        Self {
            suberror: "consent_required",
            ..Self::new("invalid_grant", 65001, text)
        }
    }

    pub(super) fn not_public() -> Self {
        Self::new(
            "invalid_client",
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
        .status(401)
    }

    pub(super) fn description(&self) -> String {
        format!("AADSTS{}: {}", self.number, self.text)
    }

    pub(super) fn into_reply(self) -> Reply {
        let description = format!(
            "{} Trace ID: {} Timestamp: {}",
            self.description(),
            uuid::Uuid::new_v4(),
            clock::with_zone(clock::now())
        );
        let mut body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [self.number],
            "timestamp": clock::with_zone(clock::now()),
            "trace_id": uuid::Uuid::new_v4().to_string(),
            "correlation_id": uuid::Uuid::new_v4().to_string(),
        });
        if let (Some(members), false) = (body.as_object_mut(), self.suberror.is_empty()) {
            members.insert("suberror".into(), self.suberror.into());
        }
        Reply::json(self.status, body)
    }

    /// For a person, when nothing may be redirected.
    pub(super) fn into_page(self) -> Reply {
        let page = format!(
            "<!doctype html><title>Sign in</title><p>Sorry, but we're having trouble signing you in.<p>{}",
            self.description()
        );
        Reply {
            status: self.status,
            ..Reply::bytes("text/html; charset=utf-8", page.into_bytes())
        }
    }
}
