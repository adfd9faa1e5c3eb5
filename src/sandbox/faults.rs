//! Failures on request: which call fails next, and how.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::delta::{self, DeltaExpiry};
use super::http::{Refusal, Request};
use super::storm::{Storm, Weather};

/// One planned failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Only requests with this method; any when `None`.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose path and query contain this; any when `None`.
    #[serde(default)]
    pub path_contains: Option<String>,
    /// Matching requests to let through first.
    #[serde(default)]
    pub skip: u32,
    /// Matching requests to fail after that.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    pub action: FaultAction,
}

fn once() -> u32 {
    1
}

/// How a request fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultAction {
    /// An error reply; the request is not processed. Members of a `$batch` can fail so too.
    Status {
        /// HTTP status.
        code: u16,
        /// Code in the error body.
        error_code: String,
        /// Seconds for `Retry-After`; none when `None`.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Sends no body at all.
        #[serde(default)]
        empty_body: bool,
    },
    /// The request is processed after this time, in milliseconds as JSON.
    Delay(#[serde(with = "milliseconds")] Duration),
    /// The request is processed and answered after this time, in milliseconds as JSON. Members of a `$batch` can be late
    /// too, and then the whole answer is.
    Late(#[serde(with = "milliseconds")] Duration),
    /// The body of the reply comes in pieces over this time.
    Trickle(#[serde(with = "milliseconds")] Duration),
    /// The connection closes before the request is processed.
    DropBefore,
    /// The request is processed, then the connection closes without a reply.
    DropAfter,
    /// The reply announces its length and ends half way.
    Truncate,
    /// The delta token of the request is lost for good; requests without one do not match.
    ExpireDelta(DeltaExpiry),
    /// A redirect to this address.
    Redirect(String),
    /// A reply of status 200 whose body is not JSON, with control characters.
    Malformed,
}

/// The planned failures, in the order given; the first that matches counts. Where none does, a storm may strike.
#[derive(Debug, Default)]
pub(super) struct Faults {
    planned: Vec<Fault>,
    storm: Option<Storm>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.planned.push(fault);
    }

    pub(super) fn begin_storm(&mut self, weather: Weather) {
        self.storm = Some(Storm::new(weather));
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
        self.storm = None;
    }

    pub(super) fn planned(&self) -> &[Fault] {
        &self.planned
    }

    /// The failure for a request, counting it.
    pub(super) fn strike(&mut self, request: &Request) -> Option<FaultAction> {
        self.planned.retain(|fault| fault.times > 0);
        let mut struck = None;
        for fault in self
            .planned
            .iter_mut()
            .filter(|fault| fault.matches(request))
        {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if struck.is_none() {
                fault.times -= 1;
                struck = Some(fault.action.clone());
            }
        }
        struck.or_else(|| self.storm.as_mut()?.strike(request))
    }
}

impl Fault {
    fn matches(&self, request: &Request) -> bool {
        let method = self
            .method
            .as_ref()
            .is_none_or(|method| method.eq_ignore_ascii_case(&request.method));
        let path = self
            .path_contains
            .as_ref()
            .is_none_or(|part| request.target.contains(part.as_str()));
        method && path && self.action.suits(request)
    }
}

impl FaultAction {
    /// Members of a batch have no connection of their own to damage.
    fn suits(&self, request: &Request) -> bool {
        match self {
            Self::Status { .. } | Self::Late(_) => true,
            Self::ExpireDelta(_) => delta::carries_token(request),
            Self::Delay(_)
            | Self::Trickle(_)
            | Self::DropBefore
            | Self::DropAfter
            | Self::Truncate
            | Self::Redirect(_)
            | Self::Malformed => request.batch.is_none(),
        }
    }

    /// As in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay(_) => "delay",
            Self::Late(_) => "late",
            Self::Trickle(_) => "trickle",
            Self::DropBefore => "dropBefore",
            Self::DropAfter => "dropAfter",
            Self::Truncate => "truncate",
            Self::ExpireDelta(_) => "expireDelta",
            Self::Redirect(_) => "redirect",
            Self::Malformed => "malformed",
        }
    }

    /// The refusal of a [`FaultAction::Status`].
    pub(super) fn refusal(code: u16, error_code: &str, retry_after: Option<u64>) -> Refusal {
        let refusal = Refusal::new(code, error_code, "This failure was asked for.");
        match retry_after {
            Some(seconds) => refusal.with_header("retry-after", seconds.to_string()),
            None => refusal,
        }
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str) -> Request {
        Request {
            method: method.into(),
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
            origin: String::new(),
            batch: None,
        }
    }

    #[test]
    fn faults_skip_then_strike_then_end() {
        let mut faults = Faults::default();
        let action = FaultAction::DropBefore;
        faults.add(Fault {
            method: Some("get".into()),
            path_contains: Some("contacts".into()),
            skip: 1,
            times: 2,
            action,
        });
        let mut hits =
            |method: &str, target: &str| faults.strike(&request(method, target)).is_some();
        assert!(!hits("GET", "/me/contacts"));
        assert!(!hits("POST", "/me/contacts"));
        assert!(hits("GET", "/me/contacts"));
        assert!(!hits("GET", "/me/other"));
        assert!(hits("GET", "/me/contacts"));
        assert!(!hits("GET", "/me/contacts"));
    }

    #[test]
    fn lost_tokens_need_a_token() {
        let mut faults = Faults::default();
        let action = FaultAction::ExpireDelta(DeltaExpiry::Gone);
        faults.add(Fault {
            method: None,
            path_contains: None,
            skip: 0,
            times: 1,
            action,
        });
        assert_eq!(faults.strike(&request("GET", "/me/contacts/delta")), None);
        assert!(
            faults
                .strike(&request("GET", "/me/contacts/delta?$deltatoken=x"))
                .is_some()
        );
    }

    #[test]
    fn json_spelling() {
        let text = r#"{"path_contains":"x","action":{"delay":50}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(fault.action, FaultAction::Delay(Duration::from_millis(50)));
        assert_eq!(fault.times, 1);
    }
}
