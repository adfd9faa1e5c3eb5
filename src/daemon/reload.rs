//! SIGHUP: what a running mount takes in anew.

use std::sync::Arc;

use super::assemble;
use crate::auth::Exchangeable;
use crate::config::Account;
use crate::observe::log;
use crate::sync::Engine;

/// Reads the account as the command line and the files have it now; or says why that is not possible.
pub type Reread = Box<dyn Fn() -> Result<Account, String> + Send>;

/// What is taken in anew.
pub(super) struct Reload {
    pub(super) account: Account,
    pub(super) reread: Reread,
    pub(super) tokens: Arc<Exchangeable>,
}

impl Reload {
    /// Opens the log file again, reads the configuration and the sign-in again, and tries the service at once.
    pub(super) fn run(&self, engine: &Engine) {
        if let Err(error) = log::reopen() {
            tracing::warn!(%error, "the log file cannot be opened again");
        }
        match self.tokens() {
            Ok(()) => tracing::info!("the configuration and the sign-in were read again"),
            Err(reason) => tracing::warn!("the mount goes on as it is: {reason}"),
        }
        engine.nudge();
    }

    fn tokens(&self) -> Result<(), String> {
        let account = (self.reread)()?;
        let place = |account: &Account| {
            (
                account.graph_url.clone(),
                account.mailbox.clone(),
                account.state_dir.clone(),
            )
        };
        if place(&account) != place(&self.account) {
            return Err("another service or mailbox takes another mount".to_owned());
        }
        let tokens = assemble::tokens(&account).map_err(|error| error.to_string())?;
        self.tokens.exchange(tokens);
        Ok(())
    }
}
