//! Keeps the store and the mailbox in step: pulls what changed there, pushes what the outbox holds.
//!
//! Two loops on one thread, both woken by time or by a signal and both paused together while the service does not answer:
//! `pull` asks each folder's delta query, `push` sends the outbox. Beside them `subscriptions` has the service tell of
//! changes, if that is wanted, and `notices` asks for those it tells of. Decisions about clashes are made by the pure
//! functions of `plan`. Nothing here knows of files: the store turns contacts into names and bytes.

mod folder_jobs;
mod folders;
mod health;
mod load;
mod moving;
mod notices;
mod outcome;
mod photos;
mod plan;
mod pull;
mod push;
mod subscriptions;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

pub use health::{Connection, Health};
pub use subscriptions::Notifications;

use crate::graph::{Client, Error, Hook, Snapshot, Stats, Work};
use crate::notify::Notice;
use crate::store::{self, ServerContact, Store, Wake};
use crate::vcard::{Card, Residue};
use subscriptions::Subscriptions;

/// Told of the progress of first loads: folder and contacts so far.
pub type LoadProgress = Box<dyn Fn(&str, usize) + Send + Sync>;

/// A sentence about an error that only a person can mend, beginning with the command that helps if there is one.
pub type Explain = Box<dyn Fn(&Error) -> String + Send + Sync>;

/// What the engine is told by the mount's options.
pub struct Settings {
    /// Time between two pulls.
    pub poll_interval: Duration,
    /// Told of the progress of first loads: folder and contacts so far.
    pub progress: LoadProgress,
    /// Says what only a person can mend.
    pub explain: Explain,
    /// Told when the service is found in another way than before.
    pub found: Box<dyn Fn(&Connection) + Send + Sync>,
    /// Where the service is to tell of changes, if it is.
    pub hook: Option<Hook>,
}

/// What the engine can be asked from outside.
#[derive(Debug)]
pub enum Command {
    /// Push everything, pull all folders, then answer with whether that was possible.
    Sync(oneshot::Sender<Result<(), String>>),
    /// Read the mailbox's list of categories: name and colour.
    Categories(oneshot::Sender<Result<Vec<(String, String)>, String>>),
    /// Push what can be pushed within this time, then end.
    Stop(Duration),
}

