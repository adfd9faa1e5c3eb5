//! Whose contacts, at which service, with which credentials.
//!
//! Secrets are [`SecretString`]s from here on: they never reach a `Debug` text, an error or a log (behaviour 8.2).

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::{Host, Url};

use super::{AccountSection, ConfigError, ConfigFile, Environment, state_base};

/// The account of the built-in service; no other can have this name, as its store would be taken for the other's.
pub const SANDBOX_ACCOUNT: &str = "sandbox";
/// The account that is meant when none is named.
const DEFAULT_ACCOUNT: &str = "default";
/// Any organisation's and personal accounts.
const DEFAULT_TENANT: &str = "common";

/// One mailbox at one service, and what signs in to it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name it goes by on this machine.
    pub name: String,
    /// Root of the API with its version and without a trailing slash.
    pub graph_url: String,
    /// Root of the sign-in service without a trailing slash.
    pub login_url: String,
    /// Directory (tenant) id or domain, or a kind of accounts such as `common`.
    pub tenant: String,
    /// Application id; empty when a token makes it needless.
    pub client_id: String,
    /// What signs in.
    pub credentials: Credentials,
    /// Where a person's sign-in is kept.
    pub keeping: Keeping,
    /// User id or principal name whose contacts these are; `None` is the signed-in user (`/me`).
    pub mailbox: Option<String>,
    /// Where its store lives; not created here.
    pub state_dir: PathBuf,
    /// Where sign-ins are kept as files, of all accounts; not created here.
    pub sign_in_dir: PathBuf,
}

/// What signs in to an account.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A ready bearer token; no sign-in.
    Token(SecretString),
    /// The application itself, by its secret.
    Secret(SecretString),
    /// The application itself, by a PEM file with its certificate and private key.
    Certificate(PathBuf),
    /// A person, with `contactfs login`.
    Person(Method),
}

/// How a person signs in unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A code to be typed at a page, on any machine.
    Device,
    /// A browser on this machine.
    Browser,
}

/// Where a person's sign-in is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// In the keyring when there is one, else in a file.
    Automatic,
    /// In the keyring.
    Keyring,
    /// In a file that only the user can read.
    File,
    /// By a program, which is run by the shell.
    Command(String),
}

/// An account by its name, or what is wrong with it.
pub type Listed = (String, Result<Account, ConfigError>);

/// What the command line says about the account.
#[derive(Clone, Debug, Default)]
pub struct AccountOptions {
    /// The account's name.
    pub name: Option<String>,
    /// Overrides `CONTACTFS_MAILBOX`.
    pub mailbox: Option<String>,
    /// Overrides `CONTACTFS_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
    /// Overrides `CONTACTFS_CONFIG`.
    pub config: Option<PathBuf>,
}

impl Account {
    /// Resolves flags over environment over file over defaults.
    ///
    /// # Errors
    /// Every kind of [`ConfigError`]; [`ConfigError::NoCredentials`] when nothing could sign in.
    pub fn resolve(
        options: &AccountOptions,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let file = ConfigFile::load(environment, options.config.as_deref())?;
        let name = match &options.name {
            Some(name) => name.clone(),
            None => unnamed(&file, environment)?,
        };
        let section = file.accounts.get(&name).cloned().unwrap_or_default();
        Self::from_section(&name, &section, options, environment)
    }

