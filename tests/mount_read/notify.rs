//! "With `--notify-url` the service tells of changes." They are seen at once, and whatever is wrong with that, polling goes on.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use contactfs::sandbox::FaultAction;
use serde_json::{Value, json};

use super::SOON;
use crate::support::{Mount, World, eventually, fuse_or_skip};

/// Polls that no test waits for.
const HARDLY: &str = "600s";
/// In which the service can be told that a subscription was refused, and be asked again.
const RETRIED: Duration = Duration::from_secs(60);

/// An address for notifications.
struct Hook {
    address: String,
    url: String,
}

impl Hook {
    /// Below the ports that outgoing connections take, so that nobody has it before the mount does.
    fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let base = 12_000 + (std::process::id() % 200) as u16 * 100;
        loop {
            let port = base + NEXT.fetch_add(1, Ordering::SeqCst) % 100;
            let address = format!("127.0.0.1:{port}");
            if TcpListener::bind(&address).is_ok() {
                let url = format!("http://{address}/told");
                return Self { address, url };
            }
        }
    }

    fn mount(&self, world: &World, arguments: &[&str]) -> Mount {
        let hook = ["--notify-url", &self.url, "--notify-listen", &self.address];
        world.mount(&[&hook[..], arguments].concat())
    }

    /// Sends a request to the listener; status, head and body of the reply.
    #[track_caller]
    fn request(&self, method: &str, target: &str, body: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        // Who has heard enough may hang up.
        drop(stream.write_all(&[head.as_bytes(), body].concat()));
        let mut reply = Vec::new();
        drop(stream.read_to_end(&mut reply));
        let reply = String::from_utf8(reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    #[track_caller]
    fn notify(&self, item: &Value) {
        let body = json!({"value": [item]}).to_string();
        assert_eq!(self.request("POST", "/told", body.as_bytes()).0, 202);
    }
}

/// The live subscriptions as the service has them.
#[track_caller]
fn subscriptions(world: &World) -> Vec<Value> {
    let all = world.api().control("GET", "subscriptions", &Value::Null);
    all.as_array().unwrap().clone()
}

/// Waits until the mount and the service agree on so many.
#[track_caller]
fn subscribed(world: &World, mount: &Mount, count: usize) {
    eventually(RETRIED, "the mount is subscribed", || {
        subscriptions(world).len() == count
            && mount.status()["mounts"][0]["notifications"]
                == json!({"subscribed": count, "reason": null})
    });
}

fn requests(world: &World, method: &str, part: &str) -> usize {
    let log = world.log().into_iter();
    log.filter(|entry| entry.method == method && entry.path.contains(part))
        .count()
}

/// Waits until a mount that looks every second otherwise does not look for four. What was due before may still come.
#[track_caller]
fn rests(world: &World) {
    eventually(RETRIED, "polling rests", || {
        world.clear_log();
        sleep(Duration::from_secs(4));
        requests(world, "GET", "/delta") == 0
    });
}

fn settings(world: &World, settings: &Value) {
    world.api().control("POST", "settings", settings);
}

fn lifecycle(world: &World, event: &str) {
    let event = json!({"event": event});
    world
        .api()
        .control("POST", "subscriptions/lifecycle", &event);
}

fn create(world: &World, name: &str) {
    world
        .api()
        .create(json!({"givenName": name, "displayName": name}));
}

#[track_caller]
fn seen(mount: &Mount, name: &str, within: Duration) {
    let path = mount.path(&format!("Contacts/{name}.vcf"));
    eventually(within, "the change is seen", || path.exists());
}

/// "Changes are then seen within two seconds", though no poll is near; many at once cost few requests.
#[test]
fn a_change_that_is_told_of_is_seen_at_once() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", HARDLY]);
    subscribed(&world, &mount, 1);
    mount.in_step();
    let mut best = Duration::MAX;
    for name in ["Ann", "Bo", "Cy"] {
        // The notices of the change before are over.
        sleep(Duration::from_secs(6));
        create(&world, name);
        let began = Instant::now();
        seen(&mount, name, SOON);
        best = best.min(began.elapsed());
    }
    // The others may have met a busy machine.
    assert!(best < Duration::from_secs(2), "{best:?}");

    sleep(Duration::from_secs(6));
    world.clear_log();
    for number in 0..20 {
        create(&world, &format!("Crowd {number}"));
    }
    seen(&mount, "Crowd 19", SOON);
    let rounds = requests(&world, "GET", "/delta");
    assert!(rounds <= 10, "{rounds} rounds for one burst");
}

