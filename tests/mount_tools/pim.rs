//! Contact managers over a mounted folder. P5 "... khard, vdirsyncer work unchanged."

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::book::{Book, FILE, card};
use crate::support::{Run, need, run_in};

/// khard with the mounted folder as its address book.
struct Khard {
    config: PathBuf,
    editor: PathBuf,
}

impl Khard {
    fn new(book: &Book) -> Self {
        let (config, editor) = (
            book.world.dir().join("khard.conf"),
            book.world.dir().join("editor"),
        );
        let text = format!(
            "[addressbooks]\n[[book]]\npath = {}\n[general]\neditor = {}\nmerge_editor = true\ndefault_action = list\n\
             [vcard]\npreferred_version = 4.0\n",
            book.folder().display(),
            editor.display()
        );
        fs::write(&config, text).unwrap();
        Self { config, editor }
    }

    /// What its editor does to the file `$1`.
    fn edits_by(&self, line: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::write(&self.editor, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&self.editor, fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn run(&self, book: &Book, arguments: &[&str]) -> Run {
        let config = ["-c", self.config.to_str().unwrap()];
        run_in(&book.folder(), "khard", &[&config, arguments].concat())
    }
}

#[test]
fn khard_lists_edits_and_makes_contacts() {
    if !need("khard") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let khard = Khard::new(&book);
    let listed = khard.run(&book, &["list"]).ok();
    assert!(
        listed.contains("Ada Byron") && listed.contains("+44 1"),
        "{listed}"
    );
    khard.edits_by("sed -i 's/+44 1/+44 2/' \"$1\"");
    khard.run(&book, &["edit", "--format", "vcard", "Ada"]).ok();
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!(book.names(), [FILE]);
    book.world.clear_log();
    khard
        .run(
            &book,
            &[
                "new",
                "-a",
                "book",
                "-i",
                new_template(&book).to_str().unwrap(),
            ],
        )
        .ok();
    let body = book.one_write("POST");
    assert_eq!(body["surname"], "Somerville", "{body}");
    let listed = khard.run(&book, &["list"]).ok();
    assert!(listed.contains("Mary Somerville"), "{listed}");
}

fn new_template(book: &Book) -> PathBuf {
    let file = book.world.dir().join("new.yaml");
    let text = "First name : Mary\nLast name : Somerville\nPhone :\n    cell : +44 7\n";
    fs::write(&file, text).unwrap();
    file
}

/// vdirsyncer between the mounted folder and a plain one.
struct Pair {
    config: PathBuf,
    plain: PathBuf,
}

impl Pair {
    fn new(book: &Book) -> Self {
        let (home, plain) = (
            book.world.dir().join("vdir"),
            book.world.dir().join("plain"),
        );
        fs::create_dir_all(&home).unwrap();
        fs::create_dir_all(&plain).unwrap();
        let config = home.join("config");
        let storage = |name: &str, path: &Path| {
            format!(
                "[storage {name}]\ntype = \"filesystem\"\npath = \"{}\"\nfileext = \".vcf\"\n",
                path.display()
            )
        };
        let text = format!(
            "[general]\nstatus_path = \"{}\"\n[pair people]\na = \"mounted\"\nb = \"plain\"\ncollections = null\n{}{}",
            home.join("status").display(),
            storage("mounted", &book.folder()),
            storage("plain", &plain)
        );
        fs::write(&config, text).unwrap();
        let pair = Self { config, plain };
        pair.run(book, "discover");
        pair
    }

    #[track_caller]
    fn run(&self, book: &Book, command: &str) {
        let config = self.config.to_str().unwrap();
        run_in(book.world.dir(), "vdirsyncer", &["-c", config, command]).ok();
    }

    #[track_caller]
    fn sync(&self, book: &Book) {
        self.run(book, "sync");
    }

    /// The one card of the plain side.
    #[track_caller]
    fn copy(&self) -> PathBuf {
        let mut files = fs::read_dir(&self.plain).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none());
        file
    }
}

#[test]
fn vdirsyncer_both_ways() {
    if !need("vdirsyncer") {
        return;
    }
    let Some(book) = Book::with(&["--delete-grace", "100ms"], Default::default()) else {
        return;
    };
    let pair = Pair::new(&book);
    pair.sync(&book);
    let copy = pair.copy();
    assert_eq!(
        fs::read_to_string(&copy).unwrap().trim_end(),
        book.text().trim_end()
    );
    book.nothing_sent();

    let text = fs::read_to_string(&copy).unwrap().replace("+44 1", "+44 2");
    fs::write(&copy, &text).unwrap();
    pair.sync(&book);
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    book.world.clear_log();

    fs::write(book.path(), book.text().replace("+44 2", "+44 3")).unwrap();
    book.one_patch(&json!({"mobilePhone": "+44 3"}));
    pair.sync(&book);
    assert!(fs::read_to_string(&copy).unwrap().contains("+44 3"));
    book.world.clear_log();
    pair.sync(&book);
    book.nothing_sent();

    fs::write(
        pair.plain.join("new.vcf"),
        card("Mary").replace("N:;", "UID:urn:uuid:a5b2\r\nN:;"),
    )
    .unwrap();
    pair.sync(&book);
    let body = book.one_write("POST");
    assert_eq!(body["displayName"], "Mary", "{body}");
    assert_eq!(book.names().len(), 2, "{:?}", book.names());
    book.world.clear_log();

    fs::remove_file(pair.plain.join("new.vcf")).unwrap();
    pair.sync(&book);
    book.one_write("DELETE");
    assert_eq!(book.names(), [FILE]);
    assert_eq!(
        fs::read_to_string(copy).unwrap().trim_end(),
        book.text().trim_end()
    );
}
