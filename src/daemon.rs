//! The running mount: what it is made of, how it is spoken to, how it ends.
//!
//! `run` is the composition root, the only place that names concrete types of every layer. `control`
//! is the socket a command talks to a mount over, `registry` the list of live mounts. Knows nothing of clap or terminals.

mod assemble;
mod categories;
pub mod control;
mod error;
mod past;
mod progress;
pub mod registry;
mod reload;
mod report;
pub mod run;
mod service;
pub mod sign_in;
mod surroundings;
mod trouble;
pub mod watch;

pub use error::{RunError, RunErrorKind};
pub use progress::Progress;
pub use reload::Reread;
