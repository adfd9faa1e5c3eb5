//! An application that signs in as itself, and what is wrong when it cannot.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::person::{CLIENT, command, set, world};
use crate::support::{Run, World, fuse_or_skip, need, run_in};

const TENANT: &str = "5a4db0f5-0000-4000-8000-c0ffee000002";
const MAILBOX: &str = "alex.sandberg@sandbox.example";

fn application(world: &World, arguments: &[&str]) -> Command {
    let mut command = command(world, arguments);
    command
        .env("CONTACTFS_TENANT", TENANT)
        .env("CONTACTFS_MAILBOX", MAILBOX);
    command
}

/// A PEM file with key and certificate, registered with the application.
fn certificate(world: &World) -> PathBuf {
    let line = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=contactfs -days 2 -keyout k.pem -out c.pem && \
        cat k.pem c.pem > both.pem";
    run_in(world.dir(), "sh", &["-euc", line]).ok();
    let pem = fs::read_to_string(world.dir().join("c.pem")).unwrap();
    world
        .api()
        .control("POST", "certificates", &json!({ "pem": pem }));
    world.dir().join("both.pem")
}

#[test]
fn a_secret_signs_in_and_mounts() {
    let world = world();
    let mut login = application(&world, &["login", "--client-credentials"]);
    let run = Run::of(login.env("CONTACTFS_CLIENT_SECRET", world.secret()));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.out
            .contains(&format!("signed in as the application {CLIENT}")),
        "{}",
        run.out
    );
    if !fuse_or_skip() {
        return;
    }
    let mount = world.mounting().client_credentials().start();
    assert!(!mount.list("Contacts").is_empty());
    mount.unmount();
}

#[test]
fn a_certificate_signs_in_and_mounts() {
    if !need("openssl") {
        return;
    }
    let world = world();
    let pem = certificate(&world);
    let mut login = application(&world, &["login", "--client-credentials"]);
    let run = Run::of(login.env("CONTACTFS_CLIENT_CERTIFICATE", &pem));
    assert_eq!(run.code, 0, "{run:?}");
    let log = world.log();
    let sent = log
        .iter()
        .find(|entry| entry.path.ends_with("/token"))
        .unwrap();
    let form = sent.request.as_ref().unwrap();
    assert!(form.get("client_assertion").is_some() && form.get("client_secret").is_none());
    if !fuse_or_skip() {
        return;
    }
    let mount = world
        .mounting()
        .env("CONTACTFS_ACCESS_TOKEN", "")
        .env("CONTACTFS_CLIENT_ID", CLIENT)
        .env("CONTACTFS_TENANT", TENANT)
        .env("CONTACTFS_MAILBOX", MAILBOX)
        .env("CONTACTFS_CLIENT_CERTIFICATE", pem.to_str().unwrap())
        .start();
    assert!(!mount.list("Contacts").is_empty());
    mount.unmount();
}

/// Exits with 78 and says this in its first line, which is all that is said but for hints.
#[track_caller]
fn refused(mut command: Command, sentence: &str) {
    let run = Run::of(&mut command);
    assert_eq!(run.code, 78, "{run:?}");
    let first = run.err.lines().next().unwrap();
    assert!(
        first.starts_with("contactfs: ") && first.contains(sentence),
        "{}",
        run.err
    );
    assert!(!run.err.contains("wrong-secret"), "{}", run.err);
}

#[test]
fn each_thing_that_can_be_wrong_is_one_sentence() {
    let world = world();
    let mount = ["mount", "mnt"];
    let with = |name: &str, value: &str| {
        let mut command = application(&world, &mount);
        command
            .env("CONTACTFS_CLIENT_SECRET", world.secret())
            .env(name, value);
        command
    };
    refused(
        with("CONTACTFS_TENANT", "nowhere.example"),
        "there is no tenant nowhere.example at 127.0.0.1",
    );
    refused(
        with("CONTACTFS_TENANT", "common"),
        "the tenant common stands for several",
    );
    refused(
        with("CONTACTFS_CLIENT_ID", "stranger"),
        "has no application stranger",
    );
    refused(
        with("CONTACTFS_CLIENT_SECRET", "wrong-secret"),
        "the client secret is wrong",
    );
    let mailbox = |name| with("CONTACTFS_MAILBOX", name);
    refused(
        mailbox("nobody@sandbox.example"),
        "there is no user or mailbox nobody@sandbox.example",
    );
    refused(
        mailbox("mo.nobox@sandbox.example"),
        "mo.nobox@sandbox.example has no Exchange Online mailbox",
    );
    refused(
        mailbox("casey.closed@sandbox.example"),
        "or a policy keeps it out of that mailbox",
    );
}

#[test]
fn an_expired_certificate_and_a_wrong_clock_are_told_apart() {
    if !need("openssl") {
        return;
    }
    let world = world();
    let pem = certificate(&world);
    let with = |path: &PathBuf| {
        let mut command = application(&world, &["mount", "mnt"]);
        command.env("CONTACTFS_CLIENT_CERTIFICATE", path);
        command
    };
    for (skew, sentence) in [
        (
            600,
            "this computer's clock is 10 minutes behind the login service's",
        ),
        (
            -600,
            "this computer's clock is 10 minutes ahead of the login service's",
        ),
        (3 * 24 * 3600, "the certificate has expired"),
    ] {
        set(&world, json!({ "clock_skew": skew }));
        refused(with(&pem), sentence);
    }
    set(&world, json!({"clock_skew": 0}));
    let stranger = world.dir().join("stranger.pem");
    let line = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -days 2 -keyout s.pem -out t.pem && cat s.pem t.pem > stranger.pem";
    run_in(world.dir(), "sh", &["-euc", line]).ok();
    refused(with(&stranger), "the certificate is not the one registered");
    refused(with(&world.dir().join("c.pem")), "it holds no private key");
    refused(with(&world.dir().join("missing.pem")), "No such file");
}

/// A clock that is ten minutes off harms no sign-in by code.
#[test]
fn a_wrong_clock_does_not_matter_to_a_person() {
    for skew in [600, -600] {
        let world = world();
        set(&world, json!({ "clock_skew": skew }));
        crate::person::sign_in(&world, &[]);
        crate::person::run(&world, &["login", "--check"]).ok();
    }
}
