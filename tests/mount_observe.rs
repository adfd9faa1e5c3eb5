//! What can be seen of a running mount from outside: its stream of events, its numbers, and its life as a service.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "tests fail by panicking, and use a part of the support"
)]

mod support;

#[path = "mount_observe/numbers.rs"]
mod numbers;
#[path = "mount_observe/service.rs"]
mod service;
#[path = "mount_observe/stream.rs"]
mod stream;
#[path = "mount_observe/watchdog.rs"]
mod watchdog;

use std::io::{BufRead, BufReader};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use support::{World, eventually};

/// What the tests wait for, with a poll interval of a second on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// Arguments of a mount that looks often.
const OFTEN: &[&str] = &["--poll-interval", "1s"];

/// A program that prints lines of JSON, ended when dropped.
struct Stream {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Stream {
    fn of(world: &World, arguments: &[&str]) -> Self {
        let mut child = world
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (out, heard) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                heard.lock().unwrap().push(value);
            }
        });
        Self { child, lines }
    }

    fn lines(&self) -> Vec<Value> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits for a line.
    #[track_caller]
    fn hears(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Vec::new();
        let start = std::time::Instant::now();
        while start.elapsed() < SOON {
            last = self.lines();
            if let Some(line) = last.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("no line of {what} among {last:#?}");
    }

    #[track_caller]
    fn ends(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually(SOON, "the watcher ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
