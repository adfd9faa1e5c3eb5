//! A week of polling in simulated time: requests against the budget, token refreshes, memory.
//!
//! The clock stands still but for what the test lets pass. `CONTACTFS_SIMULATED_DAYS` sets how much that is; a usual run has one
//! day.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "test helpers"
)]

use std::sync::Arc;
use std::time::Duration;

use contactfs::auth::{Application, Proof, Registration};
use contactfs::graph::{Client, Endpoint, Mailbox};
use contactfs::model::{Stamp, Tier};
use contactfs::sandbox::{Fault, FaultAction, Options, Sandbox};
use contactfs::store::Store;
use contactfs::sync::{Command, Engine, Settings};
use contactfs::vcard::Style;
use tokio::sync::{mpsc, oneshot};
use url::Url;

const POLL: Duration = Duration::from_secs(30);
const HOUR: u32 = 3600;
/// Seconds that a token is good for.
const TOKEN_LIFE: u32 = 3600;
/// Real time that a poll may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests of one application to one mailbox in ten minutes (graph-facts 9.2).
const BUDGET: u64 = 10_000;

fn days() -> u32 {
    let days = std::env::var("CONTACTFS_SIMULATED_DAYS").ok();
    days.and_then(|days| days.parse().ok()).unwrap_or(1)
}

/// A mailbox, and an engine that keeps a store in step with it.
struct Week {
    service: Sandbox,
    store: Arc<Store>,
    engine: Arc<Engine>,
    dir: tempfile::TempDir,
}

impl Week {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let service = Sandbox::start(Options::default()).unwrap();
        let graph_url = Url::parse(&service.graph_url()).unwrap();
        let registration = Registration {
            login_url: Url::parse(&service.login_url()).unwrap(),
            graph_url: graph_url.clone(),
            tenant: service.tenant().to_owned(),
            client_id: service.client_id().to_owned(),
        };
        let secret = Proof::Secret(service.client_secret().into());
        let tokens = Arc::new(Application::new(registration, secret).unwrap());
        let mailbox = Mailbox::User(service.mailbox().to_owned());
        let endpoint = Endpoint::new(graph_url, mailbox).unwrap();
        let client = Client::new(endpoint, tokens, Tier::Basic).unwrap();
        let store = Store::open(dir.path(), "me", "here", Style::default()).unwrap();
        let store = Arc::new(store);
        let settings = Settings {
            poll_interval: POLL,
            progress: Box::new(|_, _| ()),
            explain: Box::new(ToString::to_string),
            found: Box::new(|_| {}),
            hook: None,
        };
        Self {
            engine: Engine::new(Arc::clone(&store), client, settings),
            store,
            service,
            dir,
        }
    }

    /// Sets something of the service.
    async fn set(&self, settings: &serde_json::Value) {
        let url = format!("{}/sandbox/settings", self.service.login_url());
        let reply = reqwest::Client::new().post(url).json(settings).send();
        reply.await.unwrap().error_for_status().unwrap();
    }

    /// When the folder that was pulled longest ago was pulled.
    fn pulled(&self) -> Option<Stamp> {
        let folders = self.store.folders().unwrap();
        folders.iter().map(|folder| folder.pulled).min().flatten()
    }

    /// Lets simulated time pass until the next poll, and real time until that is over.
    async fn poll(&self) {
        let before = self.pulled();
        tokio::time::advance(POLL).await;
        let began = std::time::Instant::now();
        while self.pulled() <= before {
            real_moment().await;
            let state = self.engine.connection();
            assert!(began.elapsed() < PATIENCE, "no poll: {state:?}");
        }
        real_moment().await;
    }

    /// A second of simulated time, and real time for what it brings about.
    async fn second(&self) {
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..3 {
            real_moment().await;
        }
    }

    /// So many seconds in which this happens to every request: how many there were, and the seconds after the end of it until
    /// the engine knows.
    async fn outage(&self, seconds: u32, action: FaultAction) -> (u64, u32) {
        let fault = Fault {
            method: None,
            path_contains: Some("/v1.0/".to_owned()),
            skip: 0,
            times: u32::MAX,
            action,
        };
        self.service.add_fault(fault);
        while self.engine.connection().is_online() {
            self.second().await;
        }
        let before = self.engine.traffic().requests;
        for _ in 0..seconds {
            self.second().await;
        }
        let asked = self.engine.traffic().requests - before;
        assert!(!self.engine.connection().is_online());
        self.service.clear_faults();
        let mut late = 0;
        while !self.engine.connection().is_online() {
            self.second().await;
            late += 1;
            assert!(late < HOUR, "{:?}", self.engine.connection());
        }
        (asked, late)
    }

    /// Rows of the store that are of no use after an hour.
    fn left_over(&self) -> usize {
        let sql = self.sql();
        let count = "SELECT count(*) FROM gone";
        sql.query_row(count, [], |row| row.get(0)).unwrap()
    }

    fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("store.db")).unwrap()
    }

    fn token_requests(&self) -> usize {
        let log = self.service.log();
        log.iter()
            .filter(|entry| entry.path.contains("/oauth2/"))
            .count()
    }

    /// An hour of polling: requests, and those to the login service.
    async fn hour(&self) -> (u64, usize) {
        self.service.clear_log();
        let before = self.engine.traffic().requests;
        for _ in 0..HOUR / u32::try_from(POLL.as_secs()).unwrap() {
            self.poll().await;
        }
        (
            self.engine.traffic().requests - before,
            self.token_requests(),
        )
    }
}

