//! Cards against judges that are not the code under test: a strict vCard 4.0 reader, a comparer
//! written here, and files real programs wrote.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "tests may panic, and say when they are skipped"
)]

#[path = "support/compare.rs"]
mod compare;
#[path = "vcard/corpus.rs"]
mod corpus;
#[path = "vcard/hostile.rs"]
mod hostile;
#[path = "vcard/judges.rs"]
mod judges;

use contactfs::model::{Address, Contact, ContactId, Email, Field, Value};
use contactfs::vcard::{self, Card, Residue, Style};
use jiff::civil::Date;
use proptest::prelude::*;

#[test]
fn every_file_has_its_outcome_and_nothing_is_lost() {
    corpus::check();
}

#[test]
fn other_readers_accept_what_we_write() {
    let written = corpus::written();
    assert!(written.len() >= 200, "{}", written.len());
    let mut refused = Vec::new();
    let mut texts = Vec::new();
    for (name, style, bytes) in written {
        let title = judges::title(&name, style);
        let text = String::from_utf8(bytes).unwrap();
        if let Err(error) = judges::calcard(&text) {
            refused.push(format!("calcard: {title}: {error}"));
        }
        texts.push((title, text));
    }
    match judges::vobject(&texts) {
        Some(report) => refused.extend(report.lines().map(str::to_owned)),
        None => skipped("python3-vobject is not installed"),
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// Says that a judge is not here; fails where `CI` is `true`.
fn skipped(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    eprintln!("SKIPPED: {reason}");
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
        prop_assert_eq!(judges::strict(&text), Ok(()), "{}", text);
        prop_assert_eq!(judges::calcard(&text), Ok(()), "{}", text);
    }
}
