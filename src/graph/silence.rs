//! How long the service may be silent. A transfer that moves is never cut, however slow the link.

use std::time::Duration;

use tokio::time::error::Elapsed;

/// Longest silence before a reply, and within one.
const LONGEST: Duration = Duration::from_secs(30);

/// Bytes a second of the slowest link believed in. What this program has sent may still be waiting in the kernel, where it
/// cannot be watched; a link that is dead instead of slow is ended by the kernel (`auth::web`).
const SLOWEST: usize = 4096;

/// Waits for a reply to a request with so many bytes.
pub(super) async fn until_reply<T>(
    sent: usize,
    reply: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let sending = Duration::from_secs((sent / SLOWEST) as u64);
    tokio::time::timeout(LONGEST + sending, reply).await
}

/// Waits for the next piece of a reply.
pub(super) async fn until_piece<T>(piece: impl Future<Output = T>) -> Result<T, Elapsed> {
    tokio::time::timeout(LONGEST, piece).await
}
