//! Checks of the sign-in and of the way to the service.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::Url;

use super::Finding;
use crate::config::{Account, AccountOptions, ConfigError, Environment, GRAPH_URL};

/// Long enough for a slow line, short enough for a person.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether there is something to sign in with. Nothing is sent.
pub(super) fn credentials(environment: &Environment) -> Finding {
    let check = "sign-in";
    match Account::resolve(&AccountOptions::default(), environment) {
        Ok(account) if account.access_token.is_some() => {
            Finding::ok(check, "CONTACTFS_ACCESS_TOKEN is set")
        }
        Ok(_) => Finding::ok(check, "an application's credentials are set"),
        Err(error @ ConfigError::NoCredentials) => Finding::problem(
            check,
            error.to_string(),
            "Set the CONTACTFS_ variables, see contactfs(1), or try: contactfs mount --sandbox DIR",
        ),
        Err(error) => Finding::problem(
            check,
            error.to_string(),
            "Correct the CONTACTFS_ variables, see contactfs(1).",
        ),
    }
}

/// Whether the service's host takes a connection. Nothing is sent.
pub(super) fn reach(environment: &Environment) -> Finding {
    let check = "service";
    let url = environment.get("CONTACTFS_GRAPH_URL").unwrap_or(GRAPH_URL);
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

    fn at(url: &str) -> Environment {
        Environment::from([("CONTACTFS_GRAPH_URL", url), ("HOME", "/h")])
    }

    #[test]
    fn a_listening_service_is_reached_and_a_closed_port_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1.0", listener.local_addr().unwrap());
        assert!(reach(&at(&url)).ok);
        drop(listener);
        assert!(!reach(&at(&url)).ok);
        assert!(!reach(&at("nonsense")).ok);
    }

    #[test]
    fn nothing_to_sign_in_with_is_a_problem_with_a_way_out() {
        let finding = credentials(&at(GRAPH_URL));
        assert!(!finding.ok);
        assert!(finding.advice.unwrap().contains("--sandbox"));
    }
}
