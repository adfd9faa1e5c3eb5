//! Tokens: renewed in time and once, offline is not signed out.

use std::sync::Arc;
use std::time::Duration;

use contactfs::auth::{AuthError, Person, Registration, TokenSource, Vault};
use contactfs::config::{Account, AccountOptions, Environment};
use contactfs::sandbox::Options;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::person::{CLIENT, command, exchanges, mounting, run, set, sign_in, world, world_with};
use crate::support::{Run, World, fuse_or_skip};

/// The tokens of whoever signed in, in this process.
fn tokens(world: &World) -> Person {
    let state = world.state_dir();
    let environment = Environment::from_iter(
        [
            ("CONTACTFS_CLIENT_ID", CLIENT),
            ("CONTACTFS_STATE_DIR", state.to_str().unwrap()),
            ("CONTACTFS_GRAPH_URL", &world.graph_url()),
            (
                "CONTACTFS_LOGIN_URL",
                world.graph_url().trim_end_matches("/v1.0"),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let account = Account::resolve(&AccountOptions::default(), &environment).unwrap();
    Person::new(Registration::of(&account).unwrap(), Vault::of(&account)).unwrap()
}

#[tokio::test]
async fn eight_requests_at_once_refresh_once() {
    let world = world();
    sign_in(&world, &[]);
    world.clear_log();
    let tokens = Arc::new(tokens(&world));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let tokens = Arc::clone(&tokens);
        tasks.spawn(async move { tokens.token().await.unwrap().expose_secret().to_owned() });
    }
    let mut got = tasks.join_all().await;
    got.dedup();
    assert_eq!((got.len(), exchanges(&world, 200)), (1, 1));
}

/// Every process replaces the refresh token that the next one uses.
#[test]
fn eight_processes_at_once_do_not_lose_the_sign_in() {
    let world = world();
    sign_in(&world, &[]);
    world.clear_log();
    let checks: Vec<_> = (0..8)
        .map(|_| {
            let mut check = command(&world, &["login", "--check"]);
            std::thread::spawn(move || Run::of(&mut check))
        })
        .collect();
    for check in checks {
        check.join().unwrap().ok();
    }
    assert_eq!(exchanges(&world, 400), 0);
    run(&world, &["login", "--check"]).ok();
}

#[tokio::test]
async fn trouble_at_the_login_service_is_not_a_lost_sign_in() {
    let world = world();
    sign_in(&world, &[]);
    world.fail_with(None, "/token", 1, 503, "ServiceUnavailable");
    assert!(matches!(
        tokens(&world).token().await,
        Err(AuthError::Offline { .. })
    ));
    world.fail_with(None, "/token", 1, 429, "TooManyRequests");
    assert!(matches!(
        tokens(&world).token().await,
        Err(AuthError::Offline { .. })
    ));
    world.fail(
        None,
        "/token",
        1,
        contactfs::sandbox::FaultAction::DropBefore,
    );
    assert!(matches!(
        tokens(&world).token().await,
        Err(AuthError::Offline { .. })
    ));
    world.fail(
        None,
        "/token",
        1,
        contactfs::sandbox::FaultAction::Malformed,
    );
    assert!(matches!(
        tokens(&world).token().await,
        Err(AuthError::Offline { .. })
    ));
    // As if the process had been killed: the successor was handed out and never arrived.
    world.fail(
        None,
        "/token",
        1,
        contactfs::sandbox::FaultAction::DropAfter,
    );
    assert!(matches!(
        tokens(&world).token().await,
        Err(AuthError::Offline { .. })
    ));
    assert!(tokens(&world).token().await.is_ok());
    set(&world, json!({"interaction_required": true}));
    let source = tokens(&world);
    let reason = match source.token().await {
        Err(AuthError::SignInNeeded { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(
        reason.starts_with("the organisation asks for you in person"),
        "{reason}"
    );
    let asked = exchanges(&world, 400);
    assert!(source.token().await.is_err());
    assert_eq!(
        exchanges(&world, 400),
        asked,
        "the same refused token is not sent again at once"
    );
}

#[test]
fn a_check_tells_offline_from_signed_out() {
    let world = world();
    sign_in(&world, &[]);
    world.fail_with(None, "/token", 9, 503, "ServiceUnavailable");
    let offline = run(&world, &["login", "--check"]);
    assert_eq!(offline.code, 69, "{offline:?}");
    assert!(
        offline
            .err
            .contains("the login service is in trouble (status 503)"),
        "{}",
        offline.err
    );
    assert!(!offline.err.contains("contactfs login"), "{}", offline.err);
    world.clear_faults();
    world.api().control("POST", "sign-ins/revoke", &json!({}));
    let out = run(&world, &["login", "--check"]);
    assert_eq!(out.code, 78);
    assert!(
        out.err.starts_with("contactfs: sign-in needed: the sign-in has expired or was revoked (invalid_grant, AADSTS50173)\nSign in with: contactfs login default\n"),
        "{}",
        out.err
    );
}

#[test]
fn a_token_that_ends_during_a_long_first_load_is_renewed_before() {
    if !fuse_or_skip() {
        return;
    }
    let world = world_with(Options {
        contacts: Some(6000),
        latency: Duration::from_millis(400),
        ..Options::default()
    });
    set(&world, json!({"expires_in": 5}));
    sign_in(&world, &[]);
    world.clear_log();
    let mount = mounting(&world).start();
    assert!(mount.list("Contacts").len() > 6000);
    let log = world.log();
    // One may be: the last second of a token may pass on its way on a busy machine.
    let dead = log.iter().filter(|entry| entry.status == 401).count();
    assert!(dead <= 1, "{dead} requests were made with a dead token");
    assert!(
        exchanges(&world, 200) >= 2,
        "{} token requests",
        exchanges(&world, 200)
    );
    mount.unmount();
}
