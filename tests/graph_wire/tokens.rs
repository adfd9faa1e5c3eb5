//! Tokens: renewed once, never mistaken for a network trouble, never sent twice in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use contactfs::auth::{
    Application, AuthError, BoxFuture, Challenge, Proof, Registration, TokenSource,
};
use contactfs::graph::{Client, Endpoint, Error, Mailbox};
use contactfs::model::Tier;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::ids;
use super::server::{Answer, Server, failure, ok, raw, status};

/// Counts refusals and hands out `token-0`, `token-1`, ...
#[derive(Default)]
struct Renewing(AtomicUsize);

impl TokenSource for Renewing {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        let token = SecretString::from(format!("token-{}", self.0.load(Ordering::SeqCst)));
        Box::pin(async { Ok(token) })
    }

    fn refused(&self, token: &SecretString, _challenge: Option<Challenge>) {
        assert_eq!(
            token.expose_secret(),
            format!("token-{}", self.0.load(Ordering::SeqCst))
        );
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn renewing(server: &Server) -> Client {
    let root = Url::parse(&format!("{}/v1.0", server.origin)).unwrap();
    Client::new(
        Endpoint::new(root, Mailbox::Me).unwrap(),
        Arc::new(Renewing::default()),
        Tier::Basic,
    )
    .unwrap()
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Server::start(|_, request| match request.header("authorization") {
        "Bearer token-1" => ok(&json!({ "id": "c1", "changeKey": "k" })),
        _ => failure(401, "InvalidAuthenticationToken"),
    })
    .await;
    assert!(renewing(&server).change_keys(&ids(&["c1"])).await.unwrap()[0].is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_token_refused_again_needs_a_person() {
    let server = Server::start(|_, _| failure(401, "InvalidAuthenticationToken")).await;
    let result = renewing(&server).change_keys(&ids(&["c1"])).await;
    assert!(
        matches!(result, Err(Error::SignInNeeded { .. })),
        "{result:?}"
    );
    assert_eq!(server.requests().len(), 2);
}

/// Graph-facts 1.7: a personal account answers so for what it does not offer.
#[tokio::test]
async fn a_401_with_unknown_error_is_not_about_the_sign_in() {
    let server = Server::start(|_, _| failure(401, "UnknownError")).await;
    let results = renewing(&server).change_keys(&ids(&["c1"])).await.unwrap();
    assert!(matches!(results[0], Err(Error::Denied { .. })));
    assert_eq!(server.requests().len(), 1);
}

fn token_reply(number: usize, life: u64) -> Value {
    json!({ "token_type": "Bearer", "expires_in": life, "access_token": format!("access-{number}") })
}

fn credentials(server: &Server) -> Application {
    let registration = Registration {
        login_url: Url::parse(&server.origin).unwrap(),
        graph_url: Url::parse("https://graph.example:8443/v1.0").unwrap(),
        tenant: "tenant-1".to_owned(),
        client_id: "app-1".to_owned(),
    };
    Application::new(registration, Proof::Secret("s3cret&=".into())).unwrap()
}

async fn token(source: &Application) -> Result<String, AuthError> {
    source
        .token()
        .await
        .map(|token| token.expose_secret().to_owned())
}

#[tokio::test]
async fn one_refresh_serves_many_callers() {
    let server = Server::start(|number, _| {
        Answer::Slow(
            Duration::from_millis(20),
            Box::new(ok(&token_reply(number, 3600))),
        )
    })
    .await;
    let source = Arc::new(credentials(&server));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let source = Arc::clone(&source);
        tasks.spawn(async move { token(&source).await.unwrap() });
    }
    assert!(
        tasks
            .join_all()
            .await
            .into_iter()
            .all(|token| token == "access-0")
    );

    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].target, "/tenant-1/oauth2/v2.0/token");
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&requests[0].body)
        .into_owned()
        .collect();
    let field = |name: &str| {
        form.iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(field("grant_type"), Some("client_credentials"));
    assert_eq!(field("scope"), Some("https://graph.example:8443/.default"));
    assert_eq!(field("client_id"), Some("app-1"));
    assert_eq!(field("client_secret"), Some("s3cret&="));
}

#[tokio::test]
async fn a_refused_token_is_not_handed_out_again() {
    let server = Server::start(|number, _| ok(&token_reply(number, 3600))).await;
    let source = credentials(&server);
    let first = source.token().await.unwrap();
    source.refused(&first, None);
    assert_eq!(token(&source).await.unwrap(), "access-1");
    source.refused(&first, None);
    assert_eq!(
        token(&source).await.unwrap(),
        "access-1",
        "a late refusal of the old one changes nothing"
    );
}

