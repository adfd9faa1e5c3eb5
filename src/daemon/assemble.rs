//! Turns an account and settings into the parts of a mount, and their failures into sentences.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use url::Url;

use super::run::Wake;
use super::{RunError, RunErrorKind};
use crate::auth::{ClientCredentials, StaticToken, TokenSource};
use crate::config::{
    Account, CardVersion, Extended, LineEnding, MountSettings, PhotoPlace, SANDBOX_ACCOUNT, Winner,
};
use crate::graph::{Client, Endpoint, Error, Mailbox};
use crate::model::Tier;
use crate::store::{self, Photos, Store};
use crate::sync::Failure;
use crate::vcard::{Eol, Prefer, Style, Version};
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
        tier: tier(settings),
    };
    let prefer = match settings.conflict {
        Winner::Theirs => Prefer::Theirs,
        Winner::Ours => Prefer::Ours,
    };
    let photos = match settings.photos {
        PhotoPlace::Inline => Photos::Inline,
        PhotoPlace::None => Photos::None,
    };
    let store = Store::open(&account.state_dir, &owner, &account.graph_url, style);
    store
        .and_then(|store| store.preferring(prefer).show_photos(photos))
        .map_err(|error| match error {
            store::Error::Locked(_) => RunError::new(RunErrorKind::TryLater, error.to_string())
                .hint("See where with: contactfs status"),
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

pub(super) fn client(account: &Account, settings: &MountSettings) -> Result<Client, RunError> {
    let sign_in = |error: String| RunError::new(RunErrorKind::SignIn, error);
    let graph_url = Url::parse(&account.graph_url).map_err(|error| sign_in(error.to_string()))?;
    let mailbox = account.mailbox.clone().map_or(Mailbox::Me, Mailbox::User);
    let endpoint =
        Endpoint::new(graph_url.clone(), mailbox).map_err(|error| sign_in(error.to_string()))?;
    let tokens = tokens(account, &graph_url)?;
    Client::new(endpoint, tokens, tier(settings)).map_err(|error| sign_in(error.to_string()))
}

fn tokens(account: &Account, graph_url: &Url) -> Result<Arc<dyn TokenSource>, RunError> {
    let sign_in = |error: String| RunError::new(RunErrorKind::SignIn, error);
    if let Some(token) = &account.access_token {
        return Ok(Arc::new(StaticToken::new(token.clone())));
    }
    let (Some(client_id), Some(secret)) = (&account.client_id, &account.client_secret) else {
        return Err(sign_in("there is nothing to sign in with".to_owned()).hint(
            "Set CONTACTFS_ACCESS_TOKEN, or CONTACTFS_CLIENT_ID with CONTACTFS_CLIENT_SECRET",
        ));
    };
    let login_url = Url::parse(&account.login_url).map_err(|error| sign_in(error.to_string()))?;
    let tenant = account.tenant.as_deref().unwrap_or("common");
    ClientCredentials::new(&login_url, graph_url, tenant, client_id, secret)
        .map(|tokens| Arc::new(tokens) as Arc<dyn TokenSource>)
        .map_err(|error| sign_in(error.to_string()))
}

/// What a first failure means for whoever started the mount.
pub(super) fn explain(failure: &Failure) -> RunError {
    let error = match failure {
        Failure::Store(error) => return RunError::new(RunErrorKind::Internal, error.to_string()),
        Failure::Graph(error) => error,
    };
    let kind = match error {
        Error::Offline { .. }
        | Error::Service { .. }
        | Error::Malformed { .. }
        | Error::Redirected { .. } => RunErrorKind::Service,
        Error::Throttled { .. } => RunErrorKind::TryLater,
        Error::SignInNeeded { .. }
        | Error::Denied { .. }
        | Error::NoMailbox { .. }
        | Error::Config { .. } => RunErrorKind::SignIn,
        _ => RunErrorKind::Internal,
    };
    let chain: Vec<String> =
        std::iter::successors(Some(error as &dyn std::error::Error), |error| {
            error.source()
        })
        .map(ToString::to_string)
        .collect();
    let run_error = RunError::new(kind, chain.join(": "));
    match error.hint() {
        Some(hint) => run_error.hint(hint),
        None if kind == RunErrorKind::Service => {
            run_error.hint("Check the network with: contactfs doctor")
        }
        None => run_error,
    }
}

/// First loads are reported to the mount's own thread.
pub(super) fn sync_settings(settings: &MountSettings, wake: Sender<Wake>) -> sync::Settings {
    sync::Settings {
        poll_interval: settings.poll_interval,
        progress: Box::new(move |folder, count| {
            drop(wake.send(Wake::Loading(folder.to_owned(), count)));
        }),
    }
}

pub(super) fn tree_settings(settings: &MountSettings) -> tree::Settings {
    tree::Settings {
        read_only: settings.read_only,
        delete_grace: settings.delete_grace,
        cache_size: NonZeroUsize::new(settings.cache_size).unwrap_or(NonZeroUsize::MIN),
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
    }
}

pub(super) fn fs_options(settings: &MountSettings) -> fs::Options {
    fs::Options {
        read_only: settings.read_only,
        allow_other: settings.allow_other,
        allow_root: settings.allow_root,
        fsync_timeout: settings.fsync_timeout,
        sync: settings.sync,
    }
}
