//! Outlook / Microsoft 365 contacts as a directory of vCard files.
//!
//! Folders are directories, contacts are files. Reads come from a local store that delta queries keep fresh; saves,
//! new files, deletions and moves become PATCH, POST and DELETE. What the files promise is written, sentence by
//! sentence, in `man/contactfs.7`; this page says how the program keeps it.
//!
//! # How data flows
//!
//! ```text
//! kernel <-> fs -> tree -> store <- sync -> graph <-> Microsoft Graph
//!                           (truth)
//! pure: model, vcard, names        hints: notify -> sync        edge: cli -> daemon (wires everything), auth, config, observe
//! ```
//!
//! A **read** is answered from [`tree`]'s mirror of all names and attributes, and from an LRU of card bytes over the
//! [`store`]; it never waits for the network. A **save** is looked at when its writer closes or syncs the file: the text
//! is read as a card ([`vcard`]), and one transaction makes it the file's accepted text and puts what changed into the
//! outbox. [`sync`] sends the outbox through [`graph`] and writes the verdict back. A **change made elsewhere** comes in
//! by a delta query, is applied to the store by the same kind of transaction, and reaches the kernel's caches as an
//! invalidation ([`fs`]).
//!
//! # What holds everywhere
//!
//! - **One place changes state**: [`store::Store::write`]. Each transaction records events; mirrors follow by them, in
//!   order. Local programs and the service go through the same door.
//! - **An inode is one version of a card.** A change made elsewhere puts a new inode under the name. Whoever has the old
//!   one open goes on with the old version, and what is written through it is never taken for an edit of the new one.
//! - **A contact's identity follows its name, an inode's its bytes.** So a rename over a contact's file, or a deletion
//!   followed by a new file of that name, is an update: this is how most programs save.
//! - **Durable before acknowledged.** What `close` took is in the store or in a backing file; what the service does not
//!   take is kept beside the contact.
//! - **Nothing is sent blindly.** The version is compared before a change or a deletion, and a create whose reply was
//!   lost is looked for before it is tried again.
//! - **Two changes become one card.** Each save is merged with what changed elsewhere since the text it was edited from, which
//!   its inode still has; see [`vcard::merge()`]. **The loser is kept**, whoever wins.
//! - **Offline is not signed out.** Only the login service's own refusal ends a sign-in ([`auth`]); what replaces a refresh
//!   token is kept before the access token that came with it is used.
//!
//! # Threads and locks
//!
//! One loop answers the kernel from memory and never waits for disk syncs or the network. Beside it: `wait` (requests
//! that wait for a verdict or a first load, edits that became quiet), `fsync`, `notify` (invalidations, holds no lock),
//! `checkpoint` (the database's log), `engine` (network), one per control connection. Locks are taken in this order, and
//! none is held while waiting: the tree's `edit`, the store's writer, the tree's `memory`, its caches.
//!
//! # The layers
//!
//! `tests/layers.rs` enforces who may import whom, and which module alone may use a package. The built-in service
//! ([`sandbox`]) speaks HTTP and shares no type with the client, so that a misreading cannot hide on both sides.

pub mod auth;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod fs;
pub mod graph;
pub mod model;
pub mod names;
pub mod notify;
pub mod observe;
pub mod sandbox;
pub mod store;
pub mod sync;
pub mod tree;
pub mod vcard;
