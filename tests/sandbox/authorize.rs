//! The authorization code grant, certificates, challenges, permissions and other people's mailboxes.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair};
use serde_json::{Value, json};
use url::Url;

use crate::login::{ask, begin_with, denied, poll, with_token};
use crate::support::{Bed, Got, empty, read, start, text};
use contactfs::sandbox::Options;

const VERIFIER: &str = "a-verifier-that-is-long-enough-for-RFC-7636~._";
const REDIRECT: &str = "http://localhost:49152/";
const SCOPE: &str = "Contacts.ReadWrite offline_access User.Read";

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// The parameters of a good request, with some replaced.
fn request(bed: &Bed, tenant: &str, replaced: &[(&str, &str)]) -> Url {
    let challenge = challenge(VERIFIER);
    let usual = [
        ("client_id", bed.sandbox.client_id()),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("state", "s-1"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let base = bed.sandbox.login_url();
    let mut url = Url::parse(&format!("{base}/{tenant}/oauth2/v2.0/authorize")).unwrap();
    for (name, value) in usual {
        let value = replaced
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(value, |(_, value)| value);
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

/// Presses a button of the page; returns the parameters of the redirect.
async fn press(bed: &Bed, url: &Url, form: &'static str) -> Vec<(String, String)> {
    let page = read(bed.http.get(url.as_str())).await.unwrap();
    if page.status == 200 {
        assert!(page.header("content-type").starts_with("text/html"));
    }
    let post = bed
        .http
        .post(url.as_str())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    let redirect = read(post).await.unwrap();
    assert_eq!(redirect.status, 302, "{}", redirect.json);
    let target = Url::parse(redirect.header("location")).unwrap();
    assert_eq!(target.origin(), Url::parse(REDIRECT).unwrap().origin());
    target.query_pairs().into_owned().collect()
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map_or("", |(_, value)| value)
}

async fn redeem(bed: &Bed, code: &str, replaced: &[(&str, &str)]) -> Got {
    let usual = [
        ("grant_type", "authorization_code"),
        ("client_id", bed.sandbox.client_id()),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let added = replaced
        .iter()
        .filter(|(name, _)| usual.iter().all(|(other, _)| other != name));
    let form: Vec<(&str, &str)> = usual
        .iter()
        .map(|(name, value)| {
            let found = replaced.iter().find(|(other, _)| other == name);
            (*name, found.map_or(*value, |(_, value)| value))
        })
        .chain(added.copied())
        .collect();
    ask(bed, "common", "token", &form).await
}

async fn code(bed: &Bed) -> String {
    let answered = press(bed, &request(bed, "common", &[]), "choice=approve").await;
    assert_eq!(value(&answered, "state"), "s-1");
    value(&answered, "code").to_owned()
}

#[tokio::test]
async fn a_code_is_good_once_and_with_its_verifier() {
    let bed = empty();
    let first = code(&bed).await;
    denied(
        redeem(&bed, &first, &[("code_verifier", &"x".repeat(43))]).await,
        "invalid_grant",
        501_481,
    );
    denied(
        redeem(&bed, &first, &[("redirect_uri", "http://localhost:1/")]).await,
        "invalid_client",
        500_112,
    );
    denied(
        redeem(
            &bed,
            &first,
            &[("client_secret", bed.sandbox.client_secret())],
        )
        .await,
        "invalid_client",
        700_025,
    );
    let granted = redeem(&bed, &first, &[]).await.expect(200).json;
    with_token(&bed, &granted["access_token"], "/me/contacts")
        .await
        .expect(200);
    denied(redeem(&bed, &first, &[]).await, "invalid_grant", 54005);
    let refresh = text(&granted["refresh_token"]);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", bed.sandbox.client_id()),
        ("refresh_token", refresh.as_str()),
    ];
    denied(
        ask(&bed, "common", "token", &form).await,
        "invalid_grant",
        70008,
    );
    denied(redeem(&bed, "bogus", &[]).await, "invalid_grant", 9_002_313);
}

#[tokio::test]
async fn nothing_is_redirected_to_a_stranger() {
    let bed = empty();
    let wrong = [
        ("common", ("redirect_uri", "http://127.0.0.1:49152/"), 50011),
        (
            "common",
            ("redirect_uri", "http://localhost/elsewhere"),
            50011,
        ),
        ("common", ("redirect_uri", "https://evil.example/"), 50011),
        ("common", ("client_id", "stranger"), 700_016),
        ("elsewhere", ("state", "s-1"), 90002),
    ];
    for (tenant, replaced, number) in wrong {
        let url = request(&bed, tenant, &[replaced]);
        for call in [bed.http.get(url.as_str()), bed.http.post(url.as_str())] {
            let page = read(call).await.unwrap();
            assert_eq!(page.status, 400, "{replaced:?}");
            let page = String::from_utf8(page.bytes).unwrap();
            assert!(page.contains(&format!("AADSTS{number}: ")), "{page}");
        }
    }
}

#[tokio::test]
async fn pkce_cannot_be_left_out_or_weakened() {
    let bed = empty();
    for replaced in [
        ("code_challenge_method", "plain"),
        ("code_challenge_method", ""),
        ("code_challenge", ""),
    ] {
        let url = request(&bed, "common", &[replaced]);
        let answered = press(&bed, &url, "choice=approve").await;
        assert_eq!(value(&answered, "error"), "invalid_request", "{replaced:?}");
        assert_eq!(value(&answered, "code"), "");
    }
    let url = request(&bed, "common", &[("scope", "Mail.Send")]);
    let answered = press(&bed, &url, "choice=approve").await;
    assert_eq!(value(&answered, "error"), "invalid_scope");
    let url = request(&bed, "common", &[]);
    let answered = press(&bed, &url, "choice=decline").await;
    assert_eq!(value(&answered, "error"), "access_denied");
    let scope = [("scope", "Contacts.ReadWrite.Shared")];
    let answered = press(&bed, &request(&bed, "consumers", &scope), "choice=approve").await;
    assert_eq!(
        value(&answered, "error"),
        "invalid_scope",
        "personal accounts share nothing"
    );
}

#[tokio::test]
async fn an_administrator_agrees_for_everybody() {
    let bed = empty();
    bed.control("POST", "settings", json!({"consent": "admin"}))
        .await
        .expect(200);
    let url = request(&bed, "common", &[]);
    let answered = press(&bed, &url, "choice=approve").await;
    assert!(value(&answered, "error_description").starts_with("AADSTS90094: "));
    let device = begin_with(&bed, SCOPE).await;
    bed.control("POST", "device/approve", json!({}))
        .await
        .expect(200);
    let refused = poll(&bed, &device["device_code"]).await;
    assert_eq!(refused.json["suberror"], "consent_required");
    denied(refused, "invalid_grant", 65001);
    let visit = |tenant: &'static str| {
        let url = format!(
            "{}/{tenant}/v2.0/adminconsent?client_id={}&scope=Contacts.ReadWrite&redirect_uri=http://localhost",
            bed.sandbox.login_url(),
            bed.sandbox.client_id()
        );
        read(bed.http.get(url))
    };
    assert_eq!(visit("common").await.unwrap().status, 400);
    assert_eq!(visit("organizations").await.unwrap().status, 302);
    poll(&bed, &device["device_code"]).await.expect(200);
}

async fn sign_in(bed: &Bed, scope: &str, user: &str) -> Value {
    let device = begin_with(bed, scope).await;
    bed.control("POST", "device/approve", json!({ "user": user }))
        .await
        .expect(200);
    poll(bed, &device["device_code"]).await.expect(200).json
}

#[tokio::test]
async fn permissions_are_enforced_for_each_mailbox() {
    let bed = start(Options::default());
    let robin = format!("/users/{}/contacts", bed.sandbox.shared_mailbox());
    let plain = sign_in(&bed, SCOPE, "").await["access_token"].clone();
    let shared = sign_in(&bed, "Contacts.Read.Shared", "").await["access_token"].clone();
    with_token(&bed, &plain, &robin)
        .await
        .refused(403, "ErrorAccessDenied");
    let got = with_token(&bed, &shared, &robin).await.expect(200);
    assert_eq!(got.rows().len(), 3);
    with_token(&bed, &shared, "/me/contacts").await.expect(200);
    with_token(&bed, &shared, "/me")
        .await
        .refused(403, "Authorization_RequestDenied");
    with_token(&bed, &plain, "/me/outlook/masterCategories")
        .await
        .refused(403, "ErrorAccessDenied");
    for (user, status, code) in [
        ("casey.closed@sandbox.example", 403, "ErrorAccessDenied"),
        (
            "mo.nobox@sandbox.example",
            404,
            "MailboxNotEnabledForRESTAPI",
        ),
        ("nobody@sandbox.example", 404, "ErrorInvalidUser"),
    ] {
        with_token(&bed, &shared, &format!("/users/{user}/contacts"))
            .await
            .refused(status, code);
    }
    let other = sign_in(&bed, SCOPE, bed.sandbox.shared_mailbox()).await;
    let me = with_token(&bed, &other["access_token"], "/me")
        .await
        .expect(200);
    assert_eq!(me.json["userPrincipalName"], bed.sandbox.shared_mailbox());
    let own = with_token(&bed, &other["access_token"], "/me/contacts").await;
    assert_eq!(own.expect(200).rows().len(), 3);
}

#[tokio::test]
async fn a_declined_permission_is_not_in_the_token() {
    let bed = empty();
    bed.control(
        "POST",
        "settings",
        json!({"grantable": "Contacts.Read User.Read"}),
    )
    .await
    .expect(200);
    let granted = sign_in(&bed, "Contacts.ReadWrite User.Read offline_access", "").await;
    assert_eq!(granted["scope"], "User.Read");
    with_token(&bed, &granted["access_token"], "/me/contacts")
        .await
        .refused(403, "ErrorAccessDenied");
}

#[tokio::test]
async fn only_tokens_that_can_be_challenged_are() {
    let bed = empty();
    let plain = sign_in(&bed, SCOPE, "").await;
    let refresh = async |claims: &str| {
        let token = text(&plain["refresh_token"]);
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", bed.sandbox.client_id()),
            ("refresh_token", token.as_str()),
            ("claims", claims),
        ];
        ask(&bed, "common", "token", &form).await.expect(200).json
    };
    let capable = refresh(r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#).await;
    assert_eq!(
        (&plain["expires_in"], &capable["expires_in"]),
        (&json!(3599), &json!(86_399))
    );
    bed.control("POST", "tokens/challenge", json!({}))
        .await
        .expect(200);
    with_token(&bed, &plain["access_token"], "/me/contacts")
        .await
        .expect(200);
    let refused = with_token(&bed, &capable["access_token"], "/me/contacts").await;
    let header = refused.header("www-authenticate").to_owned();
    refused.refused(401, "InvalidAuthenticationToken");
    let claims = header
        .split("claims=\"")
        .nth(1)
        .unwrap()
        .trim_end_matches('"');
    let claims = base64::engine::general_purpose::STANDARD
        .decode(claims)
        .unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["access_token"]["xms_cc"] = json!({"values": ["cp1"]});
    let renewed = refresh(&claims.to_string()).await;
    with_token(&bed, &renewed["access_token"], "/me/contacts")
        .await
        .expect(200);
}

#[tokio::test]
async fn revoked_sign_ins_and_new_rules_end_a_refresh() {
    let bed = empty();
    let granted = sign_in(&bed, SCOPE, "").await;
    let token = text(&granted["refresh_token"]);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", bed.sandbox.client_id()),
        ("refresh_token", token.as_str()),
    ];
    let set = async |on: bool| {
        bed.control("POST", "settings", json!({"interaction_required": on}))
            .await
            .expect(200)
    };
    set(true).await;
    denied(
        ask(&bed, "common", "token", &form).await,
        "interaction_required",
        50076,
    );
    set(false).await;
    let wider = [
        form[0],
        form[1],
        form[2],
        ("scope", "Contacts.ReadWrite.Shared"),
    ];
    denied(
        ask(&bed, "common", "token", &wider).await,
        "invalid_grant",
        65001,
    );
    ask(&bed, "common", "token", &form).await.expect(200);
    bed.control("POST", "sign-ins/revoke", json!({}))
        .await
        .expect(200);
    denied(
        ask(&bed, "common", "token", &form).await,
        "invalid_grant",
        50173,
    );
}

struct Key {
    pem: String,
    pair: RsaKeyPair,
    thumbprint: String,
}

/// A key with a certificate of its own; `None` when openssl is missing.
fn key(dir: &Path) -> Option<Key> {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test",
        ])
        .args(["-days", "2", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir)
        .output();
    if made.is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "openssl is required in CI"
        );
        return None;
    }
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let der = |pem: &str| {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        base64::engine::general_purpose::STANDARD
            .decode(body)
            .unwrap()
    };
    let (pem, private) = (read("cert.pem"), read("key.pem"));
    Some(Key {
        pair: RsaKeyPair::from_pkcs8(&der(&private)).unwrap(),
        thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der(&pem))),
        pem,
    })
}

