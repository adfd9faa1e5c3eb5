//! One request and one reply, the same whether they travel alone or in a `$batch`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{Error, body};
use crate::auth::Challenge;

/// Sent with every request and batch member, or ids would change when a contact moves (trap 17).
const IMMUTABLE_IDS: &str = "IdType=\"ImmutableId\"";

/// What the request is about, which decides what a 404 or a 400 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Contact,
    Folder,
    Mailbox,
    Subscription,
    /// A continued delta query; some 400s mean a lost token (graph-facts 3.2).
    DeltaLink,
}

/// One request to be.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Path and query below the service root, escaped.
    pub(super) target: String,
    pub(super) about: About,
    pub(super) payload: Payload,
    if_match: Option<String>,
    page_size: Option<usize>,
    /// The longest reply body taken, in bytes.
    pub(super) limit: usize,
}

/// What a request carries.
#[derive(Debug)]
pub(super) enum Payload {
    None,
    Json(Value),
    /// Bytes and their media type; cannot travel in a batch.
    Bytes(Vec<u8>, String),
}

/// A page of a list or delta, or a whole batch.
const PAGE_LIMIT: usize = 64 << 20;

impl Call {
    pub(super) fn get(about: About, target: String) -> Self {
        Self::new(Method::GET, about, target, Payload::None)
    }

    pub(super) fn delete(about: About, target: String) -> Self {
        Self::new(Method::DELETE, about, target, Payload::None)
    }

    pub(super) fn new(method: Method, about: About, target: String, payload: Payload) -> Self {
        Self {
            method,
            target,
            about,
            payload,
            if_match: None,
            page_size: None,
            limit: PAGE_LIMIT,
        }
    }

    /// Guards a change by the version it was made from (graph-facts 4.2).
    pub(super) fn if_match(mut self, change_key: Option<&str>) -> Self {
        self.if_match = change_key.map(|key| format!("W/\"{key}\""));
        self
    }

    /// Asks for pages of this many items (delta refuses `$top`, trap 13).
    pub(super) fn page_size(mut self, items: usize) -> Self {
        self.page_size = Some(items);
        self
    }

    /// Takes no longer reply than this.
    pub(super) fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Whether sending it twice does no more than sending it once.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method != Method::POST
    }

    /// Whether it rests on a look at the contact or folder just before, which a wait makes worthless: the service may not
    /// heed `If-Match` (trap 20), so its caller has to look again.
    pub(super) fn is_guarded(&self) -> bool {
        matches!(self.about, About::Contact | About::Folder)
            && matches!(self.method, Method::PUT | Method::PATCH | Method::DELETE)
    }

    /// The headers that belong to the request itself.
    pub(super) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("Prefer", self.prefer())];
        if let Some(etag) = &self.if_match {
            headers.push(("If-Match", etag.clone()));
        }
        match &self.payload {
            Payload::None => {}
            Payload::Json(_) => headers.push(("Content-Type", "application/json".to_owned())),
            Payload::Bytes(_, media_type) => headers.push(("Content-Type", media_type.clone())),
        }
        headers
    }

    fn prefer(&self) -> String {
        match self.page_size {
            Some(items) => format!("{IMMUTABLE_IDS}, odata.maxpagesize={items}"),
            None => IMMUTABLE_IDS.to_owned(),
        }
    }

    /// This call as member `id` of a batch (graph-facts 9.1).
    pub(super) fn to_member(&self, id: usize) -> Value {
        let headers: Map<String, Value> = self
            .headers()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let mut member = json!({
            "id": id.to_string(),
            "method": self.method.as_str(),
            "url": self.target,
            "headers": headers,
        });
        if let (Some(object), Payload::Json(body)) = (member.as_object_mut(), &self.payload) {
            object.insert("body".to_owned(), body.clone());
        }
        member
    }

    /// What may be logged: no query, no user.
    pub(super) fn loggable(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        path.split('/')
            .scan("", |before, part| {
                let shown = if *before == "users" {
                    "-"
                } else {
                    part.split('(').next().unwrap_or_default()
                };
                *before = part;
                Some(shown)
            })
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// One reply, whatever its status.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// How long the service asked to wait.
    pub(super) retry_after: Option<Duration>,
    /// What the next token must answer (graph-facts 10.7).
    pub(super) challenge: Option<Challenge>,
    pub(super) body: Body,
}

/// A reply body: raw, or already parsed as part of a batch reply.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Raw(Vec<u8>),
    Parsed(Value),
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether there is no body at all.
    pub(super) fn is_empty(&self) -> bool {
        match &self.body {
            Body::Raw(bytes) => bytes.is_empty(),
            Body::Parsed(value) => value.is_null(),
        }
    }

    /// Whether the body is empty or JSON.
    pub(super) fn is_ours(&self) -> bool {
        match &self.body {
            Body::Raw(bytes) => bytes.is_empty() || body::parse(bytes).is_ok(),
            Body::Parsed(_) => true,
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is none.
    pub(super) fn into_json(self) -> Result<Value, Error> {
        match self.body {
            Body::Raw(bytes) => body::parse(&bytes),
            Body::Parsed(value) => Ok(value),
        }
    }

    /// The body as bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self.body {
            Body::Raw(bytes) => bytes,
            Body::Parsed(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_asks_for_immutable_ids() {
        let call = Call::get(About::DeltaLink, "/me/contacts/delta".to_owned()).page_size(200);
        assert_eq!(
            call.headers(),
            [(
                "Prefer",
                "IdType=\"ImmutableId\", odata.maxpagesize=200".to_owned()
            )]
        );
        assert_eq!(
            call.to_member(3)["headers"]["Prefer"],
            "IdType=\"ImmutableId\", odata.maxpagesize=200"
        );
    }

    #[test]
    fn logs_name_neither_user_nor_query() {
        let log = |target: &str| Call::get(About::Contact, target.to_owned()).loggable();
        assert_eq!(log("/me/contacts/A=?$select=id"), "/me/contacts/A=");
        assert_eq!(
            log("/users/ann@example.com/contacts?x=ann"),
            "/users/-/contacts"
        );
        assert_eq!(
            log("/users('ann%40example.com')/contacts"),
            "/users/contacts"
        );
    }
}
