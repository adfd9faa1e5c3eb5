//! Any bytes: read or refused, and what is read settles at once in every way of writing, its picture too.

#![no_main]

use contactfs::model::Tier;
use contactfs::vcard::{self, Eol, Said, Style, Version, Yearless};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vcard::is_complete(bytes);
    for piece in vcard::split(bytes) {
        assert!(!piece.text.is_empty() && piece.line > 0);
    }
    for (version, eol, tier, yearless) in [
        (Version::V4, Eol::Lf, Tier::All, Yearless::Contact),
        (Version::V3, Eol::Crlf, Tier::All, Yearless::Contact),
        (Version::V4, Eol::Crlf, Tier::Basic, Yearless::Residue),
    ] {
        let style = Style {
            version,
            eol,
            tier,
            unfolded: yearless == Yearless::Residue,
            rev: false,
            yearless,
        };
        if let Ok(Said { card, photo }) = vcard::read_all(bytes, None, style) {
            let text = vcard::render_with(&card, None, photo.as_ref(), None, style);
            let shown = String::from_utf8_lossy(&text);
            assert!(vcard::is_complete(&text), "{shown}");
            assert_eq!(vcard::photo_in(&text, &card.residue), photo, "{shown}");
            let again = vcard::read(&text, Some((&card, None)), style);
            assert_eq!(again.as_ref(), Ok(&card), "{shown}");
            assert_eq!(vcard::split(&text).len(), 1, "{shown}");
        }
    }
});
