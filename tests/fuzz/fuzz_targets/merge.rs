//! Three files made of the same bytes: merged without a panic, into a card that settles.

#![no_main]

use contactfs::model::Tier;
use contactfs::vcard::{self, Card, Eol, Prefer, Style, Version, Yearless};

const STYLE: Style = Style {
    version: Version::V4,
    eol: Eol::Lf,
    tier: Tier::All,
    unfolded: false,
    rev: false,
    yearless: Yearless::Contact,
};

fn card(bytes: &[u8]) -> Option<Card> {
    let text = [b"BEGIN:VCARD\nFN:x\n", bytes, b"\nEND:VCARD\n"].concat();
    vcard::read(&text, None, STYLE).ok()
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.split(|byte| *byte == 0).map(card);
    let mut next = || parts.next().flatten();
    if let (Some(base), Some(ours), Some(theirs)) = (next(), next(), next()) {
        for prefer in [Prefer::Ours, Prefer::Theirs] {
            let merged = vcard::merge(&base, &ours, &theirs, prefer);
            let text = vcard::render(&merged.card, None, STYLE);
            let again = vcard::read(&text, Some((&merged.card, None)), STYLE);
            assert_eq!(again, Ok(merged.card), "{}", String::from_utf8_lossy(&text));
        }
    }
});
