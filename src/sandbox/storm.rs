//! Random failures of every kind, the same for the same seed and the same requests.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;

use super::delta::{self, DeltaExpiry};
use super::faults::FaultAction;
use super::http::Request;

/// How bad it is.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Weather {
    seed: u64,
    /// Failures in a thousand requests.
    chance: u32,
    /// Requests of this user agent are spared.
    #[serde(default)]
    spared: Option<String>,
    /// How long a request hangs that hangs, in milliseconds; none do when 0.
    #[serde(default)]
    hang: u64,
}

/// Strikes requests at random.
#[derive(Debug)]
pub(super) struct Storm {
    weather: Weather,
    random: StdRng,
}

impl Storm {
    pub(super) fn new(weather: Weather) -> Self {
        Self {
            random: StdRng::seed_from_u64(weather.seed),
            weather,
        }
    }

    /// The failure for a request.
    pub(super) fn strike(&mut self, request: &Request) -> Option<FaultAction> {
        let agent = request.header("user-agent");
        let is_spared = agent.is_some() && agent == self.weather.spared.as_deref();
        let is_struck = self.random.random_range(0..1000) < self.weather.chance;
        if is_spared || !is_struck {
            return None;
        }
        let action = if request.in_batch {
            self.refusal(&request.method)
        } else {
            self.any(request)
        };
        Some(action)
    }

    fn any(&mut self, request: &Request) -> FaultAction {
        match self.random.random_range(0..20) {
            0..8 => self.refusal(&request.method),
            8..10 => FaultAction::DropBefore,
            10..13 => FaultAction::DropAfter,
            13..15 => FaultAction::Truncate,
            15 => FaultAction::Malformed,
            16 if delta::carries_token(request) => {
                FaultAction::ExpireDelta(if self.random.random() {
                    DeltaExpiry::Gone
                } else {
                    DeltaExpiry::BadToken
                })
            }
            17 if self.weather.hang > 0 => {
                FaultAction::Delay(Duration::from_millis(self.weather.hang))
            }
            _ => FaultAction::Delay(Duration::from_millis(self.random.random_range(50..1500))),
        }
    }

    /// A refusal that says nothing about the request (graph-facts 4.2, 9.3, 9.4).
    fn refusal(&mut self, method: &str) -> FaultAction {
        let stale = matches!(method, "PATCH" | "DELETE");
        let (code, error_code) = match self.random.random_range(0..8) {
            0 | 1 => (429, "ApplicationThrottled"),
            2 | 3 => (503, "ServiceUnavailable"),
            4 => (504, "GatewayTimeout"),
            5 => (502, "BadGateway"),
            6 if stale => (409, "ErrorIrresolvableConflict"),
            _ => (500, "InternalServerError"),
        };
        let asks_to_wait = matches!(code, 429 | 503) && self.random.random();
        FaultAction::Status {
            code,
            error_code: error_code.to_owned(),
            retry_after: asks_to_wait.then_some(2),
            empty_body: self.random.random_range(0..4) == 0,
        }
    }
}
