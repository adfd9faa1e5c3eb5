//! Signing in to a mailbox and staying signed in, with the real program against the sandbox's login service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "sign_in/accounts.rs"]
mod accounts;
#[path = "sign_in/application.rs"]
mod application;
#[path = "sign_in/browser.rs"]
mod browser;
#[path = "sign_in/code.rs"]
mod code;
#[path = "sign_in/keeping.rs"]
mod keeping;
#[path = "sign_in/mailboxes.rs"]
mod mailboxes;
#[path = "sign_in/mounts.rs"]
mod mounts;
#[path = "sign_in/person.rs"]
mod person;
mod support;
#[path = "sign_in/tokens.rs"]
mod tokens;
