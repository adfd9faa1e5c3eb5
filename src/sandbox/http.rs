//! Requests, replies and refusals as plain values.
//!
//! Everything between the socket and the mailbox speaks these, so a member of a `$batch` and a request of its own
//! take the same road. Nothing here reads a socket or knows a route.

use serde_json::{Value, json};

use super::clock;

/// One request, whole in memory.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Upper case.
    pub(super) method: String,
    /// Path with query, as sent.
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// `http://host:port` as the caller spells it; links in replies start with it.
    pub(super) origin: String,
    /// The `$batch` of which this is a member, as the log counts.
    pub(super) batch: Option<u64>,
}

impl Request {
    /// A header by its lower-case name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether any `Prefer` header holds a preference, ignoring case.
    pub(super) fn prefers(&self, preference: &str) -> bool {
        self.preferences()
            .any(|held| held.eq_ignore_ascii_case(preference))
    }

    /// The value of a `name=value` preference.
    pub(super) fn preference(&self, name: &str) -> Option<&str> {
        self.preferences().find_map(|held| {
            let (key, value) = held.split_once('=')?;
            key.trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().trim_matches('"'))
        })
    }

    fn preferences(&self) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == "prefer")
            .flat_map(|(_, value)| value.split([',', ';']))
            .map(str::trim)
    }

    /// The path, without the query.
    pub(super) fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query as sent, without the question mark.
    pub(super) fn raw_query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The body as a JSON object, refused as the service refuses others.
    pub(super) fn json_object(&self) -> Result<serde_json::Map<String, Value>, Refusal> {
        let typed = self
            .header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("application/json"));
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) if typed => Ok(object),
            _ => Err(Refusal::bad_request(
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
            )),
        }
    }
}

/// The media type of every JSON reply.
pub(super) const JSON: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// What a reply carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    None,
    Json(Value),
    Bytes { kind: String, bytes: Vec<u8> },
}

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) content: Content,
}

impl Reply {
    /// The seconds of its `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<u64> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        value.parse().ok()
    }

    /// With JSON as the bytes to be sent: what is logged as well is then written once.
    pub(super) fn in_bytes(self) -> Self {
        let Content::Json(value) = &self.content else {
            return self;
        };
        match serde_json::to_vec(value) {
            Ok(bytes) => Self {
                content: Content::Bytes {
                    kind: JSON.to_owned(),
                    bytes,
                },
                ..self
            },
            Err(_) => self,
        }
    }

    pub(super) fn json(status: u16, value: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Json(value),
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::None,
        }
    }

    pub(super) fn bytes(kind: &str, bytes: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            content: Content::Bytes {
                kind: kind.to_owned(),
                bytes,
            },
        }
    }

    pub(super) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// An error of the service; becomes the error body of graph-facts 9.4.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            headers: Vec::new(),
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The body does not fit the type (graph-facts 1.3).
    pub(super) fn body(message: impl Into<String>) -> Self {
        Self::new(400, "RequestBodyRead", message)
    }

    /// A value the store does not take (graph-facts 1.2, 1.4).
    pub(super) fn property(message: impl Into<String>) -> Self {
        Self::new(400, "ErrorInvalidProperty", message)
    }

    /// The blank failure that nulls cause (graph-facts 1.3).
    pub(super) fn internal() -> Self {
        Self::new(
            500,
            "ErrorInternalServerError",
            "An internal server error occurred. The operation failed.",
        )
    }

    pub(super) fn item_not_found() -> Self {
        Self::new(
            404,
            "ErrorItemNotFound",
            "The specified object was not found in the store.",
        )
    }

    pub(super) fn folder_not_found() -> Self {
        Self::new(
            404,
            "ErrorFolderNotFound",
            "The specified folder could not be found in the store.",
        )
    }

    pub(super) fn malformed_id() -> Self {
        Self::new(400, "ErrorInvalidIdMalformed", "Id is malformed.")
    }

    /// A verb the resource does not have (graph-facts 4.3).
    pub(super) fn not_supported() -> Self {
        Self::new(
            405,
            "ErrorInvalidRequest",
            "The OData request is not supported.",
        )
    }

    pub(super) fn unknown_segment(segment: &str) -> Self {
        Self::new(
            400,
            "RequestBroker--ParseUri",
            format!("Resource not found for the segment '{segment}'."),
        )
    }

    pub(super) fn url_query(message: impl Into<String>) -> Self {
        Self::new(400, "ErrorInvalidUrlQuery", message)
    }

    pub(super) fn throttled(limit: &str) -> Self {
        Self::new(
            429,
            "ApplicationThrottled",
            format!("Application is over its {limit} limit."),
        )
    }

    pub(super) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The reply, with the request ids in the body as recorded.
    pub(super) fn into_reply(self, request_id: &str, client_request_id: &str) -> Reply {
        let body = json!({"error": {
            "code": self.code,
            "message": self.message,
            "innerError": {
                "date": clock::without_zone(clock::now()),
                "request-id": request_id,
                "client-request-id": client_request_id,
            },
        }});
        Reply {
            status: self.status,
            headers: self.headers,
            content: Content::Json(body),
        }
    }
}
