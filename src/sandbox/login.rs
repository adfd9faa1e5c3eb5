//! The sign-in service of the sandbox (graph-facts 10): authorization codes, device codes, refresh tokens, client
//! credentials by secret or certificate.
//!
//! Knows the one registered application, which is a public client with the redirect `http://localhost` and has a secret
//! for its own sign-in. Tokens themselves are in `tokens`. Every refusal has the error and number of the real service.

mod assertion;
mod authorize;
mod denied;
mod device;
mod scopes;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::assertion::Certificate;
use self::authorize::Code;
use self::denied::Denied;
use self::device::Device;
use super::clock;
use super::http::{Refusal, Reply, Request};
use super::people::{self, Person};
use super::tokens::{self, Caller, Claims, Use, new_serial};

/// The registered application.
pub(super) const CLIENT_ID: &str = "5a4db0f5-0000-4000-8000-c0ffee000001";
/// Its secret.
pub(super) const CLIENT_SECRET: &str = "sandbox-secret";
/// What a person has on the telephone: another application, for which only ready tokens are made.
pub(super) const OTHER_CLIENT_ID: &str = "5a4db0f5-0000-4000-8000-c0ffee000007";
/// The directory of the mailbox.
pub(super) const TENANT: &str = "5a4db0f5-0000-4000-8000-c0ffee000002";

const ACCESS_SECONDS: i64 = 3599;
/// For clients that take a challenge (graph-facts 10.7).
const LONG_ACCESS_SECONDS: i64 = 86_399;
const REFRESH_SECONDS: i64 = 90 * 24 * 3600;
const READY_SCOPE: &str = "Contacts.ReadWrite MailboxSettings.ReadWrite User.Read";
const APP_ROLES: &str = "Contacts.ReadWrite MailboxSettings.ReadWrite";

/// Who may agree to what the application asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// Each person.
    Anybody,
    /// An administrator, who has not yet.
    Admin,
}

/// What a test or a person sets.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Life of access tokens in seconds; as the real service has it when absent.
    pub(super) expires_in: Option<i64>,
    /// Seconds between polls of a device code.
    pub(super) device_interval: i64,
    /// Life of a device code in seconds.
    pub(super) device_seconds: i64,
    /// Seconds by which this service's clock is ahead of the machine's.
    pub(super) clock_skew: i64,
    /// Whether the application is allowed the flows of public clients.
    pub(super) public_client: bool,
    /// The permissions people may give, separated by blanks; all when absent.
    pub(super) grantable: Option<String>,
    /// Who may give them.
    pub(super) consent: Consent,
    /// Whether a refresh asks for a person at the keyboard.
    pub(super) interaction_required: bool,
}

/// Sign-ins in progress, and what is revoked.
#[derive(Debug)]
pub(super) struct Login {
    pub(super) settings: Settings,
    devices: HashMap<String, Device>,
    codes: HashMap<String, Code>,
    certificates: Vec<Certificate>,
    /// Newest refresh token of each sign-in; the one before it still works once more.
    newest: HashMap<u64, u64>,
    /// Refresh tokens of an earlier one are revoked.
    generation: u64,
    /// Access tokens that can be challenged must be from a request that answers this (graph-facts 10.7).
    challenge: i64,
}

/// A request to the service, its fields and where it came in.
struct Form<'r> {
    fields: HashMap<String, String>,
    origin: &'r str,
    tenant: &'r str,
    request: &'r Request,
}

