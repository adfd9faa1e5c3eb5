//! Signing in, and what tokens may do.

use contactfs::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::{Bed, Got, empty, read, text};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(crate) async fn ask(bed: &Bed, tenant: &str, endpoint: &str, form: &[(&str, &str)]) -> Got {
    let url = format!(
        "{}/{tenant}/oauth2/v2.0/{endpoint}",
        bed.sandbox.login_url()
    );
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = bed
        .http
        .post(url)
        .header("Content-Type", "application/x-www-form-urlencoded");
    read(request.body(body)).await.unwrap()
}

fn credentials<'a>(sandbox: &'a Sandbox, secret: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("grant_type", "client_credentials"),
        ("client_id", sandbox.client_id()),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ]
}

pub(crate) async fn with_token(bed: &Bed, token: &Value, path: &str) -> Got {
    let request = bed
        .http
        .get(format!("{}{path}", bed.sandbox.graph_url()))
        .bearer_auth(text(token));
    read(request).await.unwrap()
}

#[track_caller]
pub(crate) fn denied(got: Got, error: &str, number: u64) {
    assert!(got.status >= 400, "{}", got.json);
    assert_eq!(
        (&got.json["error"], &got.json["error_codes"][0]),
        (&json!(error), &json!(number))
    );
    assert!(text(&got.json["error_description"]).starts_with(&format!("AADSTS{number}: ")));
}

#[tokio::test]
async fn a_request_needs_a_good_bearer() {
    let bed = empty();
    let url = format!("{}/me/contacts", bed.sandbox.graph_url());
    for token in [None, Some("nodots"), Some("sandbox.forged.0000")] {
        let request = bed.http.get(&url);
        let request = if let Some(token) = token {
            request.bearer_auth(token)
        } else {
            request
        };
        let got = read(request).await.unwrap();
        assert!(got.header("www-authenticate").starts_with("Bearer"));
        got.refused(401, "InvalidAuthenticationToken");
    }
    bed.control("POST", "settings", json!({"expires_in": -1}))
        .await
        .expect(200);
    let form = credentials(&bed.sandbox, bed.sandbox.client_secret());
    let expired = ask(&bed, bed.sandbox.tenant(), "token", &form)
        .await
        .expect(200)
        .json;
    with_token(&bed, &expired["access_token"], "/me/contacts")
        .await
        .refused(401, "InvalidAuthenticationToken");
}

#[tokio::test]
async fn client_credentials_address_a_user_by_name() {
    let bed = empty();
    let tenant = bed.sandbox.tenant();
    let form = credentials(&bed.sandbox, bed.sandbox.client_secret());
    let granted = ask(&bed, tenant, "token", &form).await.expect(200).json;
    assert_eq!(
        (&granted["token_type"], &granted["expires_in"]),
        (&json!("Bearer"), &json!(3599))
    );
    let user = format!("/users/{}/contacts", bed.sandbox.mailbox());
    with_token(&bed, &granted["access_token"], &user)
        .await
        .expect(200);
    with_token(&bed, &granted["access_token"], "/me/contacts")
        .await
        .refused(400, "BadRequest");

    denied(
        ask(&bed, tenant, "token", &credentials(&bed.sandbox, "wrong")).await,
        "invalid_client",
        7_000_215,
    );
    denied(
        ask(&bed, "elsewhere", "token", &form).await,
        "invalid_request",
        90002,
    );
    denied(
        ask(&bed, "common", "token", &form).await,
        "invalid_request",
        50059,
    );
    let mut narrow = form;
    narrow[3] = ("scope", "Contacts.ReadWrite");
    denied(
        ask(&bed, tenant, "token", &narrow).await,
        "invalid_scope",
        1_002_012,
    );
    let mut stranger = form;
    stranger[1] = ("client_id", "stranger");
    denied(
        ask(&bed, tenant, "token", &stranger).await,
        "unauthorized_client",
        700_016,
    );
}

#[tokio::test]
async fn credentials_may_come_as_basic_authentication() {
    let bed = empty();
    let url = format!(
        "{}/{}/oauth2/v2.0/token",
        bed.sandbox.login_url(),
        bed.sandbox.tenant()
    );
    let request = bed
        .http
        .post(url)
        .basic_auth(bed.sandbox.client_id(), Some(bed.sandbox.client_secret()));
    let own = format!(
        "grant_type=client_credentials&scope={}/.default",
        bed.sandbox.login_url()
    );
    read(
        request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(own),
    )
    .await
    .unwrap()
    .expect(200);
}

