//! Readers that are not ours and must accept every card we write.

use std::io::Write;
use std::process::{Command, Stdio};

use contactfs::vcard::{Style, Version};

/// Says how many cards it read, or which it did not.
const VOBJECT: &str = "
import json, sys, vobject
for name, text in json.load(sys.stdin):
    try:
        cards = list(vobject.readComponents(text))
        assert len(cards) == 1 and cards[0].name == 'VCARD', 'is not one card'
        # It does not know that 4.0 may say a thing twice, in two languages.
        if 'ALTID=' not in text:
            cards[0].validate(raiseException=True)
        cards[0].serialize(validate=False)
    except Exception as error:
        print(name, type(error).__name__, error)
";

/// Whether RFC 6350's strictest reader takes a card; it knows no other version.
pub(crate) fn strict(text: &str) -> Result<(), String> {
    match vcard_parser::parse_vcards(text) {
        Ok(cards) if cards.len() == 1 => Ok(()),
        Ok(cards) => Err(format!("{} cards", cards.len())),
        Err(error) => Err(error.to_string().chars().take(200).collect()),
    }
}

/// Whether calcard reads a card, with a property for each of our lines.
pub(crate) fn calcard(text: &str) -> Result<(), String> {
    let mut parser = calcard::Parser::new(text);
    let calcard::Entry::VCard(card) = parser.entry() else {
        return Err("is no card".to_owned());
    };
    let unfolded = text.replace("\r\n", "\n").replace("\n ", "");
    let ours = unfolded
        .lines()
        .filter(|line| !line.starts_with("BEGIN:") && !line.starts_with("END:"))
        .count();
    let rest = parser.entry();
    match (card.entries.len(), rest) {
        (theirs, calcard::Entry::Eof) if theirs == ours || theirs + 1 == ours => Ok(()),
        (theirs, _) => Err(format!("{theirs} of {ours} lines")),
    }
}

/// Lines of real programs that vobject refuses wherever they stand; they come back as they were written.
const ODD_LINES: [&str; 2] = ["PROFILE:", "some.OTHER.VALUE:"];

/// What Python's vobject does not take of many cards; `None` where it is not installed.
pub(crate) fn vobject(cards: &[(String, String)]) -> Option<String> {
    // Debian's package is for Debian's Python, which need not be the first.
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let import = Command::new(python).args(["-c", "import vobject"]).output();
        import.is_ok_and(|output| output.status.success())
    })?;
    let mut child = Command::new(python)
        .args(["-c", VOBJECT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let is_odd = |line: &str| ODD_LINES.iter().any(|odd| line.starts_with(odd));
    let known = |text: &str| -> String {
        let lines = text.split_inclusive('\n');
        lines.filter(|line| !is_odd(line)).collect()
    };
    let cards: Vec<(&str, String)> = cards
        .iter()
        .map(|(name, text)| (name.as_str(), known(text)))
        .collect();
    let input = serde_json::to_vec(&cards).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A name for a card and the way it is written.
pub(crate) fn title(name: &str, style: Style) -> String {
    let version = if style.version == Version::V4 { 4 } else { 3 };
    format!("{name} in {version}.0")
}
