//! The options by which the service tells of changes.

use std::net::SocketAddr;

use clap::Args;
use url::Url;

use crate::auth::web;
use crate::cli::error::CliError;
use crate::config::NotifySettings;

/// How changes made elsewhere are heard of sooner than by polling.
#[derive(Debug, Args)]
pub(in crate::cli) struct NotifyOptions {
    /// Have the service tell of changes at this address of yours
    ///
    /// A proxy or tunnel must hand on what arrives there to --notify-listen, path included. Polling then rests for ten
    /// minutes at a time. https only, but plain http on this machine.
    #[arg(long, value_name = "URL", value_parser = hook, help_heading = "Notifications")]
    notify_url: Option<Url>,

    /// Listen here for what arrives at --notify-url
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Notifications")]
    notify_listen: Option<SocketAddr>,
}

impl NotifyOptions {
    /// The two together; one may come from `-o` and the other not, so that clap cannot tell that one is missing.
    pub(in crate::cli) fn settings(&self) -> Result<Option<NotifySettings>, CliError> {
        match (&self.notify_url, self.notify_listen) {
            (Some(url), Some(listen)) => Ok(Some(NotifySettings {
                url: url.clone(),
                listen,
            })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(CliError::usage("--notify-url needs --notify-listen")),
            (None, Some(_)) => Err(CliError::usage("--notify-listen needs --notify-url")),
        }
    }
}

/// An address that the service can post to.
fn hook(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !web::may_carry_secrets(&url) {
        return Err("expected https://host/path; plain http is for this machine only".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("expected no query and no fragment".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_told_of_no_address_that_it_cannot_or_must_not_use() {
        for good in [
            "https://me.example/contactfs",
            "https://me.example",
            "http://127.0.0.1:9/x",
        ] {
            assert!(hook(good).is_ok(), "{good}");
        }
        for bad in [
            "http://me.example/contactfs",
            "https://me:secret@me.example/",
            "https://me.example/?a=b",
            "https://me.example/#a",
            "ftp://me.example/",
            "me.example",
        ] {
            assert!(hook(bad).is_err(), "{bad}");
        }
    }
}
