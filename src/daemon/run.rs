//! Stand-in for the composition root.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::Url;

use super::{Progress, RunError, RunErrorKind};
use crate::config::{Account, MountSettings};

/// Mounts and serves until unmounted.
///
/// # Errors
/// Always, until the real one is here.
pub fn mount(
    account: Account,
    settings: MountSettings,
    progress: &dyn Progress,
) -> Result<(), RunError> {
    let answered = Url::parse(&account.graph_url)
        .ok()
        .and_then(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)))
        .and_then(|address| address.to_socket_addrs().ok()?.next())
        .is_some_and(|address| {
            TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok()
        });
    if !answered {
        return Err(RunError::new(
            RunErrorKind::Service,
            format!("cannot reach {}", account.graph_url),
        )
        .hint("Check the network with `contactfs doctor`."));
    }
    progress.mounted(&settings.dir);
    progress.unmounted(0);
    Err(RunError::new(
        RunErrorKind::Internal,
        "mounting is not built yet",
    ))
}
