//! A contact as the ordered meanings its canonical card has (vcard-mapping 7).

use super::line::Line;
use super::meaning::{Meaning, NAME_PARTS};
use super::settle::any_name;
use crate::model::{Contact, Email, Field};

/// Shown as FN when a contact has no name of any kind.
const NO_NAME: &str = "(no name)";
/// What is sent when nothing at all names a person: the service wants a name, and would make one of the given name.
pub(super) const NAMELESS: &str = "Unnamed";

/// Every meaning of a contact in the order of the canonical card. FN and N are always there.
pub(super) fn slots(contact: &Contact) -> Vec<Meaning> {
    use Field as F;
    let mut slots = vec![
        Meaning::Text(F::DisplayName, shown_name(contact)),
        name(contact),
    ];
    texts(
        &mut slots,
        contact,
        &[
            F::NickName,
            F::YomiGivenName,
            F::YomiSurname,
            F::YomiCompanyName,
        ],
    );
    slots.extend(org(contact));
    texts(&mut slots, contact, &[F::JobTitle, F::Profession]);
    slots.extend(contact.emails().iter().cloned().map(Meaning::Email));
    items(&mut slots, contact, F::BusinessPhones);
    items(&mut slots, contact, F::HomePhones);
    texts(
        &mut slots,
        contact,
        &[
            F::MobilePhone,
            F::BusinessFax,
            F::HomeFax,
            F::OtherFax,
            F::Pager,
            F::OtherPhone,
            F::CarPhone,
            F::PrimaryPhone,
            F::IsdnNumber,
            F::TelexNumber,
            F::TextPhone,
            F::AssistantPhone,
            F::CompanyPhone,
            F::CallbackPhone,
            F::RadioPhone,
        ],
    );
    items(&mut slots, contact, F::ImAddresses);
    for field in [F::BusinessAddress, F::HomeAddress, F::OtherAddress] {
        slots.extend(address(contact, field));
    }
    texts(
        &mut slots,
        contact,
        &[
            F::MailingAddress,
            F::BusinessHomePage,
            F::PersonalHomePage,
            F::FreeBusyUrl,
        ],
    );
    for field in [F::Birthday, F::Anniversary] {
        slots.extend(contact.day(field).map(|day| Meaning::Day(field, day)));
    }
    texts(&mut slots, contact, &[F::Gender, F::SpouseName]);
    items(&mut slots, contact, F::Children);
    texts(
        &mut slots,
        contact,
        &[
            F::Manager,
            F::AssistantName,
            F::Initials,
            F::FileAs,
            F::OfficeLocation,
            F::Hobbies,
        ],
    );
    texts(&mut slots, contact, &F::USER_FIELDS);
    texts(&mut slots, contact, &[F::Sensitivity]);
    let categories = contact.list(F::Categories);
    slots.extend((!categories.is_empty()).then(|| Meaning::Categories(categories.to_vec())));
    texts(&mut slots, contact, &[F::PersonalNotes]);
    slots
}

/// The name shown as FN: the contact's own, or one made up because vCard demands one.
pub(super) fn shown_name(contact: &Contact) -> String {
    let own = contact.text(Field::DisplayName);
    if own.is_empty() {
        made_up_name(contact)
    } else {
        own.to_owned()
    }
}

/// An FN for a contact without a display name. It is never written back (vcard-mapping D10).
pub(super) fn made_up_name(contact: &Contact) -> String {
    let parts = [
        Field::GivenName,
        Field::MiddleName,
        Field::Surname,
        Field::Generation,
    ];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|part| contact.text(part))
        .filter(|part| !part.is_empty())
        .collect();
    if parts.is_empty() {
        any_name(contact).unwrap_or(NO_NAME).to_owned()
    } else {
        parts.join(" ")
    }
}

/// The name that a contact without one of its own gets at the service: what the rest of it makes, or a word for that
/// there is nothing.
pub(super) fn composed_name(contact: &Contact) -> String {
    let mut rest = contact.clone();
    rest.set_text(Field::DisplayName, "");
    match made_up_name(&rest) {
        name if name == NO_NAME => NAMELESS.to_owned(),
        name => name,
    }
}

/// Whether the name beside an e-mail address is more than the service's invention: one that only
/// repeats the address or the person is not shown (graph-facts 1.4).
pub(super) fn shows_email_name(contact: &Contact, email: &Email) -> bool {
    let (person, name) = (contact.text(Field::DisplayName), &email.name);
    let repeats = *name == email.address
        || name == person
        || *name == format!("{person} ({})", email.address);
    // vcard-rs finds this token inside quotes too, and would join the next line to a value ending in `=`.
    let is_trap = name.to_ascii_uppercase().contains("QUOTED-PRINTABLE");
    !name.is_empty() && !repeats && !is_trap
}

/// Whether `fileAs` is none of the forms Outlook makes by itself (vcard-mapping 2).
pub(super) fn shows_file_as(contact: &Contact) -> bool {
    let text = |field| contact.text(field);
    let (given, middle, surname) = (
        text(Field::GivenName),
        text(Field::MiddleName),
        text(Field::Surname),
    );
    let joined = |parts: &[&str], joint: &str| {
        let parts: Vec<&str> = parts
            .iter()
            .copied()
            .filter(|part| !part.is_empty())
            .collect();
        parts.join(joint)
    };
    let usual = [
        shown_name(contact),
        joined(&[surname, given], ", "),
        joined(&[surname, &joined(&[given, middle], " ")], ", "),
        joined(&[given, surname], " "),
        text(Field::CompanyName).to_owned(),
    ];
    !usual.iter().any(|form| form == text(Field::FileAs))
}

/// The line of 3.0 that says which address Outlook takes for letters, by its number there.
pub(super) fn mailing_line(word: &str) -> Line {
    let number = match word {
        "HOME" => "1",
        "WORK" => "2",
        _ => "3",
    };
    Line::new("X-MS-OL-DEFAULT-POSTAL-ADDRESS", vec![], number.to_owned())
}

fn address(contact: &Contact, field: Field) -> Option<Meaning> {
    let post_box = field.post_box().map_or("", |field| contact.text(field));
    match contact.address(field) {
        None if post_box.is_empty() => None,
        address => {
            let address = address.cloned().unwrap_or_default();
            Some(Meaning::Address(field, address, post_box.to_owned()))
        }
    }
}

fn name(contact: &Contact) -> Meaning {
    Meaning::Name(NAME_PARTS.map(|part| contact.text(part).to_owned()))
}

fn org(contact: &Contact) -> Option<Meaning> {
    let parts = [Field::CompanyName, Field::Department].map(|part| contact.text(part).to_owned());
    parts
        .iter()
        .any(|part| !part.is_empty())
        .then_some(Meaning::Org(parts))
}

fn texts(slots: &mut Vec<Meaning>, contact: &Contact, fields: &[Field]) {
    let set = fields
        .iter()
        .map(|field| (*field, contact.text(*field)))
        .filter(|(_, text)| !text.is_empty());
    slots.extend(set.map(|(field, text)| Meaning::Text(field, text.to_owned())));
}

fn items(slots: &mut Vec<Meaning>, contact: &Contact, field: Field) {
    slots.extend(
        contact
            .list(field)
            .iter()
            .map(|item| Meaning::Item(field, item.clone())),
    );
}
