//! Whose contacts, at which service, with which credentials.
//!
//! Secrets are [`SecretString`]s from here on: they never reach a `Debug` text, an error or a log (behaviour 8.2).

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::{Host, Url};

use super::{ConfigError, Environment, state_base};

/// Microsoft Graph of the worldwide cloud.
pub const GRAPH_URL: &str = "https://graph.microsoft.com/v1.0";
/// The sign-in service of the worldwide cloud.
pub const LOGIN_URL: &str = "https://login.microsoftonline.com";
/// The account of the built-in service; no other can have this name, as its store would be taken for the other's.
pub const SANDBOX_ACCOUNT: &str = "sandbox";

/// One mailbox at one service, and what signs in to it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name it goes by on this machine.
    pub name: String,
    /// Root of the API with its version and without a trailing slash.
    pub graph_url: String,
    /// Root of the sign-in service without a trailing slash.
    pub login_url: String,
    /// Directory (tenant) id or domain.
    pub tenant: Option<String>,
    /// Application id.
    pub client_id: Option<String>,
    /// Application secret; selects the client-credentials grant.
    pub client_secret: Option<SecretString>,
    /// A ready bearer token; no sign-in then.
    pub access_token: Option<SecretString>,
    /// User id or principal name whose contacts these are; `None` is the signed-in user (`/me`).
    pub mailbox: Option<String>,
    /// Where its store lives; not created here.
    pub state_dir: PathBuf,
}

/// What the command line says about the account.
#[derive(Clone, Debug, Default)]
pub struct AccountOptions {
    /// The account's name; `default` when absent.
    pub name: Option<String>,
    /// Overrides `CONTACTFS_MAILBOX`.
    pub mailbox: Option<String>,
    /// Overrides `CONTACTFS_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
}

impl Account {
    /// Resolves flags over environment over defaults.
    ///
    /// # Errors
    /// Every kind of [`ConfigError`]; [`ConfigError::NoCredentials`] when nothing could sign in.
    pub fn resolve(
        options: &AccountOptions,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let name = options.name.as_deref().unwrap_or("default");
        let mailbox = options
            .mailbox
            .as_deref()
            .or_else(|| environment.get("CONTACTFS_MAILBOX"));
        let account = Self {
            name: name.to_owned(),
            graph_url: endpoint(environment, "CONTACTFS_GRAPH_URL", GRAPH_URL)?,
            login_url: endpoint(environment, "CONTACTFS_LOGIN_URL", LOGIN_URL)?,
            tenant: environment.get("CONTACTFS_TENANT").map(str::to_owned),
            client_id: environment.get("CONTACTFS_CLIENT_ID").map(str::to_owned),
            client_secret: environment
                .get("CONTACTFS_CLIENT_SECRET")
                .map(SecretString::from),
            access_token: environment
                .get("CONTACTFS_ACCESS_TOKEN")
                .map(SecretString::from),
            mailbox: mailbox.map(str::to_owned),
            state_dir: state_base(environment, options.state_dir.as_deref())?
                .join(directory(name, mailbox)?),
        };
        account.check_credentials()?;
        Ok(account)
    }

    /// A token is enough; a secret needs the rest of the client-credentials grant, which has no `/me`.
    fn check_credentials(&self) -> Result<(), ConfigError> {
        if self.access_token.is_some() {
            return Ok(());
        }
        if self.client_secret.is_none() {
            return Err(ConfigError::NoCredentials);
        }
        let needed = [
            ("CONTACTFS_CLIENT_ID", &self.client_id),
            ("CONTACTFS_TENANT", &self.tenant),
            ("CONTACTFS_MAILBOX", &self.mailbox),
        ];
        match needed.iter().find(|(_, value)| value.is_none()) {
            Some((variable, _)) => Err(ConfigError::Missing(variable)),
            None => Ok(()),
        }
    }
}

/// Another mailbox under the same sign-in has a store of its own.
fn directory(name: &str, mailbox: Option<&str>) -> Result<PathBuf, ConfigError> {
    let directory = match mailbox {
        Some(mailbox) => format!("{name},{mailbox}"),
        None => name.to_owned(),
    };
    let plain = !directory.contains('/') && !directory.contains(char::is_control);
    if plain && !name.is_empty() && !name.starts_with('.') && name != SANDBOX_ACCOUNT {
        Ok(Path::new(&directory).to_owned())
    } else {
        Err(ConfigError::BadAccountName(directory))
    }
}

