//! The status of mounts in the text format that Prometheus reads.

use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use super::status::{Connection, FolderStatus, Status};

/// The metrics of mounts; of those whose process is gone only that.
#[must_use]
pub fn text(mounts: &[Status], dead: &[PathBuf]) -> String {
    let mut page = Page::default();
    page.family("up", "gauge", "Whether a process serves the mount.");
    for mount in mounts {
        page.sample("up", &mount.mount, &[], 1);
    }
    for dir in dead {
        page.sample("up", dir, &[], 0);
    }
    for (name, help, value) in GAUGES {
        page.family(name, "gauge", help);
        for mount in mounts {
            page.sample(name, &mount.mount, &[], value(mount));
        }
    }
    for (name, help, value) in COUNTERS {
        page.family(name, "counter", help);
        for mount in mounts {
            page.sample(name, &mount.mount, &[], value(mount));
        }
    }
    page.latency(mounts);
    for (name, help, value) in FOLDERS {
        page.family(name, "gauge", help);
        for mount in mounts {
            for folder in &mount.folders {
                if let Some(value) = value(folder) {
                    page.sample(name, &mount.mount, &[("folder", &folder.name)], value);
                }
            }
        }
    }
    page.0
}

/// Name, help, value.
type Metric<T, V> = (&'static str, &'static str, fn(&T) -> V);

const GAUGES: [Metric<Status, usize>; 6] = [
    (
        "online",
        "Whether the last request to the service was answered.",
        |mount| usize::from(mount.connection == Connection::Online),
    ),
    ("pending", "Changes not yet at the service.", |mount| {
        mount.pending.len()
    }),
    (
        "drafts",
        "New files that are no acceptable card yet.",
        |mount| mount.drafts.len(),
    ),
    (
        "conflicts",
        "Contacts changed here and elsewhere.",
        |mount| mount.conflicts.len(),
    ),
    ("rejected", "Refused saves.", |mount| mount.rejected.len()),
    ("held", "Deletions that wait for a person.", |mount| {
        mount.held.len()
    }),
];

const COUNTERS: [Metric<Status, f64>; 5] = [
    ("requests_total", "Requests sent to the service.", |mount| {
        float(mount.requests)
    }),
    (
        "bytes_received_total",
        "Bytes of answers, after decompression.",
        |mount| float(mount.traffic.bytes_in),
    ),
    ("bytes_sent_total", "Bytes of requests.", |mount| {
        float(mount.traffic.bytes_out)
    }),
    (
        "throttled_total",
        "How often the service asked for fewer requests.",
        |mount| float(mount.traffic.throttled),
    ),
    (
        "throttled_seconds_total",
        "For how long requests were held back.",
        |mount| seconds(mount.traffic.throttled_ms),
    ),
];

const FOLDERS: [Metric<FolderStatus, Option<f64>>; 3] = [
    ("folder_contacts", "Contacts in a folder.", |folder| {
        Some(float(folder.contacts as u64))
    }),
    (
        "folder_loaded",
        "Whether the first load of a folder is complete.",
        |folder| Some(f64::from(u8::from(folder.loaded))),
    ),
    (
        "last_pull_timestamp_seconds",
        "When a folder was last read to the end.",
        |folder| {
            folder
                .last_pull
                .map(|at| seconds(at.as_millisecond().unsigned_abs()))
        },
    ),
];

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP contactfs_{name} {help}"));
        self.line(format_args!("# TYPE contactfs_{name} {kind}"));
    }

    fn sample(&mut self, name: &str, mount: &Path, more: &[(&str, &str)], value: impl Display) {
        let mut labels = format!("mount=\"{}\"", escaped(&mount.to_string_lossy()));
        for (label, text) in more {
            labels += &format!(",{label}=\"{}\"", escaped(text));
        }
        self.line(format_args!("contactfs_{name}{{{labels}}} {value}"));
    }

    fn latency(&mut self, mounts: &[Status]) {
        self.family(
            "request_seconds",
            "histogram",
            "How long answers of the service took.",
        );
        for mount in mounts {
            let (dir, latency) = (&mount.mount, &mount.traffic.latency_ms);
            for step in &latency.steps {
                let le = seconds(step.within).to_string();
                self.sample("request_seconds_bucket", dir, &[("le", &le)], step.answers);
            }
            self.sample(
                "request_seconds_bucket",
                dir,
                &[("le", "+Inf")],
                latency.answers,
            );
            self.sample("request_seconds_sum", dir, &[], seconds(latency.total));
            self.sample("request_seconds_count", dir, &[], latency.answers);
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// As a label's value is written.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[allow(
    clippy::cast_precision_loss,
    reason = "every number of this format is a float"
)]
fn float(number: u64) -> f64 {
    number as f64
}