/// A token that lives two seconds is renewed after 80 % of that, and used to its end when the login service is away.
#[tokio::test]
async fn a_short_lived_token_is_renewed_before_its_end() {
    let server = Server::start(|number, _| match number {
        0 => ok(&token_reply(0, 2)),
        1 => raw(503, b""),
        _ => ok(&token_reply(number, 2)),
    })
    .await;
    let source = credentials(&server);
    assert_eq!(token(&source).await.unwrap(), "access-0");
    while server.requests().len() < 2 {
        assert_eq!(
            token(&source).await.unwrap(),
            "access-0",
            "still valid while the login service is away"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(token(&source).await.unwrap(), "access-2");
}

/// Behaviour 7.5: what is no readable refusal is a login service out of reach.
#[tokio::test]
async fn only_a_refusal_is_a_refusal() {
    let verdict = json!({ "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret.\r\nTrace ID: 1" });
    for (answer, is_refusal) in [
        (401, true),
        (400, true),
        (503, false),
        (429, false),
        (302, false),
    ] {
        let verdict = verdict.clone();
        let server = Server::start(move |_, _| match answer {
            302 => raw(302, b"").with("Location", "https://elsewhere.example/"),
            code => status(code, &verdict),
        })
        .await;
        match token(&credentials(&server)).await {
            Err(AuthError::SignInNeeded { reason }) => {
                assert!(is_refusal, "{answer}");
                assert_eq!(
                    reason,
                    "the client secret is wrong; take its value, not its id (invalid_client, AADSTS7000215)"
                );
            }
            Err(AuthError::Offline { .. }) => assert!(!is_refusal, "{answer}"),
            other => panic!("{answer}: {other:?}"),
        }
    }
    let silent = Server::start(|_, _| Answer::HangUp).await;
    assert!(matches!(
        token(&credentials(&silent)).await,
        Err(AuthError::Offline { .. })
    ));
}

#[tokio::test]
async fn secrets_do_not_show() {
    let server = Server::start(|number, _| ok(&token_reply(number, 3600))).await;
    let source = credentials(&server);
    let token = source.token().await.unwrap();
    let shown = format!("{source:?} {token:?}");
    assert!(
        !shown.contains("s3cret") && !shown.contains("access-0"),
        "{shown}"
    );
}

/// Graph-facts 10.7: a token may be refused before its end, and the next request must answer the challenge.
#[tokio::test]
async fn a_challenge_is_answered_with_the_next_token() {
    let claims = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, claims);
    let header = format!("Bearer realm=\"\", error=\"insufficient_claims\", claims=\"{encoded}\"");
    let server = Server::start(move |number, request| {
        match (
            request.target.ends_with("/token"),
            request.header("authorization"),
        ) {
            (true, _) => ok(&token_reply(number, 3600)),
            (false, "Bearer access-0") => {
                failure(401, "InvalidAuthenticationToken").with("WWW-Authenticate", &header)
            }
            _ => ok(&json!({ "id": "c1", "changeKey": "k" })),
        }
    })
    .await;
    let root = Url::parse(&format!("{}/v1.0", server.origin)).unwrap();
    let endpoint = Endpoint::new(root, Mailbox::User("u".to_owned())).unwrap();
    let client = Client::new(endpoint, Arc::new(credentials(&server)), Tier::Basic).unwrap();
    assert!(client.change_keys(&ids(&["c1"])).await.unwrap()[0].is_ok());
    let sent: Vec<Value> = server
        .requests()
        .iter()
        .filter(|request| request.target.ends_with("/token"))
        .map(|request| {
            let mut form = url::form_urlencoded::parse(&request.body);
            let claims = form.find(|(name, _)| name == "claims").unwrap().1;
            serde_json::from_str(&claims).unwrap()
        })
        .collect();
    assert_eq!(sent.len(), 2);
    let capable = json!(["cp1"]);
    assert_eq!(
        sent[0],
        json!({"access_token": {"xms_cc": {"values": capable}}})
    );
    assert_eq!(sent[1]["access_token"]["nbf"]["value"], "1604106651");
    assert_eq!(sent[1]["access_token"]["xms_cc"]["values"], capable);
}
