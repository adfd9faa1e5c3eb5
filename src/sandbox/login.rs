//! The token endpoint of the sandbox (graph-facts 10): client credentials, device code, refresh tokens.
//!
//! Knows the one registered application and the sign-ins in progress; tokens themselves are in `tokens`.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::clock;
use super::http::{Reply, Request};
use super::tokens::{Claims, Use, new_serial, read, write};

/// The registered application.
pub(super) const CLIENT_ID: &str = "5a4db0f5-0000-4000-8000-c0ffee000001";
/// Its secret.
pub(super) const CLIENT_SECRET: &str = "sandbox-secret";
/// The directory of the mailbox.
pub(super) const TENANT: &str = "5a4db0f5-0000-4000-8000-c0ffee000002";

const DEVICE_SECONDS: i64 = 900;
const REFRESH_SECONDS: i64 = 90 * 24 * 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consent {
    Pending,
    Approved,
    Declined,
}

#[derive(Clone, Debug)]
struct Device {
    user_code: String,
    scope: String,
    expires: i64,
    consent: Consent,
    last_poll: Option<i64>,
}

/// Sign-ins in progress.
#[derive(Debug)]
pub(super) struct Login {
    /// Life of access tokens in seconds.
    pub(super) expires_in: i64,
    /// Seconds between polls of a device code.
    pub(super) interval: i64,
    devices: HashMap<String, Device>,
    /// Newest refresh token of each sign-in; the one before it still works once more.
    newest: HashMap<u64, u64>,
}

