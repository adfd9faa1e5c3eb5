//! The composition root: builds store, client, engine, tree and mount, and takes them down in order.
//!
//! Threads: the kernel's loop and its helpers (`fs`), the engine's with signals, one per control connection, and the
//! caller's, which waits for a reason to end. The end: unmount, put aside what is half written, drain the outbox.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::assemble::{self, Ear};
use super::control::{self, ControlServer};
use super::registry::{self, Registration};
use super::reload::{Reload, Reread};
use super::report::Report;
use super::trouble::Subject;
use super::watch::Watchers;
use super::{Progress, RunError, RunErrorKind, service, sign_in, surroundings};
use crate::auth::Exchangeable;
use crate::config::{Account, Environment, MountSettings, runtime_dir};
use crate::fs::Mounted;
use crate::names;
use crate::notify::Notice;
use crate::store::Store;
use crate::sync::{Command, Engine, Failure};
use crate::tree::{self, Tree};

/// How long the end may take to send what is queued (behaviour 7.4).
const DRAIN: Duration = Duration::from_secs(10);

/// Why the mount's own thread wakes up.
pub(super) enum Wake {
    /// The engine has read the folder tree, or cannot.
    Ready(Result<(), Failure>),
    /// A folder's first load has come this far.
    Loading(String, usize),
    /// Somebody asked for the end.
    Stop,
    /// The mount was taken down from outside.
    Ended,
}

/// Mounts and serves until unmounted; `reread` says what the account has become when the mount is told to look.
///
/// # Errors
/// [`RunError`], with the kind that decides the exit code.
pub fn mount(
    account: Account,
    settings: MountSettings,
    progress: &dyn Progress,
    reread: Reread,
) -> Result<(), RunError> {
    let ear = assemble::listen(&settings)?;
    sign_in::ready(&account, settings.read_only)?;
    let store = Arc::new(assemble::open_store(&account, &settings)?);
    let tokens = Arc::new(Exchangeable::new(assemble::tokens(&account)?));
    let client = assemble::client(&account, &settings, Arc::<Exchangeable>::clone(&tokens))?;
    let reload = Reload {
        account: account.clone(),
        reread,
        tokens,
    };
    let (wake, woken) = channel();
    let (commands, inbox) = mpsc::unbounded_channel();
    let watchers = Arc::new(Watchers::default());
    let engine = Engine::new(
        Arc::clone(&store),
        client,
        assemble::sync_settings(
            &account,
            &settings,
            ear.as_ref(),
            wake.clone(),
            Arc::clone(&watchers),
        ),
    );
    let running = spawn_engine(
        Arc::clone(&engine),
        Arc::clone(&store),
        settings.folder.clone(),
        inbox,
        ear,
        wake.clone(),
        reload,
    )?;
    serve(
        &account,
        &settings,
        progress,
        &Parts {
            store,
            engine,
            commands,
            running,
            wake,
            woken,
            watchers,
        },
    )
}

/// What [`serve`] is made of.
struct Parts {
    store: Arc<Store>,
    engine: Arc<Engine>,
    commands: mpsc::UnboundedSender<Command>,
    running: JoinHandle<()>,
    wake: Sender<Wake>,
    woken: Receiver<Wake>,
    watchers: Arc<Watchers>,
}

fn serve(
    account: &Account,
    settings: &MountSettings,
    progress: &dyn Progress,
    parts: &Parts,
) -> Result<(), RunError> {
    match parts.woken.recv() {
        Ok(Wake::Ready(Err(failure))) => {
            return Err(Subject::new(account, settings.read_only).explain(&failure));
        }
        Ok(Wake::Stop) | Err(_) => return Ok(()),
        Ok(Wake::Ready(Ok(())) | Wake::Loading(..) | Wake::Ended) => {}
    }
    let tree = Tree::new(Arc::clone(&parts.store), assemble::tree_settings(settings))
        .map_err(|error| no_tree(error, settings))?;
    let report = Arc::new(Report {
        account: account.clone(),
        settings: settings.clone(),
        store: Arc::clone(&parts.store),
        tree: Arc::clone(&tree),
        engine: Arc::clone(&parts.engine),
        commands: parts.commands.clone(),
        wake: parts.wake.clone(),
        watchers: Arc::clone(&parts.watchers),
    });
    tree.set_witness(Arc::<Watchers>::clone(&parts.watchers));
    let (server, _registration) = open_control(account, settings, &report)?;
    let ended = parts.wake.clone();
    let on_end = Box::new(move || drop(ended.send(Wake::Ended)));
    let mounted = Mounted::new(
        Arc::clone(&tree),
        &settings.dir,
        &assemble::fs_options(settings),
        on_end,
    )
    .map_err(|error| RunError::new(RunErrorKind::Service, error.to_string()))?;
    progress.mounted(&settings.dir);
    service::ready();
    wait_for_end(&parts.woken, progress, &report);
    service::stopping();
    mounted.unmount();
    tree.settle(true);
    drain(parts);
    parts.store.checkpoint();
    let mut left = report.pending();
    left.extend(report.held());
    server.unmounted(&left);
    parts.watchers.end();
    progress.unmounted(left.len());
    Ok(())
}

