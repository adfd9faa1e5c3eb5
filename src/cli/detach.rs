//! `--daemon`: the mount in a process of its own, and the wait for it to answer.
//!
//! The program starts itself again instead of forking: a fork would have to come before any thread, and
//! needs unsafe code. The child reports on its standard output, a pipe, until it has mounted or failed.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::error::{CliError, Exit};
use super::output;
use super::progress::Terminal;
use crate::daemon::Progress;

/// One line from the child.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    Folder {
        name: String,
        contacts: usize,
    },
    Mounted {
        dir: String,
    },
    Failed {
        exit: u8,
        sentence: String,
        hints: Vec<String>,
    },
}

/// The parent: starts the child and returns when it has mounted or failed.
pub(super) fn start(argv: &[OsString]) -> Result<Exit, CliError> {
    let mut child = spawn(argv)
        .map_err(|error| CliError::failed(Exit::Service, format!("cannot start: {error}")))?;
    let terminal = Terminal::new(false);
    let events = child.stdout.take().map(BufReader::new);
    for line in events
        .into_iter()
        .flat_map(BufRead::lines)
        .map_while(Result::ok)
    {
        match serde_json::from_str(&line) {
            Ok(Event::Folder { name, contacts }) => terminal.folder(&name, contacts),
            Ok(Event::Mounted { dir }) => {
                terminal.mounted(Path::new(&dir));
                return Ok(Exit::Success);
            }
            Ok(Event::Failed {
                exit,
                sentence,
                hints,
            }) => {
                // It holds the account's store to its end, and the next mount may follow at once.
                let _status = child.wait();
                return Err(CliError::Failed {
                    exit: Exit::of_code(exit),
                    sentence,
                    hints,
                });
            }
            Err(_) => break,
        }
    }
    Err(ended(child))
}

/// The child: mounts and reports.
pub(super) fn serve(
    mount: impl FnOnce(&dyn Progress) -> Result<(), CliError>,
) -> Result<Exit, CliError> {
    match mount(&Pipe) {
        Ok(()) => Ok(Exit::Success),
        Err(error) => {
            tracing::error!("{error}");
            let exit = error.exit();
            send(&Event::Failed {
                exit: exit.code(),
                sentence: error.to_string(),
                hints: error.hints(),
            });
            Ok(exit)
        }
    }
}

fn spawn(argv: &[OsString]) -> io::Result<Child> {
    // `--detached` goes right behind `mount`: after the end of the options it would be a directory.
    let (command, rest) = argv
        .get(1..)
        .and_then(|arguments| arguments.split_first())
        .unzip();
    Command::new(std::env::current_exe()?)
        .args(command)
        .arg("--detached")
        .args(rest.unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// A child that said nothing has perhaps said something on standard error.
fn ended(mut child: Child) -> CliError {
    let mut last = String::new();
    if let Some(stderr) = &mut child.stderr {
        drop(stderr.read_to_string(&mut last));
    }
    let status = child
        .wait()
        .map_or_else(|error| error.to_string(), |status| status.to_string());
    let error = CliError::failed(
        Exit::Internal,
        format!("the mount ended before it answered ({status})"),
    );
    if last.trim().is_empty() {
        error
    } else {
        error.hint(last.trim())
    }
}

/// Reports to the parent; once it is gone, nobody listens and nothing is lost.
struct Pipe;

impl Progress for Pipe {
    fn folder(&self, name: &str, contacts: usize) {
        send(&Event::Folder {
            name: name.to_owned(),
            contacts,
        });
    }

    /// Leaves the terminal's session only now: until here Ctrl-C ends parent and child.
    fn mounted(&self, dir: &Path) {
        // Refused to a process group leader only, which a child is not.
        if let Err(error) = rustix::process::setsid() {
            tracing::warn!(%error, "cannot leave the terminal's session");
        }
        send(&Event::Mounted {
            dir: dir.display().to_string(),
        });
    }

    fn unmounted(&self, pending: usize) {
        tracing::info!(pending, "unmounted");
    }
}

fn send(event: &Event) {
    if let Ok(line) = serde_json::to_string(event) {
        drop(output::raw(&format!("{line}\n")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_a_folder_is_called() {
        let event = Event::Folder {
            name: "a\nb".to_owned(),
            contacts: 3,
        };
        let line = serde_json::to_string(&event).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
