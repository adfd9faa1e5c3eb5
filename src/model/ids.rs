//! Newtypes for every id and version, so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a value received from its origin.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as received.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// An immutable contact id: opaque, case-sensitive, stable while the item stays in the mailbox (graph-facts 3.3).
    ContactId
}
text_id! {
    /// A contact folder id: opaque and constant (graph-facts 3.3).
    FolderId
}
text_id! {
    /// The version of a contact; new at every modification (graph-facts 1.1).
    ChangeKey
}
text_id! {
    /// An absolute URL that continues a delta query: a `nextLink` or a `deltaLink` (graph-facts 3.2).
    DeltaLink
}
text_id! {
    /// A subscription to changes, by which notifications name it (graph-facts 8).
    SubscriptionId
}
text_id! {
    /// The private id put on a contact when it is created, by which a create with a lost reply is found again (behaviour 4.2).
    ClientId
}
text_id! {
    /// The value of the residue property as it stands on the server; empty when the contact has none (vcard-mapping 6).
    ResidueText
}

/// An inode number, from a persistent counter; never reused (behaviour 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    /// The mount's root, as the FUSE protocol has it.
    pub const ROOT: Self = Self(1);
}

impl fmt::Display for Ino {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
