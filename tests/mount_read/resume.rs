//! A first load that is interrupted goes on where it was.
//!
//! By hand, with figures: `cargo test --release --test mount_read -- --ignored --nocapture hundred_thousand`.

use std::time::{Duration, Instant};

use contactfs::sandbox::Options;

use crate::support::{Mount, World, fuse_or_skip};

const KILLS: usize = 5;
/// Rows of a page, and requests under way when the program is killed.
const PAGE: usize = 200;
const UNDER_WAY: usize = 4;

/// The delta queries that were asked for: from the start of a folder, and in all.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    starts: usize,
    pages: usize,
}

impl Asked {
    /// Counts what came since the last time.
    fn take(&mut self, world: &World) {
        let log = world.log();
        world.clear_log();
        let deltas = log
            .iter()
            .filter(|entry| entry.path.contains("/contacts/delta"));
        for delta in deltas {
            let is_start = !delta.path.contains("token=");
            self.starts += usize::from(is_start);
            self.pages += 1;
        }
    }
}

/// The most memory the program has had, in MB.
fn peak(mount: &Mount) -> u64 {
    let pid = mount.pid().as_raw_pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    number.unwrap_or_default() / 1000
}

/// Loads so many contacts with five kills on the way.
#[expect(clippy::print_stderr, reason = "for a run by hand")]
fn load(contacts: usize, folders: usize, patience: Duration) {
    let world = World::with(Options {
        empty: true,
        contacts: Some(contacts),
        folders,
        ..Options::default()
    });
    world.limit(patience);
    let (began, mut asked, mut memory) = (Instant::now(), Asked::default(), 0);
    let pages = contacts / PAGE;
    for kill in 1..=KILLS {
        let mount = world.mount(&[]);
        let until = pages * kill / (KILLS + 1);
        while asked.pages < until {
            asked.take(&world);
            std::thread::sleep(Duration::from_millis(5));
        }
        memory = memory.max(peak(&mount));
        mount.kill9();
    }
    let mount = world.mount(&[]);
    mount.in_step();
    asked.take(&world);
    memory = memory.max(peak(&mount));
    let status = mount.status();
    let rows = status["mounts"][0]["folders"].as_array().unwrap().clone();
    let shown: u64 = rows
        .iter()
        .map(|row| row["contacts"].as_u64().unwrap())
        .sum();
    assert_eq!(shown, contacts as u64);
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{contacts} contacts in {folders} folders, killed {KILLS} times: {seconds:.1} s, at most {memory} MB, {asked:?}, \
         {pages} pages at least"
    );
    // Only what was under way is asked for again. The service leaves some pages empty, and each folder's last is short.
    let folders = folders + 1;
    assert!(asked.starts <= folders + KILLS * UNDER_WAY, "{asked:?}");
    let again = KILLS * UNDER_WAY;
    assert!(
        asked.pages <= (pages + folders) * 3 / 2 + again,
        "{asked:?}"
    );
}

/// "A load cut short goes on where it was."
#[test]
fn a_load_that_is_killed_again_and_again_goes_on() {
    if fuse_or_skip() {
        load(8_000, 4, Duration::from_secs(240));
    }
}

#[test]
#[ignore = "takes minutes; for its figures"]
fn a_hundred_thousand_contacts_in_twenty_folders() {
    if fuse_or_skip() {
        load(100_000, 20, Duration::from_secs(1800));
    }
}
