//! Cards to files.

use super::{Card, Style};
use crate::model::ContactId;

/// The canonical bytes of a card.
#[must_use]
pub fn render(_card: &Card, _id: Option<&ContactId>, _style: Style) -> Vec<u8> {
    Vec::new()
}
