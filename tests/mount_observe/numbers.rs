//! The numbers of a mount, and its state as it changes.

use std::fs;

use contactfs::sandbox::FaultAction;

use super::{OFTEN, SOON, Stream};
use crate::support::{Tmux, World, eventually, fuse_or_skip, need};

const CARD: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nEND:VCARD\r\n";

/// Everything that goes over the wire is counted, and a pause that the service asks for as well.
#[test]
fn traffic_is_counted() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(OFTEN);
    mount.in_step();
    let before = mount.status()["mounts"][0]["traffic"].clone();
    assert!(before["bytes_in"].as_u64() > Some(1000), "{before}");
    assert_eq!(before["throttled"], 0);
    world.fail(
        None,
        "",
        1,
        FaultAction::Status {
            code: 429,
            error_code: "TooManyRequests".to_owned(),
            retry_after: Some(2),
            empty_body: false,
        },
    );
    fs::write(mount.path("Contacts/Ada.vcf"), CARD).unwrap();
    let traffic = eventually(SOON, "a pause is counted", || {
        let traffic = mount.status()["mounts"][0]["traffic"].clone();
        (traffic["throttled_ms"].as_u64() >= Some(1000)).then_some(traffic)
    });
    assert_eq!(traffic["throttled"], 1);
    eventually(SOON, "the card is sent", || {
        world.api().contact("Ada").is_some()
    });
    let after = mount.status()["mounts"][0]["traffic"].clone();
    assert!(after["bytes_out"].as_u64() > before["bytes_out"].as_u64());
    let latency = &after["latency_ms"];
    assert!(latency["answers"].as_u64() > before["latency_ms"]["answers"].as_u64());
    assert!(latency["max"].as_u64() >= latency["mean"].as_u64());
    let last = latency["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["answers"], latency["answers"], "{latency}");
}

/// "throttled (with until)": also for a pause that is short enough to be waited out.
#[test]
fn a_pause_is_shown_with_its_end() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(OFTEN);
    mount.in_step();
    let pause = FaultAction::Status {
        code: 429,
        error_code: "TooManyRequests".to_owned(),
        retry_after: Some(6),
        empty_body: false,
    };
    world.fail(None, "", 1, pause);
    let connection = || mount.status()["mounts"][0]["connection"].clone();
    let until = eventually(SOON, "the pause is shown", || {
        let connection = connection();
        (connection["state"] == "throttled").then(|| connection["until"].clone())
    });
    let until: jiff::Timestamp = until.as_str().unwrap().parse().unwrap();
    let left = until.duration_since(jiff::Timestamp::now()).as_secs_f64();
    assert!((1.0..=6.0).contains(&left), "{left}");
    eventually(SOON, "it is over", || connection()["state"] == "online");
    assert!(jiff::Timestamp::now() >= until);
    mount.unmount();
}

/// "request-ids in logs": by them the service finds a request in its own.
#[test]
fn requests_are_logged_with_both_their_ids() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(&["-vv"]);
    mount.in_step();
    let said = mount.stderr();
    let requests = said.lines().filter(|line| line.contains("graph request"));
    let requests: Vec<&str> = requests.collect();
    assert!(requests.len() > 2, "{said}");
    for entry in world.log().iter().filter(|entry| entry.batch.is_none()) {
        let mut headers = entry.request_headers.iter();
        let (_, id) = headers
            .find(|(name, _)| name == "client-request-id")
            .unwrap();
        let line = requests.iter().find(|line| line.contains(&**id));
        let line = line.unwrap_or_else(|| panic!("{id} in {requests:#?}"));
        assert!(line.contains(" request_id=\""), "{line}");
    }
    mount.unmount();
}

#[test]
fn metrics_are_those_of_the_status() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::sample();
    let mount = world.mount(OFTEN);
    mount.in_step();
    let dir = mount.dir().to_str().unwrap().to_owned();
    let text = world.run(&["metrics", &dir]).ok();
    let count = mount
        .list("Contacts")
        .iter()
        .filter(|name| name.ends_with(".vcf"))
        .count();
    let line =
        format!("contactfs_folder_contacts{{mount=\"{dir}\",folder=\"Contacts\"}} {count}\n");
    assert!(text.contains(&line), "{text}");
    assert!(
        text.contains(&format!("contactfs_online{{mount=\"{dir}\"}} 1\n")),
        "{text}"
    );
    mount.kill9();
    let text = world.run(&["metrics"]).ok();
    assert!(
        text.contains(&format!("contactfs_up{{mount=\"{dir}\"}} 0\n")),
        "{text}"
    );
}

/// One line for the state as it is and one for each change, not one a second.
#[test]
fn the_state_is_shown_as_it_changes_until_the_mount_ends() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let mount = world.mount(OFTEN);
    mount.in_step();
    let dir = mount.dir().to_str().unwrap().to_owned();
    let mut stream = Stream::of(&world, &["status", "--watch", "--json", &dir]);
    let has = |count: u64| {
        move |line: &serde_json::Value| line["mounts"][0]["folders"][0]["contacts"] == count
    };
    stream.hears("the state", has(0));
    fs::write(mount.path("Contacts/Ada.vcf"), CARD).unwrap();
    stream.hears("a contact more", has(1));
    std::thread::sleep(3 * std::time::Duration::from_secs(1));
    let lines = stream.lines();
    let is_in_step = |line: &serde_json::Value| {
        has(1)(line) && line["mounts"][0]["pending"] == serde_json::json!([])
    };
    assert_eq!(
        lines.iter().filter(|line| is_in_step(line)).count(),
        1,
        "{lines:#?}"
    );
    mount.unmount();
    assert!(stream.ends().success());
    let file = world.run(&["status", "--watch"]);
    assert_eq!(file.code, 0, "{file:?}");
}

/// On a terminal the state stands where it stood before.
#[test]
fn a_terminal_is_drawn_anew() {
    if !fuse_or_skip() || !need("tmux") {
        return;
    }
    let world = World::new();
    let mount = world.mount(OFTEN);
    mount.in_step();
    let command = world.command(&["status", "--watch"]);
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, value?.to_str()?)));
    let mut program = vec!["env".to_owned()];
    program.extend(variables);
    program.push(command.get_program().to_str().unwrap().to_owned());
    program.extend(["status".to_owned(), "--watch".to_owned()]);
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let screen = Tmux::start(world.dir(), &program);
    screen.wait_for("Contacts: 0 contacts");
    fs::write(mount.path("Contacts/Ada.vcf"), CARD).unwrap();
    let shown = screen.wait_for("Contacts: 1 contacts");
    assert_eq!(shown.matches(": online").count(), 1, "{shown}");
    assert!(!shown.contains("0 contacts"), "{shown}");
    mount.unmount();
    screen.wait_end();
}
