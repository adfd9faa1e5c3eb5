//! A running mount whose sign-in ends.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::keeping::helper;
use crate::person::{command, configure, exchanges, mounting, run, set, sign_in, world};
use crate::support::{Mount, eventually, fuse_or_skip};

const SOON: Duration = Duration::from_secs(30);
const CARD: &str =
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Nia Newcomer\r\nN:Newcomer;Nia;;;\r\nEND:VCARD\r\n";

fn connection(mount: &Mount) -> Value {
    mount.status()["mounts"][0]["connection"].clone()
}

#[track_caller]
fn await_state(mount: &Mount, state: &str) {
    eventually(SOON, state, || connection(mount)["state"] == state);
}

/// Behaviour 7.5 "An expired sign-in leaves the mount readable, saves queue, status and the log say which command to run".
#[test]
fn an_ended_sign_in_leaves_the_mount_readable_and_a_new_one_is_noticed() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    set(&world, json!({"expires_in": 3}));
    sign_in(&world, &[]);
    let mount = mounting(&world).args(&["--poll-interval", "1s"]).start();
    let names = mount.list("Contacts");
    world.api().control("POST", "sign-ins/revoke", &json!({}));
    await_state(&mount, "sign_in_needed");
    let reason = connection(&mount)["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("contactfs login default ("), "{reason}");
    let shown = run(&world, &["status", "mnt"]);
    assert_eq!(shown.code, 2);
    assert!(
        shown
            .out
            .contains(": sign-in needed: contactfs login default ("),
        "{}",
        shown.out
    );
    eventually(SOON, "the log says so", || {
        let said = "sign-in needed: contactfs login default (";
        mount.stderr().contains(said)
    });
    assert_eq!(mount.list("Contacts"), names);
    mount.read(&format!("Contacts/{}", names[0]));
    fs::write(mount.path("Contacts/Nia Newcomer.vcf"), CARD).unwrap();
    assert_eq!(
        mount.status()["mounts"][0]["pending"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(world.api().contact("Nia Newcomer").is_none());

    set(&world, json!({"expires_in": 3600}));
    sign_in(&world, &[]);
    eventually(
        Duration::from_secs(10),
        "the new sign-in is noticed",
        || connection(&mount)["state"] == "online",
    );
    world.api().await_contact("Nia Newcomer", |_| true);
    mount.unmount();
}

/// Behaviour 7.5 "a network error is never mistaken for an expired sign-in".
#[test]
fn a_login_service_in_trouble_is_offline() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    set(&world, json!({"expires_in": 2}));
    sign_in(&world, &[]);
    let mount = mounting(&world).args(&["--poll-interval", "1s"]).start();
    world.fail_with(None, "/token", u32::MAX, 503, "ServiceUnavailable");
    await_state(&mount, "offline");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(connection(&mount)["state"], "offline");
    world.clear_faults();
    await_state(&mount, "online");
    mount.unmount();
}

#[test]
fn a_challenge_renews_the_token_and_nobody_notices() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    sign_in(&world, &[]);
    let mount = mounting(&world).start();
    world.clear_log();
    world.api().control("POST", "tokens/challenge", &json!({}));
    mount.in_step();
    assert_eq!(exchanges(&world, 200), 1);
    assert!(
        world.log().iter().any(|entry| entry.status == 401),
        "there was a challenge"
    );
    mount.in_step();
    assert_eq!(exchanges(&world, 200), 1, "the new token is good");
    mount.unmount();
}

#[test]
fn a_service_without_a_sign_in_exits_with_78() {
    let world = world();
    for arguments in [["mount", "mnt"].as_slice(), &["mount", "--daemon", "mnt"]] {
        let refused = run(&world, arguments);
        assert_eq!(refused.code, 78, "{refused:?}");
        assert_eq!(
            refused.err,
            "contactfs: sign-in needed: nobody is signed in\nSign in with: contactfs login default\n"
        );
    }
    assert_eq!(world.log().len(), 0, "nothing is sent");
}

#[test]
fn a_sign_in_of_another_application_is_not_used() {
    let world = world();
    sign_in(&world, &[]);
    world.clear_log();
    let mut other: Command = command(&world, &["mount", "mnt"]);
    let refused = crate::support::Run::of(other.env("CONTACTFS_CLIENT_ID", "another"));
    assert_eq!(refused.code, 78, "{refused:?}");
    assert_eq!(world.log().len(), 0, "the token is not shown to anyone");
}

#[test]
fn doctor_looks_at_token_and_permissions() {
    let world = world();
    let line = |out: &str, check: &str| {
        let found = out
            .lines()
            .find(|line| line.contains(&format!("  {check}: ")));
        found.map(str::to_owned)
    };
    let before = run(&world, &["doctor"]).out;
    let token = line(&before, "token").unwrap();
    assert!(
        token.starts_with("problem") && token.contains("nobody is signed in"),
        "{before}"
    );
    assert!(
        before.contains("         Sign in with: contactfs login default"),
        "{before}"
    );
    sign_in(&world, &[]);
    let after = run(&world, &["doctor"]).out;
    assert_eq!(
        line(&after, "token").unwrap(),
        "ok       token: good for reading Contacts"
    );
    let scopes = "ok       scopes: Contacts.ReadWrite offline_access User.Read";
    assert_eq!(line(&after, "scopes").unwrap(), scopes);
}

/// The successor of a refresh token that could not be kept is kept later, and until then no other is asked for.
#[test]
fn a_sign_in_that_cannot_be_kept_is_not_lost() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    configure(&world, &helper(world.dir()));
    set(&world, json!({"expires_in": 2}));
    sign_in(&world, &["work"]);
    let mount = mounting(&world)
        .args(&["--poll-interval", "1s", "work"])
        .start();
    let full = world.dir().join("helper.full");
    fs::write(&full, "").unwrap();
    await_state(&mount, "offline");
    let reason = connection(&mount)["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("credentials_command failed"), "{reason}");
    let before = exchanges(&world, 200);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        exchanges(&world, 200),
        before,
        "nothing is rotated into the void"
    );
    fs::remove_file(&full).unwrap();
    await_state(&mount, "online");
    mount.unmount();
}

