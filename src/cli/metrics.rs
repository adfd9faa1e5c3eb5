//! `contactfs metrics`: the numbers of mounts for Prometheus.

use super::args::MetricsArgs;
use super::error::{CliError, Exit};
use super::{output, status, target};
use crate::observe::metrics;

/// Prints the numbers; a mount whose process is gone is among them.
pub(super) fn run(args: &MetricsArgs) -> Result<Exit, CliError> {
    let report = status::gather(&target::of(args.dir.as_deref())?)?;
    output::raw(&metrics::text(&report.mounts, &report.dead))?;
    Ok(Exit::Success)
}
