//! What is known of a contact as extended attributes of its file, when they are asked for.
//!
//! 1.8 "Extended attributes are answered ENOSYS by default ... With --xattr they are, read-only".

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{OFTEN, SOON};
use crate::support::{World, eventually, fuse_or_skip, id, need, run};

/// Prints the attributes of a file, or the errno.
const ALL: &str = "
import json, os, sys
try:
    names = os.listxattr(sys.argv[1])
    print(json.dumps({name: os.getxattr(sys.argv[1], name).decode() for name in names}))
except OSError as error:
    print(json.dumps(error.errno))
";
/// Prints the errno of each way to change one, and of asking for one that is not there.
const OTHER: &str = "
import json, os, sys
path, found = sys.argv[1], []
for call in [lambda: os.setxattr(path, 'user.contactfs.state', b'x'), lambda: os.setxattr(path, 'user.mine', b'x'),
             lambda: os.removexattr(path, 'user.contactfs.state'), lambda: os.getxattr(path, 'user.mine')]:
    try:
        call()
        found.append(0)
    except OSError as error:
        found.append(error.errno)
print(json.dumps(found))
";

#[track_caller]
fn python(script: &str, path: &Path) -> Value {
    let out = run("python3", &["-c", script, path.to_str().unwrap()]).ok();
    serde_json::from_str(&out).unwrap()
}

fn bo() -> String {
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bo\r\nN:;Bo;;;\r\nEND:VCARD\r\n".to_owned()
}

#[test]
fn without_the_option_there_are_none() {
    if !fuse_or_skip() || !need("python3") {
        return;
    }
    let world = World::new();
    world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(&["--debug-fuse"]);
    let file = mount.path("Contacts/Ada.vcf");
    fs::read(&file).unwrap();
    for _ in 0..3 {
        assert_eq!(python(ALL, &file), json!(libc::EOPNOTSUPP));
    }
    let said = mount.stderr().to_uppercase();
    let asked = said.lines().filter(|line| line.contains("XATTR")).count();
    assert!(asked <= 2, "the kernel asked {asked} times");
}

#[test]
fn with_it_they_tell_id_version_time_and_state() {
    if !fuse_or_skip() || !need("python3") {
        return;
    }
    let world = World::new();
    let ada = world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"}));
    let mount = world.mount(&[OFTEN, &["--xattr"]].concat());
    let file = mount.path("Contacts/Ada.vcf");
    eventually(SOON, "the folder is loaded", || file.exists());
    mount.in_step();
    let attributes = python(ALL, &file);
    let made: jiff::Timestamp = ada["createdDateTime"].as_str().unwrap().parse().unwrap();
    let expected = json!({
        "user.contactfs.id": ada["id"],
        "user.contactfs.changekey": ada["changeKey"],
        "user.contactfs.created": made.to_string(),
        "user.contactfs.state": "synced",
    });
    assert_eq!(attributes, expected);
    let refused = json!([
        libc::EOPNOTSUPP,
        libc::EOPNOTSUPP,
        libc::EOPNOTSUPP,
        libc::ENODATA
    ]);
    assert_eq!(python(OTHER, &file), refused);

    // A file that is no contact's has none, and a folder has none.
    fs::write(mount.path("Contacts/.note"), "x").unwrap();
    for other in ["Contacts/.note", "Contacts", ""] {
        assert_eq!(python(ALL, &mount.path(other)), json!({}), "{other}");
    }

    // Changed elsewhere: another version.
    let key = world
        .api()
        .patch(&id(&ada), json!({"jobTitle": "Countess"}))["changeKey"]
        .clone();
    eventually(SOON, "the attribute follows", || {
        python(ALL, &file)["user.contactfs.changekey"] == key
    });
}

#[test]
fn they_tell_what_waits_and_what_was_refused() {
    if !fuse_or_skip() || !need("python3") {
        return;
    }
    let world = World::new();
    let mount = world.mount(&["--xattr"]);
    eventually(SOON, "the folder is loaded", || {
        fs::read_dir(mount.path("Contacts")).is_ok()
    });
    let file = mount.path("Contacts/Bo.vcf");
    // None of a file that is replaced between its look-up and the question.
    let state = || python(ALL, &file)["user.contactfs.state"].clone();

    fs::write(&file, "BEGIN:VCARD\r\n").unwrap();
    assert_eq!(python(ALL, &file), json!({"user.contactfs.state": "draft"}));

    world.disconnect();
    fs::write(&file, bo()).unwrap();
    assert_eq!(state(), "pending");
    world.reconnect();
    eventually(SOON, "it is sent", || state() == "synced");
    mount.in_step();

    world.fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    fs::write(&file, bo().replace("END:", "TITLE:x\r\nEND:")).unwrap();
    eventually(SOON, "it is refused", || state() == "rejected");
    let error = python(ALL, &file)["user.contactfs.error"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(error.contains("ErrorInvalidRequest"), "{error}");

    // `contactfs status FILE` says the same, and which versions there were.
    let path = file.to_str().unwrap();
    let status: Value = serde_json::from_str(&world.run(&["status", "--json", path]).out).unwrap();
    let attributes = python(ALL, &file);
    let same = [
        ("id", "id"),
        ("change_key", "changekey"),
        ("created", "created"),
        ("state", "state"),
        ("reason", "error"),
    ];
    for (key, name) in same {
        assert_eq!(
            status[key],
            attributes[format!("user.contactfs.{name}")],
            "{key}"
        );
    }
    assert_eq!(status["versions"][0]["fate"], "rejected", "{status}");
    let said = world.run(&["status", path]);
    assert_eq!(said.code, 2, "a person is needed");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines[0], format!("rejected Contacts/Bo.vcf: {error}"));
    assert_eq!(lines[1], format!("  id {}", status["id"].as_str().unwrap()));
    assert_eq!(
        lines[2],
        format!("  version {}", status["change_key"].as_str().unwrap())
    );
    assert!(lines[3].starts_with("  made 20"), "{lines:?}");
    assert!(
        lines[4].starts_with("  earlier version ") && lines[4].ends_with(", rejected"),
        "{lines:?}"
    );
}
