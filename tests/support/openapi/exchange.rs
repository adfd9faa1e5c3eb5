//! One line of the sandbox's recording.

use serde::Deserialize;
use serde_json::Value;

/// A request and its reply.
#[derive(Clone, Debug, Deserialize)]
pub struct Exchange {
    /// Upper case.
    pub method: String,
    /// With version and query.
    pub path: String,
    /// 0 for a connection closed without a reply, by either side.
    pub status: u16,
    /// The planned failure it met.
    pub fault: Option<String>,
    /// Names in lower case.
    #[serde(default)]
    pub request_headers: Vec<(String, String)>,
    /// The body sent, if JSON.
    pub request: Option<Value>,
    /// The body received, if JSON.
    pub response: Option<Value>,
}

impl Exchange {
    /// Signing in, and asking who did, are described elsewhere.
    pub(super) fn is_graph(&self) -> bool {
        let asks_who = self.method == "GET" && self.path == "/v1.0/me?$select=userPrincipalName";
        !self.path.contains("/v2.0/") && !asks_who
    }

    /// Whether the reply says nothing about the service because it was asked to fail, or there is none. A late one does.
    pub(super) fn is_spoilt(&self) -> bool {
        let is_only_late = |fault| ["delay", "late", "trickle"].contains(&fault);
        self.status == 0
            || self
                .fault
                .as_deref()
                .is_some_and(|fault| !is_only_late(fault))
    }

    /// The path in the description.
    pub(super) fn resource(&self) -> Option<&str> {
        let path = self.path.split('?').next().unwrap_or_default();
        path.strip_prefix("/v1.0")
    }

    /// The query as sent.
    pub(super) fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }

    /// Without parameters.
    pub(super) fn content_type(&self) -> &str {
        let mut headers = self.request_headers.iter();
        let kind = headers.find(|(name, _)| name == "content-type");
        let kind = kind.map_or("", |(_, value)| value);
        kind.split(';').next().unwrap_or_default().trim()
    }
}