/// Real time; simulated time stands still meanwhile.
async fn real_moment() {
    let sleep = || std::thread::sleep(Duration::from_micros(500));
    tokio::task::spawn_blocking(sleep).await.unwrap();
}

/// Resident memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn polling_costs_little_for_ever() {
    // While a blocking task runs, time passes only as we say.
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let still = tokio::task::spawn_blocking(move || ended.recv());
    let week = Week::new();
    // The service's clock goes on as ever: a week of requests comes within minutes.
    week.set(&serde_json::json!({"expires_in": TOKEN_LIFE, "budget": u32::MAX}))
        .await;
    week.engine.read_folders_first().await.unwrap();
    let (commands, inbox) = mpsc::unbounded_channel();
    let running = tokio::spawn(Arc::clone(&week.engine).run(inbox, None));
    let (done, synced) = oneshot::channel();
    commands.send(Command::Sync(done)).unwrap();
    while week
        .store
        .folders()
        .unwrap()
        .iter()
        .any(|folder| folder.delta.is_none())
    {
        real_moment().await;
    }
    synced.await.unwrap().unwrap();

    let leave = "INSERT INTO gone VALUES('of old', 'x', 0)";
    week.sql().execute(leave, []).unwrap();
    let (mut requests, mut tokens, mut most) = (0, 0, 0);
    let mut settled = 0;
    let hours = days() * 24;
    for hour in 0..hours {
        let (asked, fresh) = week.hour().await;
        requests += asked;
        tokens += fresh;
        most = most.max(asked);
        assert!(week.engine.connection().is_online(), "hour {hour}");
        if hour == 1 {
            settled = resident();
        }
    }
    let grown = resident().saturating_sub(settled);
    eprintln!(
        "{hours} hours: {requests} requests, at most {most} in one; {tokens} for tokens; {grown} KiB more memory"
    );
    // Six times ten minutes, and not a tenth of the budget.
    assert!(most < BUDGET * 6 / 10, "{most} requests in an hour");
    let hours = usize::try_from(hours).unwrap();
    assert!(
        (hours / 2..=hours * 2).contains(&tokens),
        "{tokens} tokens in {hours} hours"
    );
    assert!(grown < 16 * 1024, "{grown} KiB more after {hours} hours");
    outages(&week).await;
    assert_eq!(week.left_over(), 0);
    drop(commands);
    running.await.unwrap();
    drop(end);
    drop(still.await);
}

/// Half an hour of each kind of trouble, and how soon its end is noticed.
async fn outages(week: &Week) {
    let half = HOUR / 2;
    let status = |code, retry_after| FaultAction::Status {
        code,
        error_code: String::new(),
        retry_after,
        empty_body: false,
    };
    let (asked, late) = week.outage(half, FaultAction::DropBefore).await;
    eprintln!("half an hour without a network: {asked} requests, its end noticed after {late} s");
    assert!(
        (half / 60..half * 2).contains(&u32::try_from(asked).unwrap()),
        "{asked}"
    );
    assert!(late <= 10, "{late}");
    let (asked, late) = week.outage(half, status(503, None)).await;
    eprintln!("half an hour of 503: {asked} requests, its end noticed after {late} s");
    assert!(
        (half / 120..half / 4).contains(&u32::try_from(asked).unwrap()),
        "{asked}"
    );
    assert!(late <= 90, "{late}");
    // The pause is kept to the second: nothing is asked in it, and something right after it.
    let pause = 600;
    let (asked, late) = week
        .outage(pause - 10, status(429, Some(pause.into())))
        .await;
    eprintln!("ten minutes of pause: {asked} requests, its end noticed after {late} s");
    assert_eq!(asked, 0);
    assert!((7..=20).contains(&late), "{late}");
}