/// Eight saves meet a challenged token at once.
#[test]
fn eight_saves_at_once_renew_the_token_once() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    sign_in(&world, &[]);
    let mount = mounting(&world).start();
    world.clear_log();
    world.api().control("POST", "tokens/challenge", &json!({}));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = mount.path(&format!("Contacts/Nia Newcomer {number}.vcf"));
            let card = CARD.replace("Newcomer", &format!("Newcomer {number}"));
            scope.spawn(move || fs::write(path, card).unwrap());
        }
    });
    mount.in_step();
    for number in 0..8 {
        let name = format!("Nia Newcomer {number}");
        assert!(world.api().contact(&name).is_some(), "{name}");
    }
    assert_eq!(exchanges(&world, 200), 1);
    mount.unmount();
}

/// A permission that is taken away is named, reading goes on.
#[test]
fn a_mailbox_that_is_closed_later_is_said_so() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    let robin = "robin.fjord@sandbox.example";
    sign_in(&world, &["--mailbox", robin]);
    let mount = mounting(&world)
        .args(&["--poll-interval", "1s", "--mailbox", robin])
        .start();
    assert_eq!(mount.list("Contacts").len(), 3);
    world.fail_with(None, "delta", u32::MAX, 403, "ErrorAccessDenied");
    await_state(&mount, "sign_in_needed");
    assert_eq!(
        connection(&mount)["reason"],
        "contactfs login default --mailbox robin.fjord@sandbox.example (the contacts of robin.fjord@sandbox.example are \
         closed to you: they are not shared with you, or the permission Contacts.ReadWrite.Shared is missing \
         (ErrorAccessDenied))"
    );
    assert_eq!(mount.list("Contacts").len(), 3);
    world.clear_faults();
    await_state(&mount, "online");
    mount.unmount();
}
