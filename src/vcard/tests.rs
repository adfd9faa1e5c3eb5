//! Laws of the whole module, over generated contacts.

mod mapping;
mod merging;
mod options;
mod refusals;
mod saving;

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::model::{Address, Contact, ContactId, Email, Field, Kind, ResidueText, Value};

const STYLES: [Style; 6] = [
    style(Version::V4, Eol::Crlf),
    style(Version::V4, Eol::Lf),
    style(Version::V3, Eol::Crlf),
    style(Version::V3, Eol::Lf),
    Style {
        unfolded: true,
        rev: true,
        yearless: Yearless::Residue,
        ..LF
    },
    Style {
        yearless: Yearless::Residue,
        ..style(Version::V3, Eol::Crlf)
    },
];

const LF: Style = style(Version::V4, Eol::Lf);

/// With a field for all that can have one.
const fn style(version: Version, eol: Eol) -> Style {
    Style {
        version,
        eol,
        unfolded: false,
        rev: false,
        yearless: Yearless::Contact,
        tier: Tier::All,
    }
}

/// What people, other programs and attackers put into fields.
fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z ]{1,12}",
        2 => "\\PC{1,90}",
        2 => "([\\\\,;:\"^\n\t= n]|é|\u{1F600}|\u{202E}|\u{5d0}|a\u{301}){1,40}",
        1 => "(BEGIN:VCARD|END:VCARD|\n |tel:|xmpp:|http://x/|;QUOTED-PRINTABLE;|=){1,4}",
        1 => "([\\x00-\\x1f\\x7f-\\u{9f}]|x){1,9}",
    ]
}

fn value(field: Field) -> BoxedStrategy<Value> {
    let words: &[&str] = match field {
        Field::Gender => &["F", "M"],
        Field::MailingAddress => &["HOME", "WORK", "OTHER"],
        Field::Sensitivity => &["PERSONAL", "PRIVATE", "CONFIDENTIAL"],
        _ => &[],
    };
    if !words.is_empty() {
        let word = prop::sample::select(words);
        return word.prop_map(|word| Value::Text(word.to_owned())).boxed();
    }
    match field.kind() {
        Kind::Text => hostile_text().prop_map(Value::Text).boxed(),
        Kind::List { max } => vec(hostile_text(), 0..=max.min(4))
            .prop_map(Value::List)
            .boxed(),
        Kind::Emails => vec(
            (hostile_text(), option::of(hostile_text())),
            0..=Field::MAX_EMAILS,
        )
        .prop_map(|emails| {
            let email = |(address, name): (String, Option<String>)| Email {
                address,
                name: name.unwrap_or_default(),
            };
            Value::Emails(emails.into_iter().map(email).collect())
        })
        .boxed(),
        Kind::Address => vec(option::of(hostile_text()), 5)
            .prop_map(|parts| {
                let mut parts = parts.into_iter().map(Option::unwrap_or_default);
                let mut next = || parts.next().unwrap();
                Value::Address(Address {
                    street: next(),
                    city: next(),
                    state: next(),
                    postal_code: next(),
                    country_or_region: next(),
                })
            })
            .boxed(),
        Kind::Date => (1601i16..2100, 1i8..=12, 1i8..=28)
            .prop_map(|(year, month, day)| Value::Date(Date::new(year, month, day).unwrap()))
            .boxed(),
    }
}

fn contact() -> impl Strategy<Value = Contact> {
    let fields: Vec<_> = Field::ALL
        .iter()
        .map(|&field| option::of(value(field)))
        .collect();
    fields.prop_map(|values| {
        let mut contact = Contact::default();
        for (field, value) in Field::ALL.iter().zip(values) {
            if let Some(value) = value {
                contact.set(*field, value);
            }
        }
        contact
    })
}

/// Lines as users and programs write them, of all sorts.
fn user_line() -> impl Strategy<Value = String> {
    let name = "(item[12]\\.)?(FN|N|ORG|EMAIL|TEL|ADR|URL|BDAY|NICKNAME|NOTE|RELATED|CATEGORIES|IMPP|UID|X-FOO|X-SPOUSE|X-AIM|X-MSGRAPH-FILE-AS|TITLE|PHOTO|ANNIVERSARY|X-ABDATE|X-ABRELATEDNAMES|X-ABLabel|GENDER|X-GENDER|HOBBY|FBURL|CLASS|X-MS-TEXT|X-MS-TEL|X-MS-OL-DEFAULT-POSTAL-ADDRESS)";
    let params = "(;(TYPE=work|TYPE=HOME,voice|type=cell|TYPE=child|TYPE=spouse|TYPE=fax|TYPE=pager|TYPE=car,home|TYPE=assistant|TYPE=callback|PREF=[1-9]|VALUE=text|VALUE=uri|X-A=\"b;c\"|LANGUAGE=de|X-APPLE-OMIT-YEAR=1604)){0,2}";
    let value = "(F|M|1|PRIVATE|--0412|--04-12|1604-04-12|_\\$!<Spouse>!\\$_|Child|Anniversary)|([a-z]{0,5}|[0-9-]{4,10}|;|,|\\\\n|\\\\;|\\\\,|http://x|é| ){0,8}";
    (name, params, value).prop_map(|(name, params, value)| format!("{name}{params}:{value}"))
}

