//! How much each application asks of each mailbox (graph-facts 9.2): at a time, and within ten minutes.
//!
//! A `$batch` counts as the members that run at a time for as long as it takes, and as all its members against the budget.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::http::Request;
use super::people;
use super::routes;
use super::tokens;

/// Requests at a time of one application on one mailbox.
pub(super) const AT_A_TIME: usize = 4;
/// Requests of one application to one mailbox within [`WINDOW`].
pub(super) const BUDGET: u64 = 10_000;
const WINDOW: Duration = Duration::from_secs(600);

/// Application and mailbox.
type Who = (String, String);

/// Everybody's requests.
pub(super) struct Seats {
    started: Instant,
    rows: Mutex<HashMap<Who, Row>>,
}

/// The requests of one application on one mailbox.
#[derive(Default)]
struct Row {
    open: usize,
    /// How many came in which second.
    recent: VecDeque<(u64, u64)>,
}

/// The place of a request that is under way, given back on drop.
pub(super) struct Seat<'a> {
    seats: &'a Seats,
    who: Who,
    wanted: usize,
    /// Requests under way when this one came, itself among them.
    pub(super) open: usize,
    /// For how many of its own there is room.
    pub(super) granted: usize,
    /// The budget is spent: seconds until there is some again.
    pub(super) spent: Option<u64>,
}

/// What is looked at of a `$batch`.
#[derive(Deserialize)]
struct Batch {
    requests: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    url: String,
}

impl Seats {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            rows: Mutex::default(),
        }
    }

    /// Seats a request; `None` for one that is none of an application on a mailbox.
    pub(super) fn take(&self, request: &Request, budget: u64) -> Option<Seat<'_>> {
        let claims = tokens::claims(request)?;
        let path = request.path();
        let (path, members) = if path.eq_ignore_ascii_case("/v1.0/$batch") {
            let batch: Batch = serde_json::from_slice(&request.body).ok()?;
            // All members are for one mailbox; nobody here mixes them.
            let first = batch.requests.first()?.url.trim_start_matches('/');
            (format!("/v1.0/{first}"), batch.requests.len())
        } else {
            (path.to_owned(), 1)
        };
        let who = (claims.app, mailbox(&path, claims.user));
        let wanted = members.min(AT_A_TIME);
        let second = self.started.elapsed().as_secs();
        let mut rows = self.rows();
        let row = rows.entry(who.clone()).or_default();
        let granted = AT_A_TIME.saturating_sub(row.open).min(wanted);
        row.open += wanted;
        let open = row.open;
        let spent = row.spend(second, members as u64, budget);
        drop(rows);
        Some(Seat {
            seats: self,
            who,
            wanted,
            open,
            granted,
            spent,
        })
    }

    /// Held for moments only.
    fn rows(&self) -> MutexGuard<'_, HashMap<Who, Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    /// Counts requests, refused ones too (graph-facts 9.3); the seconds until they are welcome if these are too many.
    fn spend(&mut self, second: u64, requests: u64, budget: u64) -> Option<u64> {
        let begin = (second + 1).saturating_sub(WINDOW.as_secs());
        while self.recent.front().is_some_and(|(at, _)| *at < begin) {
            self.recent.pop_front();
        }
        match self.recent.back_mut() {
            Some((at, count)) if *at == second => *count += requests,
            _ => self.recent.push_back((second, requests)),
        }
        let total: u64 = self.recent.iter().map(|(_, count)| count).sum();
        let mut excess = total.checked_sub(budget).filter(|excess| *excess > 0)?;
        for (at, count) in &self.recent {
            if *count >= excess {
                return Some(at + WINDOW.as_secs() - second);
            }
            excess -= count;
        }
        None
    }
}

impl Seat<'_> {
    /// Client id of the application.
    pub(super) fn app(&self) -> &str {
        &self.who.0
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(row) = self.seats.rows().get_mut(&self.who) {
            row.open -= self.wanted;
        }
    }
}

/// Whose mailbox a path is about: that of the person who signed in, or of the one that it names.
fn mailbox(path: &str, own: String) -> String {
    let segments = routes::segments(path).unwrap_or_default();
    match segments.as_slice() {
        [users, name, ..] if users == "users" => {
            people::find(name).map_or_else(|| name.clone(), |person| person.id.to_owned())
        }
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_of_the_last_ten_minutes() {
        let mut row = Row::default();
        assert_eq!(row.spend(0, 6, 10), None);
        assert_eq!(row.spend(100, 4, 10), None);
        // Those of the first second have to go.
        assert_eq!(row.spend(100, 1, 10), Some(500));
        assert_eq!(row.spend(599, 1, 10), Some(1));
        assert_eq!(row.spend(600, 4, 10), None);
        assert_eq!(row.spend(601, 1, 10), Some(99));
    }
}
