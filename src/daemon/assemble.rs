//! Turns an account and settings into the parts of a mount, and their failures into sentences.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::mpsc;
use url::Url;

use super::run::Wake;
use super::trouble::Subject;
use super::watch::Watchers;
use super::{RunError, RunErrorKind, report};
use crate::auth::{
    Application, Certificate, Person, Proof, Registration, StaticToken, TokenSource, Vault,
};
use crate::config::{
    Account, CardVersion, Credentials, Extended, LineEnding, MountSettings, PhotoPlace,
    SANDBOX_ACCOUNT, Winner, YearlessPlace,
};
use crate::graph::{Client, Endpoint, Hook, Mailbox};
use crate::model::Tier;
use crate::notify::{Listener, Notice};
use crate::observe::happening::Event;
use crate::store::{self, Photos, Store};
use crate::vcard::{Eol, Prefer, Style, Version, Yearless};
use crate::{fs, sync, tree};

pub(super) fn open_store(account: &Account, settings: &MountSettings) -> Result<Store, RunError> {
    let mailbox = account.mailbox.as_deref().unwrap_or("me");
    // The built-in service has another port each time; everything else is told apart by its URL.
    let owner = match account.name.as_str() {
        SANDBOX_ACCOUNT => SANDBOX_ACCOUNT.to_owned(),
        _ => format!("{mailbox} at {}", account.graph_url),
    };
    let style = Style {
        version: match settings.vcard_version {
            CardVersion::V3 => Version::V3,
            CardVersion::V4 => Version::V4,
        },
        eol: match settings.eol {
            LineEnding::Crlf => Eol::Crlf,
            LineEnding::Lf => Eol::Lf,
        },
        unfolded: !settings.fold,
        rev: settings.rev,
        yearless: match settings.yearless {
            YearlessPlace::Contact => Yearless::Contact,
            YearlessPlace::Residue => Yearless::Residue,
        },
        tier: tier(settings),
    };
    let prefer = match settings.conflict {
        Winner::Theirs => Prefer::Theirs,
        Winner::Ours => Prefer::Ours,
    };
    let photos = match settings.photos {
        PhotoPlace::Inline => Photos::Inline,
        PhotoPlace::Sidecar => Photos::Sidecar,
        PhotoPlace::None => Photos::None,
    };
    let store = Store::open(&account.state_dir, &owner, &account.graph_url, style);
    store
        .and_then(|store| {
            let store = store.preferring(prefer).guarding(!settings.no_delete_guard);
            store.show_photos(photos)
        })
        .map_err(|error| match error {
            store::Error::Locked(_) => RunError::new(RunErrorKind::TryLater, error.to_string())
                .hint("See where with: contactfs status"),
            store::Error::Newer { .. } => RunError::new(RunErrorKind::Usage, error.to_string())
                .hint("Mount it with the program that made it, or a later one")
                .hint("Begin anew with a state directory of its own: --state-dir DIR"),
            store::Error::OtherMailbox(_) => RunError::new(RunErrorKind::Usage, error.to_string())
                .hint("Give this mailbox a state directory of its own with: --state-dir DIR"),
            error => RunError::new(RunErrorKind::Internal, error.to_string()),
        })
}

fn tier(settings: &MountSettings) -> Tier {
    match settings.extended {
        Extended::Basic => Tier::Basic,
        Extended::All => Tier::All,
    }
}

pub(super) fn client(
    account: &Account,
    settings: &MountSettings,
    tokens: Arc<dyn TokenSource>,
) -> Result<Client, RunError> {
    client_with(account, tokens, tier(settings))
}

/// A client of the account's mailbox with these tokens.
pub(super) fn client_with(
    account: &Account,
    tokens: Arc<dyn TokenSource>,
    tier: Tier,
) -> Result<Client, RunError> {
    let graph_url = Url::parse(&account.graph_url).map_err(unusable)?;
    let mailbox = account.mailbox.clone().map_or(Mailbox::Me, Mailbox::User);
    let endpoint = Endpoint::new(graph_url, mailbox).map_err(unusable)?;
    Client::new(endpoint, tokens, tier).map_err(unusable)
}

