//! The program as a person or a script meets it: exit codes, what it says, what it prints.
//!
//! Each test has a home of its own and nothing of the environment of whoever runs the tests.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

#[path = "cli/home.rs"]
mod home;
#[path = "cli/live.rs"]
mod live;

use home::{Home, Run, skipped};

/// A URL on this machine where nobody listens.
fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1.0", listener.local_addr().unwrap())
}

#[test]
fn help_names_the_commands_that_are_built() {
    let run = Home::new().run(&["--help"]);
    assert_eq!(run.code, 0);
    let commands = run
        .out
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let names: Vec<&str> = commands
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let expected = [
        "mount",
        "umount",
        "login",
        "logout",
        "accounts",
        "sandbox",
        "sync",
        "status",
        "watch",
        "metrics",
        "conflicts",
        "deletes",
        "history",
        "restore",
        "scratch",
        "export",
        "import",
        "categories",
        "doctor",
        "completions",
        "unit",
        "man",
    ];
    assert_eq!(names, expected);
    assert!(
        run.out.contains("contactfs mount --sandbox DIR"),
        "a newcomer finds the first command"
    );
}

#[test]
fn every_command_has_short_and_long_help() {
    let home = Home::new();
    for command in [
        "mount",
        "umount",
        "login",
        "logout",
        "accounts",
        "sandbox",
        "sync",
        "status",
        "conflicts",
        "deletes",
        "history",
        "restore",
        "scratch",
        "export",
        "import",
        "categories",
        "doctor",
        "completions",
        "unit",
        "man",
    ] {
        let (short, long) = (home.run(&[command, "-h"]), home.run(&[command, "--help"]));
        assert_eq!((short.code, long.code), (0, 0), "{command}");
        assert!(long.out.len() >= short.out.len(), "{command}");
        assert!(
            short
                .out
                .lines()
                .all(|line| !line.trim_end().ends_with("-h, --help")),
            "{command}: undocumented option"
        );
    }
}

#[test]
fn wrong_usage_exits_with_64_and_one_sentence() {
    let home = Home::new();
    let cases: &[&[&str]] = &[
        &["mount"],
        &["mount", "--no-such-option", "mnt"],
        &["mount", "--poll-interval", "soon", "mnt"],
        &["mount", "--poll-interval", "0s", "mnt"],
        &["mount", "--foreground", "--daemon", "mnt"],
        &["mount", "--sandbox-contacts", "3", "mnt"],
        &["mount", "--sandbox", "--mailbox", "a@b", "mnt"],
        &["mount", "-o", "no_such_option", "mnt"],
        &["mount", "-o", "poll_interval=soon", "mnt"],
        &["mount", "--notify-url", "https://a.example/b", "mnt"],
        &["mount", "-o", "notify_listen=127.0.0.1:1", "mnt"],
        &[
            "mount",
            "--notify-url=http://a.example/b",
            "--notify-listen=127.0.0.1:1",
            "mnt",
        ],
        &["format"],
        &["sandbox", "--listen", "nowhere"],
        &["status", "/nowhere/at/all"],
        &["completions", "dos"],
    ];
    for arguments in cases {
        let run = home.run(arguments);
        assert_eq!(run.code, 64, "{arguments:?}: {}", run.err);
        assert!(
            run.err.starts_with("contactfs: "),
            "{arguments:?}: {}",
            run.err
        );
        assert_eq!(run.out, "", "{arguments:?}");
    }
    assert_eq!(home.run(&[]).code, 64);
}

#[test]
fn a_mount_without_a_sign_in_exits_with_78_and_names_the_ways_out() {
    let home = Home::new();
    for arguments in [["mount", "mnt"].as_slice(), &["mount", "--daemon", "mnt"]] {
        let run = home.run(arguments);
        assert_eq!(run.code, 78);
        assert_eq!(
            run.err.lines().next(),
            Some("contactfs: no sign-in is configured")
        );
        assert!(
            run.err.contains("CONTACTFS_ACCESS_TOKEN") && run.err.contains("--sandbox"),
            "{}",
            run.err
        );
    }
    let run = home.run_with(&["mount", "mnt"], &[("CONTACTFS_CLIENT_SECRET", "hunter2")]);
    assert_eq!(run.code, 78);
    assert!(
        run.err.contains("CONTACTFS_CLIENT_ID") && !run.err.contains("hunter2"),
        "{}",
        run.err
    );
}

#[test]
fn mount_8_calls_the_helper_in_its_own_form() {
    let home = Home::new();
    let mut command = home.command(&["none", "mnt", "-s", "-o", "ro,nofail,x-systemd.automount"]);
    let run = Run::of(command.arg0("/sbin/mount.contactfs").output().unwrap());
    assert_eq!(
        (run.code, run.err.lines().next()),
        (78, Some("contactfs: no sign-in is configured"))
    );
    let mut command = home.command(&["none", "mnt", "-o", "red_only"]);
    let run = Run::of(command.arg0("mount.contactfs").output().unwrap());
    assert_eq!(run.code, 64);
    assert!(run.err.contains("read-only"), "{}", run.err);
}

