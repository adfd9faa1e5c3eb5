//! What real programs wrote. The files are read in place; none is copied into this repository.

use std::path::PathBuf;

use contactfs::vcard::{self, CardErrorKind, Said, Style};

use super::compare;

/// What happens to each file: `ok`, or the kind of the error.
const OUTCOMES: &str = include_str!("../fixtures/corpus.txt");

/// Reads every file of the corpus and compares with the table. Without a corpus it says so, and
/// fails where `CI` is `true`.
pub(crate) fn check() {
    let Some(dir) = folder() else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "the corpus of cards is missing"
        );
        eprintln!(
            "SKIPPED: no corpus of cards; set CONTACTFS_SHARED to the folder that holds vcards/"
        );
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "vcf"));
    files.sort();
    let found: Vec<String> = files.iter().map(outcome).collect();
    let expected: Vec<&str> = OUTCOMES
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(found, expected, "found:\n{}", found.join("\n"));
}

fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("CONTACTFS_SHARED").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let candidates = shared.into_iter().chain([beside]);
    candidates
        .map(|dir| dir.join("vcards"))
        .find(|dir| dir.is_dir())
}

fn outcome(path: &PathBuf) -> String {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let bytes = std::fs::read(path).unwrap();
    let Said { card, photo } = match vcard::read_all(&bytes, None, Style::default()) {
        Err(error) => return format!("{name} {} line {}", kind(&error.kind), error.line),
        Ok(said) => said,
    };
    let text = vcard::render_with(&card, None, photo.as_ref(), Style::default());
    let again = vcard::read(&text, Some((&card, None)), Style::default());
    assert_eq!(
        again.as_ref(),
        Ok(&card),
        "{name} does not settle:\n{}",
        String::from_utf8_lossy(&text)
    );
    if !is_21(&bytes) && std::str::from_utf8(&bytes).is_ok() {
        let lost = compare::lost(&bytes, &text);
        assert!(
            lost.is_empty(),
            "{name}: lost {lost:#?}\nin\n{}",
            String::from_utf8_lossy(&text)
        );
    }
    format!("{name} ok")
}

/// A 2.1 card comes back in another syntax, which the comparer does not speak; nor does it know any
/// character set but UTF-8.
fn is_21(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes)
        .to_uppercase()
        .contains("VERSION:2.1")
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
        CardErrorKind::Nameless => "nameless",
        CardErrorKind::Group => "group",
        CardErrorKind::TooLong { .. } => "too-long",
        CardErrorKind::NotAPicture => "not-a-picture",
        CardErrorKind::PictureTooLong { .. } => "picture-too-long",
        CardErrorKind::TooMany { .. } => "too-many",
    }
}