fn file() -> impl Strategy<Value = String> {
    vec(user_line(), 0..14).prop_map(|lines| {
        format!(
            "BEGIN:VCARD\nVERSION:4.0\nTEL:1\n{}\nEND:VCARD\n",
            lines.join("\n")
        )
    })
}

fn id() -> ContactId {
    ContactId::new("AAMk")
}

fn again(card: &Card, style: Style) -> Card {
    read(
        &render(card, Some(&id()), style),
        Some((card, Some(&id()))),
        style,
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_what_was_shown_changes_nothing(contact in contact()) {
        let card = Card::from_server(contact, Residue::default());
        for style in STYLES {
            prop_assert_eq!(&again(&card, style), &card, "{}", String::from_utf8_lossy(&render(&card, None, style)));
        }
    }

    #[test]
    fn cleaning_is_done_once(contact in contact()) {
        let card = Card::from_server(contact, Residue::default());
        prop_assert_eq!(Card::from_server(card.contact.clone(), card.residue.clone()), card);
    }

    #[test]
    fn any_file_settles_at_once(file in file()) {
        for style in STYLES {
            let card = read(file.as_bytes(), None, style).unwrap();
            let text = render(&card, None, style);
            prop_assert_eq!(&again(&card, style), &card, "{}", String::from_utf8_lossy(&text));
            let server = Card::from_server(card.contact.clone(), Residue::decode(&card.residue.encode()).unwrap());
            prop_assert_eq!(&server, &card, "the service's echo is the card");
            for other in STYLES {
                prop_assert_eq!(&again(&card, other), &card, "seen from a mount of another style");
            }
        }
    }

    #[test]
    fn any_edit_elsewhere_settles(file in file(), theirs in contact()) {
        let card = read(file.as_bytes(), None, LF).unwrap();
        let server = Card::from_server(theirs, card.residue);
        prop_assert_eq!(again(&server, LF), server);
    }

    #[test]
    fn create_survives_the_service(file in file()) {
        let card = read(file.as_bytes(), None, LF).unwrap();
        let (contact, residue) = card.for_create();
        prop_assert!(!contact.text(Field::GivenName).is_empty());
        let server = Card::from_server(contact, Residue::decode(&residue).unwrap());
        prop_assert_eq!(render(&server, None, LF), render(&card, None, LF));
        prop_assert_eq!(read(file.as_bytes(), Some((&server, None)), LF).unwrap(), server, "the file may stay");
    }

    #[test]
    fn never_panics(bytes in vec(any::<u8>(), 0..300), text in "(BEGIN:VCARD\r?\n)?(\\PC|[\n\r\t ;:=\\\\\"^]){0,300}(\nEND:VCARD)?") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = is_complete(input);
            if let Err(error) = read(input, None, Style::default()) {
                prop_assert!(error.to_string().chars().count() < 200);
            }
        }
    }

    #[test]
    fn physical_lines_are_short(contact in contact()) {
        let text = render(&Card::from_server(contact, Residue::default()), Some(&id()), Style::default());
        for line in text.split(|byte| *byte == b'\n') {
            prop_assert!(line.len() <= 76, "with its carriage return");
        }
    }

    #[test]
    fn residue_text_is_whole_or_broken(file in file(), at in any::<prop::sample::Index>(), bit in 0u32..7) {
        let text = read(file.as_bytes(), None, Style::default()).unwrap().residue.encode();
        let bytes = text.as_str().as_bytes();
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << bit;
        if let Ok(flipped) = String::from_utf8(flipped) {
            prop_assert!(Residue::decode(&ResidueText::new(flipped)).is_err());
        }
        if let (Ok(cut), true) = (std::str::from_utf8(&bytes[..at]), at > 0) {
            prop_assert!(Residue::decode(&ResidueText::new(cut)).is_err());
        }
    }
}
