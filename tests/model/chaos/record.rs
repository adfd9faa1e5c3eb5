//! What the service's log tells: whether pauses were kept, and the story of who was changed how.

use contactfs::sandbox::LogEntry;

/// How early a request may come, and how late a refusal may be heard of, on a busy machine.
const EARLY: u64 = 100;
const LATE: u64 = 900;

/// "429 and 503 are obeyed": after a pause was asked for, nothing comes before its end, but from another process.
pub fn check_rates(log: &[LogEntry]) {
    let agent = ("user-agent".to_owned(), "elsewhere".to_owned());
    let ours = log
        .iter()
        .filter(|entry| !entry.request_headers.contains(&agent));
    let ours: Vec<&LogEntry> = ours.collect();
    for entry in &ours {
        let (Some(pause), Some(_)) = (entry.retry_after, entry.fault) else {
            continue;
        };
        // A member of a batch is heard of with the rest of it; which of several batches it was in is not told.
        let spans = |other: &&&LogEntry| {
            other.path.ends_with("$batch") && (other.at_ms..=other.done_ms).contains(&entry.at_ms)
        };
        let batches: Vec<_> = ours
            .iter()
            .filter(|_| entry.in_batch)
            .filter(spans)
            .collect();
        if batches.iter().any(|batch| batch.fault.is_some()) {
            continue; // The reply may never have come.
        }
        let heard = batches.iter().map(|batch| batch.done_ms).max();
        let heard = heard.unwrap_or(entry.done_ms);
        let silence = (heard + LATE)..(heard + pause * 1000).saturating_sub(EARLY);
        let early = ours.iter().find(|entry| silence.contains(&entry.at_ms));
        assert!(
            early.is_none(),
            "{early:?} came within the pause of {entry:?}"
        );
    }
}

/// A request as one line of the story.
pub fn told(entry: &LogEntry) -> String {
    let LogEntry {
        at_ms,
        method,
        path,
        status,
        fault,
        ..
    } = entry;
    let request = entry.request.as_ref().map(ToString::to_string);
    let made = entry.response.as_ref().map(|reply| reply["id"].to_string());
    let (request, made) = (request.unwrap_or_default(), made.unwrap_or_default());
    format!("{at_ms} {method} {path} {fault:?} {status} {request} -> {made}")
}
