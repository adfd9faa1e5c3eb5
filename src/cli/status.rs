//! `contactfs status`: the state of mounts, or of one file.

mod follow;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::args::StatusArgs;
use super::error::{CliError, Exit};
use super::{output, target};
use crate::daemon::control::{CallError, Reply, Request};
use crate::daemon::registry::LiveMount;
use crate::observe::status::{Connection, FileStatus, FolderStatus, Item, Notifications, Status};

/// What `--json` prints for mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) mounts: Vec<Status>,
    /// Mount points whose process is gone.
    pub(super) dead: Vec<PathBuf>,
}

/// Prints the state and exits with the need for a person.
pub(super) fn run(args: &StatusArgs) -> Result<Exit, CliError> {
    let mounts = match &args.path {
        None => target::all()?,
        Some(path) => {
            let (mount, below) = target::of_path(path)?;
            let is_file = !below.as_os_str().is_empty() && !path.is_dir();
            if is_file && args.watch {
                return Err(CliError::usage("--watch shows mounts, not one file")
                    .hint("What happens to the files of a mount is told by: contactfs watch"));
            }
            if is_file {
                return file(&mount, &below, args.json);
            }
            vec![mount]
        }
    };
    if args.watch {
        return follow::run(args.path.as_deref(), args.json);
    }
    let report = gather(&mounts)?;
    if args.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(report.exit())
}

impl Report {
    fn exit(&self) -> Exit {
        let dead = if self.dead.is_empty() {
            Exit::Success
        } else {
            Exit::Person
        };
        self.mounts
            .iter()
            .map(|status| Exit::of_health(status.exit_code()))
            .fold(dead, Exit::worse)
    }
}

