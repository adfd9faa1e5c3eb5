//! `contactfs doctor`: looks at what a mount needs, and says what to do about each problem.

mod machine;
mod service;
mod stores;

use serde::Serialize;

use super::args::DoctorArgs;
use super::error::{CliError, Exit};
use super::output;
use crate::config::Environment;

/// The outcome of one check; the keys of `--json`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at.
    check: &'static str,
    ok: bool,
    /// What was found.
    found: String,
    /// What to do about it; nothing when all is well.
    advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            ok: true,
            found: found.into(),
            advice: None,
        }
    }

    fn problem(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            check,
            ok: false,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }
}

/// Runs every check and prints what was found.
pub(super) fn run(args: &DoctorArgs) -> Result<Exit, CliError> {
    let environment = Environment::of_process();
    let mut findings = vec![
        machine::device(),
        machine::helper(),
        machine::fuse_conf(),
        machine::clock(),
    ];
    findings.extend(args.dir.as_deref().map(machine::mount_point));
    findings.push(machine::state(&environment));
    findings.push(machine::runtime(&environment));
    findings.extend(stores::stores(&environment));
    findings.extend(service::accounts(&environment));
    if args.json {
        output::json(&findings)?;
    } else {
        print(&findings)?;
    }
    Ok(if findings.iter().all(|finding| finding.ok) {
        Exit::Success
    } else {
        Exit::Attention
    })
}

fn print(findings: &[Finding]) -> Result<(), CliError> {
    for finding in findings {
        let verdict = if finding.ok { "ok     " } else { "problem" };
        output::line(&format!("{verdict}  {}: {}", finding.check, finding.found))?;
        if let Some(advice) = &finding.advice {
            output::line(&format!("         {advice}"))?;
        }
    }
    Ok(())
}