    fn from_section(
        name: &str,
        section: &AccountSection,
        options: &AccountOptions,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        let either = |variable: &str, key: &str| {
            let value = environment.get(variable).or_else(|| section.get(key));
            value.map(str::to_owned)
        };
        let mailbox = options
            .mailbox
            .clone()
            .or_else(|| either("CONTACTFS_MAILBOX", "mailbox"));
        let cloud = section.cloud();
        let graph_url = either("CONTACTFS_GRAPH_URL", "graph_url");
        let login_url = either("CONTACTFS_LOGIN_URL", "login_url");
        let tenant = either("CONTACTFS_TENANT", "tenant");
        let client_id = either("CONTACTFS_CLIENT_ID", "client_id");
        let credentials = credentials(section, environment)?;
        if !matches!(credentials, Credentials::Token(_)) && client_id.is_none() {
            return Err(match credentials {
                Credentials::Person(_) => ConfigError::NoCredentials,
                _ => ConfigError::Missing("CONTACTFS_CLIENT_ID (client_id)"),
            });
        }
        if matches!(
            credentials,
            Credentials::Secret(_) | Credentials::Certificate(_)
        ) {
            let needed = [
                ("CONTACTFS_TENANT (tenant)", &tenant),
                ("CONTACTFS_MAILBOX (mailbox)", &mailbox),
            ];
            if let Some((missing, _)) = needed.iter().find(|(_, value)| value.is_none()) {
                return Err(ConfigError::Missing(missing));
            }
        }
        let base = state_base(environment, options.state_dir.as_deref())?;
        Ok(Self {
            name: name.to_owned(),
            graph_url: endpoint(
                "CONTACTFS_GRAPH_URL (graph_url)",
                graph_url.as_deref(),
                cloud.graph_url,
            )?,
            login_url: endpoint(
                "CONTACTFS_LOGIN_URL (login_url)",
                login_url.as_deref(),
                cloud.login_url,
            )?,
            tenant: tenant.unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
            client_id: client_id.unwrap_or_default(),
            credentials,
            keeping: keeping(section)?,
            state_dir: base.join(directory(name, mailbox.as_deref())?),
            // A mount with a store elsewhere is still the same person's.
            sign_in_dir: state_base(environment, None)?.join(".sign-in"),
            mailbox,
        })
    }

    /// Every account there is: those of the file, and the one that the environment makes if it makes one.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn all(
        options: &AccountOptions,
        environment: &Environment,
    ) -> Result<Vec<Listed>, ConfigError> {
        let file = ConfigFile::load(environment, options.config.as_deref())?;
        let mut accounts: Vec<_> = file
            .accounts
            .iter()
            .map(|(name, section)| {
                let account = Self::from_section(name, section, options, environment);
                (name.clone(), account)
            })
            .collect();
        if accounts.is_empty() {
            let section = AccountSection::default();
            let account = Self::from_section(DEFAULT_ACCOUNT, &section, options, environment);
            if !matches!(account, Err(ConfigError::NoCredentials)) {
                accounts.push((DEFAULT_ACCOUNT.to_owned(), account));
            }
        }
        Ok(accounts)
    }
}