impl Form<'_> {
    /// A field; empty when absent.
    fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Login {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings {
                expires_in: None,
                device_interval: 5,
                device_seconds: 900,
                clock_skew: 0,
                public_client: true,
                grantable: None,
                consent: Consent::Anybody,
                interaction_required: false,
            },
            devices: HashMap::new(),
            codes: HashMap::new(),
            certificates: Vec::new(),
            newest: HashMap::new(),
            generation: 0,
            challenge: 0,
        }
    }

    /// A token of an application for a person, without signing in.
    pub(super) fn ready_token(&self, app: &str) -> String {
        tokens::write(&Claims {
            kind: Use::Delegated,
            exp: self.now() + REFRESH_SECONDS,
            family: 0,
            serial: new_serial(),
            generation: 0,
            scope: READY_SCOPE.to_owned(),
            app: app.to_owned(),
            user: people::ALEX.id.to_owned(),
            met: None,
        })
    }

    /// Ends every sign-in: refresh tokens work no more.
    pub(super) fn revoke_sign_ins(&mut self) {
        self.generation += 1;
    }

    /// Ends the life of access tokens early, for clients that take a challenge.
    pub(super) fn challenge_tokens(&mut self) {
        self.challenge = self.challenge.max(self.now()) + 1;
    }

    /// Who makes a request to Graph, by its bearer.
    pub(super) fn caller(&self, request: &Request) -> Result<Caller, Refusal> {
        tokens::caller(request, self.now(), self.challenge)
    }

    /// `/{tenant}/oauth2/v2.0/{endpoint}` and `/{tenant}/v2.0/adminconsent`.
    pub(super) fn answer(&mut self, tenant: &str, endpoint: &str, request: &Request) -> Reply {
        let query = url::form_urlencoded::parse(request.raw_query().as_bytes());
        let body = url::form_urlencoded::parse(&request.body);
        let form = Form {
            fields: query.into_owned().chain(body.into_owned()).collect(),
            origin: &request.origin,
            tenant,
            request,
        };
        let reply = match (check_tenant(tenant), endpoint) {
            (Err(denied), "authorize" | "adminconsent") => denied.into_page(),
            (Err(denied), _) => denied.into_reply(),
            (Ok(()), "authorize") => self.authorize(request.method == "POST", &form),
            (Ok(()), "adminconsent") => self.admin_consent(&form),
            (Ok(()), endpoint) => match self.token_answer(endpoint, &form) {
                Ok(value) => Reply::json(200, value).with_header("cache-control", "no-store"),
                Err(denied) => denied.into_reply(),
            },
        };
        reply.with_header("date", http_date(self.now()))
    }

    fn token_answer(&mut self, endpoint: &str, form: &Form<'_>) -> Result<Value, Denied> {
        match (endpoint, form.get("grant_type")) {
            ("devicecode", _) => self.begin_device(form),
            ("token", "client_credentials") => self.client_credentials(form),
            ("token", "authorization_code") => self.redeem(form),
            ("token", "urn:ietf:params:oauth:grant-type:device_code") => self.poll_device(form),
            ("token", "refresh_token") => self.refresh(form),
            _ => Err(Denied::new(
                "unsupported_grant_type",
                70003,
                "The app requested an unsupported grant type.",
            )),
        }
    }

    /// An administrator who opens the address agrees; personal accounts have none.
    fn admin_consent(&mut self, form: &Form<'_>) -> Reply {
        let checked = check_client(form.get("client_id"))
            .and_then(|()| check_concrete(form.tenant, &["organizations"]))
            .and_then(|()| scopes::parse(form.get("scope"), form.origin, form.tenant))
            .and_then(|_| authorize::redirect_uri(form.get("redirect_uri")));
        match checked {
            Ok(mut redirect) => {
                self.settings.consent = Consent::Anybody;
                redirect
                    .query_pairs_mut()
                    .append_pair("admin_consent", "True")
                    .append_pair("tenant", TENANT);
                Reply::empty(302).with_header("location", redirect)
            }
            Err(denied) => denied.into_page(),
        }
    }

    /// A new refresh token at every use; the old one is not revoked at once (graph-facts 10.5).
    fn refresh(&mut self, form: &Form<'_>) -> Result<Value, Denied> {
        self.check_public_client(form)?;
        let expired = || {
            Denied::new(
                "invalid_grant",
                70008,
                "The provided refresh token has expired.",
            )
        };
        let claims = tokens::read(form.get("refresh_token"))
            .filter(|claims| claims.kind == Use::Refresh && claims.exp > self.now())
            .ok_or_else(expired)?;
        if claims.generation != self.generation {
            return Err(Denied::new(
                "invalid_grant",
                50173,
                "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
            ));
        }
        let person = people::find(&claims.user).ok_or_else(expired)?;
        let newest = self.newest.get(&claims.family).copied();
        let newest = newest.unwrap_or(claims.serial);
        if claims.serial.saturating_add(1) < newest {
            return Err(expired());
        }
        if self.settings.interaction_required {
            return Err(Denied::new(
                "interaction_required",
                50076,
                "Due to a configuration change made by your administrator, you must use multi-factor authentication.",
            ));
        }
        let held: Vec<String> = claims.scope.split(' ').map(str::to_owned).collect();
        let wanted = match form.get("scope") {
            "" => held.clone(),
            scope => scopes::parse(scope, form.origin, form.tenant)?,
        };
        let consented = |name: &String| !name.contains('.') || held.contains(name);
        if self.settings.consent == Consent::Admin || !wanted.iter().all(consented) {
            return Err(Denied::consent(form.get("client_id")));
        }
        Ok(self.grant(
            claims.family,
            newest.max(claims.serial) + 1,
            person,
            &wanted,
            form,
        ))
    }

    fn grant_anew(&mut self, person: &'static Person, scopes: &[String], form: &Form<'_>) -> Value {
        self.grant(new_serial(), new_serial(), person, scopes, form)
    }

    fn grant(
        &mut self,
        family: u64,
        serial: u64,
        person: &'static Person,
        scopes: &[String],
        form: &Form<'_>,
    ) -> Value {
        let met = answered_challenge(form.get("claims"));
        let life = self.access_seconds(met);
        let claims = |kind, seconds, scope| Claims {
            kind,
            exp: self.now() + seconds,
            family,
            serial,
            generation: self.generation,
            scope,
            app: CLIENT_ID.to_owned(),
            user: person.id.to_owned(),
            met,
        };
        let permissions: Vec<&str> = scopes
            .iter()
            .map(String::as_str)
            .filter(|name| *name != "offline_access")
            .collect();
        let access = claims(Use::Delegated, life, permissions.join(" "));
        let mut granted = json!({
            "token_type": "Bearer",
            "scope": permissions.join(" "),
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": tokens::write(&access),
        });
        if scopes.iter().any(|name| name == "offline_access") {
            let refresh = claims(Use::Refresh, REFRESH_SECONDS, scopes.join(" "));
            if let Some(members) = granted.as_object_mut() {
                members.insert("refresh_token".into(), tokens::write(&refresh).into());
            }
            self.newest.insert(family, serial);
        }
        granted
    }

    fn client_credentials(&self, form: &Form<'_>) -> Result<Value, Denied> {
        let (client, secret) = basic(form.request).unwrap_or_else(|| {
            (
                form.get("client_id").to_owned(),
                form.get("client_secret").to_owned(),
            )
        });
        check_client(&client)?;
        check_concrete(form.tenant, &[])?;
        let own = format!("{}/.default", form.origin);
        let endpoint = format!("{}/{}/oauth2/v2.0/token", form.origin, form.tenant);
        match (form.get("client_assertion_type"), secret.as_str()) {
            ("urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "") => {
                self.check_assertion(form.get("client_assertion"), &endpoint)?;
            }
            ("", CLIENT_SECRET) => {}
            ("", "") => return Err(Denied::not_public()),
            _ => {
                return Err(Denied::new(
                    "invalid_client",
                    7_000_215,
                    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
                )
                .status(401));
            }
        }
        if ![own.as_str(), "https://graph.microsoft.com/.default"].contains(&form.get("scope")) {
            return Err(Denied::new(
                "invalid_scope",
                1_002_012,
                "The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier.",
            ));
        }
        let met = answered_challenge(form.get("claims"));
        let life = self.access_seconds(met);
        let access = Claims {
            kind: Use::App,
            exp: self.now() + life,
            family: 0,
            serial: new_serial(),
            generation: 0,
            scope: APP_ROLES.to_owned(),
            app: CLIENT_ID.to_owned(),
            user: String::new(),
            met,
        };
        Ok(json!({
            "token_type": "Bearer",
            "expires_in": life,
            "ext_expires_in": life,
            "access_token": tokens::write(&access),
        }))
    }

    fn access_seconds(&self, met: Option<i64>) -> i64 {
        let usual = if met.is_some() {
            LONG_ACCESS_SECONDS
        } else {
            ACCESS_SECONDS
        };
        self.settings.expires_in.unwrap_or(usual)
    }

    /// A person's sign-in on this machine proves nothing about the application, which therefore must not send a secret.
    fn check_public_client(&self, form: &Form<'_>) -> Result<(), Denied> {
        check_client(form.get("client_id"))?;
        let secret = basic(form.request).is_some()
            || !form.get("client_secret").is_empty()
            || !form.get("client_assertion").is_empty();
        if secret {
            return Err(Denied::new(
                "invalid_client",
                700_025,
                "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
            )
            .status(401));
        }
        Ok(())
    }

    /// Seconds since 1970 by this service's clock.
    fn now(&self) -> i64 {
        clock::now() + self.settings.clock_skew
    }
}

