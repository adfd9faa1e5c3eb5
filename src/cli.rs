//! The command line: parses, runs one command, maps the outcome to an exit code.
//!
//! One file per command. Owns everything a person types or reads; nothing below knows of options or
//! terminals. Only `output` prints. Called by `main.rs` only.

mod accounts;
mod args;
mod categories;
mod conflicts;
mod deletes;
mod detach;
mod doctor;
mod error;
mod export;
mod fstab;
mod guard;
mod history;
mod import;
mod login;
mod metrics;
mod mount;
mod mount_point;
mod output;
mod print;
mod progress;
mod sandbox;
mod save;
mod scratch;
mod status;
mod sync;
mod target;
mod umount;
mod watch;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use error::{CliError, Exit};

/// Runs the program and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    output::no_core_dumps();
    let outcome = parse(std::env::args_os().collect()).and_then(run);
    outcome.unwrap_or_else(|error| report(&error)).into()
}

/// The definition that help, completions and tests are made from.
#[must_use]
pub fn definition() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Both stages: the arguments as typed, and again with what `-o` says spelled out as options before them,
/// so that an option given plainly wins.
fn parse(argv: Vec<OsString>) -> Result<Parsed, CliError> {
    let argv = fstab::helper_arguments(argv)?;
    let cli = Cli::try_parse_from(&argv)?;
    let Command::Mount(mount) = &cli.command else {
        return Ok(Parsed { cli, argv });
    };
    if mount.options.is_empty() {
        return Ok(Parsed { cli, argv });
    }
    let argv = fstab::expand(&argv, &mount.options)?;
    Ok(Parsed {
        cli: Cli::try_parse_from(&argv)?,
        argv,
    })
}

struct Parsed {
    cli: Cli,
    /// What it was parsed from, for starting the same in the background.
    argv: Vec<OsString>,
}

fn run(Parsed { cli, argv }: Parsed) -> Result<Exit, CliError> {
    match cli.command {
        Command::Mount(args) => mount::run(&args, &argv),
        Command::Umount(args) => umount::run(&args),
        Command::Login(args) => login::run(&args),
        Command::Logout(args) => accounts::logout(&args),
        Command::Accounts(args) => accounts::list(&args),
        Command::Sandbox(args) => sandbox::run(&args),
        Command::Sync(args) => sync::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Conflicts(args) => conflicts::run(&args),
        Command::Deletes(args) => deletes::run(&args),
        Command::History(args) => history::run(&args),
        Command::Restore(args) => history::restore(&args),
        Command::Scratch(args) => scratch::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Categories(args) => categories::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => print::completions(&args),
        Command::Unit => print::unit(),
        Command::Man(args) => print::man(&args),
    }
}

fn report(error: &CliError) -> Exit {
    match error {
        CliError::Parse(error) => output::parse_result(error),
        // The reader of a pipe has seen enough.
        CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Success,
        error => {
            output::error(error);
            error.exit()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mount(arguments: &[&str]) -> Box<args::MountArgs> {
        let argv = ["contactfs", "mount"]
            .iter()
            .chain(arguments)
            .map(OsString::from)
            .collect();
        match parse(argv).unwrap().cli.command {
            Command::Mount(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        definition().debug_assert();
    }

    #[test]
    fn a_plain_option_wins_over_the_list_wherever_it_stands() {
        assert_eq!(
            mount(&["-o", "poll_interval=5s", "m"]).card.poll_interval,
            Duration::from_secs(5)
        );
        let both = ["--poll-interval", "7s", "-o", "poll_interval=5s,ro", "m"];
        assert_eq!(mount(&both).card.poll_interval, Duration::from_secs(7));
        assert!(mount(&both).read_only);
        let twice = ["-o", "poll_interval=5s", "-o", "poll_interval=6s", "m"];
        assert_eq!(mount(&twice).card.poll_interval, Duration::from_secs(6));
    }

    #[test]
    fn the_directory_comes_last_and_the_account_is_optional() {
        let one = mount(&["m"]);
        assert_eq!(
            (one.account.as_deref(), one.dir.as_path()),
            (None, std::path::Path::new("m"))
        );
        let two = mount(&["work", "m"]);
        assert_eq!(
            (two.account.as_deref(), two.dir.as_path()),
            (Some("work"), std::path::Path::new("m"))
        );
    }
}
