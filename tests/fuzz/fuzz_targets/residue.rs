//! Any text as a residue, with a header that fits and without: whole or broken; a whole one comes back as it was, and the
//! card it is part of can be read again.

#![no_main]

use contactfs::model::{Contact, Field, ResidueText};
use contactfs::vcard::{self, Card, Residue, Style};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Residue::decode(&ResidueText::new(text));
    let count = text.split('\n').count();
    let checksum = crc32fast::hash(text.as_bytes());
    let whole = ResidueText::new(format!("1 {count} {checksum:08x}\n{text}"));
    let Ok(residue) = Residue::decode(&whole) else {
        return;
    };
    assert_eq!(residue.encode(), whole);
    let mut contact = Contact::default();
    contact.set_text(Field::DisplayName, "Ada");
    let mut card = Card::from_server(contact, residue);
    // Lines that somebody else wrote there, as 2.1 does, may be spelled anew; once.
    for last in [false, true] {
        let text = vcard::render(&card, None, Style::default());
        let shown = String::from_utf8_lossy(&text);
        card = match vcard::read(&text, Some((&card, None)), Style::default()) {
            Ok(again) => {
                assert!(
                    !last || again == card,
                    "{again:?}\nfrom {card:?}\nin {shown}"
                );
                again
            }
            Err(error) => {
                assert!(
                    error.to_string().contains("does not fit"),
                    "{error} in {shown}"
                );
                return;
            }
        };
    }
});
