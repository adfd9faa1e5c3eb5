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
    let card = Card::from_server(contact, residue);
    let bytes = vcard::render(&card, None, Style::default());
    let again = vcard::read(&bytes, Some((&card, None)), Style::default());
    match again {
        Ok(again) => assert_eq!(again, card, "{}", String::from_utf8_lossy(&bytes)),
        // What somebody else wrote there may be more than a card may hold.
        Err(error) => assert!(error.to_string().contains("does not fit"), "{error}"),
    }
});