/// So it is for an application, whose mailbox has another address.
#[test]
fn an_application_is_told_of_changes_as_well() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let notify = ["--notify-url", &hook.url, "--notify-listen", &hook.address];
    let mounting = world.mounting().client_credentials().args(&notify);
    let mount = mounting.args(&["--poll-interval", HARDLY]).start();
    subscribed(&world, &mount, 1);
    let resource = subscriptions(&world)[0]["resource"].clone();
    assert!(
        resource.as_str().unwrap().starts_with("users/"),
        "{resource}"
    );
    create(&world, "Ann");
    seen(&mount, "Ann", SOON);
    mount.unmount();
    assert_eq!(subscriptions(&world), Vec::<Value>::new());
}

/// "Whoever does not know the secret of the mount cannot make it do anything."
#[test]
fn strangers_are_not_listened_to() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", HARDLY, "-vv"]);
    subscribed(&world, &mount, 1);
    mount.in_step();
    let subscription = subscriptions(&world).remove(0);
    let secret = subscription["clientState"].as_str().unwrap();
    assert_eq!(secret.len(), 64);
    let item = |state: &Value| json!({"subscriptionId": subscription["id"], "clientState": state, "changeType": "updated"});

    world.clear_log();
    let wrong = secret.replace(|letter: char| letter.is_ascii_digit(), "x");
    for state in [json!(wrong), json!(""), Value::Null] {
        hook.notify(&item(&state));
    }
    sleep(Duration::from_secs(2));
    assert_eq!(requests(&world, "GET", "/delta"), 0);
    hook.notify(&item(&json!(secret)));
    eventually(SOON, "a round", || requests(&world, "GET", "/delta") == 1);

    let status = |method: &str, target: &str, body: &[u8]| hook.request(method, target, body).0;
    assert_eq!(status("GET", "/told", b""), 405);
    assert_eq!(status("GET", "/told?validationToken=x", b""), 405);
    assert_eq!(status("POST", "/", b""), 404);
    assert_eq!(status("POST", "/told/more", b""), 404);
    assert_eq!(status("POST", "/told", b"no json"), 400);
    assert_eq!(status("POST", "/told", b"{\"value\": 3}"), 400);
    assert_eq!(status("POST", "/told", &vec![b' '; (1 << 20) + 1]), 413);
    let (status, head, body) = hook.request("POST", "/told?validationToken=%3Cb%3E+a%26b", b"");
    assert_eq!((status, body.as_str()), (200, "<b> a&b"));
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert!(!mount.stderr().contains(secret), "the secret is in the log");
}

/// A subscription is renewed when half of its life is over.
#[test]
fn subscriptions_are_renewed_in_time() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    settings(&world, &json!({"subscription_seconds": 10}));
    let list = format!("notify_url={},notify_listen={}", hook.url, hook.address);
    let mount = world.mount(&["-o", &list, "--poll-interval", HARDLY]);
    subscribed(&world, &mount, 1);
    let first = subscriptions(&world).remove(0);
    eventually(RETRIED, "it is renewed", || {
        requests(&world, "PATCH", "/subscriptions/") >= 3
    });
    assert_eq!(subscriptions(&world)[0]["id"], first["id"]);
    assert_eq!(requests(&world, "POST", "/subscriptions"), 1);
}

/// What the service says of a subscription is heeded.
#[test]
fn events_of_a_subscription_are_heeded() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", HARDLY]);
    subscribed(&world, &mount, 1);
    let first = subscriptions(&world).remove(0);

    lifecycle(&world, "reauthorizationRequired");
    eventually(SOON, "it is renewed", || {
        requests(&world, "PATCH", "/subscriptions/") == 1
    });
    create(&world, "Ann");
    seen(&mount, "Ann", SOON);

    settings(&world, &json!({"notifies": false}));
    create(&world, "Bo");
    sleep(Duration::from_secs(3));
    assert!(!mount.path("Contacts/Bo.vcf").exists());
    lifecycle(&world, "missed");
    seen(&mount, "Bo", SOON);

    settings(&world, &json!({"notifies": true}));
    create(&world, "Cy");
    lifecycle(&world, "subscriptionRemoved");
    seen(&mount, "Cy", SOON);
    subscribed(&world, &mount, 1);
    assert_ne!(subscriptions(&world)[0]["id"], first["id"]);
}

/// "Every folder has a subscription", those that come later, too.
#[test]
fn folders_that_come_are_subscribed_to_and_those_that_go_are_not() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", HARDLY]);
    subscribed(&world, &mount, 1);
    std::fs::create_dir(mount.path("Here")).unwrap();
    subscribed(&world, &mount, 2);
    let api = world.api();
    let here = api.folder("Here").unwrap();
    api.create_in(&here, json!({"givenName": "Ann", "displayName": "Ann"}));
    eventually(SOON, "a contact in it is seen", || {
        mount.path("Here/Ann.vcf").exists()
    });

    let there = api.create_folder("There");
    mount.in_step();
    subscribed(&world, &mount, 3);
    api.create_in(&there, json!({"givenName": "Bo", "displayName": "Bo"}));
    eventually(SOON, "a contact in it is seen", || {
        mount.path("There/Bo.vcf").exists()
    });
    api.delete_folder(&there);
    mount.in_step();
    subscribed(&world, &mount, 2);
}

