//! `contactfs login`: signs in, looks at a sign-in, or tells where an administrator allows one.

use std::process::{Command, Stdio};
use std::time::Duration;

use indicatif::ProgressBar;

use super::args::LoginArgs;
use super::error::{CliError, Exit};
use super::output;
use crate::auth::Prompt;
use crate::config::{Account, AccountOptions, Credentials, Environment, Method};
use crate::daemon::sign_in::{self, Ask, Identity};
use crate::observe::log;

/// Signs in, and ends by naming account, mailbox, permissions and the next command.
pub(super) fn run(args: &LoginArgs) -> Result<Exit, CliError> {
    let environment = Environment::of_process();
    log::init(&args.log.settings(&environment))?;
    let options = AccountOptions {
        name: args.account.name.clone(),
        config: args.account.config.clone(),
        mailbox: args.mailbox.clone(),
        ..AccountOptions::default()
    };
    let account = Account::resolve(&options, &environment)?;
    let ask = Ask {
        read_only: args.read_only,
        categories: args.categories,
    };
    if args.admin_consent_url {
        output::line(&sign_in::admin_consent_url(&account, ask)?)?;
        return Ok(Exit::Success);
    }
    let identity = match account.credentials {
        _ if args.check => sign_in::check(&account, args.read_only)?,
        Credentials::Person(usual) if !args.client_credentials => {
            let method = if args.browser { Method::Browser } else { usual };
            let screen = Screen::new(&environment);
            let outcome = sign_in::login(&account, method, ask, args.timeout, &screen);
            screen.waiting.finish_and_clear();
            outcome?
        }
        Credentials::Person(_) => return Err(no_proof()),
        Credentials::Secret(_) | Credentials::Certificate(_) if !args.browser => {
            sign_in::check(&account, args.read_only)?
        }
        _ => return Err(nobody_to_ask(&account)),
    };
    describe(args, &account, &identity)?;
    Ok(Exit::Success)
}

fn no_proof() -> CliError {
    CliError::failed(
        Exit::Configuration,
        "--client-credentials needs the application's secret or certificate",
    )
    .hint("Set CONTACTFS_CLIENT_SECRET or CONTACTFS_CLIENT_CERTIFICATE.")
}

fn nobody_to_ask(account: &Account) -> CliError {
    let what = match account.credentials {
        Credentials::Token(_) => "CONTACTFS_ACCESS_TOKEN is set",
        _ => "the account signs in as an application",
    };
    CliError::usage(format!("{what}, so there is nobody to sign in")).hint(format!(
        "Try it with: contactfs login {} --check",
        account.name
    ))
}

fn describe(args: &LoginArgs, account: &Account, identity: &Identity) -> Result<(), CliError> {
    let who = match (&identity.user, &account.credentials) {
        (Some(user), _) => format!("signed in as {user}"),
        (None, Credentials::Person(_)) => "signed in".to_owned(),
        (None, Credentials::Token(_)) => "the token works".to_owned(),
        (None, _) => format!("signed in as the application {}", account.client_id),
    };
    output::line(&format!("account {}: {who}", account.name))?;
    let mailbox = account.mailbox.as_deref().unwrap_or("one's own");
    output::line(&format!("mailbox: {mailbox}, folder {}", identity.folder))?;
    if let Some(scopes) = &identity.scopes {
        output::line(&format!("permissions: {scopes}"))?;
    }
    let mut next = format!("contactfs mount {}", account.name);
    if let Some(mailbox) = &args.mailbox {
        next.push_str(&format!(" --mailbox {mailbox}"));
    }
    if args.read_only {
        next.push_str(" --read-only");
    }
    output::line(&format!("next: {next} DIR"))
}

/// What the person sees meanwhile.
struct Screen {
    waiting: ProgressBar,
    has_display: bool,
}

impl Screen {
    fn new(environment: &Environment) -> Self {
        let is_watched = output::is_interactive();
        let waiting = if is_watched {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        let display = ["WAYLAND_DISPLAY", "DISPLAY"];
        Self {
            waiting,
            has_display: is_watched && display.iter().any(|name| environment.get(name).is_some()),
        }
    }
}

impl Prompt for Screen {
    fn enter_code(&self, page: &str, code: &str) {
        let edge = "─".repeat(code.chars().count() + 6);
        output::note("To sign in, open this page on any device:");
        output::note("");
        output::note(&format!("    {page}"));
        output::note("");
        output::note("and enter this code:");
        output::note("");
        output::note(&format!("    ┌{edge}┐"));
        output::note(&format!("    │   {code}   │"));
        output::note(&format!("    └{edge}┘"));
        output::note("");
    }

    fn open_page(&self, page: &str) {
        output::note("To sign in, open this page in a browser on this machine:");
        output::note("");
        output::note(&format!("    {page}"));
        output::note("");
        if self.has_display {
            let browser = Command::new("xdg-open")
                .arg(page)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            // The page is shown above as well.
            drop(browser);
        }
    }

    fn time_left(&self, left: Duration) {
        let seconds = left.as_secs();
        self.waiting.set_message(format!(
            "waiting for you, {}:{:02} left",
            seconds / 60,
            seconds % 60
        ));
        self.waiting.tick();
    }
}
