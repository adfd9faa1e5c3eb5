//! The manual says what the program does: every command, option, variable and status key, and no other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use contactfs::observe::status::{
    Connection, FileStatus, FolderStatus, Item, Latency, Notifications, Status, Step, Traffic,
};

type Options = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_command_and_option_is_in_the_page_and_none_else() {
    assert_eq!(documented(&page("contactfs.1")), defined());
}

#[test]
fn the_comparison_sees_a_missing_option() {
    let page = page("contactfs.1").replace(".It Fl -read-only\n", "");
    assert_ne!(documented(&page), defined());
}

#[test]
fn every_default_is_in_the_page() {
    let page = page("contactfs.1").replace('\n', " ");
    let definition = contactfs::cli::definition();
    for option in definition
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
    {
        let Some(long) = option.get_long() else {
            continue;
        };
        for default in option
            .get_default_values()
            .iter()
            .filter_map(|value| value.to_str())
        {
            let item = page
                .split(".It ")
                .find(|item| item.contains(&format!("Fl -{long} ")) && item.contains("default"));
            // Flags have the invisible default "false".
            let said = default == "false"
                || default == "0"
                || item.is_some_and(|item| item.contains(default));
            let repeated = page.contains(&format!("Fl -{long} Cm text | json As for"));
            assert!(
                said || repeated,
                "the default {default} of --{long} is not said"
            );
        }
    }
}

#[test]
fn every_variable_is_in_the_page_and_none_else() {
    let mut read = BTreeSet::new();
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    for file in sources.iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap();
        read.extend(
            product
                .split('"')
                .filter(|word| is_variable(word))
                .map(str::to_owned),
        );
    }
    let page = page("contactfs.1");
    let items = page.lines().filter_map(|line| line.strip_prefix(".It Ev "));
    let words = items
        .flat_map(|names| names.split([' ', ',']))
        .filter(|word| is_variable(word));
    assert_eq!(words.map(str::to_owned).collect::<BTreeSet<_>>(), read);
}

#[test]
fn every_status_key_is_in_the_page() {
    let page = page("contactfs.1");
    let start = page.find(".Sh STATUS KEYS").unwrap();
    let words: BTreeSet<&str> = page[start..]
        .lines()
        .filter_map(variables)
        .flatten()
        .collect();
    let mut keys = BTreeSet::new();
    collect_keys(&serde_json::to_value(full_status()).unwrap(), &mut keys);
    collect_keys(
        &serde_json::to_value(FileStatus::default()).unwrap(),
        &mut keys,
    );
    for key in &keys {
        assert!(
            words.contains(key.as_str()),
            "the key {key} is not documented"
        );
    }
}

#[test]
fn every_configuration_key_is_in_its_page_and_none_else() {
    let page = page("contactfs.conf.5");
    let keys = page
        .split(".Sh ")
        .find(|section| section.starts_with("KEYS"))
        .unwrap();
    let items = keys.lines().filter_map(|line| line.strip_prefix(".It "));
    let words = items.flat_map(|item| item.split("Va ").skip(1));
    let documented: BTreeSet<&str> = words
        .map(|word| word.trim_end_matches([' ', ',']))
        .collect();
    assert_eq!(
        documented,
        contactfs::config::ACCOUNT_KEYS.into_iter().collect()
    );
    for cloud in contactfs::config::CLOUDS {
        assert!(keys.contains(&format!(".Li {}\n", cloud.name)), "{cloud:?}");
    }
}

#[test]
fn the_pages_are_sound_mdoc() {
    for name in ["contactfs.1", "contactfs.conf.5", "contactfs.7"] {
        let checked = Command::new("mandoc")
            .args(["-Tlint", "-Werror"])
            .arg(path(name))
            .output();
        match checked {
            Ok(output) => {
                assert!(
                    output.status.success(),
                    "{name}:\n{}",
                    String::from_utf8_lossy(&output.stdout)
                );
            }
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "mandoc is required in CI: {error}"
                );
                // Past the capture of test output.
                drop(writeln!(
                    std::io::stderr(),
                    "SKIPPED: mandoc is not installed, {name} was not checked"
                ));
            }
        }
    }
}

/// Commands with their options, `-x` and `--long`, from the subsections of COMMANDS.
fn documented(page: &str) -> Options {
    let mut options = Options::new();
    let commands = page
        .split(".Sh ")
        .find(|section| section.starts_with("COMMANDS"))
        .unwrap();
    for subsection in commands.split(".Ss ").skip(1) {
        let (command, text) = subsection.split_once('\n').unwrap();
        let items = text.lines().filter_map(|line| line.strip_prefix(".It "));
        let words = items
            .flat_map(|item| item.split("Fl ").skip(1))
            .filter_map(|word| word.split(' ').next());
        options.insert(
            command.to_owned(),
            words.map(|word| format!("-{word}")).collect(),
        );
    }
    options
}

fn defined() -> Options {
    let definition = contactfs::cli::definition();
    let commands = definition.get_subcommands();
    commands
        .map(|command| (command.get_name().to_owned(), option_names(command)))
        .collect()
}

/// Those of a command and of the commands below it.
fn option_names(command: &clap::Command) -> BTreeSet<String> {
    let below = command.get_subcommands().flat_map(option_names);
    let visible = command
        .get_arguments()
        .filter(|option| !option.is_hide_set());
    let names = visible.flat_map(|option| {
        let short = option.get_short().map(|short| format!("-{short}"));
        short
            .into_iter()
            .chain(option.get_long().map(|long| format!("--{long}")))
    });
    names
        .filter(|name| name != "-h" && name != "--help")
        .chain(below)
        .collect()
}

fn is_variable(word: &str) -> bool {
    let known = [
        "HOME",
        "PATH",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_RUNTIME_DIR",
    ]
    .contains(&word);
    known
        || word
            .strip_prefix("CONTACTFS_")
            .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
}

/// The words of a line that `Va` marks.
fn variables(line: &str) -> Option<impl Iterator<Item = &str>> {
    let words = line
        .strip_prefix(".It Va ")
        .or_else(|| line.strip_prefix(".Va "))?;
    Some(words.split([' ', ',']))
}

fn collect_keys(value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let Some(object) = value.as_object() {
        keys.extend(object.keys().cloned());
        object.values().for_each(|value| collect_keys(value, keys));
    }
    value
        .as_array()
        .into_iter()
        .flatten()
        .for_each(|value| collect_keys(value, keys));
}

fn full_status() -> Status {
    Status {
        mount: "/m".into(),
        pid: 1,
        account: String::new(),
        mailbox: None,
        read_only: false,
        connection: Connection::Offline {
            cause: String::new(),
            reason: String::new(),
        },
        folders: vec![FolderStatus {
            name: String::new(),
            contacts: 0,
            loaded: true,
            last_pull: None,
        }],
        pending: vec![Item::default()],
        drafts: Vec::new(),
        conflicts: Vec::new(),
        rejected: Vec::new(),
        held: Vec::new(),
        requests: 0,
        traffic: Traffic {
            latency_ms: Latency {
                steps: vec![Step::default()],
                ..Latency::default()
            },
            ..Traffic::default()
        },
        notifications: Some(Notifications {
            subscribed: 0,
            reason: None,
        }),
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(name)
}
