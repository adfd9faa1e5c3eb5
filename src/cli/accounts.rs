//! `contactfs accounts` and `contactfs logout`.

use serde::Serialize;

use super::args::{AccountsArgs, LogoutArgs};
use super::error::{CliError, Exit};
use super::output;
use crate::config::{Account, AccountOptions, ConfigError, Credentials, Environment, Method};
use crate::daemon::sign_in;

/// One account; the keys of `--json`.
#[derive(Debug, Default, Serialize)]
struct Entry {
    name: String,
    /// `device`, `browser`, `client-credentials` or `token`.
    auth: Option<&'static str>,
    /// Whether there is something to get tokens with; whether it still works only the service knows.
    signed_in: bool,
    user: Option<String>,
    scopes: Option<String>,
    mailbox: Option<String>,
    tenant: Option<String>,
    client_id: Option<String>,
    graph_url: Option<String>,
    login_url: Option<String>,
    /// What is wrong with its configuration or with the place its sign-in is kept in.
    problem: Option<String>,
}

/// Prints every account.
pub(super) fn list(args: &AccountsArgs) -> Result<Exit, CliError> {
    let environment = Environment::of_process();
    let options = AccountOptions {
        config: args.config.clone(),
        ..AccountOptions::default()
    };
    let accounts = Account::all(&options, &environment)?;
    let entries: Vec<Entry> = accounts
        .into_iter()
        .map(|(name, account)| entry(name, account))
        .collect();
    if args.json {
        output::json(&entries)?;
    } else if entries.is_empty() {
        output::note("no account is configured; how to, is told by: contactfs man 5");
    } else {
        for entry in &entries {
            output::line(&line(entry))?;
        }
    }
    Ok(Exit::Success)
}

fn entry(name: String, account: Result<Account, ConfigError>) -> Entry {
    let account = match account {
        Ok(account) => account,
        Err(error) => {
            return Entry {
                name,
                problem: Some(error.to_string()),
                ..Entry::default()
            };
        }
    };
    let (auth, is_person) = match account.credentials {
        Credentials::Token(_) => ("token", false),
        Credentials::Secret(_) | Credentials::Certificate(_) => ("client-credentials", false),
        Credentials::Person(Method::Device) => ("device", true),
        Credentials::Person(Method::Browser) => ("browser", true),
    };
    let (saved, problem) = match is_person.then(|| sign_in::saved(&account)) {
        Some(Ok(saved)) => (saved, None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    Entry {
        name,
        auth: Some(auth),
        signed_in: !is_person || saved.is_some(),
        user: saved.as_ref().and_then(|saved| saved.user.clone()),
        scopes: saved.map(|saved| saved.scope),
        mailbox: account.mailbox,
        tenant: Some(account.tenant),
        client_id: Some(account.client_id).filter(|id| !id.is_empty()),
        graph_url: Some(account.graph_url),
        login_url: Some(account.login_url),
        problem,
    }
}

fn line(entry: &Entry) -> String {
    let state = match (entry.auth, &entry.user) {
        _ if entry.problem.is_some() => entry.problem.clone().unwrap_or_default(),
        (Some("token"), _) => "with CONTACTFS_ACCESS_TOKEN".to_owned(),
        (Some("client-credentials"), _) => "as an application".to_owned(),
        (_, Some(user)) => format!("signed in as {user}"),
        _ if entry.signed_in => "signed in".to_owned(),
        _ => format!("sign-in needed: contactfs login {}", entry.name),
    };
    match &entry.mailbox {
        Some(mailbox) => format!("{}: {state}, mailbox {mailbox}", entry.name),
        None => format!("{}: {state}", entry.name),
    }
}

/// Removes what is kept of a sign-in.
pub(super) fn logout(args: &LogoutArgs) -> Result<Exit, CliError> {
    let options = AccountOptions {
        name: args.account.name.clone(),
        config: args.account.config.clone(),
        ..AccountOptions::default()
    };
    let account = Account::resolve(&options, &Environment::of_process())?;
    if sign_in::logout(&account)? {
        output::note(&format!("signed out of {}", account.name));
    } else {
        output::note(&format!("nobody was signed in to {}", account.name));
    }
    Ok(Exit::Success)
}
