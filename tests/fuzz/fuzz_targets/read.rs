//! Any bytes: read or refused, and what is read settles at once in every way of writing.

#![no_main]

use contactfs::model::Tier;
use contactfs::vcard::{self, Eol, Style, Version};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = vcard::is_complete(bytes);
    for version in [Version::V4, Version::V3] {
        let style = Style {
            version,
            eol: Eol::Lf,
            tier: Tier::All,
        };
        if let Ok(card) = vcard::read(bytes, None, style) {
            let text = vcard::render(&card, None, style);
            let again = vcard::read(&text, Some((&card, None)), style);
            assert_eq!(again, Ok(card), "{}", String::from_utf8_lossy(&text));
        }
    }
});