/// The account meant by nobody's name: `default`, or the only one there is.
fn unnamed(file: &ConfigFile, environment: &Environment) -> Result<String, ConfigError> {
    let mut names = file.accounts.keys();
    let has_token = environment.get("CONTACTFS_ACCESS_TOKEN").is_some();
    match (names.next(), names.next()) {
        _ if file.accounts.contains_key(DEFAULT_ACCOUNT) || has_token => {
            Ok(DEFAULT_ACCOUNT.to_owned())
        }
        (Some(only), None) => Ok(only.clone()),
        (Some(_), Some(_)) => Err(ConfigError::WhichAccount {
            path: file.path.clone(),
            names: file.accounts.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
        (None, _) => Ok(DEFAULT_ACCOUNT.to_owned()),
    }
}

/// A token, secret or certificate of the environment comes before what the file says.
fn credentials(
    section: &AccountSection,
    environment: &Environment,
) -> Result<Credentials, ConfigError> {
    if let Some(token) = environment.get("CONTACTFS_ACCESS_TOKEN") {
        return Ok(Credentials::Token(token.into()));
    }
    if let Some(secret) = environment.get("CONTACTFS_CLIENT_SECRET") {
        return Ok(Credentials::Secret(secret.into()));
    }
    let certificate = environment
        .get("CONTACTFS_CLIENT_CERTIFICATE")
        .or_else(|| section.get("client_certificate"));
    match (certificate, section.get("auth")) {
        (Some(path), _) => Ok(Credentials::Certificate(path.into())),
        (None, Some("client-credentials")) => Err(ConfigError::Missing(
            "CONTACTFS_CLIENT_SECRET or CONTACTFS_CLIENT_CERTIFICATE (client_certificate)",
        )),
        (None, Some("browser")) => Ok(Credentials::Person(Method::Browser)),
        (None, _) => Ok(Credentials::Person(Method::Device)),
    }
}

fn keeping(section: &AccountSection) -> Result<Keeping, ConfigError> {
    let command = section.get("credentials_command");
    match (section.get("credentials"), command) {
        (Some("keyring"), _) => Ok(Keeping::Keyring),
        (Some("file"), _) => Ok(Keeping::File),
        (_, Some(command)) => Ok(Keeping::Command(command.to_owned())),
        (Some("command"), None) => Err(ConfigError::NoCommand),
        _ => Ok(Keeping::Automatic),
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
    variable: &'static str,
    value: Option<&str>,
    default: &str,
) -> Result<String, ConfigError> {
    let value = value.unwrap_or(default);
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
    use super::super::GLOBAL;
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
        assert_eq!(account.graph_url, GLOBAL.graph_url);
        assert_eq!(account.login_url, GLOBAL.login_url);
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
        assert_eq!(
            missing(resolve([secret])),
            "CONTACTFS_CLIENT_ID (client_id)"
        );
        assert_eq!(
            missing(resolve([secret, client])),
            "CONTACTFS_TENANT (tenant)"
        );
        assert_eq!(
            missing(resolve([secret, client, tenant])),
            "CONTACTFS_MAILBOX (mailbox)"
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

    /// Flags over environment over file over defaults.
    #[test]
    fn the_file_fills_in_what_flags_and_environment_leave_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        let text = "[account.work]\nclient_id = \"file\"\ntenant = \"t\"\nmailbox = \"file@x\"\n\
            cloud = \"china\"\nauth = \"browser\"\ncredentials = \"file\"\n";
        std::fs::write(&path, text).unwrap();
        let with = |variables: &[(&str, &str)], mailbox: Option<&str>| {
            let environment = [("HOME", "/h")]
                .iter()
                .chain(variables)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let options = AccountOptions {
                mailbox: mailbox.map(str::to_owned),
                config: Some(path.clone()),
                ..AccountOptions::default()
            };
            Account::resolve(&options, &environment).unwrap()
        };
        let account = with(&[], None);
        assert_eq!(
            (account.name.as_str(), account.client_id.as_str()),
            ("work", "file")
        );
        assert_eq!(
            (account.tenant.as_str(), &account.keeping),
            ("t", &Keeping::File)
        );
        assert_eq!(account.login_url, "https://login.chinacloudapi.cn");
        assert!(matches!(
            account.credentials,
            Credentials::Person(Method::Browser)
        ));
        let variables = [
            ("CONTACTFS_CLIENT_ID", "env"),
            ("CONTACTFS_MAILBOX", "env@x"),
        ];
        let account = with(&variables, None);
        assert_eq!(account.client_id, "env");
        assert_eq!(account.mailbox.as_deref(), Some("env@x"));
        assert_eq!(
            with(&variables, Some("flag@x")).mailbox.as_deref(),
            Some("flag@x")
        );
        let account = with(&[("CONTACTFS_LOGIN_URL", "https://l.example")], None);
        assert_eq!(account.login_url, "https://l.example");
        std::fs::write(&path, format!("{text}[account.home]\nclient_id = \"c\"\n")).unwrap();
        let several = Account::resolve(
            &AccountOptions {
                config: Some(path.clone()),
                ..AccountOptions::default()
            },
            &Environment::from([("HOME", "/h")]),
        );
        assert!(
            matches!(several, Err(ConfigError::WhichAccount { names, .. }) if names == "home, work")
        );
    }

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        let account = resolve([("CONTACTFS_ACCESS_TOKEN", "hunter2")]).unwrap();
        assert!(!format!("{account:?}").contains("hunter2"));
    }
}
