//! What a mount tells whoever started it.

use std::path::Path;

/// A listener for the life of a mount. Called from any thread; must not block for long.
pub trait Progress: Send + Sync {
    /// A folder's first full load has `contacts` contacts so far.
    fn folder(&self, name: &str, contacts: usize);

    /// The mount answers; called once.
    fn mounted(&self, dir: &Path);

    /// The mount is gone; `pending` changes stay queued for the next one (behaviour 7.4).
    fn unmounted(&self, pending: usize);
}
