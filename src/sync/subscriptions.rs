//! Subscriptions to the changes of every folder: made, renewed, ended (graph-facts 8).
//!
//! They only save waiting: whatever goes wrong with them is told once, tried again at leisure, and polling goes on.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, Failure, chain};
use crate::graph::{Error, Hook};
use crate::model::{FolderId, SubscriptionId};

/// What is asked for: the most there is, 10,080 minutes, less an hour and more for clocks that differ.
const LIFE: SignedDuration = SignedDuration::from_mins(10_000);
/// Pause after a failure, and the longest one: each doubles the one before.
const FIRST: Duration = Duration::from_secs(15);
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Shortest pause, should the service grant no time at all.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest time between two looks at what there is to do.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// Time between two polls while the service tells of changes.
const TOLD: Duration = Duration::from_secs(10 * 60);

/// What makes subscriptions worth nothing, whatever the service says of them.
const UNTOLD: &str = "a change was found that it had not told of";

/// What is known of the subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    live: HashMap<FolderId, Live>,
    /// What an earlier run or a lost reply left behind was looked for.
    swept: bool,
    failures: u32,
    next_try: Option<Timestamp>,
    /// Why there is not one for every folder.
    trouble: Option<String>,
    /// Whether there was one for every folder after the last round.
    told: bool,
    /// A change was told of since that round.
    heard: bool,
    /// The service kept a change to itself, and has not told of any since.
    doubted: bool,
}

/// One of them.
#[derive(Clone, Debug)]
struct Live {
    id: SubscriptionId,
    expires: Timestamp,
    renew: Timestamp,
}

/// How far the service tells of changes, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notifications {
    /// Folders it tells of.
    pub subscribed: usize,
    /// Why not of all.
    pub trouble: Option<String>,
}

impl Live {
    /// With half of its life before it is renewed.
    fn new(id: SubscriptionId, expires: Timestamp) -> Self {
        let now = Timestamp::now();
        let half = expires.duration_since(now) / 2;
        Self {
            id,
            expires,
            renew: now + half.max(SignedDuration::ZERO),
        }
    }
}

impl Subscriptions {
    /// The folder that a subscription is for.
    pub(super) fn folder_of(&self, id: &SubscriptionId) -> Option<FolderId> {
        let mut all = self.live.iter();
        let found = all.find(|(_, live)| live.id == *id);
        found.map(|(folder, _)| folder.clone())
    }

    /// The service ended one.
    pub(super) fn forget(&mut self, id: &SubscriptionId) {
        self.live.retain(|_, live| live.id != *id);
    }

    /// The service wants one to be renewed now.
    pub(super) fn must_renew(&mut self, id: &SubscriptionId) {
        let mut all = self.live.values_mut();
        if let Some(live) = all.find(|live| live.id == *id) {
            live.renew = Timestamp::now();
        }
    }

    /// A change was told of, so that more will be. Events of a subscription's life came when nothing else did (graph-facts 8).
    pub(super) fn trust(&mut self) {
        (self.heard, self.doubted) = (true, false);
    }

    fn is_live(&self, folder: &FolderId, now: Timestamp) -> bool {
        self.live.get(folder).is_some_and(|live| live.expires > now)
    }

    /// How long nothing is to be done.
    fn pause(&self) -> Duration {
        let renewals = self.live.values().map(|live| live.renew.min(live.expires));
        let next = match self.next_try {
            // A subscription that ends meanwhile is noticed then.
            Some(at) => self
                .live
                .values()
                .map(|live| live.expires)
                .chain([at])
                .min(),
            None => renewals.min(),
        };
        let wait = next.map_or(SignedDuration::MAX, |at| {
            at.duration_since(Timestamp::now())
        });
        let wait = Duration::try_from(wait).unwrap_or_default();
        wait.clamp(SHORTEST, LOOK)
    }

    /// Everything is as it should be.
    fn succeeded(&mut self) {
        (self.failures, self.next_try) = (0, None);
        if self.trouble.take().is_some() {
            tracing::info!("the service tells of changes");
        }
    }

    fn failed(&mut self, sentence: String) {
        let pause = FIRST
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.next_try = Timestamp::now().checked_add(pause).ok();
        if self.trouble.as_ref() != Some(&sentence) {
            tracing::warn!("the service does not tell of changes, polling goes on: {sentence}");
            self.trouble = Some(sentence);
        }
    }
}

