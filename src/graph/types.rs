//! What callers hand in and get back.

use jiff::Timestamp;

use crate::model::{
    ChangeKey, ClientId, Contact, ContactId, DeltaLink, FolderId, Patch, ResidueText,
};

/// One change to the mailbox.
#[derive(Clone, Debug)]
pub enum Write {
    /// Makes a contact.
    Create {
        /// Where.
        folder: FolderId,
        /// What it says.
        contact: Contact,
        /// Its residue; empty for none.
        residue: ResidueText,
        /// By which it can be found again when the reply is lost.
        client: ClientId,
        /// Further extended properties as (id, value), for moves; see [`move_extras`](super::Client::move_extras).
        extra: Vec<(String, String)>,
    },
    /// Changes a contact.
    Update {
        /// Which.
        id: ContactId,
        /// The version the change was made from.
        change_key: ChangeKey,
        /// What changes.
        patch: Patch,
        /// What the contact says afterwards; its display name is repeated when a name part changes.
        target: Contact,
        /// The new residue, if it changes; empty to clear it.
        residue: Option<ResidueText>,
    },
    /// Deletes a contact (to Deleted Items).
    Delete {
        /// Which.
        id: ContactId,
        /// Only in this version, if given.
        change_key: Option<ChangeKey>,
    },
}

/// A contact as the service showed it at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its immutable id.
    pub id: ContactId,
    /// Its version.
    pub change_key: ChangeKey,
    /// The folder it is in, if the reply said so.
    pub parent: Option<FolderId>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it last changed, photo included.
    pub modified: Option<Timestamp>,
    /// What it says; fields kept as extended properties are there only if `residue` is.
    pub contact: Contact,
    /// Its residue, empty when it has none; `None` when this reply did not say.
    pub residue: Option<ResidueText>,
    /// Whether it says that it has a picture; `None` when this reply did not say.
    pub picture: Option<bool>,
    /// Its client id; `None` when it has none or this reply did not say.
    pub client: Option<ClientId>,
    /// This list or delta reply does not say everything: the notes may be cut or flattened (graph-facts 1.6), or properties
    /// are missing. Read the contact with [`contacts`](super::Client::contacts) before believing it.
    pub notes_cut: bool,
}

/// An id with its version, from a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its immutable id.
    pub id: ContactId,
    /// Its version.
    pub change_key: ChangeKey,
    /// The residue as far as a list shows it.
    pub residue: ResidueHint,
    /// The fields kept as extended properties, as far as a list shows them.
    pub extended: Contact,
    /// A text among these fields may have been cut. Read the contact with [`contacts`](super::Client::contacts) before
    /// believing it.
    pub is_cut: bool,
    /// Whether it says that it has a picture.
    pub picture: bool,
}

/// A residue from a list, which the service may have cut: header and checksum must match before it is believed
/// (vcard-mapping 6). `None` when the list shows none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidueHint(pub Option<String>);

/// Where a delta query starts or goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaFrom {
    /// The full contents of a folder.
    Start(FolderId),
    /// After a former page.
    Link(DeltaLink),
}

/// One page of a delta query; items may be repeated, reordered and replayed (trap 16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaPage {
    /// In the order received.
    pub items: Vec<DeltaItem>,
    /// Where to go on.
    pub next: DeltaNext,
}

/// One row of a delta page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaItem {
    /// New or changed, which cannot be told apart.
    Changed(Box<Snapshot>),
    /// No longer in this folder.
    Removed(ContactId),
}

/// Where a delta query goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaNext {
    /// Another page of this round, now.
    More(DeltaLink),
    /// The next round, later.
    Done(DeltaLink),
}
