//! `completions`, `unit`, `man`: texts that come with the program.

use super::args::{CompletionsArgs, ManArgs, Section};
use super::error::{CliError, Exit};
use super::{definition, output};

const UNIT: &str = include_str!("assets/contactfs.service");
const PAGE_1: &str = include_str!("../../man/contactfs.1");
const PAGE_5: &str = include_str!("../../man/contactfs.conf.5");
const PAGE_7: &str = include_str!("../../man/contactfs.7");

/// Prints the completions of a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition(), "contactfs", &mut script);
    output::raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}

/// Prints a systemd user unit that starts this very program.
pub(super) fn unit() -> Result<Exit, CliError> {
    let program = std::env::current_exe().map_err(|error| {
        CliError::failed(
            Exit::Service,
            format!("cannot find this program's file: {error}"),
        )
    })?;
    output::raw(&UNIT.replace("@PROGRAM@", &quoted(&program.to_string_lossy())))?;
    Ok(Exit::Success)
}

/// Prints a page of the manual.
pub(super) fn man(args: &ManArgs) -> Result<Exit, CliError> {
    output::raw(match args.section {
        Section::Commands => PAGE_1,
        Section::Configuration => PAGE_5,
        Section::Files => PAGE_7,
    })?;
    Ok(Exit::Success)
}

/// As systemd.syntax(7) and systemd.unit(5) want a path: quoted, with `%` doubled.
fn quoted(path: &str) -> String {
    let escaped = path
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_the_unit_syntax() {
        assert_eq!(quoted("/usr/bin/contactfs"), "\"/usr/bin/contactfs\"");
        assert_eq!(quoted("/a b/50%\"\\"), "\"/a b/50%%\\\"\\\\\"");
    }
}