impl Key {
    fn assertion(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm, "typ": "JWT", "x5t#S256": self.thumbprint});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "PS256" => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                encoding,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test]
async fn an_assertion_is_checked_in_every_part() {
    let bed = empty();
    let dir = tempfile::tempdir().unwrap();
    let Some(key) = key(dir.path()) else { return };
    let tenant = bed.sandbox.tenant();
    let endpoint = format!("{}/{tenant}/oauth2/v2.0/token", bed.sandbox.login_url());
    let now = jiff::Timestamp::now().as_second();
    let client = bed.sandbox.client_id();
    let good = json!({
        "aud": endpoint, "iss": client, "sub": client, "jti": "1", "nbf": now, "exp": now + 300,
    });
    let send = async |assertion: &str| {
        let scope = format!("{}/.default", bed.sandbox.login_url());
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("client_assertion_type", kind),
            ("client_assertion", assertion),
            ("scope", &scope),
        ];
        ask(&bed, tenant, "token", &form).await
    };
    let unknown = send(&key.assertion("PS256", &good)).await;
    denied(unknown, "invalid_client", 700_027);
    bed.control("POST", "certificates", json!({"pem": key.pem}))
        .await
        .expect(200);
    for algorithm in ["PS256", "RS256"] {
        let granted = send(&key.assertion(algorithm, &good))
            .await
            .expect(200)
            .json;
        let user = format!("/users/{}/contacts", bed.sandbox.mailbox());
        with_token(&bed, &granted["access_token"], &user)
            .await
            .expect(200);
    }
    let mut forged = key.assertion("PS256", &good);
    forged.replace_range(forged.len() - 8..forged.len() - 4, "AAAA");
    denied(send(&forged).await, "invalid_client", 700_027);
    for (name, value, number) in [
        ("aud", json!("https://elsewhere.example"), 700_023),
        ("iss", json!("stranger"), 700_021),
        ("sub", json!("stranger"), 700_021),
        ("exp", json!(now - 600), 700_024),
        ("nbf", json!(now + 600), 700_024),
        ("jti", json!(""), 50027),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let refused = send(&key.assertion("PS256", &claims)).await;
        denied(refused, "invalid_client", number);
    }
    bed.control("POST", "settings", json!({"clock_skew": 600}))
        .await
        .expect(200);
    denied(
        send(&key.assertion("PS256", &good)).await,
        "invalid_client",
        700_024,
    );
    bed.control("POST", "settings", json!({"clock_skew": 3 * 24 * 3600}))
        .await
        .expect(200);
    denied(
        send(&key.assertion("PS256", &good)).await,
        "invalid_client",
        1_000_502,
    );
}
