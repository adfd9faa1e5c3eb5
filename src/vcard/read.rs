//! Files to cards.

use super::{Card, CardError, CardErrorKind, Style};
use crate::model::ContactId;

/// Reads a file.
///
/// # Errors
/// [`CardError`] with the line and reason when the file cannot be taken.
pub fn read(
    _bytes: &[u8],
    _shown: Option<(&Card, Option<&ContactId>)>,
    _style: Style,
) -> Result<Card, CardError> {
    Err(CardError::whole(CardErrorKind::NotACard))
}

/// Whether the text has reached its `END:VCARD`.
#[must_use]
pub fn is_complete(bytes: &[u8]) -> bool {
    let _ = bytes;
    false
}
