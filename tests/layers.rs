//! The order of the layers: who may import whom, and which package has one owner only.
//!
//! A module's files are `src/x.rs` and everything in `src/x/`. Tests inside the sources count as well:
//! what a module's tests reach up to, the module depends on.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may import besides itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("vcard", &["model"]),
    ("names", &["model"]),
    ("store", &["model", "vcard", "names"]),
    ("tree", &["store", "model", "vcard", "names"]),
    ("fs", &["tree", "model"]),
    ("notify", &["model"]),
    (
        "sync",
        &["store", "graph", "notify", "vcard", "names", "model"],
    ),
    ("graph", &["model", "auth"]),
    ("auth", &["model", "config"]),
    ("sandbox", &[]),
    ("observe", &["model"]),
    ("config", &["model"]),
    (
        "daemon",
        &[
            "model", "vcard", "names", "store", "tree", "fs", "sync", "graph", "auth", "config",
            "observe", "sandbox", "notify",
        ],
    ),
    (
        "cli",
        &[
            "daemon", "auth", "config", "observe", "sandbox", "store", "vcard", "names",
        ],
    ),
];

/// The modules that may use a package; every other may not.
const OWNERS: &[(&str, &[&str])] = &[
    ("fuser", &["fs"]),
    ("reqwest", &["graph", "auth"]),
    ("rusqlite", &["store"]),
    ("vcard", &["vcard"]),
    ("hyper", &["sandbox", "notify"]),
    ("hyper_util", &["sandbox", "notify"]),
    ("oauth2", &["auth"]),
    ("ring", &["auth", "sandbox"]),
    ("secret_service", &["auth"]),
    ("strsim", &["config"]),
    ("toml", &["config"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
];

#[test]
fn every_module_imports_only_from_the_layers_below() {
    let violations = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn a_planted_import_is_found_in_each_of_its_forms() {
    let forms = [
        "use crate::store::Store;",
        "use crate::{model::Contact, store::Store};",
        "use crate::{\n    model::{Contact, Field},\n    store,\n};",
        "fn f() -> crate::store::Store {}",
        "pub(crate) use crate::store;",
        "use super::super::store::Store;",
    ];
    for form in forms {
        let found = violations_of("fs", "fs/ops.rs", form);
        assert_eq!(found, ["fs/ops.rs: fs may not import store"], "{form}");
    }
}

#[test]
fn a_planted_package_is_found_in_each_of_its_forms() {
    for form in [
        "use reqwest::Client;",
        "fn f(c: &reqwest::Client) {}",
        "use ::reqwest::{self, Client};",
    ] {
        assert_eq!(
            violations_of("sync", "sync.rs", form),
            ["sync.rs: sync may not use the package reqwest"],
            "{form}"
        );
    }
    assert_eq!(
        violations_of("names", "names.rs", "use ::vcard::Card;"),
        ["names.rs: names may not use the package vcard"]
    );
    assert_eq!(
        violations_of("cli", "cli.rs", "use rusqlite as r;"),
        ["cli.rs: cli may not use the package rusqlite"]
    );
}

#[test]
fn what_is_allowed_or_only_mentioned_is_no_violation() {
    let allowed = [
        (
            "fs",
            "use crate::tree::Tree;\nuse crate::model::Ino;\nuse fuser::Request;",
        ),
        (
            "fs",
            "//! Unlike `crate::store`, this...\n// crate::sync listens\n/// See [`crate::graph`].\n",
        ),
        ("sync", "use crate::sync::plan;\nuse crate::vcard::Card;"),
        ("graph", "let x = my_fuser::y; let vcard = vcard::z();"),
        ("tree", "use super::store_view::View;"),
    ];
    for (module, text) in allowed {
        assert_eq!(
            violations_of(module, "x.rs", text),
            Vec::<String>::new(),
            "{text}"
        );
    }
}

#[test]
fn a_module_without_a_rule_is_refused() {
    assert_eq!(
        violations_of("helpers", "helpers.rs", ""),
        ["helpers.rs: there is no rule for the module helpers"]
    );
}

fn check(src: &Path) -> Vec<String> {
    let mut violations = Vec::new();
    for file in sources(src) {
        let name = file.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
        let module = name
            .split('/')
            .next()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        if module != "lib" && module != "main" {
            violations.extend(violations_of(
                &module,
                &name,
                &fs::read_to_string(&file).unwrap(),
            ));
        }
    }
    violations
}

fn violations_of(module: &str, file: &str, text: &str) -> Vec<String> {
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{file}: there is no rule for the module {module}")];
    };
    let code = without_comments(text);
    let imported = imported_modules(&code, file);
    let modules = MAY_IMPORT
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != module && !allowed.contains(name));
    let layers = modules
        .filter(|name| imported.contains(*name))
        .map(|name| format!("{file}: {module} may not import {name}"));
    let packages = OWNERS
        .iter()
        .filter(|(package, owners)| !owners.contains(&module) && uses_package(&code, package))
        .map(|(package, _)| format!("{file}: {module} may not use the package {package}"));
    layers.chain(packages).collect()
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first segments after `crate::`, also inside braces and by way of `super::super::`.
fn imported_modules(code: &str, file: &str) -> BTreeSet<String> {
    let depth = file.split('/').count();
    let up = "super::".repeat(depth);
    let roots = ["crate::", &up]
        .into_iter()
        .take(if depth > 1 { 2 } else { 1 });
    let mut found = BTreeSet::new();
    for root in roots {
        for (place, _) in code.match_indices(root) {
            let rest = &code[place + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => found.extend(top_level(group)),
                None => drop(found.insert(identifier(rest))),
            }
        }
    }
    found
}

/// The first segment of each path of a `{...}` group, whose opening brace is already gone.
fn top_level(group: &str) -> Vec<String> {
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' if depth == 0 => {
                names.push(identifier(group[start..place].trim_start()));
                start = place + 1;
            }
            '}' if depth == 0 => {
                names.push(identifier(group[start..place].trim_start()));
                return names;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Whether a path begins with the package. `vcard` is a module as well, so only `::vcard` is the package.
fn uses_package(code: &str, package: &str) -> bool {
    code.match_indices(package).any(|(place, _)| {
        let before = &code[..place];
        let after = &code[place + package.len()..];
        let absolute = before.strip_suffix("::").is_some_and(|rest| {
            !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>')
        });
        let bare = !before.ends_with(|c: char| {
            c.is_alphanumeric() || c == '_' || c == ':' || c == '.' || c == '"'
        });
        let path =
            after.starts_with("::") || (before.ends_with("use ") && after.starts_with([';', ' ']));
        path && (absolute || (bare && package != "vcard"))
    })
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files
}
