//! Hears from the service that contacts changed: an HTTP server for its notifications (graph-facts 8).
//!
//! It stands behind a reverse proxy or a tunnel of the user's, so anybody may speak to it: sizes, times and connections are
//! bounded, and what does not carry the secret of this run is ignored. It decides nothing: a [`Notice`] is handed on, and
//! whoever takes it asks the service itself what changed.

mod listener;
mod message;

pub use listener::Listener;
pub use message::{Event, Notice};
