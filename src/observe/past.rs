//! What a mount keeps of the past of its contacts, as serialisable values. The JSON keys are stable, as those of `status`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A contact whose same property was changed here and elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The file, relative to the mount point.
    pub path: String,
    /// The properties, as a card spells them.
    pub properties: Vec<String>,
    /// Why, in one sentence.
    pub reason: String,
    /// The card with the values from here; `None` when the contact was deleted here.
    pub ours: Option<String>,
    /// The card with the values from elsewhere.
    pub theirs: String,
}

/// One version of a contact's file that is not shown any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its number; later ones are greater.
    pub version: i64,
    /// When it ceased to be shown, or was refused.
    pub ended: Timestamp,
    /// How: `saved`, `changed`, `answered`, `deleted`, `vanished`, `rejected` or `conflict`.
    pub fate: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Version {
    /// Whether the contact's file has ever shown it.
    #[must_use]
    pub fn was_shown(&self) -> bool {
        !matches!(self.fate.as_str(), "rejected" | "conflict")
    }
}
