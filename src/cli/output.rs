//! The only place that prints.
//!
//! Answers go to standard output, everything else to standard error. Texts may hold names from a
//! mailbox, which is hostile input: control characters never reach the terminal as such.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::error::{CliError, Exit};

/// Prints one line of an answer.
pub(super) fn line(text: &str) -> Result<(), CliError> {
    raw(&format!("{}\n", plain(text)))
}

/// Prints a value as JSON, indented.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))?;
    raw(&format!("{text}\n"))
}

/// Prints a value as JSON, on one line.
pub(super) fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
    raw(&format!("{text}\n"))
}

/// Puts lines in the place of what the terminal shows.
pub(super) fn redraw(lines: &[String]) -> Result<(), CliError> {
    const HOME: &str = "\x1b[H";
    const CLEAR_LINE: &str = "\x1b[K\n";
    const CLEAR_BELOW: &str = "\x1b[J";
    let lines = lines.iter().map(|line| plain(line) + CLEAR_LINE);
    raw(&format!("{HOME}{}{CLEAR_BELOW}", lines.collect::<String>()))
}

/// Prints a text of our own as it is.
pub(super) fn raw(text: &str) -> Result<(), CliError> {
    bytes(text.as_bytes())
}

/// Prints the bytes of a file as they are.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(CliError::Output)
}

/// Tells the person something that is not the answer.
pub(super) fn note(text: &str) {
    to_stderr(&plain(text));
}

/// Prints an error with its hints on lines of their own.
pub(super) fn error(error: &CliError) {
    to_stderr(&plain(&format!("contactfs: {error}")));
    for hint in error.hints() {
        to_stderr(&plain(&hint));
    }
}

/// Prints what the argument parser says; help and version are answers, not errors.
pub(super) fn parse_result(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        let text = error.render().to_string();
        to_stderr(&text.trim_end().replacen("error:", "contactfs:", 1));
        return Exit::Usage;
    }
    // Nobody is left to tell when this fails.
    drop(error.print());
    Exit::Success
}

/// Tells the person how many changes were not sent before the end.
pub(super) fn note_left(changes: usize) {
    match changes {
        0 => {}
        1 => note("1 change waits for the next mount"),
        more => note(&format!("{more} changes wait for the next mount")),
    }
}

/// A core dump would hold tokens and contacts (behaviour 8.2).
pub(super) fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = Rlimit {
        current: Some(0),
        maximum: getrlimit(Resource::Core).maximum,
    };
    // Lowering it cannot fail.
    let _ = setrlimit(Resource::Core, limit);
}

/// Whether a person watches standard error.
pub(super) fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

fn to_stderr(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// The text without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_drive_the_terminal() {
        assert_eq!(
            plain("a\u{1b}[2Jb\nc\u{9b}d"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d"
        );
        assert_eq!(plain("Zoë 😀"), "Zoë 😀");
    }
}