/// An OAuth error: `error`, AADSTS number, text.
struct Denied(u16, &'static str, u32, String);

impl Login {
    pub(super) fn new() -> Self {
        Self {
            expires_in: 3599,
            interval: 5,
            devices: HashMap::new(),
            newest: HashMap::new(),
        }
    }

    /// A token for a person, without signing in.
    pub(super) fn ready_token(&self) -> String {
        self.access_token(
            Use::Delegated,
            "Contacts.ReadWrite User.Read",
            REFRESH_SECONDS,
        )
    }

    /// `POST /{tenant}/oauth2/v2.0/{endpoint}`.
    pub(super) fn answer(&mut self, tenant: &str, endpoint: &str, request: &Request) -> Reply {
        let form: HashMap<String, String> = url::form_urlencoded::parse(&request.body)
            .into_owned()
            .collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        let answered = check_tenant(tenant).and_then(|()| match (endpoint, field("grant_type")) {
            ("devicecode", _) => {
                self.begin_device(field("client_id"), field("scope"), &request.origin)
            }
            ("token", "client_credentials") => self.client_credentials(tenant, &form, request),
            ("token", "urn:ietf:params:oauth:grant-type:device_code") => {
                self.poll_device(field("client_id"), field("device_code"))
            }
            ("token", "refresh_token") => {
                self.refresh(field("client_id"), field("refresh_token"), field("scope"))
            }
            _ => Err(Denied(
                400,
                "unsupported_grant_type",
                70003,
                "The app requested an unsupported grant type.".into(),
            )),
        });
        match answered {
            Ok(value) => Reply::json(200, value).with_header("cache-control", "no-store"),
            Err(denied) => denied.into_reply(),
        }
    }

    /// Approves or declines pending devices: the one with this user code, or all when it is empty.
    pub(super) fn decide(&mut self, user_code: &str, approve: bool) -> usize {
        let consent = if approve {
            Consent::Approved
        } else {
            Consent::Declined
        };
        let wanted = |device: &&mut Device| {
            device.consent == Consent::Pending
                && (user_code.is_empty() || device.user_code.eq_ignore_ascii_case(user_code))
        };
        self.devices
            .values_mut()
            .filter(wanted)
            .map(|device| device.consent = consent)
            .count()
    }

    /// Ends the life of every pending device code.
    pub(super) fn expire_devices(&mut self) {
        for device in self.devices.values_mut() {
            device.expires = 0;
        }
    }

    fn begin_device(&mut self, client: &str, scope: &str, origin: &str) -> Result<Value, Denied> {
        check_client(client)?;
        if !scope.contains("Contacts.") {
            return Err(Denied(
                400,
                "invalid_scope",
                70011,
                "The provided value for the input parameter 'scope' is not valid.".into(),
            ));
        }
        let code = uuid::Uuid::new_v4().simple().to_string();
        let user_code: String = code
            .chars()
            .take(9)
            .collect::<String>()
            .to_ascii_uppercase();
        let device = Device {
            user_code: user_code.clone(),
            scope: scope.to_owned(),
            expires: clock::now() + DEVICE_SECONDS,
            consent: Consent::Pending,
            last_poll: None,
        };
        self.devices.insert(code.clone(), device);
        let page = format!("{origin}/sandbox/device");
        Ok(json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "expires_in": DEVICE_SECONDS,
            "interval": self.interval,
            "message": format!("To sign in, open the page {page} and enter the code {user_code}."),
        }))
    }

    fn poll_device(&mut self, client: &str, code: &str) -> Result<Value, Denied> {
        check_client(client)?;
        let (now, interval) = (clock::now(), self.interval);
        let device = self.devices.get_mut(code);
        let device = device.ok_or_else(|| {
            Denied(
                400,
                "bad_verification_code",
                70018,
                "Invalid verification code.".into(),
            )
        })?;
        if device.expires <= now {
            return Err(Denied(
                400,
                "expired_token",
                70020,
                "The device code has expired.".into(),
            ));
        }
        let hasty = device
            .last_poll
            .replace(now)
            .is_some_and(|last| now - last < interval);
        match device.consent {
            Consent::Declined => Err(Denied(
                400,
                "authorization_declined",
                70000,
                "The user declined.".into(),
            )),
            Consent::Pending if hasty => {
                Err(Denied(400, "slow_down", 70016, "Polling too often.".into()))
            }
            Consent::Pending => Err(Denied(
                400,
                "authorization_pending",
                70016,
                "The user has not signed in yet.".into(),
            )),
            Consent::Approved => {
                let scope = device.scope.clone();
                self.devices.remove(code);
                Ok(self.grant(new_serial(), new_serial(), &scope))
            }
        }
    }

    /// A new refresh token at every use; the old one is not revoked at once (graph-facts 10.5).
    fn refresh(&mut self, client: &str, token: &str, scope: &str) -> Result<Value, Denied> {
        check_client(client)?;
        let expired = || {
            Denied(
                400,
                "invalid_grant",
                70008,
                "The provided refresh token has expired.".into(),
            )
        };
        let claims = read(token)
            .filter(|claims| claims.kind == Use::Refresh && claims.exp > clock::now())
            .ok_or_else(expired)?;
        let newest = self
            .newest
            .get(&claims.family)
            .copied()
            .unwrap_or(claims.serial);
        if claims.serial + 1 < newest {
            return Err(expired());
        }
        let scope = if scope.is_empty() {
            &claims.scope
        } else {
            scope
        };
        Ok(self.grant(claims.family, newest.max(claims.serial) + 1, scope))
    }

    fn grant(&mut self, family: u64, serial: u64, scope: &str) -> Value {
        let mut granted = json!({
            "token_type": "Bearer",
            "scope": scope.split(' ').filter(|name| *name != "offline_access").collect::<Vec<_>>().join(" "),
            "expires_in": self.expires_in,
            "ext_expires_in": self.expires_in,
            "access_token": self.access_token(Use::Delegated, scope, self.expires_in),
        });
        if scope.contains("offline_access") {
            self.newest.insert(family, serial);
            let claims = Claims {
                kind: Use::Refresh,
                exp: clock::now() + REFRESH_SECONDS,
                family,
                serial,
                scope: scope.to_owned(),
            };
            if let Some(members) = granted.as_object_mut() {
                members.insert("refresh_token".into(), Value::String(write(&claims)));
            }
        }
        granted
    }

    fn client_credentials(
        &self,
        tenant: &str,
        form: &HashMap<String, String>,
        request: &Request,
    ) -> Result<Value, Denied> {
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let (client, secret) =
            basic(request).unwrap_or_else(|| (field("client_id"), field("client_secret")));
        check_client(&client)?;
        if ["common", "organizations", "consumers"].contains(&tenant) {
            return Err(Denied(
                400,
                "invalid_request",
                50059,
                "No tenant-identifying information found.".into(),
            ));
        }
        if secret != CLIENT_SECRET {
            return Err(Denied(
                401,
                "invalid_client",
                7_000_215,
                "Invalid client secret provided.".into(),
            ));
        }
        let scope = field("scope");
        let own = format!("{}/.default", request.origin);
        if scope != "https://graph.microsoft.com/.default" && scope != own {
            return Err(Denied(
                400,
                "invalid_scope",
                1_002_012,
                "The scope must be the resource identifier followed by /.default.".into(),
            ));
        }
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "ext_expires_in": self.expires_in,
            "access_token": self.access_token(Use::App, "Contacts.ReadWrite", self.expires_in),
        }))
    }

    fn access_token(&self, kind: Use, scope: &str, seconds: i64) -> String {
        write(&Claims {
            kind,
            exp: clock::now() + seconds,
            family: 0,
            serial: new_serial(),
            scope: scope.to_owned(),
        })
    }
}

impl Denied {
    fn into_reply(self) -> Reply {
        let Self(status, error, number, text) = self;
        let body = json!({
            "error": error,
            "error_description": format!("AADSTS{number}: {text}"),
            "error_codes": [number],
            "timestamp": clock::with_zone(clock::now()),
            "trace_id": uuid::Uuid::new_v4().to_string(),
            "correlation_id": uuid::Uuid::new_v4().to_string(),
        });
        Reply::json(status, body)
    }
}

fn check_tenant(tenant: &str) -> Result<(), Denied> {
    if [
        TENANT,
        "sandbox.example",
        "common",
        "organizations",
        "consumers",
    ]
    .contains(&tenant)
    {
        return Ok(());
    }
    Err(Denied(
        400,
        "invalid_request",
        90002,
        format!("Tenant '{tenant}' not found."),
    ))
}

fn check_client(client: &str) -> Result<(), Denied> {
    if client == CLIENT_ID {
        return Ok(());
    }
    Err(Denied(
        400,
        "unauthorized_client",
        700_016,
        format!("Application with identifier '{client}' was not found in the directory."),
    ))
}

/// Client id and secret of HTTP basic authentication, which the endpoint takes as well as form fields.
fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (client, secret) = pair.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("x={text}");
        url::form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    Some((decode(client)?, decode(secret)?))
}