fn endpoint(
    environment: &Environment,
    variable: &'static str,
    default: &str,
) -> Result<String, ConfigError> {
    let value = environment.get(variable).unwrap_or(default);
    let bad = || ConfigError::BadUrl {
        variable,
        value: value.to_owned(),
    };
    let url = Url::parse(value).map_err(|_| bad())?;
    let host = url.host().ok_or_else(bad)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => {
            return Err(ConfigError::PlainHttp {
                variable,
                value: value.to_owned(),
            });
        }
        _ => return Err(bad()),
    }
    Ok(value.trim_end_matches('/').to_owned())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve<const N: usize>(pairs: [(&str, &str); N]) -> Result<Account, ConfigError> {
        let all = [("HOME", "/h")].into_iter().chain(pairs);
        let environment = all
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Account::resolve(&AccountOptions::default(), &environment)
    }

    #[test]
    fn a_token_is_enough_and_the_service_is_the_worldwide_one() {
        let account = resolve([("CONTACTFS_ACCESS_TOKEN", "t")]).unwrap();
        assert_eq!(account.graph_url, GRAPH_URL);
        assert_eq!(account.login_url, LOGIN_URL);
        assert_eq!(
            account.state_dir,
            Path::new("/h/.local/state/contactfs/default")
        );
        assert_eq!(account.mailbox, None);
    }

    #[test]
    fn nothing_to_sign_in_with_is_an_error() {
        assert!(matches!(resolve([]), Err(ConfigError::NoCredentials)));
        assert!(matches!(
            resolve([("CONTACTFS_ACCESS_TOKEN", "")]),
            Err(ConfigError::NoCredentials)
        ));
    }

    #[test]
    fn a_secret_needs_client_tenant_and_mailbox() {
        let missing = |result| match result {
            Err(ConfigError::Missing(variable)) => variable,
            other => panic!("{other:?}"),
        };
        let secret = ("CONTACTFS_CLIENT_SECRET", "s");
        let client = ("CONTACTFS_CLIENT_ID", "c");
        let tenant = ("CONTACTFS_TENANT", "t");
        assert_eq!(missing(resolve([secret])), "CONTACTFS_CLIENT_ID");
        assert_eq!(missing(resolve([secret, client])), "CONTACTFS_TENANT");
        assert_eq!(
            missing(resolve([secret, client, tenant])),
            "CONTACTFS_MAILBOX"
        );
        let account = resolve([secret, client, tenant, ("CONTACTFS_MAILBOX", "a@b")]).unwrap();
        assert_eq!(
            account.state_dir,
            Path::new("/h/.local/state/contactfs/default,a@b")
        );
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let with = |url| {
            resolve([
                ("CONTACTFS_ACCESS_TOKEN", "t"),
                ("CONTACTFS_GRAPH_URL", url),
            ])
        };
        for url in [
            "http://127.0.0.1:8000/v1.0",
            "http://localhost:1/v1.0",
            "http://[::1]:1/v1.0/",
            "https://g.example/v1.0",
        ] {
            assert_eq!(with(url).unwrap().graph_url, url.trim_end_matches('/'));
        }
        for url in [
            "http://graph.example/v1.0",
            "http://127.0.0.1.example/",
            "http://10.0.0.1/",
        ] {
            assert!(
                matches!(with(url), Err(ConfigError::PlainHttp { .. })),
                "{url}"
            );
        }
        for url in ["graph.example", "file:///etc", "ftp://x/"] {
            assert!(
                matches!(with(url), Err(ConfigError::BadUrl { .. })),
                "{url}"
            );
        }
    }

    #[test]
    fn a_name_cannot_leave_the_state_directory_or_be_the_sandboxs() {
        for name in ["", "..", "a/b", ".hidden", "a\0b", "sandbox"] {
            assert!(
                matches!(directory(name, None), Err(ConfigError::BadAccountName(_))),
                "{name:?}"
            );
        }
        assert!(matches!(
            directory("a", Some("../../b")),
            Err(ConfigError::BadAccountName(_))
        ));
    }

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        let account = resolve([("CONTACTFS_ACCESS_TOKEN", "hunter2")]).unwrap();
        assert!(!format!("{account:?}").contains("hunter2"));
    }
}
