//! Random programs of what people, programs and a second client do, checked against an obvious model: after every
//! synchronisation the files say what the service says, nothing acknowledged is missing, nobody is doubled.
//!
//! P1 "Nothing a user wrote is lost."; 7.3 "Killing the process at any instant loses nothing that close/fsync acknowledged
//! and sends nothing twice."
//!
//! `CONTACTFS_MODEL_CASES` sets the number of programs; the seeds of those that failed are kept in `model/seeds.txt`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

#[path = "model/chaos.rs"]
mod chaos;
#[path = "model/deeds.rs"]
mod deeds;
#[path = "model/disk.rs"]
mod disk;
#[path = "model/many.rs"]
mod many;
#[path = "model/people.rs"]
mod people;
#[path = "model/power.rs"]
mod power;
#[path = "model/stage.rs"]
mod stage;
mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

use deeds::{Deed, deed};
use stage::Stage;

/// Programs played in a usual run.
const CASES: u32 = 6;

fn config() -> Config {
    let cases = std::env::var("CONTACTFS_MODEL_CASES").ok();
    Config {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        max_shrink_iters: 40,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/model/seeds.txt"
        )))),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn files_store_and_service_agree(deeds in prop::collection::vec(deed(), 4..24)) {
        let Some(mut stage) = Stage::open() else { return Ok(()) };
        for deed in &deeds {
            stage.play(deed);
        }
        stage.play(&Deed::Sync);
        stage.play(&Deed::Remount);
        stage.play(&Deed::Sync);
    }
}
