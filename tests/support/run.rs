//! Programs run to their end, with what they said.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a program left behind.
#[derive(Debug)]
pub struct Run {
    /// Exit code; 128 + n after signal n, as a shell says it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// Runs a prepared command without input.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let output = command
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self::from(output)
    }

    /// Fails the test unless the program succeeded; returns its standard output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "out: {}\nerr: {}", self.out, self.err);
        self.out
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = || 128 + output.status.signal().unwrap_or_default();
        Self {
            code: output.status.code().unwrap_or_else(signal),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a program.
#[track_caller]
pub fn run(program: &str, arguments: &[&str]) -> Run {
    Run::of(Command::new(program).args(arguments))
}

/// Runs a program in a directory.
#[track_caller]
pub fn run_in(dir: &Path, program: &str, arguments: &[&str]) -> Run {
    Run::of(Command::new(program).args(arguments).current_dir(dir))
}

/// Runs a line of shell in a directory; it stops at the first failing command.
#[track_caller]
pub fn sh(dir: &Path, line: &str) -> Run {
    run_in(dir, "sh", &["-euc", line])
}
