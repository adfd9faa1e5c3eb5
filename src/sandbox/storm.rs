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
    /// The longest that a request hangs, in milliseconds; none does when 0. Most hang much shorter.
    #[serde(default)]
    hang: u32,
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
        let action = if request.batch.is_some() {
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
            17 if self.weather.hang > 0 => self.hang(),
            18 => FaultAction::Trickle(self.moment()),
            _ => FaultAction::Delay(self.moment()),
        }
    }

    fn moment(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(50..1500))
    }

    /// Half a second at least; each doubling is as likely as the one before.
    fn hang(&mut self) -> FaultAction {
        let shortest = 500.0;
        let most = f64::from(self.weather.hang) / shortest;
        let time = Duration::from_secs_f64(most.powf(self.random.random()) * shortest / 1000.0);
        if self.random.random() {
            FaultAction::Delay(time)
        } else {
            FaultAction::Late(time)
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
            retry_after: asks_to_wait.then(|| self.random.random_range(1..=4)),
            empty_body: self.random.random_range(0..4) == 0,
        }
    }
}
