//! Calls on their way through [`Transport::run`](super::transport::Transport::run), each with its own count of attempts.

use std::time::Duration;

use super::Error;
use super::request::{Call, Reply};
use super::throttle::Patience;
use super::verdict::{Outcome, Remedy, Verdict, judge};

/// Calls on their way, each with its own count of attempts.
pub(super) struct Job<'a> {
    pub(super) calls: &'a [Call],
    slots: Vec<Slot>,
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
        Self {
            calls,
            slots: calls.iter().map(|_| Slot::default()).collect(),
            patience: Patience::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.slots.iter().any(|slot| slot.result.is_none())
    }

    pub(super) fn open(&self) -> Vec<usize> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.result.is_none())
            .map(|(index, _)| index)
            .collect()
    }

    pub(super) fn judge(&mut self, index: usize, outcome: Outcome) -> Verdict {
        let (Some(call), Some(slot)) = (self.calls.get(index), self.slots.get_mut(index)) else {
            return Verdict::Done(Err(Error::Malformed {
                what: "a reply to nothing",
            }));
        };
        slot.attempts += 1;
        judge(call, outcome, slot.attempts, slot.token_renewed)
    }

    pub(super) fn finish(&mut self, index: usize, result: Result<Reply, Error>) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.result = Some(result);
        }
    }

    pub(super) fn postpone(&mut self, index: usize, remedy: Remedy, otherwise: Error) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.fallback = Some(otherwise);
            slot.token_renewed |= remedy == Remedy::Token;
        }
    }

    /// Waits before the next round; without the patience for it, every open call ends with what it failed with last.
    pub(super) async fn wait(&mut self, pause: Duration) {
        if self.patience.take(pause) {
            return tokio::time::sleep(pause).await;
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.result.is_none()) {
            let last = slot.fallback.take();
            slot.result = Some(Err(last.unwrap_or_else(|| Error::Offline {
                source: "no reply for too long".into(),
            })));
        }
    }

    /// Ends the open calls with an error that concerns them all.
    pub(super) fn fail(&mut self, error: Error) {
        let mut last = Some(error);
        for slot in self.slots.iter_mut().filter(|slot| slot.result.is_none()) {
            let (this, next) = last.take().map(Error::doubled).unzip();
            last = next;
            slot.result = this.map(Err);
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
