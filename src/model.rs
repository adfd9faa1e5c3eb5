//! Plain types shared by every layer: contacts, folders, ids. No I/O, no wire shapes.

mod contact;
mod folder;
mod ids;
mod photo;
mod stamp;

pub use contact::{Address, Contact, Email, Field, Kind, Patch, Tier, Value};
pub use folder::Folder;
pub use ids::{
    ChangeKey, ClientId, ContactId, DeltaLink, FolderId, Ino, ResidueText, SubscriptionId,
};
pub use photo::{Photo, PhotoId};
pub use stamp::Stamp;
