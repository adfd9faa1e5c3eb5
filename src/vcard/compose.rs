//! The canonical line of each meaning (vcard-mapping 2, 7).

use super::line::{Line, Param};
use super::meaning::{EMAIL_NAME, Meaning, has_scheme};
use super::slots::{shows_email_name, shows_file_as};
use super::{Version, dates, escape};
use crate::model::{Address, Contact, Field};

/// The canonical line of each meaning of a contact; `None` for what is only shown in a user's own
/// spelling.
pub(super) fn lines(contact: &Contact, slots: &[Meaning], version: Version) -> Vec<Option<Line>> {
    let mut preferred = contact.emails().len() > 1;
    let compose = |slot: &Meaning| match slot {
        Meaning::Text(Field::FileAs, _) if !shows_file_as(contact) => None,
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
        Meaning::Address(field, address) => address_line(*field, address),
        Meaning::Birthday(date) => dates::line(*date, version),
        Meaning::Categories(names) => {
            let names: Vec<String> = names.iter().map(|name| escape::text(name)).collect();
            Line::new("CATEGORIES", vec![], names.join(","))
        }
    }
}

fn text_line(field: Field, text: &str, version: Version) -> Line {
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
        Field::MobilePhone => return typed("TEL", "cell", escape::text(text)),
        Field::BusinessHomePage => return typed("URL", "work", escape::uri(text)),
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

fn address_line(field: Field, address: &Address) -> Line {
    let parts = [
        "",
        "",
        &address.street,
        &address.city,
        &address.state,
        &address.postal_code,
        &address.country_or_region,
    ];
    let value = structured(&parts);
    match field {
        Field::BusinessAddress => typed("ADR", "work", value),
        Field::HomeAddress => typed("ADR", "home", value),
        _ => Line::new("ADR", vec![], value),
    }
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
