//! A contact folder as the service knows it.

use super::FolderId;

/// One contact folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The folder's constant id.
    pub id: FolderId,
    /// The folder above; `None` for the default folder and for those directly under it,
    /// which are the mount's top-level directories (behaviour 1.1).
    pub parent: Option<FolderId>,
    /// The name as the mailbox shows it, possibly localised; hostile input (behaviour 1.3).
    pub display_name: String,
    /// Whether this is the mailbox's own Contacts folder, addressed as `contacts` (graph-facts 2.3).
    pub is_default: bool,
}
