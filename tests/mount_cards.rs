//! Every card in, every card out: what files say, at the service and on another machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "support/compare.rs"]
mod compare;
#[path = "mount_cards/extended.rs"]
mod extended;
#[path = "mount_cards/files.rs"]
mod files;
#[path = "mount_cards/lone.rs"]
mod lone;
#[path = "mount_cards/options.rs"]
mod options;
#[path = "mount_cards/recorded.rs"]
mod recorded;
mod support;
