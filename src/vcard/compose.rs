//! The canonical line of each meaning (vcard-mapping 2, 7).

use super::line::{Line, Param};
use super::meaning::{EMAIL_NAME, Meaning, has_scheme, is_user};
use super::slots::{self, shows_email_name, shows_file_as};
use super::{Version, dates, escape, phones};
use crate::model::{Address, Contact, Field};

/// The canonical line of each meaning of a contact; `None` for what is only shown in a user's own
/// spelling.
pub(super) fn lines(contact: &Contact, slots: &[Meaning], version: Version) -> Vec<Option<Line>> {
    let mut preferred = contact.emails().len() > 1;
    let compose = |slot: &Meaning| match slot {
        Meaning::Text(Field::FileAs, _) if !shows_file_as(contact) => None,
        Meaning::Text(Field::Sensitivity, _) if version == Version::V4 => None,
        Meaning::Text(Field::MailingAddress, _) if version == Version::V4 => None,
        Meaning::Address(field, address, post_box) => {
            let is_mailing = version == Version::V4 && is_mailing(contact, *field);
            Some(address_line(*field, address, post_box, is_mailing))
        }
        Meaning::Email(email) => {
            let name = if shows_email_name(contact, email) {
                email.name.as_str()
            } else {
                ""
            };
            Some(email_line(
                &email.address,
                name,
                version,
                std::mem::take(&mut preferred),
            ))
        }
        slot => Some(line(slot, version)),
    };
    slots.iter().map(compose).collect()
}

fn line(meaning: &Meaning, version: Version) -> Line {
    match meaning {
        Meaning::Text(field, text) => text_line(*field, text, version),
        Meaning::Name(parts) => Line::new("N", vec![], structured(parts)),
        Meaning::Org([company, department]) if department.is_empty() => {
            Line::new("ORG", vec![], escape::text(company))
        }
        Meaning::Org(parts) => Line::new("ORG", vec![], structured(parts)),
        Meaning::Email(email) => email_line(&email.address, &email.name, version, false),
        Meaning::Item(field, text) => item_line(*field, text, version),
        Meaning::Address(field, address, post_box) => {
            address_line(*field, address, post_box, false)
        }
        Meaning::Day(Field::Birthday, date) => dates::line("BDAY", *date, version),
        Meaning::Day(_, date) => match version {
            Version::V4 => dates::line("ANNIVERSARY", *date, version),
            Version::V3 => dates::line("X-ANNIVERSARY", *date, version),
        },
        Meaning::Categories(names) => {
            let names: Vec<String> = names.iter().map(|name| escape::text(name)).collect();
            Line::new("CATEGORIES", vec![], names.join(","))
        }
    }
}

fn text_line(field: Field, text: &str, version: Version) -> Line {
    if let Some(line) = phones::line(field, text, version) {
        return line;
    }
    let in_4 = version == Version::V4;
    let name = match field {
        Field::DisplayName => "FN",
        Field::NickName => "NICKNAME",
        Field::YomiGivenName => "X-PHONETIC-FIRST-NAME",
        Field::YomiSurname => "X-PHONETIC-LAST-NAME",
        Field::YomiCompanyName => "X-PHONETIC-ORG",
        Field::JobTitle => "TITLE",
        Field::Profession => "ROLE",
        Field::Manager => "X-MS-MANAGER",
        Field::AssistantName => "X-MS-ASSISTANT",
        Field::Initials => "X-MSGRAPH-INITIALS",
        Field::FileAs => "X-MSGRAPH-FILE-AS",
        Field::OfficeLocation => "X-MSGRAPH-OFFICE-LOCATION",
        Field::BusinessHomePage => return typed("URL", "work", escape::uri(text)),
        Field::PersonalHomePage => return typed("URL", "home", escape::uri(text)),
        Field::FreeBusyUrl => return Line::new("FBURL", vec![], escape::uri(text)),
        Field::Gender if in_4 => "GENDER",
        Field::Gender => "X-GENDER",
        Field::Hobbies if in_4 => "HOBBY",
        Field::Hobbies => "X-MS-INTERESTS",
        Field::Sensitivity => "CLASS",
        Field::MailingAddress => return slots::mailing_line(text),
        field if is_user(field) => "X-MS-TEXT",
        Field::SpouseName => return relative("spouse", "X-MS-SPOUSE", text, version),
        _ => "NOTE",
    };
    Line::new(name, vec![], escape::text(text))
}

fn item_line(field: Field, text: &str, version: Version) -> Line {
    match field {
        Field::BusinessPhones => typed("TEL", "work", escape::text(text)),
        Field::HomePhones => typed("TEL", "home", escape::text(text)),
        Field::Children => relative("child", "X-MS-CHILD", text, version),
        _ if has_scheme(text) => Line::new("IMPP", vec![], escape::uri(text)),
        _ => Line::new("X-MS-IMADDRESS", vec![], escape::text(text)),
    }
}

fn email_line(address: &str, name: &str, version: Version, preferred: bool) -> Line {
    let mut params = Vec::new();
    if preferred {
        params.push(preference(version));
    }
    if !name.is_empty() {
        params.push(Param::new(EMAIL_NAME, &[name]));
    }
    Line::new("EMAIL", params, escape::text(address))
}

fn preference(version: Version) -> Param {
    match version {
        Version::V4 => Param::new("PREF", &["1"]),
        Version::V3 => Param::new("TYPE", &["pref"]),
    }
}

/// Whether an address is the one that Outlook takes for letters.
fn is_mailing(contact: &Contact, field: Field) -> bool {
    let word = match field {
        Field::BusinessAddress => "WORK",
        Field::HomeAddress => "HOME",
        _ => "OTHER",
    };
    contact.text(Field::MailingAddress) == word
}

fn address_line(field: Field, address: &Address, post_box: &str, is_mailing: bool) -> Line {
    let parts = [
        post_box,
        "",
        &address.street,
        &address.city,
        &address.state,
        &address.postal_code,
        &address.country_or_region,
    ];
    let value = structured(&parts);
    let mut params = match field {
        Field::BusinessAddress => vec![Param::new("TYPE", &["work"])],
        Field::HomeAddress => vec![Param::new("TYPE", &["home"])],
        _ => vec![],
    };
    if is_mailing {
        params.push(preference(Version::V4));
    }
    Line::new("ADR", params, value)
}

fn relative(kind: &str, name_in_3: &str, text: &str, version: Version) -> Line {
    match version {
        Version::V4 => {
            let params = vec![Param::new("TYPE", &[kind]), Param::new("VALUE", &["text"])];
            Line::new("RELATED", params, escape::text(text))
        }
        Version::V3 => Line::new(name_in_3, vec![], escape::text(text)),
    }
}

fn typed(name: &str, kind: &str, value: String) -> Line {
    Line::new(name, vec![Param::new("TYPE", &[kind])], value)
}

fn structured<S: AsRef<str>>(parts: &[S]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| escape::text(part.as_ref()))
        .collect();
    parts.join(";")
}
