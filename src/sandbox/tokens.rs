//! Tokens that describe and sign themselves, so one from before a restart still works.
//!
//! They guard nothing: this service holds invented people and listens on loopback.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::http::{Refusal, Request};
use super::ids::mix_text;
use super::people::{self, Person};

const SEED: u64 = 0x5EED_0F70_CE45;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The signed-in person; `None` with client credentials, for which `/me` means nobody.
    pub(super) person: Option<&'static Person>,
    permissions: Vec<String>,
}

impl Caller {
    /// Whether any of these permissions was given.
    pub(super) fn may(&self, any: &[String]) -> bool {
        self.permissions.iter().any(|held| any.contains(held))
    }
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Use {
    Delegated,
    App,
    Refresh,
}

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    #[serde(rename = "use")]
    pub(super) kind: Use,
    pub(super) exp: i64,
    /// Sign-in that a chain of refresh tokens descends from.
    pub(super) family: u64,
    pub(super) serial: u64,
    /// How often all sign-ins had been revoked before this one.
    pub(super) generation: u64,
    pub(super) scope: String,
    /// Client id of the application.
    pub(super) app: String,
    /// Id of the person; empty when the application acts for itself.
    pub(super) user: String,
    /// Challenge that the request for it answered; `None` when the client takes none (graph-facts 10.7).
    pub(super) met: Option<i64>,
}

/// What the bearer of a request says, if it is one of ours; whether it is still good is not looked at.
pub(super) fn claims(request: &Request) -> Option<Claims> {
    read(request.header("authorization")?.get(7..)?)
}

/// Reads the bearer of a request; tokens that can be challenged must have answered `challenge`.
pub(super) fn caller(request: &Request, now: i64, challenge: i64) -> Result<Caller, Refusal> {
    let refused = |message: &str| {
        Refusal::new(401, "InvalidAuthenticationToken", message).with_header(
            "www-authenticate",
            "Bearer realm=\"\", authorization_uri=\"/common/oauth2/authorize\"",
        )
    };
    let header = request.header("authorization").unwrap_or_default();
    let token = header
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "))
        .and_then(|_| header.get(7..));
    let token = token
        .filter(|token| !token.is_empty())
        .ok_or_else(|| refused("Access token is empty."))?;
    if !token.contains('.') {
        return Err(refused(
            "IDX14100: JWT is not well formed, there are no dots (.).",
        ));
    }
    let claims = read(token).filter(|claims| claims.kind != Use::Refresh);
    let claims = claims.ok_or_else(|| refused("Access token validation failure."))?;
    if claims.exp <= now {
        return Err(refused("Lifetime validation failed, the token is expired."));
    }
    if claims.met.is_some_and(|met| met < challenge) {
        return Err(challenged(challenge));
    }
    Ok(Caller {
        person: people::find(&claims.user),
        permissions: claims.scope.split(' ').map(str::to_owned).collect(),
    })
}

fn challenged(since: i64) -> Refusal {
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": since.to_string()}}});
    let header = format!(
        "Bearer realm=\"\", authorization_uri=\"/common/oauth2/authorize\", error=\"insufficient_claims\", claims=\"{}\"",
        STANDARD.encode(claims.to_string())
    );
    Refusal::new(
        401,
        "InvalidAuthenticationToken",
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenCreatedWithOutdatedPolicies.",
    )
    .with_header("www-authenticate", header)
}

/// A serial for a new token, with room to count upwards.
pub(super) fn new_serial() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1 >> 2
}

/// Three parts with dots, like a JWT.
pub(super) fn write(claims: &Claims) -> String {
    let payload = URL_SAFE_NO_PAD.encode(serde_json::to_string(claims).unwrap_or_default());
    let check = mix_text(SEED, &payload);
    format!("sandbox.{payload}.{check:016x}")
}

/// What a token says, if it is one of ours; its age is not looked at.
pub(super) fn read(token: &str) -> Option<Claims> {
    let (payload, check) = token.strip_prefix("sandbox.")?.split_once('.')?;
    if u64::from_str_radix(check, 16).ok()? != mix_text(SEED, payload) {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
