//! The kernel's side: the only user of `fuser`, whose types do not leave this module.
//!
//! `fuser` is pinned: 0.18.0 has defects that later versions mend with other types (AutoUnmount does nothing from
//! inside; unmounting a busy mount as root fails once and for ever; a panic in a method ends the loop). So the mount is
//! taken down here, lazily and by our own call, and only capabilities are asked for that the crate can honour.
//!
//! One loop thread answers requests from memory and never waits for the network. What has to wait (an `fsync` for the
//! server's verdict, a listing for a folder's first load) moves its reply to the `wait` thread. Changes made elsewhere
//! reach the kernel through the `notify` thread, which holds no lock.

mod attr;
mod errno;
mod mount;
mod notify;
mod ops;
mod wait;
mod worker;
mod xattr;

pub use mount::{Mounted, OnEnd, Options};
