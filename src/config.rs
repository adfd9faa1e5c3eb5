//! What the program runs on, resolved from flags, environment, `config.toml` and defaults, in that order.
//!
//! Owns places on disk, the account and the settings of a mount. Reads the environment through
//! [`Environment`] only, so that a test brings its own. Refuses to know clap: the command line
//! resolves its options into these types and the daemon never sees an option name.

mod account;
mod clouds;
mod environment;
mod error;
mod file;
mod paths;
mod settings;

pub use account::{Account, AccountOptions, Credentials, Keeping, Listed, Method, SANDBOX_ACCOUNT};
pub use clouds::{CLOUDS, Cloud, GLOBAL};
pub use environment::Environment;
pub use error::ConfigError;
pub use file::{ACCOUNT_KEYS, AccountSection, ConfigFile};
pub use paths::{private_dir, runtime_dir, state_base};
pub use settings::{
    CardVersion, Extended, LineEnding, MountSettings, NotifySettings, PhotoPlace, Winner,
    YearlessPlace,
};
