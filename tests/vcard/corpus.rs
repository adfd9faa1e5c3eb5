//! Files of ours and of real programs, each with what becomes of it. The latter are read in place; none is copied into this
//! repository.

use std::path::{Path, PathBuf};

use contactfs::model::{ContactId, Tier};
use contactfs::vcard::{self, CardErrorKind, Eol, Said, Style, Version, Yearless};

use super::compare;

/// What happens to each file: `ok`, or the kind of the error and where it is.
const OWN: &str = include_str!("../fixtures/cards.txt");
const CORPUS: &str = include_str!("../fixtures/corpus.txt");
/// Every property with a field or an alias, and some without.
const LONE: &str = include_str!("../fixtures/lone.txt");

/// Every way in which cards are written.
pub(crate) const STYLES: [Style; 4] = [
    style(Version::V4, Tier::Basic),
    style(Version::V4, Tier::All),
    style(Version::V3, Tier::Basic),
    style(Version::V3, Tier::All),
];

const fn style(version: Version, tier: Tier) -> Style {
    Style {
        version,
        eol: Eol::Lf,
        tier,
        unfolded: false,
        rev: false,
        yearless: Yearless::Contact,
    }
}

/// Reads every file and compares with the tables.
pub(crate) fn check() {
    check_table(&own(), OWN);
    match shared() {
        Some(dir) => check_table(&dir, CORPUS),
        None => skipped(),
    }
}

/// Every card that is accepted, as we write it: its file's name, the way, the bytes.
pub(crate) fn written() -> Vec<(String, Style, Vec<u8>)> {
    let dirs = [Some(own()), shared()];
    let files = dirs.into_iter().flatten().flat_map(|dir| files(&dir));
    let mut written = Vec::new();
    for (name, bytes) in files.chain(lone()) {
        for style in STYLES {
            if let Ok(Said { card, photo }) = vcard::read_all(&bytes, None, style) {
                let id = ContactId::new("AAMk");
                let text = vcard::render_with(&card, Some(&id), photo.as_ref(), None, style);
                written.push((name.clone(), style, text));
            }
        }
    }
    written
}

/// Each of the properties alone, under its line.
fn lone() -> impl Iterator<Item = (String, Vec<u8>)> {
    LONE.lines().map(|line| {
        let text = format!("BEGIN:VCARD\nVERSION:4.0\nFN:Ada\n{line}\nEND:VCARD\n");
        (line.to_owned(), text.into_bytes())
    })
}

/// Says that the corpus is not here; fails where `CI` is `true`.
fn skipped() {
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "the corpus of cards is missing"
    );
    eprintln!("SKIPPED: no corpus of cards; set CONTACTFS_SHARED to the folder that holds vcards/");
}

fn own() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cards")
}

fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("CONTACTFS_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let candidates = shared.into_iter().chain([beside]);
    candidates
        .map(|dir| dir.join("vcards"))
        .find(|dir| dir.is_dir())
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "vcf"));
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap()))
        .collect()
}

fn check_table(dir: &Path, table: &str) {
    let found: Vec<String> = files(dir)
        .iter()
        .map(|(name, bytes)| format!("{name} {}", outcome(name, bytes)))
        .collect();
    let expected: Vec<&str> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(found, expected, "found:\n{}", found.join("\n"));
}

/// What becomes of a file, the same whatever the mount writes; what is accepted says all it said before.
fn outcome(name: &str, bytes: &[u8]) -> String {
    let mut outcomes = STYLES.map(|style| outcome_in(name, bytes, style));
    let outcome = std::mem::take(&mut outcomes[0]);
    assert!(
        outcomes[1..].iter().all(|other| *other == outcome),
        "{name}: {outcome} and {outcomes:?}"
    );
    outcome
}

fn outcome_in(name: &str, bytes: &[u8], style: Style) -> String {
    let Said { card, photo } = match vcard::read_all(bytes, None, style) {
        Err(error) => {
            let at = format!("line {} column {}", error.line, error.column);
            return format!("{} {at}", kind(&error.kind));
        }
        Ok(said) => said,
    };
    let text = vcard::render_with(&card, None, photo.as_ref(), None, style);
    let shown = String::from_utf8_lossy(&text);
    let again = vcard::read(&text, Some((&card, None)), style);
    assert_eq!(
        again.as_ref(),
        Ok(&card),
        "{name} does not settle:\n{shown}"
    );
    let lost = compare::lost(bytes, &text);
    assert!(lost.is_empty(), "{name}: lost {lost:#?}\nin\n{shown}");
    "ok".to_owned()
}

fn kind(kind: &CardErrorKind) -> &'static str {
    match kind {
        CardErrorKind::NotACard => "not-a-card",
        CardErrorKind::Unfinished => "unfinished",
        CardErrorKind::TextAfterEnd => "text-after-end",
        CardErrorKind::Syntax(_) => "syntax",
        CardErrorKind::SecondCard => "second-card",
        CardErrorKind::Version => "version",
        CardErrorKind::Encoding => "encoding",
        CardErrorKind::Charset(_) => "charset",
        CardErrorKind::Nameless => "nameless",
        CardErrorKind::Group => "group",
        CardErrorKind::TooLong { .. } => "too-long",
        CardErrorKind::TooMuch { .. } => "too-much",
        CardErrorKind::NotAPicture => "not-a-picture",
        CardErrorKind::PictureTooLong { .. } => "picture-too-long",
        CardErrorKind::TooMany { .. } => "too-many",
    }
}
