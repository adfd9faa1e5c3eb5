//! Contacts as vCard files and back: the meaning of a file, without any I/O.
//!
//! Owns the mapping of vCard 2.1, 3.0 and 4.0 to the properties of a contact, the canonical text
//! (vcard-mapping 7) and the residue: what a file says and the service has no field for. Nothing a
//! file says is dropped; what cannot be kept is refused with the line and the reason. It is the only
//! user of the `vcard-rs` crate, pinned because it is young and changes its interface; it does the
//! tokenising (unfolding, quoted-printable soft breaks, quoted parameters), all else is here.

mod assign;
mod card;
mod compose;
mod dates;
mod decode;
mod draft;
mod error;
mod escape;
mod essence;
mod fold;
mod line;
mod meaning;
mod merge;
mod phones;
mod photo;
mod read;
mod render;
mod residue;
mod scan;
mod settle;
mod shadow;
mod slots;
mod split;
mod v21;

pub use card::{Card, derived_uid};
pub use error::{CardError, CardErrorKind};
pub use merge::{Merged, Prefer, merge};
pub use read::{Said, is_complete, may_hold_photo, photo_in, read, read_all};
pub use render::{Times, render, render_with};
pub use residue::{BrokenResidue, Residue};
pub use split::{Piece, split};

use crate::model::Tier;

/// How cards are written on a mount (vcard-mapping D1, 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// The version of every rendered card.
    pub version: Version,
    /// The line end of every rendered card.
    pub eol: Eol,
    /// Long lines are written whole.
    pub unfolded: bool,
    /// Rendered cards say when the service made and changed their contacts.
    pub rev: bool,
    /// Where a birthday without a year goes that a text is the first to say.
    pub yearless: Yearless,
    /// Up to where the service's fields are those of a card; the spelling of a field beyond is residue.
    pub tier: Tier,
}

/// A version that is written. All of 2.1, 3.0 and 4.0 are read, whatever is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// vCard 3.0 (RFC 2426).
    V3,
    /// vCard 4.0 (RFC 6350).
    #[default]
    V4,
}

/// Where a birthday without a year is kept (vcard-mapping 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Yearless {
    /// In its field, where Outlook shows a year that nobody said.
    #[default]
    Contact,
    /// In the residue, where Outlook does not see it.
    Residue,
}

/// A line end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eol {
    /// What both RFCs ask for.
    #[default]
    Crlf,
    /// What Unix tools like.
    Lf,
}

#[cfg(test)]
mod tests;
