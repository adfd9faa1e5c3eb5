//! The authorization code grant (graph-facts 10.4): a page, a redirect to this machine, and a code that works once, only
//! with the verifier of its S256 challenge.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use url::Url;

use super::{Consent, Denied, Form, Login, scopes};
use crate::sandbox::http::Reply;
use crate::sandbox::people::{self, Person};

const CODE_SECONDS: i64 = 600;

/// A code that was handed out.
#[derive(Clone, Debug)]
pub(super) struct Code {
    challenge: String,
    redirect: String,
    scopes: Vec<String>,
    person: &'static Person,
    expires: i64,
    /// The sign-in it was redeemed for.
    family: Option<u64>,
}

impl Login {
    /// The page (GET), and what its buttons do (POST): a redirect back to the application.
    pub(super) fn authorize(&mut self, is_decision: bool, form: &Form<'_>) -> Reply {
        let redirect = super::check_client(form.get("client_id"))
            .and_then(|()| redirect_uri(form.get("redirect_uri")));
        // Without a redirect that belongs to the application nothing may be sent there.
        let redirect = match redirect {
            Ok(redirect) => redirect,
            Err(denied) => return denied.into_page(),
        };
        let answer = match check(form) {
            Ok(_) if !is_decision => return page(form),
            Ok(asked) => self.decided(form, &asked),
            Err(denied) => Err(denied),
        };
        let mut target = redirect;
        match answer {
            Ok(code) => drop(target.query_pairs_mut().append_pair("code", &code)),
            Err(denied) => drop(
                target
                    .query_pairs_mut()
                    .append_pair("error", denied.error)
                    .append_pair("error_description", &denied.description()),
            ),
        }
        if !form.get("state").is_empty() {
            target
                .query_pairs_mut()
                .append_pair("state", form.get("state"));
        }
        Reply::empty(302).with_header("location", target)
    }

    fn decided(&mut self, form: &Form<'_>, asked: &[String]) -> Result<String, Denied> {
        if form.get("choice") == "decline" {
            return Err(Denied::new(
                "access_denied",
                65004,
                "User declined to consent to access the app.",
            ));
        }
        if self.settings.consent == Consent::Admin {
            return Err(Denied::new(
                "access_denied",
                90094,
                "The grant requires administrator permission.",
            ));
        }
        let person = match form.get("user") {
            "" => people::ALEX,
            user => people::find(user).ok_or_else(|| {
                Denied::new("access_denied", 50034, "The user account does not exist.")
            })?,
        };
        let code = uuid::Uuid::new_v4().simple().to_string();
        let held = Code {
            challenge: form.get("code_challenge").to_owned(),
            redirect: form.get("redirect_uri").to_owned(),
            scopes: scopes::given(asked, self.settings.grantable.as_deref()),
            person,
            expires: self.now() + CODE_SECONDS,
            family: None,
        };
        self.codes.insert(code.clone(), held);
        Ok(code)
    }

    pub(super) fn redeem(&mut self, form: &Form<'_>) -> Result<Value, Denied> {
        self.check_public_client(form)?;
        let now = self.now();
        let invalid = |number, text: &str| Denied::new("invalid_grant", number, text);
        let code = self.codes.get(form.get("code")).cloned().ok_or_else(|| {
            invalid(
                9_002_313,
                "Invalid request. The code is malformed or unknown.",
            )
        })?;
        if let Some(family) = code.family {
            // Who redeems twice may have stolen it: the sign-in ends as well.
            self.newest.insert(family, u64::MAX);
            return Err(invalid(
                54005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
            ));
        }
        if code.expires <= now {
            return Err(invalid(
                70008,
                "The provided authorization code has expired.",
            ));
        }
        if code.redirect != form.get("redirect_uri") {
            return Err(Denied::new(
                "invalid_client",
                500_112,
                "The reply address does not match the reply address provided when requesting Authorization code.",
            ));
        }
        if !proves(form.get("code_verifier"), &code.challenge) {
            return Err(invalid(
                501_481,
                "The Code_Verifier does not match the code_challenge supplied in the authorization request for PKCE.",
            ));
        }
        let family = super::new_serial();
        if let Some(held) = self.codes.get_mut(form.get("code")) {
            held.family = Some(family);
        }
        Ok(self.grant(family, super::new_serial(), code.person, &code.scopes, form))
    }
}

/// `http://localhost` is registered, without a port, so any port will do; `127.0.0.1` is not.
pub(super) fn redirect_uri(text: &str) -> Result<Url, Denied> {
    let registered = |url: &Url| {
        url.scheme() == "http"
            && url.host_str() == Some("localhost")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(text).ok().filter(registered).ok_or_else(|| {
        Denied::new(
            "invalid_request",
            50011,
            format!("The redirect URI '{text}' specified in the request does not match the redirect URIs configured for the application."),
        )
    })
}

/// What an application without a secret must send; the plain method would prove nothing to whoever reads the request.
fn check(form: &Form<'_>) -> Result<Vec<String>, Denied> {
    let invalid = |number, text: &str| Denied::new("invalid_request", number, text);
    if form.get("response_type") != "code" {
        return Err(Denied::new(
            "unsupported_response_type",
            700_054,
            "response_type 'code' is the only one enabled for the application.",
        ));
    }
    if form.get("code_challenge").len() != 43 || form.get("code_challenge_method") != "S256" {
        return Err(invalid(
            9_002_325,
            "Proof Key for Code Exchange with the method S256 is required for public clients.",
        ));
    }
    scopes::parse(form.get("scope"), form.origin, form.tenant)
}

/// RFC 7636 section 4.6.
fn proves(verifier: &str, challenge: &str) -> bool {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    (43..=128).contains(&verifier.len())
        && verifier.chars().all(unreserved)
        && URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge
}

/// Posts to the address it came from, so the request itself goes along.
fn page(form: &Form<'_>) -> Reply {
    let scope = form.get("scope").replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><title>Sandbox sign-in</title><form method=post>\
         <p>contactfs asks for: {scope}</p><label>User <input name=user value=\"{}\"></label>\
         <button name=choice value=approve>Approve</button> <button name=choice value=decline>Decline</button></form>",
        people::ALEX.upn
    );
    Reply::bytes("text/html; charset=utf-8", page.into_bytes())
}