/// Asks every mount; one that does not answer because its process is gone is dead.
pub(super) fn gather(mounts: &[LiveMount]) -> Result<Report, CliError> {
    let mut report = Report::default();
    for mount in mounts {
        match target::ask(mount, &Request::Status) {
            Ok(Reply::Status(status)) => report.mounts.push(*status),
            Ok(_) => return Err(target::confused(mount)),
            Err(CliError::Call {
                source: CallError::NotRunning | CallError::Ended,
                ..
            }) => {
                report.dead.push(mount.dir.clone());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

fn file(mount: &LiveMount, below: &Path, json: bool) -> Result<Exit, CliError> {
    let request = Request::FileStatus {
        path: below.to_string_lossy().into_owned(),
    };
    let status = match target::ask(mount, &request)? {
        Reply::FileStatus(Some(status)) => status,
        Reply::FileStatus(None) => {
            let shown = mount.dir.join(below);
            return Err(CliError::failed(
                Exit::Attention,
                format!("{} is not a contact", shown.display()),
            ));
        }
        _ => return Err(target::confused(mount)),
    };
    if json {
        output::json(&status)?;
    } else {
        for line in file_lines(&status) {
            output::line(&line)?;
        }
    }
    Ok(Exit::of_health(status.item.exit_code()))
}

fn file_lines(status: &FileStatus) -> Vec<String> {
    let mut lines = vec![item_line(&status.item)];
    let facts = [
        ("id", status.item.id.clone()),
        ("version", status.change_key.clone()),
        ("made", status.created.map(|made| format!("{made:.0}"))),
    ];
    for (name, fact) in facts {
        lines.extend(fact.map(|fact| format!("  {name} {fact}")));
    }
    lines.extend(status.versions.iter().map(|kept| {
        format!(
            "  earlier version {}, until {:.0}, {}",
            kept.version, kept.ended, kept.fate
        )
    }));
    lines
}

fn print(report: &Report) -> Result<(), CliError> {
    if report.mounts.is_empty() && report.dead.is_empty() {
        output::note("nothing is mounted");
    }
    for line in report_lines(report, Timestamp::now()) {
        output::line(&line)?;
    }
    Ok(())
}

fn report_lines(report: &Report, now: Timestamp) -> Vec<String> {
    let live = report.mounts.iter().flat_map(|status| lines(status, now));
    let dead = report.dead.iter().flat_map(|dir| {
        let dir = dir.display();
        [
            format!("{dir}: dead"),
            format!("  its process is gone; clear it with: contactfs umount {dir}"),
        ]
    });
    live.chain(dead).collect()
}

fn lines(status: &Status, now: Timestamp) -> Vec<String> {
    let mode = if status.read_only { ", read-only" } else { "" };
    let mailbox = status
        .mailbox
        .as_ref()
        .map(|mailbox| format!(", mailbox {mailbox}"))
        .unwrap_or_default();
    let mut lines = vec![
        format!(
            "{}: {}{mode}",
            status.mount.display(),
            connection(&status.connection)
        ),
        format!(
            "  account {}{mailbox}, process {}, {} requests",
            status.account, status.pid, status.requests
        ),
    ];
    lines.extend(status.notifications.iter().map(notifications));
    lines.extend(status.folders.iter().map(|folder| folder_line(folder, now)));
    let items = [
        &status.pending,
        &status.drafts,
        &status.conflicts,
        &status.rejected,
        &status.held,
    ];
    lines.extend(
        items
            .into_iter()
            .flatten()
            .map(|item| format!("  {}", item_line(item))),
    );
    lines
}

fn connection(connection: &Connection) -> String {
    match connection {
        Connection::Online => "online".to_owned(),
        Connection::Offline { cause, reason } => format!("offline: {cause} ({reason})"),
        Connection::ServiceError { reason } => format!("service error ({reason})"),
        Connection::Throttled { until } => format!("throttled until {until:.0}"),
        Connection::SignInNeeded { reason } => format!("sign-in needed: {reason}"),
    }
}

fn notifications(notifications: &Notifications) -> String {
    match &notifications.reason {
        None => format!(
            "  the service tells of changes in {} folders",
            notifications.subscribed
        ),
        Some(reason) => format!("  the service does not tell of changes: {reason}"),
    }
}

fn folder_line(folder: &FolderStatus, now: Timestamp) -> String {
    let freshness = match folder.last_pull {
        _ if !folder.loaded => ", still loading".to_owned(),
        Some(pulled) => format!(
            ", read {} s ago",
            now.duration_since(pulled).as_secs().max(0)
        ),
        None => String::new(),
    };
    format!("  {}: {} contacts{freshness}", folder.name, folder.contacts)
}

fn item_line(item: &Item) -> String {
    let reason = item
        .reason
        .as_ref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    format!("{} {}{reason}", item.state, item.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::status::Traffic;

    fn status() -> Status {
        Status {
            mount: "/m".into(),
            pid: 7,
            account: "work".to_owned(),
            mailbox: Some("a@b".to_owned()),
            read_only: true,
            connection: Connection::Offline {
                cause: "no route".to_owned(),
                reason: "no network".to_owned(),
            },
            folders: vec![
                FolderStatus {
                    name: "Contacts".to_owned(),
                    contacts: 12,
                    loaded: true,
                    last_pull: Some(Timestamp::UNIX_EPOCH),
                },
                FolderStatus {
                    name: "Team".to_owned(),
                    contacts: 3,
                    loaded: false,
                    last_pull: None,
                },
            ],
            pending: vec![Item {
                path: "Contacts/A.vcf".into(),
                state: "pending".into(),
                ..Item::default()
            }],
            drafts: Vec::new(),
            conflicts: Vec::new(),
            rejected: vec![Item {
                path: "Contacts/B.vcf".into(),
                state: "rejected".into(),
                reason: Some("too many phones".into()),
                id: None,
            }],
            held: vec![Item {
                path: "Contacts/C.vcf".into(),
                state: "held".into(),
                ..Item::default()
            }],
            requests: 40,
            traffic: Traffic::default(),
            notifications: Some(Notifications {
                subscribed: 2,
                reason: None,
            }),
        }
    }

    #[test]
    fn a_mount_is_shown_with_its_folders_and_what_is_left() {
        let now = Timestamp::from_second(12).unwrap();
        let expected = [
            "/m: offline: no route (no network), read-only",
            "  account work, mailbox a@b, process 7, 40 requests",
            "  the service tells of changes in 2 folders",
            "  Contacts: 12 contacts, read 12 s ago",
            "  Team: 3 contacts, still loading",
            "  pending Contacts/A.vcf",
            "  rejected Contacts/B.vcf: too many phones",
            "  held Contacts/C.vcf",
        ];
        assert_eq!(lines(&status(), now), expected);
    }

    #[test]
    fn the_gravest_mount_decides() {
        let mut healthy = status();
        healthy.connection = Connection::Online;
        healthy.pending.clear();
        healthy.rejected.clear();
        healthy.held.clear();
        healthy.folders.clear();
        let exit = |mounts, dead| Report { mounts, dead }.exit();
        assert_eq!(exit(vec![], vec![]), Exit::Success);
        assert_eq!(exit(vec![healthy.clone()], vec![]), Exit::Success);
        assert_eq!(exit(vec![healthy.clone(), status()], vec![]), Exit::Person);
        assert_eq!(exit(vec![healthy], vec!["/d".into()]), Exit::Person);
    }
}