impl Engine {
    /// How far the service tells of changes; `None` when it was not asked to.
    #[must_use]
    pub fn notifications(&self) -> Option<Notifications> {
        self.settings.hook.as_ref()?;
        let (now, held) = (Timestamp::now(), self.subscriptions());
        let live = held.live.values().filter(|live| live.expires > now);
        Some(Notifications {
            subscribed: live.count(),
            trouble: held
                .trouble
                .clone()
                .or_else(|| held.doubted.then(|| UNTOLD.to_owned())),
        })
    }

    /// Time until the next poll: longer while the service tells of the changes in every folder.
    pub(super) fn poll_pause(&self) -> Duration {
        let interval = self.settings.poll_interval;
        if self.is_told_of_all() {
            interval.max(TOLD)
        } else {
            interval
        }
    }

    pub(super) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a subscription for each folder; never returns.
    pub(super) async fn subscribe_loop(&self) {
        let Some(hook) = &self.settings.hook else {
            return std::future::pending().await;
        };
        let mut was_told = false;
        loop {
            self.wait_welcome().await;
            self.tend(hook).await;
            let is_told = self.is_told_of_all();
            if was_told && !is_told {
                // The next poll is far away, and nobody tells what happens until then.
                self.pull_now.notify_one();
            }
            was_told = is_told;
            let pause = self.subscriptions().pause();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.subscriptions_due.notified() => {}
            }
        }
    }

    /// A round is over that looked everywhere. If it brought `news` and no change was told of, notifications are not to be
    /// relied on: a tunnel may be down, or the service does not deliver (graph-facts 8).
    pub(super) fn note_round(&self, news: bool) {
        let is_told = self.is_told_of_all();
        let mut held = self.subscriptions();
        let was_told = std::mem::replace(&mut held.told, is_told);
        let heard = std::mem::take(&mut held.heard);
        if was_told && is_told && news && !heard {
            tracing::info!("{UNTOLD}: polling goes on until it tells of one");
            held.doubted = true;
            self.pull_now.notify_one();
        }
    }

    /// Ends all subscriptions. If that fails they end by themselves, or with the next mount.
    pub(super) async fn unsubscribe_all(&self) {
        let live = std::mem::take(&mut self.subscriptions().live);
        let ids: Vec<SubscriptionId> = live.into_values().map(|live| live.id).collect();
        if ids.is_empty() || !self.is_online() {
            return;
        }
        if let Err(error) = self.client.unsubscribe(&ids).await {
            tracing::info!(error = %chain(&error), "subscriptions are left behind");
        }
    }

    fn is_told_of_all(&self) -> bool {
        if self.settings.hook.is_none() {
            return false;
        }
        let Ok(folders) = self.folder_ids() else {
            return false;
        };
        let (now, held) = (Timestamp::now(), self.subscriptions());
        !held.doubted
            && !folders.is_empty()
            && folders.iter().all(|folder| held.is_live(folder, now))
    }

    fn folder_ids(&self) -> Result<HashSet<FolderId>, Failure> {
        let folders = self.store.folders()?.into_iter();
        Ok(folders.filter_map(|folder| folder.graph).collect())
    }

    async fn tend(&self, hook: &Hook) {
        let now = Timestamp::now();
        if self.subscriptions().next_try.is_some_and(|at| at > now) {
            return;
        }
        let done = self.bring_in_step(hook).await;
        let mut held = self.subscriptions();
        match done {
            Ok(()) => held.succeeded(),
            Err(Failure::Graph(error)) => {
                // A subscription that was made all the same is in the way of the next.
                held.swept = false;
                held.failed(sentence(&error, hook));
            }
            Err(error) => held.failed(error.to_string()),
        }
    }

    async fn bring_in_step(&self, hook: &Hook) -> Result<(), Failure> {
        self.sweep(hook).await?;
        let folders = self.folder_ids()?;
        self.end_of_gone(&folders).await?;
        for folder in &folders {
            match self.look_after(folder, hook).await {
                // The next look at the folder tree tells what became of it.
                Ok(()) | Err(Error::FolderGone | Error::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Ends what is told to our address and is not known here.
    async fn sweep(&self, hook: &Hook) -> Result<(), Error> {
        if self.subscriptions().swept {
            return Ok(());
        }
        let mut strays = self.client.subscriptions().await?;
        {
            let held = self.subscriptions();
            strays.retain(|stray| {
                stray.url == hook.url.as_str() && held.folder_of(&stray.id).is_none()
            });
        }
        let ids: Vec<SubscriptionId> = strays.into_iter().map(|stray| stray.id).collect();
        self.client.unsubscribe(&ids).await?;
        self.subscriptions().swept = true;
        Ok(())
    }

    /// Ends the subscriptions to folders that are no more.
    async fn end_of_gone(&self, folders: &HashSet<FolderId>) -> Result<(), Error> {
        let gone: Vec<SubscriptionId> = {
            let mut held = self.subscriptions();
            let gone = held.live.extract_if(|folder, _| !folders.contains(folder));
            gone.map(|(_, live)| live.id).collect()
        };
        self.client.unsubscribe(&gone).await
    }

    /// Makes or renews the subscription to a folder, if it is time.
    async fn look_after(&self, folder: &FolderId, hook: &Hook) -> Result<(), Error> {
        let now = Timestamp::now();
        let live = self.subscriptions().live.get(folder).cloned();
        match live.filter(|live| live.expires > now) {
            Some(live) if live.renew > now => Ok(()),
            Some(live) => match self.client.renew_subscription(&live.id, now + LIFE).await {
                Ok(expires) => {
                    self.hold(folder, Live::new(live.id, expires));
                    Ok(())
                }
                Err(Error::NotFound) => {
                    self.subscriptions().forget(&live.id);
                    // It may have ended long ago.
                    self.pull_now.notify_one();
                    self.make(folder, hook).await
                }
                Err(error) => Err(error),
            },
            None => self.make(folder, hook).await,
        }
    }

    async fn make(&self, folder: &FolderId, hook: &Hook) -> Result<(), Error> {
        let until = Timestamp::now() + LIFE;
        let made = self.client.subscribe(folder, hook, until).await?;
        self.hold(folder, Live::new(made.id, made.expires));
        Ok(())
    }

    fn hold(&self, folder: &FolderId, live: Live) {
        self.subscriptions().live.insert(folder.clone(), live);
    }
}

fn sentence(error: &Error, hook: &Hook) -> String {
    match error {
        Error::Denied { code } => format!("this sign-in may not be told of changes ({code})"),
        Error::Refused { code, message } if code == "ValidationError" => {
            format!("{} did not answer as it must: {message}", hook.url)
        }
        error => chain(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn live(id: &str, life: SignedDuration) -> Live {
        Live::new(SubscriptionId::new(id), Timestamp::now() + life)
    }

    fn held(id: &str, life: SignedDuration) -> Subscriptions {
        let mut held = Subscriptions::default();
        held.live.insert(FolderId::new(id), live(id, life));
        held
    }

    #[test]
    fn half_of_the_life_passes_before_a_renewal() {
        let held = held("a", SignedDuration::from_mins(40));
        let pause = held.pause().as_secs();
        assert!((19 * 60..=20 * 60 + 1).contains(&pause), "{pause}");
    }

    #[test]
    fn what_was_granted_for_no_time_is_renewed_at_once() {
        let held = held("a", SignedDuration::from_secs(-5));
        assert_eq!(held.pause(), SHORTEST);
        assert!(!held.is_live(&FolderId::new("a"), Timestamp::now()));
    }

    #[test]
    fn failures_are_told_once_and_tried_again_less_and_less_often() {
        let mut held = Subscriptions::default();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            held.failed("no".to_owned());
            pauses.push(held.pause().as_secs());
        }
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!((14..=15).contains(pauses.first().unwrap()));
        assert!(*pauses.last().unwrap() <= LONGEST.as_secs());
        held.succeeded();
        assert_eq!((held.trouble.clone(), held.pause()), (None, LOOK));
    }

    #[test]
    fn an_end_is_noticed_while_a_renewal_fails() {
        let mut held = held("a", SignedDuration::from_secs(20));
        held.failures = 10;
        held.failed("no".to_owned());
        assert!(held.pause() <= Duration::from_secs(21));
    }
}
