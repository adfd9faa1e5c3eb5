//! The residue: what a card says and the service has no field for, in one text property on the
//! contact (vcard-mapping 6).
//!
//! An entry is a slot and one unfolded line. Slots: `-` is a line without a home; the name of a
//! field is a *shadow*, the user's spelling of a line the field also says; `file-name`, `photo`, `odd`
//! and `invented/...` are notes of ours that are never lines of a card. Entries of other slots come from
//! a newer program and are carried along.

use crate::model::ResidueText;

/// Version of the text form.
const FORMAT: u32 = 1;

/// A line without a home in the service.
pub(super) const UNMAPPED: &str = "-";
/// What stands in the place of a line and is none: another program's doing. It is carried along and never shown.
pub(super) const ODD: &str = "odd";
/// The file name a user chose (behaviour 1.6).
pub(super) const FILE_NAME: &str = "file-name";
/// The given name sent only because the service wants one (graph-facts 1.4).
pub(super) const INVENTED_GIVEN_NAME: &str = "invented/givenName";

/// What a contact says beyond its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residue(Vec<Entry>);

/// One kept line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) slot: String,
    pub(super) line: String,
}

impl Entry {
    pub(super) fn new(slot: &str, line: impl Into<String>) -> Self {
        Self {
            slot: slot.to_owned(),
            line: line.into(),
        }
    }
}

/// A residue text that is not whole. It says nothing about the contact: treat it as not yet read,
/// never as empty (vcard-mapping 6, limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenResidue {
    /// The header is missing, of another format, or disagrees with the rest.
    #[error("the header of the residue does not match its text")]
    Header,
    /// An entry without a slot.
    #[error("an entry of the residue has no slot")]
    Entry,
}

impl Residue {
    /// Reads the property's text; an empty text is an empty residue.
    ///
    /// # Errors
    /// [`BrokenResidue`] when the text was cut or changed on its way.
    pub fn decode(text: &ResidueText) -> Result<Self, BrokenResidue> {
        let text = text.as_str();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let (found, body) = text.split_once('\n').ok_or(BrokenResidue::Header)?;
        let entries: Vec<Entry> = body
            .split('\n')
            .map(decode_entry)
            .collect::<Result<_, _>>()?;
        if found == header(entries.len(), body) {
            Ok(Self(entries))
        } else {
            Err(BrokenResidue::Header)
        }
    }

    /// The property's text; empty when there is nothing to keep.
    #[must_use]
    pub fn encode(&self) -> ResidueText {
        if self.0.is_empty() {
            return ResidueText::new("");
        }
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|entry| format!("{}\t{}", entry.slot, entry.line))
            .collect();
        let body = lines.join("\n");
        ResidueText::new(format!("{}\n{body}", header(self.0.len(), &body)))
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn from_entries(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(super) fn lines_of<'a>(&'a self, slot: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |entry| entry.slot == slot)
            .map(|entry| entry.line.as_str())
    }

    /// Keeps one line for a slot, or none.
    pub(super) fn set(&mut self, slot: &str, line: Option<&str>) {
        self.0.retain(|entry| entry.slot != slot);
        self.0.extend(line.map(|line| Entry::new(slot, line)));
    }

    pub(super) fn push(&mut self, slot: &str, line: &str) {
        self.0.push(Entry::new(slot, line));
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.0.retain(keep);
    }
}

fn decode_entry(line: &str) -> Result<Entry, BrokenResidue> {
    let (slot, line) = line.split_once('\t').ok_or(BrokenResidue::Entry)?;
    if slot.is_empty() {
        Err(BrokenResidue::Entry)
    } else {
        Ok(Entry::new(slot, line))
    }
}

/// Compared as text, so that any change of the header is noticed too.
fn header(count: usize, body: &str) -> String {
    format!("{FORMAT} {count} {:08x}", crc32fast::hash(body.as_bytes()))
}
