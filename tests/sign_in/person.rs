//! Somebody who signs in: the program without a token, and a page to be opened elsewhere.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use crate::support::{Mounting, Run, World, eventually};

pub(crate) const CLIENT: &str = "5a4db0f5-0000-4000-8000-c0ffee000001";
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The sample mailbox, and a service whose codes are polled each second.
pub(crate) fn world() -> World {
    world_with(Options::default())
}

pub(crate) fn world_with(options: Options) -> World {
    let world = World::with(options);
    set(&world, json!({"device_interval": 1}));
    world
}

/// Changes settings of the service.
pub(crate) fn set(world: &World, settings: Value) {
    world.api().control("POST", "settings", &settings);
}

/// The program with an application to sign in with, and no token.
pub(crate) fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = world.command(arguments);
    command
        .env_remove("CONTACTFS_ACCESS_TOKEN")
        .env("CONTACTFS_CLIENT_ID", CLIENT);
    command
}

pub(crate) fn run(world: &World, arguments: &[&str]) -> Run {
    Run::of(&mut command(world, arguments))
}

/// A mount of whoever signed in.
pub(crate) fn mounting(world: &World) -> Mounting {
    world
        .mounting()
        .env("CONTACTFS_ACCESS_TOKEN", "")
        .env("CONTACTFS_CLIENT_ID", CLIENT)
}

/// Writes `config.toml` where the program looks for it.
pub(crate) fn configure(world: &World, text: &str) {
    let dir = world.dir().join("config/contactfs");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), text).unwrap();
}

/// A `contactfs login` under way.
pub(crate) struct Login {
    child: Child,
    said: PathBuf,
    world: World,
}

impl Login {
    pub(crate) fn start(world: &World, arguments: &[&str]) -> Self {
        let arguments = [&["login"], arguments].concat();
        Self::spawn(world, &mut command(world, &arguments))
    }

    pub(crate) fn spawn(world: &World, command: &mut Command) -> Self {
        let said = tempfile::NamedTempFile::new_in(world.dir()).unwrap();
        let (file, said) = said.keep().unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .unwrap();
        Self {
            child,
            said,
            world: world.clone(),
        }
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// The page it wants to be opened.
    pub(crate) fn page(&self) -> String {
        eventually(SOON, "a page is named", || {
            let said = self.said();
            let line = said.lines().find(|line| line.starts_with("    http"))?;
            said.ends_with('\n').then(|| line.trim().to_owned())
        })
    }

    /// The code it wants to be typed there.
    pub(crate) fn code(&self) -> String {
        eventually(SOON, "a code is named", || {
            let said = self.said();
            let line = said.lines().find(|line| line.contains('│'))?.to_owned();
            Some(line.trim_matches([' ', '│']).to_owned())
        })
    }

    /// Types the code at the page as this user.
    pub(crate) fn approve(&self, user: &str) {
        let body = json!({"user_code": self.code(), "user": user});
        let decided = self.world.api().control("POST", "device/approve", &body);
        assert_eq!(decided["decided"], 1);
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Run {
        let mut out = String::new();
        let mut pipe = self.child.stdout.take().unwrap();
        pipe.read_to_string(&mut out).unwrap();
        let status = self.child.wait().unwrap();
        Run {
            code: status.code().unwrap_or(-1),
            out,
            err: self.said(),
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Signs in by code as the mailbox's owner; fails the test if that fails.
#[track_caller]
pub(crate) fn sign_in(world: &World, arguments: &[&str]) -> String {
    sign_in_as(world, "", arguments)
}

#[track_caller]
pub(crate) fn sign_in_as(world: &World, user: &str, arguments: &[&str]) -> String {
    let login = Login::start(world, arguments);
    login.approve(user);
    login.end().ok()
}

/// Token requests that the service answered with this status.
pub(crate) fn exchanges(world: &World, status: u16) -> usize {
    let log = world.log();
    log.iter()
        .filter(|entry| entry.path.ends_with("/token") && entry.status == status)
        .count()
}

/// What a browser gets.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) body: String,
}

/// Opens a page, or sends a form to it, and follows nothing; `None` when nobody listens.
pub(crate) fn visit(url: &str, form: Option<&str>) -> Option<Page> {
    let url = url::Url::parse(url).unwrap();
    let address = (url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let (method, body) = form.map_or(("GET", ""), |form| ("POST", form));
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        address.0,
        address.1,
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let header = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.to_owned())
    };
    Some(Page {
        status: head.split(' ').nth(1)?.parse().ok()?,
        location: head.lines().find_map(header),
        body: body.to_owned(),
    })
}
