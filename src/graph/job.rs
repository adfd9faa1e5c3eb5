//! Calls on their way through [`Transport::run`](super::transport::Transport::run), each with its own count of attempts.

use std::time::Duration;

use super::Error;
use super::request::{Call, Reply};
use super::throttle::Patience;
use super::verdict::{Outcome, Remedy, Verdict, judge};

/// Up to a batch of calls, and what has become of each.
pub(super) struct Job<'a> {
    calls: &'a [Call],
    slots: Vec<Slot>,
    /// What is left of the time the calls may spend waiting, together.
    pub(super) patience: Patience,
}

#[derive(Default)]
struct Slot {
    attempts: u32,
    token_renewed: bool,
    /// The answer if there is no further attempt.
    fallback: Option<Error>,
    result: Option<Result<Reply, Error>>,
}

impl<'a> Job<'a> {
    pub(super) fn new(calls: &'a [Call]) -> Self {
        let slots = calls.iter().map(|_| Slot::default()).collect();
        Self {
            calls,
            slots,
            patience: Patience::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.slots.iter().any(|slot| slot.result.is_none())
    }

    /// The calls without a result, with their places.
    pub(super) fn open(&self) -> Vec<(usize, &'a Call)> {
        let numbered = self.calls.iter().zip(&self.slots).enumerate();
        numbered
            .filter(|(_, (_, slot))| slot.result.is_none())
            .map(|(index, (call, _))| (index, call))
            .collect()
    }

    /// Takes in what came of a call. If that is not the end of it: after what pause and remedy to send it again.
    pub(super) fn settle(&mut self, index: usize, outcome: Outcome) -> Option<(Duration, Remedy)> {
        let (call, slot) = (self.calls.get(index)?, self.slots.get_mut(index)?);
        slot.attempts += 1;
        match judge(call, outcome, slot.attempts, slot.token_renewed) {
            Verdict::Done(result) => {
                slot.result = Some(result);
                None
            }
            Verdict::Again {
                pause,
                remedy,
                otherwise,
            } => {
                slot.fallback = Some(otherwise);
                slot.token_renewed |= remedy == Remedy::Token;
                Some((pause, remedy))
            }
        }
    }

    /// Waits before the next round; without the patience for it, every open call ends with what it failed with last.
    pub(super) async fn wait(&mut self, pause: Duration) {
        if self.patience.take(pause) {
            return tokio::time::sleep(pause).await;
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.result.is_none()) {
            slot.result = slot.fallback.take().map(Err);
        }
    }

    /// Ends the open calls with an error that concerns them all.
    pub(super) fn fail(&mut self, error: &Error) {
        for slot in self.slots.iter_mut().filter(|slot| slot.result.is_none()) {
            slot.result = Some(Err(error.copy()));
        }
    }

    pub(super) fn into_results(self) -> Vec<Result<Reply, Error>> {
        let missing = || Err(Error::Malformed { what: "no reply" });
        self.slots
            .into_iter()
            .map(|slot| slot.result.unwrap_or_else(missing))
            .collect()
    }
}
