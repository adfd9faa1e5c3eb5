//! Every card in, every card out: what files say, at the service and on another machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "mount_cards/extended.rs"]
mod extended;
mod support;