/// Why a pull or push failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The service.
    #[error(transparent)]
    Graph(#[from] Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}

const NO_LIST: &str = "the colours are not known: the sign-in lacks the permission MailboxSettings.Read, which contactfs login --categories asks for";
/// Between two tidyings of the store.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How often a sync goes on after the connection was lost and found again.
const SYNC_TRIES: usize = 5;

/// Batches under way.
type Chunks = JoinSet<Result<usize, Failure>>;

/// The engine; share it by `Arc`.
pub struct Engine {
    store: Arc<Store>,
    client: Client,
    settings: Settings,
    /// Whether the service answers; held for moments only.
    health: Mutex<Health>,
    /// Pulls and pushes under way.
    work: Work,
    /// Pages that are being stored.
    storing: Work,
    /// There may be something to send.
    outbox: Arc<Notify>,
    /// The connection is back: do not wait out the pause.
    resumed: Notify,
    /// Do not wait for the next poll.
    pull_now: Notify,
    /// The folder tree was read just before the loops began.
    tree_is_fresh: AtomicBool,
    /// A round found something that was changed elsewhere.
    news: AtomicBool,
    /// There may be pictures to read.
    photos_due: Notify,
    /// One reader of pictures at a time.
    reading_photos: tokio::sync::Mutex<()>,
    /// One pull at a time.
    pulling: tokio::sync::Mutex<()>,
    /// Who tells of changes; held for moments only.
    subscriptions: Mutex<Subscriptions>,
    /// The subscriptions may have to change.
    subscriptions_due: Notify,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// Passes the store's wake-ups on.
struct Waker(Arc<Notify>);

impl Wake for Waker {
    fn wake(&self) {
        self.0.notify_one();
    }
}

impl Engine {
    /// Makes an engine; nothing is sent before [`Engine::run`] or [`Engine::read_folders_first`].
    #[must_use]
    pub fn new(store: Arc<Store>, client: Client, settings: Settings) -> Arc<Self> {
        let outbox = Arc::new(Notify::new());
        store.set_wake(Arc::new(Waker(Arc::clone(&outbox))));
        Arc::new(Self {
            health: Mutex::new(Health::new(settings.poll_interval)),
            store,
            client,
            settings,
            work: Work::new(),
            storing: Work::new(),
            outbox,
            resumed: Notify::new(),
            pull_now: Notify::new(),
            tree_is_fresh: AtomicBool::new(false),
            news: AtomicBool::new(false),
            photos_due: Notify::new(),
            reading_photos: tokio::sync::Mutex::default(),
            pulling: tokio::sync::Mutex::default(),
            subscriptions: Mutex::default(),
            subscriptions_due: Notify::new(),
        })
    }

    /// Whether the service answers, and until when it is left alone; a pause that is waited out, and therefore fails
    /// nothing, is one too.
    #[must_use]
    pub fn connection(&self) -> Connection {
        let known = self.health().connection();
        match self.client.throttled_until() {
            Some(until) if known.is_online() => Connection::Throttled { until },
            _ => known,
        }
    }

    /// Whether the last request was answered.
    fn is_online(&self) -> bool {
        self.health().connection().is_online()
    }

    /// Pulls and pushes now instead of at the next turn.
    pub fn nudge(&self) {
        self.resume();
        self.pull_now.notify_waiters();
        self.outbox.notify_one();
    }

    /// The machine has another network: what was out of reach may not be any more.
    pub fn network_changed(&self) {
        if !self.is_online() {
            self.nudge();
        }
    }

    /// Whether for so long a page was not stored, or nothing was done for a pull or push that is under way, neither here nor
    /// on the wire.
    #[must_use]
    pub fn is_stuck(&self, longest: Duration) -> bool {
        let rests = self.work.unmoved().zip(self.client.idle());
        let rest = rests.map(|(unmoved, idle)| unmoved.min(idle));
        rest.max(self.storing.unmoved()) > Some(longest)
    }

    /// Leaves open connections behind: those of an address that is gone, or from before a suspension, are dead.
    pub fn reconnect(&self) {
        self.client.reconnect();
    }

    /// What was sent and received so far.
    #[must_use]
    pub fn traffic(&self) -> Stats {
        self.client.stats()
    }

    /// Runs until told to stop; `heard` is what the service tells by itself.
    pub async fn run(
        self: Arc<Self>,
        mut commands: mpsc::UnboundedReceiver<Command>,
        heard: Option<mpsc::Receiver<Vec<Notice>>>,
    ) {
        let mut chunks = Chunks::default();
        let stop = tokio::select! {
            () = self.pull_loop() => Duration::ZERO,
            () = self.push_loop(&mut chunks) => Duration::ZERO,
            () = self.photo_loop() => Duration::ZERO,
            () = self.subscribe_loop() => Duration::ZERO,
            () = self.notice_loop(heard) => Duration::ZERO,
            () = self.answer_loop() => Duration::ZERO,
            () = self.tidy_loop() => Duration::ZERO,
            stop = self.serve(&mut commands) => stop,
        };
        let end = async { tokio::join!(self.drain(chunks), self.unsubscribe_all()) };
        if tokio::time::timeout(stop, end).await.is_err() {
            tracing::info!("some changes stay queued for the next mount");
        }
    }

    /// A sync runs beside, so that a stop is heard while it waits.
    async fn serve(self: &Arc<Self>, commands: &mut mpsc::UnboundedReceiver<Command>) -> Duration {
        let mut syncs = JoinSet::new();
        loop {
            let command = tokio::select! {
                command = commands.recv() => command,
                Some(_) = syncs.join_next() => continue,
            };
            match command {
                Some(Command::Sync(done)) => {
                    let engine = Arc::clone(self);
                    syncs.spawn(async move {
                        let _gone = done.send(match engine.sync_now().await {
                            Ok(true) => Ok(()),
                            Ok(false) => Err("some changes could not be sent yet".to_owned()),
                            Err(failure) => Err(failure.to_string()),
                        });
                    });
                }
                Some(Command::Categories(done)) => {
                    let engine = Arc::clone(self);
                    syncs.spawn(async move {
                        let _gone = done.send(engine.categories().await);
                    });
                }
                Some(Command::Stop(limit)) => return limit,
                None => return Duration::ZERO,
            }
        }
    }

    /// Pushes everything, graces included, pulls all folders and reads the pictures; whether everything was sent. A connection that was lost
    /// is tried first: otherwise nothing would be pushed and the pull would say that all is well.
    async fn sync_now(self: &Arc<Self>) -> Result<bool, Failure> {
        self.store.write::<_, store::Error>(|tx| tx.expedite())?;
        self.resume();
        let mut sent = false;
        for _ in 0..SYNC_TRIES {
            if !self.is_online() {
                self.pull_all().await?;
            }
            while self.has_pending()? && self.is_online() {
                self.outbox.notify_one();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            sent = self.is_online();
            if sent {
                break;
            }
        }
        self.pull_all_again().await?;
        self.read_photos().await?;
        Ok(sent)
    }

    /// The mailbox's list of categories, or why it is not known.
    async fn categories(&self) -> Result<Vec<(String, String)>, String> {
        match self.client.categories().await {
            Ok(list) => Ok(list.into_iter().map(|row| (row.name, row.color)).collect()),
            Err(Error::Denied { .. }) => Err(NO_LIST.to_owned()),
            Err(error) => Err(format!("the colours are not known: {}", chain(&error))),
        }
    }

    /// Sends what is left, without waiting for graces. What is under way comes to its end first: a request given up half
    /// way would have to be looked for by the next mount.
    async fn drain(self: &Arc<Self>, mut chunks: Chunks) {
        while chunks.join_next().await.is_some() {}
        let expedited = self.store.write::<_, store::Error>(|tx| tx.expedite());
        if let Err(error) = expedited {
            tracing::warn!(%error, "the outbox could not be drained");
            return;
        }
        while self.has_pending().unwrap_or(false) && self.health().is_hopeful() {
            self.wait_welcome().await;
            match self.push_some().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return tracing::warn!(%error, "the outbox could not be drained"),
            }
        }
    }

    fn has_pending(&self) -> Result<bool, store::Error> {
        Ok(self.store.next_due()?.is_some() || self.store.is_sending()?)
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of every answer: a pull or push that takes long is not waited for to say that the service is back. Never
    /// returns.
    async fn answer_loop(&self) {
        let mut answers = self.client.answers();
        while answers.changed().await.is_ok() {
            let at = *answers.borrow_and_update();
            let recovered = at.is_some_and(|at| self.health().answered(at));
            self.tell_recovered(recovered);
        }
    }

    /// Has the store drop what is of no use any more, now and then; never returns.
    async fn tidy_loop(&self) {
        loop {
            tokio::time::sleep(DAY).await;
            if let Err(error) = self.store.tidy() {
                tracing::warn!(%error, "the store could not be tidied");
            }
        }
    }

    /// A pull or push was done.
    fn note_success(&self) {
        let recovered = self.health().succeeded();
        self.store.set_reachable(true);
        self.photos_due.notify_one();
        self.tell_recovered(recovered);
    }

    /// A part of a long load was done.
    fn note_progress(&self) {
        let recovered = self.health().progressed();
        self.tell_recovered(recovered);
    }

    fn tell_recovered(&self, recovered: bool) {
        if !recovered {
            return;
        }
        tracing::info!("online");
        self.store.set_reachable(true);
        (self.settings.found)(&Connection::Online);
        self.resumed.notify_waiters();
        self.pull_now.notify_waiters();
        self.outbox.notify_one();
    }

    /// A request failed in a way that says something about the connection.
    fn note_failure(&self, error: &Error) {
        let changed = self.health().failed(error, &self.settings.explain);
        self.tell_failure(error, changed);
    }

    /// A pull failed as a whole.
    fn note_pull_failure(&self, error: &Error) {
        let changed = self.health().pull_failed(error, &self.settings.explain);
        self.tell_failure(error, changed);
    }

    fn tell_failure(&self, error: &Error, changed: bool) {
        let connection = self.health().connection();
        if changed {
            (self.settings.found)(&connection);
        }
        match &connection {
            Connection::SignInNeeded { reason } if changed => {
                tracing::warn!("sign-in needed: {reason}");
            }
            _ if changed => {
                tracing::warn!(error = %chain(error), "the service cannot be used for now");
            }
            _ => {}
        }
        self.store.set_reachable(self.health().is_hopeful());
    }

    /// Waits until requests are welcome again.
    async fn wait_welcome(&self) {
        loop {
            let pause = self.health().pause();
            if pause.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.resumed.notified() => {}
            }
        }
    }

    fn resume(&self) {
        self.health().resume();
        self.resumed.notify_waiters();
    }
}

/// An error with its sources, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// A contact as the client got it, in the store's terms.
fn server_contact(snapshot: &Snapshot) -> ServerContact {
    ServerContact {
        id: snapshot.id.clone(),
        change_key: snapshot.change_key.clone(),
        created: snapshot.created.map(Into::into),
        modified: snapshot.modified.map(Into::into),
        contact: snapshot.contact.clone(),
        residue: snapshot.residue.clone(),
        picture: snapshot.picture,
        client: snapshot.client.clone(),
    }
}

/// The card of a contact that was read whole.
fn card_of(snapshot: &Snapshot) -> Card {
    let residue = snapshot
        .residue
        .as_ref()
        .and_then(|text| Residue::decode(text).ok())
        .unwrap_or_default();
    Card::from_server(snapshot.contact.clone(), residue)
}
