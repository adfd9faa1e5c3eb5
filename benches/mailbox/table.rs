//! What the benchmark says: lines, and tables as Markdown.

use std::time::Duration;

/// Prints a line.
#[allow(clippy::print_stdout, reason = "printing is what a benchmark is for")]
pub(super) fn say(line: &str) {
    println!("{line}");
}

/// Prints the head of a table.
pub(super) fn head(columns: &[&str]) {
    say("");
    row(columns);
    say(&format!("|{}", "---|".repeat(columns.len())));
}

/// Prints a row of a table.
pub(super) fn row<S: AsRef<str>>(cells: &[S]) {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    say(&format!("| {} |", cells.join(" | ")));
}

/// A time in milliseconds.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A time as a multiple of another.
pub(super) fn ratio(time: Duration, to: Duration) -> String {
    format!("{:.2}x", time.as_secs_f64() / to.as_secs_f64())
}

/// The middle one; the upper of two.
pub(super) fn median(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