/// "They end with the mount", and what a killed one left behind ends with the next.
#[test]
fn no_subscription_is_left_behind_and_none_is_double() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", HARDLY]);
    subscribed(&world, &mount, 1);
    let first = subscriptions(&world).remove(0);
    mount.kill9();
    assert_eq!(subscriptions(&world).len(), 1);
    let mount = hook.mount(&world, &["--poll-interval", HARDLY]);
    eventually(SOON, "there is a new one", || {
        let live = subscriptions(&world);
        live.len() == 1 && live[0]["id"] != first["id"]
    });
    subscribed(&world, &mount, 1);
    mount.unmount();
    assert_eq!(subscriptions(&world), Vec::<Value>::new());

    world.fail(Some("POST"), "/subscriptions", 1, FaultAction::DropAfter);
    let mount = hook.mount(&world, &["--poll-interval", HARDLY]);
    subscribed(&world, &mount, 1);
    mount.terminate();
    assert_eq!(subscriptions(&world), Vec::<Value>::new());
}

/// An address that is taken is told at once.
#[test]
fn an_address_in_use_is_an_error() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let taken = TcpListener::bind(&hook.address).unwrap();
    let arguments = ["--notify-url", &hook.url, "--notify-listen", &hook.address];
    let mut mount = world.mounting().args(&arguments).spawn();
    assert_eq!(mount.wait().code(), Some(69));
    let expected = format!("cannot listen at {} for notifications", hook.address);
    assert!(mount.stderr().contains(&expected), "{}", mount.stderr());
    drop(taken);
}

/// "Where it does not, polling goes on", and the reason is told.
#[test]
fn without_a_subscription_polling_goes_on() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let reason = |mount: &Mount, part: &str| {
        eventually(SOON, "the reason is told", || {
            let status = mount.status();
            let reason = status["mounts"][0]["notifications"]["reason"].as_str();
            reason.is_some_and(|reason| reason.contains(part))
        });
    };
    let post = Some("POST");
    world.fail_with(post, "/subscriptions", u32::MAX, 403, "ErrorAccessDenied");
    let mount = hook.mount(&world, &["--poll-interval", "1s"]);
    reason(&mount, "may not be told of changes (ErrorAccessDenied)");
    create(&world, "Ann");
    seen(&mount, "Ann", SOON);
    let told = "polling goes on: this sign-in may not";
    assert_eq!(mount.stderr().matches(told).count(), 1);
    world.clear_faults();
    subscribed(&world, &mount, 1);
    mount.unmount();

    let nobody = Hook::new();
    let arguments = [
        "--notify-url",
        &nobody.url,
        "--notify-listen",
        &hook.address,
    ];
    let mount = world.mount(&[&arguments[..], &["--poll-interval", "1s"]].concat());
    reason(&mount, "did not answer as it must");
    create(&world, "Bo");
    seen(&mount, "Bo", SOON);
}

/// A change that was found by other means shows that notifications do not arrive: polling goes on until one does.
#[test]
fn notifications_that_do_not_arrive_are_not_relied_on() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", "1s"]);
    subscribed(&world, &mount, 1);
    mount.in_step();
    settings(&world, &json!({"notifies": false}));
    create(&world, "Ann");
    mount.in_step();
    let status = mount.status();
    let reason = &status["mounts"][0]["notifications"]["reason"];
    assert_eq!(reason, "a change was found that it had not told of");
    create(&world, "Bo");
    seen(&mount, "Bo", SOON);

    settings(&world, &json!({"notifies": true}));
    create(&world, "Cy");
    subscribed(&world, &mount, 1);
    rests(&world);
}

/// "The service is then asked every ten minutes only", until it does not tell of changes any more.
#[test]
fn polling_rests_while_the_service_tells_of_changes() {
    if !fuse_or_skip() {
        return;
    }
    let (world, hook) = (World::new(), Hook::new());
    let mount = hook.mount(&world, &["--poll-interval", "1s"]);
    subscribed(&world, &mount, 1);
    settings(&world, &json!({"notifies": false}));
    rests(&world);
    create(&world, "Ann");
    sleep(Duration::from_secs(4));
    assert!(!mount.path("Contacts/Ann.vcf").exists());

    let post = Some("POST");
    world.fail_with(post, "/subscriptions", u32::MAX, 403, "ErrorAccessDenied");
    lifecycle(&world, "subscriptionRemoved");
    seen(&mount, "Ann", SOON);
    create(&world, "Bo");
    seen(&mount, "Bo", SOON);
}
