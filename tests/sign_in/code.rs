//! Signing in with a code that is typed at a page.

use serde_json::json;

use crate::person::{CLIENT, Login, exchanges, run, set, sign_in, visit, world};
use crate::support::{Tmux, need};

#[test]
fn a_code_signs_in_and_the_next_command_is_named() {
    let world = world();
    let login = Login::start(&world, &[]);
    let page = login.page();
    assert_eq!(visit(&page, None).unwrap().status, 200);
    login.approve("");
    let run = login.end();
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(
        run.out,
        "account default: signed in as alex.sandberg@sandbox.example\n\
         mailbox: one's own, folder Contacts\n\
         permissions: Contacts.ReadWrite offline_access User.Read\n\
         next: contactfs mount default DIR\n"
    );
}

#[test]
fn the_code_stands_large_on_a_terminal_with_the_time_left() {
    if !need("tmux") {
        return;
    }
    let world = world();
    let program = env!("CARGO_BIN_EXE_contactfs");
    let of = |name: &str| format!("{name}={}", world.dir().join(name.to_lowercase()).display());
    let base = world.graph_url();
    let line = format!(
        "env -i HOME={home} XDG_RUNTIME_DIR={run} {state} CONTACTFS_CLIENT_ID={CLIENT} CONTACTFS_GRAPH_URL={base} \
         CONTACTFS_LOGIN_URL={login} TERM=$TERM LANG=C.UTF-8 {program} login; sleep 20",
        home = world.dir().join("home").display(),
        run = world.dir().join("run").display(),
        state = of("STATE").replace("STATE=", "XDG_STATE_HOME="),
        login = base.trim_end_matches("/v1.0"),
    );
    let tmux = Tmux::start(world.dir(), &["sh", "-c", &line]);
    let screen = tmux.wait_for("left");
    assert!(screen.contains("waiting for you, 14:"), "{screen}");
    assert!(screen.contains("    http://127.0.0.1:"), "{screen}");
    let code = screen.lines().find(|line| line.contains('│')).unwrap();
    let code = code.trim_matches([' ', '│']);
    world
        .api()
        .control("POST", "device/approve", &json!({ "user_code": code }));
    let screen = tmux.wait_for("next: contactfs mount default DIR");
    assert!(!screen.contains("waiting for you"), "{screen}");
}

#[test]
fn a_declined_or_late_code_is_one_sentence() {
    let world = world();
    let login = Login::start(&world, &[]);
    login.code();
    world.api().control("POST", "device/decline", &json!({}));
    let run = login.end();
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("sign-in needed: the sign-in was declined"),
        "{}",
        run.err
    );

    let login = Login::start(&world, &[]);
    login.code();
    world.api().control("POST", "device/expire", &json!({}));
    let run = login.end();
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("the code was not entered in time"),
        "{}",
        run.err
    );

    let login = Login::start(&world, &["--timeout", "1s"]);
    login.code();
    let run = login.end();
    assert_eq!(run.code, 78);
    assert!(run.err.contains("nobody signed in in time"), "{}", run.err);
}

#[test]
fn slow_down_is_obeyed() {
    let world = world();
    let login = Login::start(&world, &[]);
    login.code();
    set(&world, json!({"device_interval": 3}));
    crate::support::eventually(crate::person::SOON, "the service asks for slowness", || {
        world.log().iter().any(|entry| {
            entry
                .response
                .as_ref()
                .is_some_and(|body| body["error"] == "slow_down")
        })
    });
    login.approve("");
    login.end().ok();
    let log = world.log();
    let polls: Vec<_> = log
        .iter()
        .filter(|entry| entry.path.ends_with("/token"))
        .collect();
    let slow = polls
        .iter()
        .position(|entry| entry.response.as_ref().unwrap()["error"] == "slow_down")
        .unwrap();
    let gap = polls[slow + 1].at_ms - polls[slow].at_ms;
    assert!(gap >= 6000, "{gap} ms after slow_down, one second before");
}

#[test]
fn a_lost_connection_while_waiting_changes_nothing() {
    let world = world();
    let login = Login::start(&world, &[]);
    login.code();
    // The first question may be under way already, and would meet the approval instead.
    crate::support::eventually(
        crate::person::SOON,
        "the first question is answered",
        || {
            let log = world.log();
            log.iter().any(|entry| entry.path.ends_with("/token"))
        },
    );
    world.fail_with(None, "/token", 2, 503, "ServiceUnavailable");
    login.approve("");
    login.end().ok();
    assert_eq!(exchanges(&world, 503), 2);
}

#[test]
fn consent_and_permissions_that_are_missing_are_named_with_the_way_to_get_them() {
    let world = world();
    set(&world, json!({"consent": "admin"}));
    let login = Login::start(&world, &[]);
    login.approve("");
    let refused = login.end();
    assert_eq!(refused.code, 78);
    assert!(
        refused.err.contains("you or an administrator must consent"),
        "{}",
        refused.err
    );
    assert!(
        refused
            .err
            .contains("sign-in needed: Contacts.ReadWrite: the application"),
        "{}",
        refused.err
    );
    let start = "An administrator can allow it for everybody of an organisation at: http";
    assert!(refused.err.contains(start), "{}", refused.err);
    let url = run(&world, &["login", "--admin-consent-url"]).ok();
    assert!(
        url.contains("/organizations/v2.0/adminconsent?client_id=5a4db0f5-"),
        "{url}"
    );
    assert_eq!(visit(url.trim(), None).unwrap().status, 302);
    sign_in(&world, &[]);

    set(&world, json!({"grantable": "Contacts.Read User.Read"}));
    let login = Login::start(&world, &[]);
    login.approve("");
    let refused = login.end();
    assert_eq!(refused.code, 78);
    let expected = "contactfs: the sign-in of default lacks the permission Contacts.ReadWrite\n";
    assert!(refused.err.contains(expected), "{}", refused.err);
    assert!(refused.err.contains("/adminconsent?"), "{}", refused.err);
}

#[test]
fn an_application_that_is_not_public_is_told_what_to_switch_on() {
    let world = world();
    set(&world, json!({"public_client": false}));
    let login = Login::start(&world, &[]);
    let refused = login.end();
    assert_eq!(refused.code, 78);
    assert!(
        refused.err.contains("does not allow public client flows"),
        "{}",
        refused.err
    );
}
