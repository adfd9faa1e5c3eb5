//! The built-in Graph service keeps its rules, asked over HTTP as any client would.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

#[path = "sandbox/authorize.rs"]
mod authorize;
#[path = "sandbox/batch.rs"]
mod batch;
#[path = "sandbox/contacts.rs"]
mod contacts;
#[path = "sandbox/delta.rs"]
mod delta;
#[path = "sandbox/faults.rs"]
mod faults;
#[path = "sandbox/folders.rs"]
mod folders;
#[path = "sandbox/life.rs"]
mod life;
#[path = "sandbox/limits.rs"]
mod limits;
#[path = "sandbox/lists.rs"]
mod lists;
#[path = "sandbox/login.rs"]
mod login;
#[path = "sandbox/recorded.rs"]
mod recorded;
#[path = "sandbox/subscriptions.rs"]
mod subscriptions;
#[path = "sandbox/support.rs"]
mod support;
