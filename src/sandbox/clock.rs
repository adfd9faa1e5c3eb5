//! Times the way the service writes them: UTC, whole seconds (graph-facts 1.1).

use jiff::Timestamp;

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// `2026-07-27T12:15:27Z`.
pub(super) fn with_zone(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// `2026-07-27T12:15:27`, the form inside error bodies.
pub(super) fn without_zone(seconds: i64) -> String {
    with_zone(seconds).trim_end_matches('Z').to_owned()
}
