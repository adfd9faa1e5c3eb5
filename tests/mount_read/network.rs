//! "`contactfs status` says what is in the way." Networks that are down, slow, behind a proxy, or of the newer kind.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contactfs::sandbox::{FaultAction, Options};
use serde_json::{Value, json};

use super::{OFTEN, SOON, kept_world, photograph};
use crate::support::{Mount, Mounting, World, eventually, fuse_or_skip, id, need, run};

fn connection(mount: &Mount) -> Value {
    mount.status()["mounts"][0]["connection"].clone()
}

/// Runs the program in a network of its own that has nothing but loopback.
const ALONE: &[&str] = &[
    "unshare",
    "--net",
    "sh",
    "-c",
    "ip link set lo up && exec \"$@\"",
    "sh",
];

/// Gives that network its address, or takes it.
fn address(mount: &Mount, verb: &str) {
    let pid = mount.pid().as_raw_pid().to_string();
    let ip = ["ip", "address", verb, "127.0.0.1/8", "dev", "lo"];
    let enter = ["-t", &pid, "--net"];
    run("nsenter", &[&enter[..], &ip[..]].concat()).ok();
}

/// The network goes away, everything still reads; it comes back, and is used at once.
#[test]
fn a_network_that_comes_back_is_noticed() {
    if !fuse_or_skip() || !need("unshare") || !need("ip") {
        return;
    }
    let world = World::new();
    let mounting = world.mounting().args(&["--sandbox"]).args(OFTEN);
    let mount = mounting.through(ALONE).start();
    let before = photograph(mount.dir());
    assert!(!before.is_empty());
    assert_eq!(connection(&mount)["state"], "online");
    for _ in 0..2 {
        address(&mount, "delete");
        // A request under way may be waited for.
        eventually(Duration::from_secs(45), "the mount knows", || {
            connection(&mount)["cause"] == "no route"
        });
        assert_eq!(photograph(mount.dir()), before);
        address(&mount, "add");
        eventually(Duration::from_secs(6), "the mount is online", || {
            connection(&mount)["state"] == "online"
        });
    }
}

/// A running mount names the obstacle.
#[test]
fn the_obstacle_is_named() {
    if !fuse_or_skip() {
        return;
    }
    let (_data, world) = kept_world(true);
    let mount = world.mount(OFTEN);
    let knows = |key: &str, value: &str| {
        eventually(SOON, "the mount knows", || connection(&mount)[key] == value);
    };
    world.fail(None, "", u32::MAX, FaultAction::DropBefore);
    knows("cause", "connection lost");
    world.clear_faults();
    world.fail_with(None, "", u32::MAX, 500, "InternalServerError");
    knows("state", "service_error");
    world.clear_faults();
    mount.in_step();
    knows("state", "online");
    world.stop_service();
    knows("cause", "refused");
    assert!(!mount.list("Contacts").is_empty());
}

/// So does a mount that cannot begin.
#[test]
fn a_name_that_cannot_be_resolved_is_told() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    let said = refused(world.mounting().env("CONTACTFS_GRAPH_URL", NOWHERE));
    assert!(said.contains("cannot be reached: DNS: "), "{said}");
}

const NOWHERE: &str = "https://graph.contactfs.invalid/v1.0";

/// What a mount says that exits with 69.
fn refused(mounting: Mounting) -> String {
    let mut mount = mounting.spawn();
    assert_eq!(mount.wait().code(), Some(69));
    mount.stderr()
}

/// A proxy that says no: it was asked for the service, and is named.
#[test]
fn a_proxy_is_asked_for_the_service() {
    if !fuse_or_skip() {
        return;
    }
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let (asked, hears) = channel();
    // Ends with the test program.
    thread::spawn(move || {
        for stream in proxy.incoming() {
            let (mut stream, mut text) = (stream.unwrap(), [0; 1024]);
            let length = stream.read(&mut text).unwrap();
            let _done = asked.send(String::from_utf8_lossy(&text[..length]).into_owned());
            let _gone = stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let world = World::new();
    let mounting = world.mounting().env("HTTPS_PROXY", &address);
    let said = refused(mounting.env("CONTACTFS_GRAPH_URL", NOWHERE));
    let request = hears.recv_timeout(SOON).unwrap();
    assert!(
        request.starts_with("CONNECT graph.contactfs.invalid:443 "),
        "{request}"
    );
    assert!(said.contains("cannot be reached: proxy: "), "{said}");
}

#[test]
fn a_service_is_reached_by_ipv6() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        ..Options::default()
    });
    assert!(world.graph_url().contains("[::1]"));
    let mount = world.mount(OFTEN);
    assert!(!photograph(mount.dir()).is_empty());
    mount.in_step();
}

