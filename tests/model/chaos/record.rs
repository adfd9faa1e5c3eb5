//! What the service's log tells: whether the rules about the rate of requests were kept, and the story of who was changed how.

use contactfs::sandbox::LogEntry;

/// How early a request may come, and how late a refusal may be heard of, on a busy machine.
const EARLY: u64 = 100;
const LATE: u64 = 900;
/// Requests of one application on one mailbox at a time.
const AT_A_TIME: usize = 4;

/// "429 and 503 are obeyed … At most 4 requests are under way per mailbox, $batch members included": for the requests of one
/// process, members of batches included. The service refuses by itself what is more than four at a time, or than 10,000 in
/// ten minutes; nothing of that kind may be in the log.
pub fn check_rates(ours: &[LogEntry]) {
    for entry in ours {
        assert!(
            entry.open <= AT_A_TIME,
            "{} at a time: {entry:?}",
            entry.open
        );
        assert!(
            entry.status != 429 || entry.fault.is_some(),
            "over a limit: {entry:?}"
        );
    }
    for entry in ours {
        if let Some(silence) = silence_after(entry, ours) {
            let early = ours.iter().find(|entry| silence.contains(&entry.at_ms));
            assert!(
                early.is_none(),
                "{early:?} came within the pause of {entry:?}"
            );
        }
    }
}

/// The time in which nothing may come after this refusal, if it asks for one and was heard.
fn silence_after(entry: &LogEntry, ours: &[LogEntry]) -> Option<std::ops::Range<u64>> {
    let pause = entry.retry_after? * 1000;
    // A member of a batch is heard of with the rest of it, unless that never came, or came piece by piece.
    let heard = match entry.batch {
        None => entry,
        Some(seq) => {
            let mut batches = ours.iter();
            let batch = batches.find(|batch| batch.seq == seq)?;
            let is_whole = matches!(batch.fault, None | Some("delay" | "late"));
            (is_whole && batch.status != 0).then_some(batch)?
        }
    };
    let heard = heard.done_ms;
    Some((heard + LATE)..(heard + pause).saturating_sub(EARLY))
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
