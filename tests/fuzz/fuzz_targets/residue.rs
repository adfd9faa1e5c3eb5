//! Any text as a residue: whole or broken; a whole one comes back as it was.

#![no_main]

use contactfs::model::{Contact, ResidueText};
use contactfs::vcard::{self, Card, Residue, Style};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let text = ResidueText::new(text);
    if let Ok(residue) = Residue::decode(&text) {
        assert_eq!(residue.encode(), text);
        let card = Card::from_server(Contact::default(), residue);
        let _ = vcard::render(&card, None, Style::default());
    }
});
