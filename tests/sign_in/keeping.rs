//! Where a sign-in is kept, and that it is nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::person::{Login, command, configure, exchanges, mounting, run, sign_in, world};
use crate::support::{Run, eventually, fuse_or_skip, need};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_file_is_private_and_gone_after_logout() {
    let world = world();
    sign_in(&world, &[]);
    let dir = world.state_dir().join(".sign-in");
    let file = dir.join("default.json");
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
    run(&world, &["login", "--check"]).ok();
    let refreshed = run(&world, &["logout"]);
    assert_eq!(refreshed.err, "signed out of default\n");
    assert!(!file.exists());
    let left: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["default.lock"]);
    assert_eq!(run(&world, &["login", "--check"]).code, 78);
    assert_eq!(
        run(&world, &["logout"]).err,
        "nobody was signed in to default\n"
    );
}

#[test]
fn a_file_open_to_others_is_refused() {
    let world = world();
    sign_in(&world, &[]);
    let file = world.state_dir().join(".sign-in/default.json");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let run = run(&world, &["login", "--check"]);
    assert_eq!(run.code, 69, "{run:?}");
    assert!(run.err.contains("mode 0600"), "{}", run.err);
}

/// A program that keeps the sign-in. While `helper.hang` is there a store never ends, while `helper.full` is, it fails.
pub(crate) fn helper(dir: &Path) -> String {
    let script = "#!/bin/sh\ncase $1 in\nget) cat \"$0.$2\" 2>/dev/null;;\n\
        store) [ ! -e \"$0.full\" ] || exit 1\n if [ -e \"$0.hang\" ]; then touch \"$0.hangs\"; sleep 60; fi; cat > \"$0.$2\";;\n\
        erase) rm -f \"$0.$2\";;\nesac\n";
    let path = dir.join("helper");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let line = path.display();
    format!("[account.work]\ncredentials = \"command\"\ncredentials_command = \"'{line}'\"\n")
}

#[test]
fn a_program_of_ones_own_keeps_it() {
    let world = world();
    configure(&world, &helper(world.dir()));
    sign_in(&world, &["work"]);
    let kept = world.dir().join("helper.work");
    let before = fs::read_to_string(&kept).unwrap();
    run(&world, &["login", "--check", "work"]).ok();
    assert_ne!(
        fs::read_to_string(&kept).unwrap(),
        before,
        "the token was replaced"
    );
    assert!(!world.state_dir().join(".sign-in/work.json").exists());
    run(&world, &["logout", "work"]).ok();
    assert!(!kept.exists());
}

/// Graph-facts 10.5: the old refresh token is not revoked at once.
#[test]
fn a_process_killed_between_refresh_and_keeping_locks_nobody_out() {
    let world = world();
    configure(&world, &helper(world.dir()));
    sign_in(&world, &["work"]);
    let (hang, hangs) = (
        world.dir().join("helper.hang"),
        world.dir().join("helper.hangs"),
    );
    fs::write(&hang, "").unwrap();
    world.clear_log();
    let mut check = command(&world, &["login", "--check", "work"]);
    let mut killed = Login::spawn(&world, &mut check);
    eventually(
        Duration::from_secs(20),
        "the successor is being kept",
        || hangs.exists(),
    );
    assert_eq!(exchanges(&world, 200), 1, "the service has handed it out");
    let used = |path: &str| world.log().iter().any(|entry| entry.path.contains(path));
    assert!(!used("/contactFolders"), "no access token is used before");
    killed.kill();
    fs::remove_file(&hang).unwrap();
    run(&world, &["login", "--check", "work"]).ok();
    run(&world, &["login", "--check", "work"]).ok();
}

#[test]
fn a_keyring_keeps_it_when_a_session_bus_answers() {
    if !need("dbus-run-session") || !need("gnome-keyring-daemon") {
        return;
    }
    let world = world();
    // The parts must run on one bus, which ends with the script.
    let program = env!("CARGO_BIN_EXE_contactfs");
    let script = format!(
        "printf pass | gnome-keyring-daemon --unlock --components=secrets >/dev/null\n\
         {program} login >login.out 2>login.err\n{program} login --check\n{program} accounts\n\
         find state -name '*.json' | sed s/^/FILE:/\n{program} logout\n{program} login --check || echo out $?"
    );
    let session = command(&world, &[]);
    let mut wrapped = Command::new("dbus-run-session");
    wrapped
        .args(["--", "sh", "-c", &script])
        .current_dir(world.dir());
    wrapped.env_clear().envs(
        session
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let api = world.api();
    let approve = std::thread::spawn(move || {
        eventually(Duration::from_secs(60), "a code is asked for", || {
            let decided = api.control("POST", "device/approve", &json!({}));
            decided["decided"] == 1
        });
    });
    let run = Run::of(&mut wrapped);
    approve.join().unwrap();
    assert!(
        run.out
            .contains("signed in as alex.sandberg@sandbox.example\nmailbox:"),
        "{run:?}"
    );
    assert!(!run.out.contains("FILE:"), "{run:?}");
    assert!(run.err.contains("signed out of default"), "{run:?}");
    assert!(run.out.ends_with("out 78\n"), "{run:?}");
}

/// Behaviour 8.2: tokens are never in logs, `ps`, core dumps or error texts.
#[test]
fn nothing_secret_is_logged_at_the_highest_verbosity() {
    if !fuse_or_skip() {
        return;
    }
    let world = world();
    crate::person::set(&world, json!({"expires_in": 2}));
    let log = world.dir().join("all.log");
    let logged = ["-vv", "--log-file", log.to_str().unwrap()];
    let mut login = command(&world, &[["login"].as_slice(), &logged].concat());
    let login = Login::spawn(&world, login.env("CONTACTFS_LOG", "trace"));
    login.approve("");
    login.end().ok();
    let file = world.state_dir().join(".sign-in/default.json");
    let refresh = |text: String| {
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        kept["refresh_token"].as_str().unwrap().to_owned()
    };
    let mut secrets = vec![refresh(fs::read_to_string(&file).unwrap())];
    let mount = mounting(&world)
        .args(&["--poll-interval", "1s"])
        .args(&logged)
        .env("CONTACTFS_LOG", "trace")
        .start();
    let process = format!("/proc/{}", mount.pid().as_raw_nonzero());
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    assert!(
        limits
            .lines()
            .any(|line| line.starts_with("Max core file size        0 ")),
        "{limits}"
    );
    eventually(Duration::from_secs(30), "the token was renewed", || {
        exchanges(&world, 200) >= 3
    });
    secrets.push(refresh(fs::read_to_string(&file).unwrap()));
    let shown = [
        fs::read_to_string(format!("{process}/cmdline")).unwrap(),
        fs::read_to_string(&log).unwrap(),
        mount.stderr(),
    ];
    mount.unmount();
    let mut shown = shown.concat();
    shown.push_str(&fs::read_to_string(&log).unwrap());
    assert!(shown.len() > 10_000, "there is a log");
    for secret in secrets {
        assert!(!shown.contains(&secret));
    }
    // Every token of this service begins so.
    assert!(!shown.contains("sandbox.ey"), "a token is in the log");
}
