//! What can be seen of a running mount: its log, its status, and what happens in it.
//!
//! Owns the set-up of tracing and the status snapshot with its stable JSON keys. Gathers nothing
//! itself: the daemon fills the snapshot in, the command line shows it.

pub mod categories;
pub mod happening;
pub mod log;
pub mod metrics;
pub mod past;
pub mod status;