/// What hands out the account's tokens.
pub(super) fn tokens(account: &Account) -> Result<Arc<dyn TokenSource>, RunError> {
    let registration = || Registration::of(account);
    let of_application = |proof| {
        let application = registration().and_then(|named| Application::new(named, proof));
        application.map(|tokens| Arc::new(tokens) as Arc<dyn TokenSource>)
    };
    let tokens = match &account.credentials {
        Credentials::Token(token) => Ok(Arc::new(StaticToken::new(token.clone())) as _),
        Credentials::Secret(secret) => of_application(Proof::Secret(secret.clone())),
        Credentials::Certificate(path) => Certificate::read(path)
            .and_then(|certificate| of_application(Proof::Certificate(Box::new(certificate)))),
        Credentials::Person(_) => registration()
            .and_then(|named| Person::new(named, Vault::of(account)))
            .map(|tokens| Arc::new(tokens) as _),
    };
    tokens.map_err(unusable)
}

fn unusable(error: impl std::fmt::Display) -> RunError {
    RunError::new(RunErrorKind::SignIn, error.to_string())
}

/// What hears of changes, and what it has heard.
pub(super) type Ear = (Listener, mpsc::Receiver<Vec<Notice>>);

/// Binds the address for notifications, if there is one.
pub(super) fn listen(settings: &MountSettings) -> Result<Option<Ear>, RunError> {
    let Some(notify) = &settings.notify else {
        return Ok(None);
    };
    let bound = Listener::bind(notify.listen, notify.url.path());
    bound.map(Some).map_err(|error| {
        let sentence = format!("cannot listen at {} for notifications", notify.listen);
        RunError::new(RunErrorKind::Service, format!("{sentence}: {error}"))
            .hint("Choose another address with: --notify-listen ADDRESS:PORT")
    })
}

/// First loads are reported to the mount's own thread.
pub(super) fn sync_settings(
    account: &Account,
    settings: &MountSettings,
    ear: Option<&Ear>,
    wake: Sender<Wake>,
    watchers: Arc<Watchers>,
) -> sync::Settings {
    let (account, read_only) = (account.clone(), settings.read_only);
    let hook = settings.notify.as_ref().zip(ear);
    sync::Settings {
        poll_interval: settings.poll_interval,
        progress: Box::new(move |folder, count| {
            drop(wake.send(Wake::Loading(folder.to_owned(), count)));
        }),
        explain: Box::new(move |error| Subject::new(&account, read_only).status(error)),
        found: Box::new(move |connection| {
            let connection = report::shown(connection.clone());
            watchers.tell(&Event::Connection { connection });
        }),
        hook: hook.map(|(notify, (listener, _))| Hook {
            url: notify.url.clone(),
            client_state: listener.client_state(),
        }),
    }
}

pub(super) fn tree_settings(settings: &MountSettings) -> tree::Settings {
    tree::Settings {
        read_only: settings.read_only,
        delete_grace: settings.delete_grace,
        cache_size: NonZeroUsize::new(settings.cache_size).unwrap_or(NonZeroUsize::MIN),
        uid: settings.uid.unwrap_or(rustix::process::geteuid().as_raw()),
        gid: settings.gid.unwrap_or(rustix::process::getegid().as_raw()),
        file_mode: settings.file_mode,
        dir_mode: settings.dir_mode,
        folder: settings.folder.clone(),
    }
}

pub(super) fn fs_options(settings: &MountSettings) -> fs::Options {
    fs::Options {
        read_only: settings.read_only,
        allow_other: settings.allow_other,
        allow_root: settings.allow_root,
        fsync_timeout: settings.fsync_timeout,
        sync: settings.sync,
        xattr: settings.xattr,
    }
}