/// Bytes a second of the slow link, and how much travels over it: more than half a minute's worth.
const SLOW: usize = 24 * 1024;
const PICTURE: usize = 900 * 1024;

/// Passes bytes on, a few at a time.
fn trickle(mut from: TcpStream, mut to: TcpStream, a_second: usize) {
    let mut piece = vec![0; a_second / 8];
    loop {
        let started = Instant::now();
        let Ok(length @ 1..) = from.read(&mut piece) else {
            break;
        };
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
        let due = Duration::from_secs_f64(length as f64 / a_second as f64);
        thread::sleep(due.saturating_sub(started.elapsed()));
    }
    let _gone = to.shutdown(Shutdown::Write);
}

/// A link to a world's service that is slow towards it. Ends with the test program.
fn slow_link(world: &World) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let service = world.graph_url().replace("http://", "");
    let service = service.trim_end_matches("/v1.0").to_owned();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&service).unwrap());
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || trickle(client, server, SLOW));
            thread::spawn(move || trickle(back.0, back.1, SLOW * 64));
        }
    });
    format!("http://{address}/v1.0")
}

/// "A slow link is waited for": a picture takes longer than any silence is waited out, and arrives with one request.
#[test]
fn nothing_times_out_while_bytes_flow() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    world.limit(Duration::from_secs(240));
    let contact = id(&world
        .api()
        .create(json!({"givenName": "Ada", "displayName": "Ada"})));
    let link = slow_link(&world);
    let mount = world.mounting().env("CONTACTFS_GRAPH_URL", &link).start();
    let mut picture = vec![0xFF, 0xD8, 0xFF, 0xE0];
    picture.extend((0..PICTURE).map(|i| (i % 251) as u8));
    let line = format!(
        "PHOTO:data:image/jpeg;base64,{}\r\nEND:VCARD",
        STANDARD.encode(&picture)
    );
    let card = mount.read("Contacts/Ada.vcf").replace("END:VCARD", &line);
    let started = Instant::now();
    fs::write(mount.path("Contacts/Ada.vcf"), card).unwrap();
    eventually(Duration::from_secs(180), "the picture arrives", || {
        world.api().photo(&contact).is_some()
    });
    assert!(
        started.elapsed() > Duration::from_secs(31),
        "the link was not slow"
    );
    assert_eq!(world.api().photo(&contact).unwrap(), picture);
    mount.in_step();
    let puts = world.writes();
    let puts = puts.iter().filter(|entry| entry.path.ends_with("/$value"));
    assert_eq!(puts.count(), 1);
}

/// "over as soon as anything is answered", however long what was begun takes.
#[test]
fn a_long_load_is_not_waited_for_to_be_online() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::with(Options {
        empty: true,
        contacts: Some(900),
        ..Options::default()
    });
    world.fail(None, "delta", u32::MAX, FaultAction::DropBefore);
    let mount = world.mount(&["--poll-interval", "1s"]);
    let state = |wanted: &str| connection(&mount)["state"] == wanted;
    eventually(SOON, "the folder cannot be loaded", || state("offline"));
    // Four pages and more; the load takes longer than the test looks.
    let slow = FaultAction::Delay(Duration::from_secs(4));
    world.clear_faults();
    world.fail(None, "skiptoken", u32::MAX, slow);
    eventually(Duration::from_secs(9), "pages arrive", || state("online"));
    let folders = mount.status()["mounts"][0]["folders"].clone();
    assert_eq!(folders[0]["loaded"], false, "{folders}");
    world.clear_faults();
    mount.in_step();
    mount.unmount();
}
