//! What was asked and answered: a bounded log in memory and, if wanted, a file of every exchange.
//!
//! Authorization values never enter either.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use super::http::{Content, JSON, Reply, Request};

const MAX_ENTRIES: usize = 20_000;
/// Bodies above this are left out of the log in memory, so that large mailboxes stay cheap.
const MAX_BODY: usize = 256 * 1024;
/// All bodies together; the oldest exchanges go first.
const MAX_BODIES: usize = 64 * 1024 * 1024;

/// One exchange.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogEntry {
    /// Order of arrival, from 1.
    pub seq: u64,
    /// Milliseconds from the start of the service to the arrival.
    pub at_ms: u64,
    /// Milliseconds from the start of the service to the reply.
    pub done_ms: u64,
    /// Upper case.
    pub method: String,
    /// Path with query, as sent.
    pub path: String,
    /// The `$batch` of which this was a member, by its `seq`.
    pub batch: Option<u64>,
    /// Client id of the application whose token came along; none with members of a batch, which has it.
    pub app: Option<String>,
    /// Requests that the application had open on the mailbox then, this one among them. A `$batch` is as many as run of it
    /// at a time.
    pub open: usize,
    /// The planned failure it met, as `FaultAction` is spelled in JSON; such a reply says nothing about the service.
    pub fault: Option<&'static str>,
    /// Status of the reply; 0 when the connection was closed without one, by either side.
    pub status: u16,
    /// The pause that the reply asks for, in seconds.
    pub retry_after: Option<u64>,
    /// Names in lower case; the value of `authorization` is hidden.
    pub request_headers: Vec<(String, String)>,
    /// Body of the request, if it was JSON (or a form, as an object).
    pub request: Option<Value>,
    /// Body of the reply, if it was JSON.
    pub response: Option<Value>,
}

/// The place of an exchange in the log, taken at its arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) seq: u64,
    at_ms: u64,
}

/// What the log has of a request beside the request.
#[derive(Debug, Default)]
pub(super) struct About {
    /// The failure it met.
    pub(super) fault: Option<&'static str>,
    /// The application.
    pub(super) app: Option<String>,
    /// What it has open.
    pub(super) open: usize,
}

/// Keeps the exchanges.
#[derive(Debug)]
pub(super) struct Log {
    started: Instant,
    last: u64,
    kept: VecDeque<Kept>,
    /// Bytes of the bodies in `kept`.
    bodies: usize,
    record: Option<File>,
}

/// Bodies stay text until somebody looks: parsing each would be most of the work.
#[derive(Debug)]
struct Kept {
    entry: LogEntry,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Log {
    /// Opens the record, if a path is given, for appending.
    pub(super) fn open(record: Option<&Path>) -> io::Result<Self> {
        let record = record
            .map(|path| File::options().create(true).append(true).open(path))
            .transpose()?;
        Ok(Self {
            started: Instant::now(),
            last: 0,
            kept: VecDeque::new(),
            bodies: 0,
            record,
        })
    }

    pub(super) fn arrive(&mut self) -> Slot {
        self.last += 1;
        Slot {
            seq: self.last,
            at_ms: self.now_ms(),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes an exchange; `reply` is `None` when the connection was closed instead.
    pub(super) fn write(
        &mut self,
        slot: Slot,
        request: &Request,
        about: About,
        reply: Option<&Reply>,
    ) {
        let entry = LogEntry {
            seq: slot.seq,
            at_ms: slot.at_ms,
            done_ms: self.now_ms(),
            method: request.method.clone(),
            path: request.target.clone(),
            batch: request.batch,
            app: about.app,
            open: about.open,
            fault: about.fault,
            status: reply.map_or(0, |reply| reply.status),
            retry_after: reply.and_then(Reply::retry_after),
            request_headers: request.headers.iter().map(hidden).collect(),
            request: None,
            response: None,
        };
        let response = match reply.map(|reply| &reply.content) {
            Some(Content::Json(value)) => serde_json::to_vec(value).unwrap_or_default(),
            Some(Content::Bytes { kind, bytes }) if kind == JSON => bytes.clone(),
            Some(Content::None | Content::Bytes { .. }) | None => Vec::new(),
        };
        let kept = Kept {
            entry,
            request: request.body.clone(),
            response,
        };
        if let Some(file) = &mut self.record {
            // A full disk must not stop the service that is being recorded.
            drop(append(file, &kept.entry()));
        }
        self.keep(kept);
    }

    fn keep(&mut self, mut kept: Kept) {
        for body in [&mut kept.request, &mut kept.response] {
            if body.len() > MAX_BODY {
                *body = Vec::new();
            }
        }
        self.bodies += kept.size();
        self.kept.push_back(kept);
        while self.kept.len() > MAX_ENTRIES || self.bodies > MAX_BODIES {
            let oldest = self.kept.pop_front();
            self.bodies -= oldest.map_or(self.bodies, |oldest| oldest.size());
        }
    }

    /// Every kept exchange in order of arrival.
    pub(super) fn entries(&self) -> Vec<LogEntry> {
        let mut entries: Vec<LogEntry> = self.kept.iter().map(Kept::entry).collect();
        entries.sort_by_key(|entry| entry.seq);
        entries
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.bodies = 0;
    }
}

impl Kept {
    fn size(&self) -> usize {
        self.request.len() + self.response.len()
    }

    fn entry(&self) -> LogEntry {
        let form = || {
            self.entry
                .path
                .contains("/oauth2/")
                .then(|| form(&self.request))
                .flatten()
        };
        LogEntry {
            request: serde_json::from_slice(&self.request).ok().or_else(form),
            response: serde_json::from_slice(&self.response)
                .ok()
                .map(without_tokens),
            ..self.entry.clone()
        }
    }
}

fn hidden((name, value): &(String, String)) -> (String, String) {
    let value = if name == "authorization" {
        "(hidden)"
    } else {
        value
    };
    (name.clone(), value.to_owned())
}

fn form(body: &[u8]) -> Option<Value> {
    let pairs = url::form_urlencoded::parse(body).into_owned();
    let members: serde_json::Map<String, Value> = pairs
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    (!members.is_empty()).then(|| without_tokens(Value::Object(members)))
}

fn without_tokens(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        for name in [
            "access_token",
            "refresh_token",
            "client_secret",
            "client_assertion",
            "device_code",
            "code",
            "code_verifier",
        ] {
            if let Some(held) = members.get_mut(name) {
                *held = Value::String("(hidden)".into());
            }
        }
    }
    value
}

fn append(file: &mut File, entry: &LogEntry) -> io::Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    file.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_when_bodies_pile_up() {
        let mut log = Log::open(None).unwrap();
        let request = Request {
            method: "PUT".into(),
            target: "/v1.0/me".into(),
            headers: Vec::new(),
            body: vec![b'1'; MAX_BODY],
            origin: String::new(),
            batch: None,
        };
        let fitting = MAX_BODIES / MAX_BODY;
        for _ in 0..fitting + 3 {
            let slot = log.arrive();
            log.write(slot, &request, About::default(), Some(&Reply::empty(204)));
        }
        assert_eq!((log.kept.len(), log.bodies), (fitting, MAX_BODIES));
        assert_eq!(log.kept.front().unwrap().entry.seq, 4);
    }
}