/// What a `claims` parameter says: `None` from a client that takes no challenge, else the time its tokens are good from.
fn answered_challenge(claims: &str) -> Option<i64> {
    let claims: Value = serde_json::from_str(claims).ok()?;
    let of = |path: &str| claims.pointer(path).cloned().unwrap_or_default();
    let capable = of("/access_token/xms_cc/values")
        .as_array()
        .is_some_and(|values| values.contains(&"cp1".into()));
    let from = of("/access_token/nbf/value");
    capable.then(|| {
        from.as_str()
            .and_then(|time| time.parse().ok())
            .unwrap_or(0)
    })
}

fn check_tenant(tenant: &str) -> Result<(), Denied> {
    let known = [
        TENANT,
        "sandbox.example",
        "common",
        "organizations",
        "consumers",
    ];
    if known.contains(&tenant) {
        return Ok(());
    }
    Err(Denied::new(
        "invalid_request",
        90002,
        format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
        ),
    ))
}

/// Whether the tenant is one, not a kind of several, but for those in `except`.
fn check_concrete(tenant: &str, except: &[&str]) -> Result<(), Denied> {
    let several = ["common", "organizations", "consumers"].contains(&tenant);
    if several && !except.contains(&tenant) {
        return Err(Denied::new(
            "invalid_request",
            50059,
            "No tenant-identifying information found.",
        ));
    }
    Ok(())
}

fn check_client(client: &str) -> Result<(), Denied> {
    if client == CLIENT_ID {
        return Ok(());
    }
    Err(Denied::new(
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

/// As RFC 9110 section 5.6.7 wants it.
fn http_date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| String::new(),
        |time| time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    )
}
