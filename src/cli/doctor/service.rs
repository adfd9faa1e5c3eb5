//! Checks of the sign-in and of the way to the service.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::Url;

use super::Finding;
use crate::config::{Account, AccountOptions, ConfigError, Credentials, Environment, GLOBAL};
use crate::daemon::sign_in;

/// Long enough for a slow line, short enough for a person.
const PATIENCE: Duration = Duration::from_secs(5);

/// For each account: what signs in, whether the service's host is there, and whether a token and its permissions are.
pub(super) fn accounts(environment: &Environment) -> Vec<Finding> {
    let mut accounts = match Account::all(&AccountOptions::default(), environment) {
        Ok(accounts) => accounts,
        Err(error) => return vec![unusable("", &error)],
    };
    if accounts.is_empty() {
        let none = Finding::problem(
            SIGN_IN,
            ConfigError::NoCredentials.to_string(),
            "Configure an account, see: contactfs man 5. To try it without: contactfs mount --sandbox DIR",
        );
        return vec![none, reach(environment.get("CONTACTFS_GRAPH_URL"))];
    }
    // With one account its name says nothing.
    let is_one = accounts.len() == 1;
    accounts
        .drain(..)
        .flat_map(|(name, account)| {
            let label = if is_one {
                String::new()
            } else {
                format!("{name}: ")
            };
            match account {
                Ok(account) => of_account(&label, &account),
                Err(error) => vec![unusable(&label, &error)],
            }
        })
        .collect()
}

const SIGN_IN: &str = "sign-in";

fn of_account(label: &str, account: &Account) -> Vec<Finding> {
    let what = match account.credentials {
        Credentials::Token(_) => "CONTACTFS_ACCESS_TOKEN is set",
        Credentials::Secret(_) | Credentials::Certificate(_) => {
            "an application's credentials are set"
        }
        Credentials::Person(_) => "an application for people to sign in with is set",
    };
    let mut findings = vec![Finding::ok(SIGN_IN, format!("{label}{what}"))];
    let service = reach(Some(&account.graph_url));
    let is_there = service.ok;
    findings.push(service);
    // Without a way to the service the rest would only say so again.
    if is_there {
        findings.extend(token(label, account));
    }
    findings
}

/// Gets a token and tries it. A sign-in for reading only is as good as any: a mount may want no more.
fn token(label: &str, account: &Account) -> Vec<Finding> {
    let checked = match sign_in::check(account, true) {
        Ok(checked) => checked,
        Err(error) => {
            let advice = error.hints.join(" ");
            return vec![Finding::problem("token", format!("{label}{error}"), advice)];
        }
    };
    let folder = format!("{label}good for reading {}", checked.folder);
    let mut findings = vec![Finding::ok("token", folder)];
    findings.extend(
        checked
            .scopes
            .map(|scopes| Finding::ok("scopes", format!("{label}{scopes}"))),
    );
    findings
}

fn unusable(label: &str, error: &ConfigError) -> Finding {
    Finding::problem(
        SIGN_IN,
        format!("{label}{error}"),
        "Correct config.toml or the CONTACTFS_ variables, see: contactfs man 5",
    )
}

/// Whether the service's host takes a connection. Nothing is sent.
fn reach(url: Option<&str>) -> Finding {
    let check = "service";
    let url = url.unwrap_or(GLOBAL.graph_url);
    match connect(url) {
        Ok(()) => Finding::ok(check, format!("{url} takes connections")),
        Err(error) => Finding::problem(
            check,
            format!("{url}: {error}"),
            "Check the network, a proxy or firewall, and CONTACTFS_GRAPH_URL.",
        ),
    }
}

fn connect(url: &str) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not a usable URL");
    let addresses = Url::parse(url)
        .map_err(|_| invalid())?
        .socket_addrs(|| None)?;
    let mut outcome = Err(invalid());
    for address in addresses.as_slice().to_socket_addrs()? {
        outcome = TcpStream::connect_timeout(&address, PATIENCE).map(drop);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listening_service_is_reached_and_a_closed_port_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1.0", listener.local_addr().unwrap());
        assert!(reach(Some(&url)).ok);
        drop(listener);
        assert!(!reach(Some(&url)).ok);
        assert!(!reach(Some("nonsense")).ok);
    }

    #[test]
    fn nothing_to_sign_in_with_is_a_problem_with_a_way_out() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::from([
            ("HOME", home.path().to_str().unwrap()),
            ("CONTACTFS_GRAPH_URL", "nonsense"),
        ]);
        let findings = accounts(&environment);
        assert!(!findings[0].ok);
        assert!(findings[0].advice.as_ref().unwrap().contains("--sandbox"));
    }
}
