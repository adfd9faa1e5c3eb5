//! What the service manager is told, if one listens (sd_notify(3)): that the mount answers, a line of state, signs of life.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use super::report::Report;
use crate::observe::status::{Connection, Status};
use crate::sync::Engine;

/// How often the line of state is looked at.
pub(super) const TURN: Duration = Duration::from_secs(2);

/// Whether somebody listens.
pub(super) fn is_heard() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// The mount answers.
pub(super) fn ready() {
    notify(&[NotifyState::Ready, NotifyState::Status("mounted")]);
}

/// The mount ends.
pub(super) fn stopping() {
    notify(&[
        NotifyState::Stopping,
        NotifyState::Status("sending what is pending"),
    ]);
}

/// Gives signs of life twice in the time after which the service manager would end the process, for as long as the engine
/// is not stuck: its thread, on which this runs, or a pull or push that waits for nothing that ever ends. Never returns.
pub(super) async fn live(engine: Arc<Engine>) {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    let mut turns = tokio::time::interval(limit / 2);
    loop {
        turns.tick().await;
        if engine.is_stuck(limit / 2) {
            tracing::error!(
                "nothing happens any more in what is under way: no sign of life is given"
            );
        } else {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

/// The line of state that was told last.
#[derive(Default)]
pub(super) struct Line(String);

impl Line {
    /// Tells the line if it is another one.
    pub(super) fn update(&mut self, report: &Report) {
        let line = summary(&report.counted());
        if line != self.0 {
            notify(&[NotifyState::Status(&line)]);
            self.0 = line;
        }
    }
}

/// The state in one line.
fn summary(status: &Status) -> String {
    let connection = match &status.connection {
        Connection::Online => "online".to_owned(),
        Connection::Offline { cause, .. } => format!("offline: {cause}"),
        Connection::ServiceError { .. } => "service error".to_owned(),
        Connection::Throttled { .. } => "throttled".to_owned(),
        Connection::SignInNeeded { .. } => "sign-in needed".to_owned(),
    };
    let contacts: usize = status.folders.iter().map(|folder| folder.contacts).sum();
    let mut line = format!(
        "{connection}, {contacts} contacts, {} pending",
        status.pending.len()
    );
    for (count, what) in [
        (status.conflicts.len(), "in conflict"),
        (status.rejected.len(), "refused"),
        (status.held.len(), "held"),
    ] {
        if count > 0 {
            line += &format!(", {count} {what}");
        }
    }
    line
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}