fn seconds(millis: u64) -> f64 {
    float(millis) / 1000.0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::Timestamp;

    use super::*;
    use crate::observe::status::{Item, Latency, Step, Traffic};

    fn mount(dir: &str, folder: &str) -> Status {
        Status {
            mount: dir.into(),
            pid: 1,
            account: "default".to_owned(),
            mailbox: None,
            read_only: false,
            connection: Connection::Online,
            folders: vec![FolderStatus {
                name: folder.to_owned(),
                contacts: 1234,
                loaded: true,
                last_pull: Some(Timestamp::from_millisecond(1500).unwrap()),
            }],
            pending: vec![Item::default(); 2],
            drafts: Vec::new(),
            conflicts: Vec::new(),
            rejected: Vec::new(),
            held: Vec::new(),
            requests: 7,
            traffic: Traffic {
                bytes_in: 10,
                throttled_ms: 2500,
                latency_ms: Latency {
                    answers: 3,
                    total: 1700,
                    steps: vec![Step {
                        within: 250,
                        answers: 2,
                    }],
                    ..Latency::default()
                },
                ..Traffic::default()
            },
            notifications: None,
        }
    }

    /// Samples by name and labels; fails where a reader of the format would.
    fn parse(text: &str) -> BTreeMap<String, f64> {
        let (mut types, mut samples, mut family) = (BTreeMap::new(), BTreeMap::new(), "");
        let mut closed = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                closed.insert(family);
                family = help.split_once(' ').unwrap().0;
                assert!(!closed.contains(family), "{family} is in two places");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, family);
                types.insert(name, kind);
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split_once('{').unwrap().0;
                let is_part = types[family] == "histogram"
                    && ["_bucket", "_sum", "_count"]
                        .iter()
                        .any(|end| name.strip_suffix(end) == Some(family));
                assert!(is_part || name == family, "{line}");
                assert_eq!(
                    types[family] == "counter",
                    name.ends_with("_total"),
                    "{line}"
                );
                assert!(
                    samples
                        .insert(series.to_owned(), value.parse().unwrap())
                        .is_none()
                );
            }
        }
        samples
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let mounts = [mount("/m", "Contacts"), mount("/n\n\"\\", "Te\"am\\x\ny")];
        let samples = parse(&text(&mounts, &["/d".into()]));
        let at = |series: &str| samples[&format!("contactfs_{series}")];
        assert_eq!(at("up{mount=\"/m\"}"), 1.0);
        assert_eq!(at("up{mount=\"/d\"}"), 0.0);
        assert_eq!(at("online{mount=\"/m\"}"), 1.0);
        assert_eq!(at("pending{mount=\"/m\"}"), 2.0);
        assert_eq!(at("requests_total{mount=\"/m\"}"), 7.0);
        assert_eq!(at("bytes_received_total{mount=\"/m\"}"), 10.0);
        assert_eq!(at("throttled_seconds_total{mount=\"/m\"}"), 2.5);
        assert_eq!(at("request_seconds_bucket{mount=\"/m\",le=\"0.25\"}"), 2.0);
        assert_eq!(at("request_seconds_bucket{mount=\"/m\",le=\"+Inf\"}"), 3.0);
        assert_eq!(at("request_seconds_sum{mount=\"/m\"}"), 1.7);
        assert_eq!(at("request_seconds_count{mount=\"/m\"}"), 3.0);
        let folder = "{mount=\"/n\\n\\\"\\\\\",folder=\"Te\\\"am\\\\x\\ny\"}";
        assert_eq!(at(&format!("folder_contacts{folder}")), 1234.0);
        assert_eq!(at(&format!("last_pull_timestamp_seconds{folder}")), 1.5);
    }
}