#[test]
fn a_service_that_cannot_be_reached_exits_with_69_or_75() {
    let home = Home::new();
    let url = closed_port();
    let variables = [
        ("CONTACTFS_ACCESS_TOKEN", "t"),
        ("CONTACTFS_GRAPH_URL", url.as_str()),
    ];
    for arguments in [
        ["mount", "mnt"].as_slice(),
        &["mount", "--daemon", "mnt"],
        &["mount", "-o", "daemon", "mnt"],
    ] {
        let run = home.run_with(arguments, &variables);
        assert!(
            run.code == 69 || run.code == 75,
            "{arguments:?}: {} {}",
            run.code,
            run.err
        );
        assert!(
            run.err.starts_with("contactfs: "),
            "{arguments:?}: {}",
            run.err
        );
        assert!(!run.err.contains("mounted"), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn a_token_is_never_sent_over_plain_http_to_another_machine() {
    let variables = [
        ("CONTACTFS_ACCESS_TOKEN", "t"),
        ("CONTACTFS_GRAPH_URL", "http://graph.example/v1.0"),
    ];
    let run = Home::new().run_with(&["mount", "mnt"], &variables);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("plain http"), "{}", run.err);
}

#[test]
fn a_mount_point_that_is_missing_or_in_use_is_wrong_usage() {
    let home = Home::new();
    let token = [("CONTACTFS_ACCESS_TOKEN", "t")];
    let run = home.run_with(&["mount", "missing"], &token);
    assert_eq!(
        (run.code, run.err.as_str()),
        (
            64,
            "contactfs: missing does not exist\nMake it with: mkdir missing\n"
        )
    );
    fs::write(home.dir().join("file"), "").unwrap();
    let run = home.run_with(&["mount", "mnt"], &token);
    assert_eq!(run.code, 64);
    assert!(run.err.contains("--allow-non-empty"), "{}", run.err);
}

#[test]
fn with_nothing_mounted_all_is_well() {
    let home = Home::new();
    let run = home.run(&["status"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (0, "", "nothing is mounted\n")
    );
    let run = home.run(&["status", "--json"]);
    assert_eq!(run.code, 0);
    let json: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(json, serde_json::json!({"mounts": [], "dead": []}));
    assert_eq!(home.run(&["sync"]).code, 0);
    let run = home.run(&["umount", "mnt"]);
    assert_eq!(
        (run.code, run.err.lines().next()),
        (1, Some("contactfs: mnt is not a contactfs mount"))
    );
}

#[test]
fn a_runtime_directory_open_to_others_is_refused() {
    let home = Home::new();
    let runtime = home.root().join("contactfs");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o777)).unwrap();
    let run = home.run(&["status"]);
    assert_eq!(run.code, 78);
    assert!(run.err.contains("0700"), "{}", run.err);
}

#[test]
fn doctor_says_what_to_do_about_each_problem() {
    let home = Home::new();
    let url = closed_port();
    let run = home.run_with(
        &["doctor", "missing", "--json"],
        &[("CONTACTFS_GRAPH_URL", &url)],
    );
    assert_eq!(run.code, 1);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&run.out).unwrap();
    for finding in &findings {
        assert_eq!(
            finding["ok"].as_bool().unwrap(),
            finding["advice"].is_null(),
            "{finding}"
        );
    }
    let problems: Vec<&str> = findings
        .iter()
        .filter(|finding| finding["ok"] == false)
        .filter_map(|finding| finding["check"].as_str())
        .collect();
    for expected in ["mount point", "sign-in", "service"] {
        assert!(problems.contains(&expected), "{problems:?}");
    }
    let run = home.run_with(&["doctor", "missing"], &[("CONTACTFS_GRAPH_URL", &url)]);
    assert_eq!(run.code, 1);
    assert!(run.out.contains(
        "problem  mount point: missing is missing\n         Make it with: mkdir missing\n"
    ));
}

#[test]
fn completions_know_the_options() {
    let home = Home::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = home.run(&["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.out.contains("sandbox-contacts"), "{shell}");
    }
}

#[test]
fn the_manual_is_printed() {
    let home = Home::new();
    assert!(home.run(&["man"]).out.contains(".Dt CONTACTFS 1"));
    let page = home.run(&["man", "5"]).out;
    assert!(page.contains(".Dt CONTACTFS.CONF 5"));
    assert!(home.run(&["man", "7"]).out.contains(".Dt CONTACTFS 7"));
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let home = Home::new();
    let run = home.run(&["unit"]);
    assert_eq!(run.code, 0);
    assert!(run.out.contains(env!("CARGO_BIN_EXE_contactfs")) && run.out.contains("Type=notify"));
    let file = home.root().join("contactfs.service");
    fs::write(&file, &run.out).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let verified = verify
        .args(["verify", "--user", "--man=no"])
        .arg(&file)
        .env("XDG_RUNTIME_DIR", home.root())
        .output();
    match verified {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("contactfs.service"), "{said}");
        }
        Err(error) => skipped(&format!(
            "systemd-analyze is not installed ({error}), the unit was not verified"
        )),
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let home = Home::new();
    let mut child = home
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
}

#[test]
fn the_sandbox_prints_variables_that_a_shell_takes_and_ends_on_a_signal() {
    let home = Home::new();
    let mut child = home
        .command(&["sandbox", "--contacts", "3"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .take(6)
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "GRAPH_URL",
        "LOGIN_URL",
        "TENANT",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "MAILBOX",
    ];
    assert_eq!(names, expected.map(|name| format!("CONTACTFS_{name}")));
    let variables: Vec<(&str, &str)> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .collect();
    let doctor = home.run_with(&["doctor", "--json"], &variables);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&doctor.out).unwrap();
    for check in ["sign-in", "service"] {
        assert!(
            findings
                .iter()
                .any(|finding| finding["check"] == check && finding["ok"] == true),
            "{}",
            doctor.out
        );
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
}