async fn begin(bed: &Bed) -> Value {
    begin_with(bed, "Contacts.ReadWrite offline_access User.Read").await
}

pub(crate) async fn begin_with(bed: &Bed, scope: &str) -> Value {
    let form = [("client_id", bed.sandbox.client_id()), ("scope", scope)];
    ask(bed, "common", "devicecode", &form)
        .await
        .expect(200)
        .json
}

pub(crate) async fn poll(bed: &Bed, code: &Value) -> Got {
    let code = text(code);
    ask(
        bed,
        "common",
        "token",
        &[
            ("grant_type", DEVICE),
            ("client_id", bed.sandbox.client_id()),
            ("device_code", &code),
        ],
    )
    .await
}

#[tokio::test]
async fn a_device_waits_for_its_person() {
    let bed = empty();
    let device = begin(&bed).await;
    assert_eq!(
        (&device["expires_in"], &device["interval"]),
        (&json!(900), &json!(5))
    );
    denied(
        poll(&bed, &device["device_code"]).await,
        "authorization_pending",
        70016,
    );
    denied(poll(&bed, &device["device_code"]).await, "slow_down", 70016);
    denied(
        poll(&bed, &json!("bogus")).await,
        "bad_verification_code",
        70018,
    );
    let other = begin(&bed).await;
    let decided = bed
        .control(
            "POST",
            "device/approve",
            json!({"user_code": device["user_code"]}),
        )
        .await
        .expect(200)
        .json;
    assert_eq!(decided["decided"], 1);
    let granted = poll(&bed, &device["device_code"]).await.expect(200).json;
    with_token(&bed, &granted["access_token"], "/me/contacts")
        .await
        .expect(200);
    bed.control("POST", "device/decline", json!({}))
        .await
        .expect(200);
    denied(
        poll(&bed, &other["device_code"]).await,
        "authorization_declined",
        70000,
    );
    let late = begin(&bed).await;
    bed.control("POST", "device/expire", json!({}))
        .await
        .expect(200);
    denied(
        poll(&bed, &late["device_code"]).await,
        "expired_token",
        70020,
    );
}

#[tokio::test]
async fn refresh_tokens_rotate_and_old_ones_die() {
    let bed = empty();
    let device = begin(&bed).await;
    bed.control("POST", "device/approve", json!({}))
        .await
        .expect(200);
    let mut tokens =
        vec![poll(&bed, &device["device_code"]).await.expect(200).json["refresh_token"].clone()];
    let refresh = async |token: &Value| {
        let token = text(token);
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", bed.sandbox.client_id()),
            ("refresh_token", token.as_str()),
        ];
        ask(&bed, "common", "token", &form).await
    };
    for _ in 0..2 {
        let granted = refresh(tokens.last().unwrap()).await.expect(200).json;
        with_token(&bed, &granted["access_token"], "/me/contacts")
            .await
            .expect(200);
        assert!(!tokens.contains(&granted["refresh_token"]));
        tokens.push(granted["refresh_token"].clone());
    }
    refresh(&tokens[1]).await.expect(200);
    denied(refresh(&tokens[0]).await, "invalid_grant", 70008);
    denied(refresh(&json!("bogus")).await, "invalid_grant", 70008);
}

#[tokio::test]
async fn reading_rights_do_not_write() {
    let bed = empty();
    let form = [
        ("client_id", bed.sandbox.client_id()),
        ("scope", "Contacts.Read"),
    ];
    let device = ask(&bed, "common", "devicecode", &form)
        .await
        .expect(200)
        .json;
    bed.control("POST", "device/approve", json!({}))
        .await
        .expect(200);
    let granted = poll(&bed, &device["device_code"]).await.expect(200).json;
    assert_eq!(
        granted.get("refresh_token"),
        None,
        "offline_access was not asked for"
    );
    with_token(&bed, &granted["access_token"], "/me/contacts")
        .await
        .expect(200);
    let url = format!("{}/me/contacts", bed.sandbox.graph_url());
    let post = bed
        .http
        .post(url)
        .bearer_auth(text(&granted["access_token"]))
        .json(&json!({"givenName": "Bo"}));
    read(post).await.unwrap().refused(403, "ErrorAccessDenied");
}