fn no_tree(error: tree::Error, settings: &MountSettings) -> RunError {
    match (error, &settings.folder) {
        (tree::Error::NotFound, Some(folder)) => RunError::new(
            RunErrorKind::Usage,
            format!("the mailbox has no contact folder {folder}"),
        )
        .hint("Mounted whole, the mailbox shows its folders as directories."),
        (error, _) => RunError::new(RunErrorKind::Internal, error.to_string()),
    }
}

fn wait_for_end(woken: &Receiver<Wake>, progress: &dyn Progress, report: &Report) {
    let (mut line, mut looked) = (service::Line::default(), Instant::now());
    loop {
        let wake = if service::is_heard() {
            woken.recv_timeout(service::TURN)
        } else {
            woken.recv().map_err(RecvTimeoutError::from)
        };
        match wake {
            Ok(Wake::Loading(folder, count)) => progress.folder(&folder, count),
            Ok(Wake::Ready(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Wake::Stop | Wake::Ended) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if service::is_heard() && looked.elapsed() >= service::TURN {
            line.update(report);
            looked = Instant::now();
        }
    }
}

/// Lets the engine send what it can; a second request to stop ends that at once.
fn drain(parts: &Parts) {
    if parts.commands.send(Command::Stop(DRAIN)).is_err() {
        return;
    }
    while !parts.running.is_finished() {
        if let Ok(Wake::Stop) = parts.woken.recv_timeout(Duration::from_millis(20)) {
            return;
        }
    }
}

/// Whether the store has a folder tree, and in it a folder of the name of the one that is to be the root.
fn is_known(store: &Store, root: Option<&str>) -> bool {
    let root = root.and_then(|path| path.split('/').rfind(|part| !part.is_empty()));
    let is_it = |name: &str| root.is_none_or(|root| names::folder_name(name) == root);
    let folders = store.folders().unwrap_or_default();
    folders.iter().any(|folder| is_it(&folder.name))
}

/// Starts the engine's thread: signals first, then the folder tree when the store has none, then the loops.
fn spawn_engine(
    engine: Arc<Engine>,
    store: Arc<Store>,
    folder: Option<String>,
    inbox: mpsc::UnboundedReceiver<Command>,
    ear: Option<Ear>,
    wake: Sender<Wake>,
    reload: Reload,
) -> Result<JoinHandle<()>, RunError> {
    let internal = |error: io::Error| RunError::new(RunErrorKind::Internal, error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(internal)?;
    // Caught before anybody can know that there is a mount to end.
    let signals = {
        let _context = runtime.enter();
        Signals::catch().map_err(internal)?
    };
    let body = move || {
        runtime.block_on(async {
            let signals = tokio::spawn(signals.heed(wake.clone(), Arc::clone(&engine), reload));
            let life = tokio::spawn(service::live(Arc::clone(&engine)));
            surroundings::follow(Arc::clone(&engine));
            let ready = if is_known(&store, folder.as_deref()) {
                Ok(())
            } else {
                engine.read_folders_first().await
            };
            let usable = ready.is_ok();
            let _gone = wake.send(Wake::Ready(ready));
            if usable {
                engine.run(inbox, ear.map(hear)).await;
            }
            signals.abort();
            life.abort();
        });
    };
    thread::Builder::new()
        .name("engine".to_owned())
        .spawn(body)
        .map_err(internal)
}

/// Has the listener listen, beside what else the thread does.
fn hear((listener, heard): Ear) -> mpsc::Receiver<Vec<Notice>> {
    tokio::spawn(async move {
        let Err(error) = listener.serve().await;
        tracing::warn!(%error, "notifications of the service are not heard");
    });
    heard
}

/// What the process is asked by signals.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    usr1: Signal,
}

impl Signals {
    /// Catches them; what comes before [`Signals::heed`] waits.
    fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
        })
    }

    /// SIGINT and SIGTERM end the mount, SIGHUP has it read again what can change, SIGUSR1 syncs now.
    async fn heed(mut self, wake: Sender<Wake>, engine: Arc<Engine>, reload: Reload) {
        loop {
            tokio::select! {
                Some(()) = self.interrupt.recv() => drop(wake.send(Wake::Stop)),
                Some(()) = self.terminate.recv() => drop(wake.send(Wake::Stop)),
                Some(()) = self.hangup.recv() => reload.run(&engine),
                Some(()) = self.usr1.recv() => engine.nudge(),
            }
        }
    }
}

fn open_control(
    account: &Account,
    settings: &MountSettings,
    report: &Arc<Report>,
) -> Result<(ControlServer, Registration), RunError> {
    let internal = |error: String| RunError::new(RunErrorKind::Internal, error);
    let runtime =
        runtime_dir(&Environment::of_process()).map_err(|error| internal(error.to_string()))?;
    let socket = registry::socket(&runtime, &settings.dir);
    let handler: Arc<dyn control::Handler> = Arc::<Report>::clone(report);
    // The entry comes second: one without a listener counts as dead.
    let server = control::serve(socket, handler).map_err(|error| internal(error.to_string()))?;
    let registration = registry::register(
        &runtime,
        &settings.dir,
        &account.name,
        settings.folder.is_some(),
    )
    .map_err(|error| internal(error.to_string()))?;
    Ok((server, registration))
}
