//! Cards against judges that are not the code under test: a strict vCard 4.0 reader, a comparer
//! written here, and files real programs wrote.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests may panic, and say when they are skipped"
)]

#[path = "vcard/compare.rs"]
mod compare;
#[path = "vcard/corpus.rs"]
mod corpus;

use std::path::PathBuf;

use contactfs::model::{Address, Contact, ContactId, Email, Field, Tier, Value};
use contactfs::vcard::{self, Card, Eol, Residue, Said, Style, Version};
use jiff::civil::Date;
use proptest::prelude::*;

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cards");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|path| (name(path), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn own_cards_lose_nothing() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 20, "{} fixtures", fixtures.len());
    for (name, bytes) in fixtures {
        for version in [Version::V4, Version::V3] {
            let style = Style {
                version,
                eol: Eol::Lf,
                tier: Tier::All,
            };
            let said = vcard::read_all(&bytes, None, style);
            let Said { card, photo } = said.unwrap_or_else(|error| panic!("{name}: {error}"));
            let text = vcard::render_with(&card, None, photo.as_ref(), style);
            let lost = compare::lost(&bytes, &text);
            assert!(
                lost.is_empty(),
                "{name}: lost {lost:#?}\nin\n{}",
                String::from_utf8_lossy(&text)
            );
            assert_eq!(
                vcard::read(&text, Some((&card, None)), style).unwrap(),
                card,
                "{name}: does not settle"
            );
        }
    }
}

/// Never ends in a backslash: the strict reader takes the second one of `\\;` for an escape.
fn polite() -> impl Strategy<Value = String> {
    "[A-Za-z0-9é](\\PC|[,;\\\\\n.\"^-]){0,60}[a-z]"
}

fn polite_contact() -> impl Strategy<Value = Contact> {
    (
        proptest::collection::vec(polite(), 24),
        1605i16..2100,
        1i8..=12,
        1i8..=28,
    )
        .prop_map(|(texts, year, month, day)| {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().unwrap();
            let mut contact = Contact::default();
            for field in [
                Field::DisplayName,
                Field::GivenName,
                Field::MiddleName,
                Field::Surname,
                Field::Title,
                Field::NickName,
                Field::CompanyName,
                Field::Department,
                Field::JobTitle,
                Field::Profession,
                Field::OfficeLocation,
                Field::Manager,
                Field::AssistantName,
                Field::SpouseName,
                Field::PersonalNotes,
                Field::FileAs,
            ] {
                contact.set_text(field, next());
            }
            let mut phones = || Value::List(vec![next(), next()]);
            contact.set(Field::BusinessPhones, phones());
            contact.set(Field::Children, phones());
            contact.set(Field::Categories, phones());
            contact.set_text(Field::BusinessHomePage, "https://example.org/a?b=c");
            contact.set(
                Field::ImAddresses,
                Value::List(vec!["xmpp:a@example.org".into(), next()]),
            );
            let address = Address {
                street: next(),
                city: "Berlin".into(),
                ..Address::default()
            };
            contact.set(Field::HomeAddress, Value::Address(address));
            let email = |address: &str, name: &str| Email {
                address: address.into(),
                name: name.into(),
            };
            let emails = vec![
                email("a@example.org", "A; (work)"),
                email("b@example.org", ""),
            ];
            contact.set(Field::EmailAddresses, Value::Emails(emails));
            contact.set(
                Field::Birthday,
                Value::Date(Date::new(year, month, day).unwrap()),
            );
            contact
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_strict_reader_accepts_what_we_write(contact in polite_contact()) {
        let card = Card::from_server(contact, Residue::default());
        let text = vcard::render(&card, Some(&ContactId::new("AAMk")), Style::default());
        let text = String::from_utf8(text).unwrap();
        let cards = vcard_parser::parse_vcards(&text);
        prop_assert!(cards.is_ok_and(|cards| cards.len() == 1), "refused:\n{text}");
    }
}

#[test]
fn files_of_other_programs() {
    corpus::check();
}
