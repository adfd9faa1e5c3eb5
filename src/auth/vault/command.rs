//! A program of the user's, in the manner of git's credential helpers: the shell runs the configured line with `get`,
//! `store` or `erase` and the account's name appended; the sign-in travels by standard input and output only.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::{PATIENCE, VaultError};

/// What the program prints; nothing, or a failure of it, means that there is no sign-in.
pub(super) async fn get(line: &str, account: &str) -> Result<Option<SecretString>, VaultError> {
    let (is_success, out) = run(line, "get", account, None).await?;
    Ok(Some(out).filter(|out| is_success && !out.expose_secret().trim().is_empty()))
}

pub(super) async fn store(line: &str, account: &str, text: SecretString) -> Result<(), VaultError> {
    must(run(line, "store", account, Some(text)).await?.0, "store")
}

pub(super) async fn erase(line: &str, account: &str) -> Result<(), VaultError> {
    must(run(line, "erase", account, None).await?.0, "erase")
}

fn must(is_success: bool, action: &str) -> Result<(), VaultError> {
    if is_success {
        Ok(())
    } else {
        Err(VaultError::Command(format!("it does not {action}")))
    }
}

/// On a thread of its own: it may wait for a person, and nobody waits for it at the end of a mount.
async fn run(
    line: &str,
    action: &'static str,
    account: &str,
    input: Option<SecretString>,
) -> Result<(bool, SecretString), VaultError> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("{line} \"$@\""), "sh", action, account])
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped());
    let (done, result) = oneshot::channel();
    thread::spawn(move || drop(done.send(talk(&mut command, input.as_ref()))));
    let result = tokio::time::timeout(PATIENCE, result).await;
    let result = result
        .map_err(|_| VaultError::Command("it does not answer".to_owned()))?
        .unwrap_or_else(|_| Err(std::io::Error::other("it was given up")));
    result.map_err(|error| VaultError::Command(error.to_string()))
}

fn talk(
    command: &mut Command,
    input: Option<&SecretString>,
) -> std::io::Result<(bool, SecretString)> {
    let mut child = command.spawn()?;
    if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
        stdin.write_all(text.expose_secret().as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let out = Zeroizing::new(output.stdout);
    let text = std::str::from_utf8(&out).unwrap_or_default();
    Ok((output.status.success(), SecretString::from(text)))
}
