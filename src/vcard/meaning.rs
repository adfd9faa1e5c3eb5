//! What one line says in terms of the contact's fields (vcard-mapping 2, 4, 5).
//!
//! Only lines the service has a field for mean something; every other line is residue. Aliases of
//! other programs are understood here and nowhere else.

use std::collections::HashSet;

use jiff::civil::Date;

use super::escape::{split, unescape};
use super::line::Line;
use super::{dates, phones};
use crate::model::{Address, Email, Field, Kind};

/// What a line says. One line has one meaning; a contact is the sum of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A text field.
    Text(Field, String),
    /// Surname, given name, middle name, title, generation.
    Name([String; 5]),
    /// Company and department.
    Org([String; 2]),
    /// One e-mail slot; the name is empty when the line does not show it.
    Email(Email),
    /// One entry of a list field.
    Item(Field, String),
    /// A postal address and its post-office box.
    Address(Field, Address, String),
    /// The birthday or the anniversary.
    Day(Field, Date),
    /// All categories.
    Categories(Vec<String>),
}

/// The fields of N, in its order.
pub(super) const NAME_PARTS: [Field; 5] = [
    Field::Surname,
    Field::GivenName,
    Field::MiddleName,
    Field::Title,
    Field::Generation,
];

/// The parameter that holds the name beside an e-mail address.
pub(super) const EMAIL_NAME: &str = "X-DISPLAY-NAME";

impl Meaning {
    /// What a line says; `None` for a line without a home, or one that says nothing.
    pub(super) fn of(line: &Line) -> Option<Self> {
        let meaning = match line.name.as_str() {
            "N" => return Some(Self::Name(name_parts(line))),
            "ORG" => Self::Org(org_parts(line)),
            "NICKNAME" => Self::Text(Field::NickName, list(line).join(", ")),
            "EMAIL" => Self::Email(email(line)),
            "TEL" => phones::phone(line)?,
            "X-MS-TEL" => phones::special(line)?,
            "ADR" => address(line),
            "URL" => home_page(line)?,
            "BDAY" => Self::Day(Field::Birthday, dates::day(line)?),
            "GENDER" | "X-GENDER" => Self::Text(Field::Gender, gender(line)?.to_owned()),
            "CLASS" => Self::Text(Field::Sensitivity, class(line)?),
            "RELATED" => related(line)?,
            "X-MS-CHILD" | "X-CHILDREN" => Self::Item(Field::Children, line.text()),
            "CATEGORIES" => Self::Categories(without_doubles(&list(line))),
            name => match text_field(name) {
                Some(field) if field.kind() == Kind::Date => Self::Day(field, dates::day(line)?),
                Some(field) => Self::Text(field, line.text()),
                None => Self::Item(Field::ImAddresses, im_address(line)?),
            },
        };
        (!meaning.is_empty()).then_some(meaning)
    }

    /// What a line says whose label says what it is about: Apple's X-ABDATE and X-ABRELATEDNAMES.
    pub(super) fn labelled(line: &Line, field: Field) -> Option<Self> {
        let meaning = match (line.name.as_str(), field.kind()) {
            ("X-ABDATE", Kind::Date) => Self::Day(field, dates::day(line)?),
            ("X-ABRELATEDNAMES", Kind::List { .. }) => Self::Item(field, line.text()),
            ("X-ABRELATEDNAMES", Kind::Text) => Self::Text(field, line.text()),
            _ => return None,
        };
        (!meaning.is_empty()).then_some(meaning)
    }

    /// The field it is about, if it is about one only.
    pub(super) fn field(&self) -> Option<Field> {
        match self {
            Self::Text(field, _) | Self::Item(field, _) | Self::Day(field, _) => Some(*field),
            _ => None,
        }
    }

    /// The residue slot of a shadow of this meaning.
    pub(super) fn slot(&self) -> &'static str {
        match self {
            Self::Text(field, _)
            | Self::Item(field, _)
            | Self::Day(field, _)
            | Self::Address(field, ..) => field.name(),
            Self::Name(_) => "name",
            Self::Org(_) => "org",
            Self::Email(_) => Field::EmailAddresses.name(),
            Self::Categories(_) => Field::Categories.name(),
        }
    }

    /// Whether a user's line of this meaning may be shown for what the contact says. A name beside
    /// an e-mail address comes and goes with the service (graph-facts 1.4) and alone is no reason to
    /// give up the user's spelling.
    pub(super) fn may_show(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Email(mine), Self::Email(theirs)) if mine.name.is_empty() => {
                mine.address == theirs.address
            }
            // Which of the four a line is about is not written in it.
            (Self::Text(mine, a), Self::Text(theirs, b)) if is_user(*mine) && is_user(*theirs) => {
                a == b
            }
            _ => self == wanted,
        }
    }

    /// Whether both are about one e-mail address, whatever name is beside it.
    pub(super) fn is_same_address(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Email(a), Self::Email(b)) if a.address == b.address)
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text(_, text) | Self::Item(_, text) => text.is_empty(),
            Self::Name(parts) => parts.iter().all(String::is_empty),
            Self::Org(parts) => parts.iter().all(String::is_empty),
            Self::Email(email) => email.address.is_empty(),
            Self::Address(_, address, post_box) => {
                *address == Address::default() && post_box.is_empty()
            }
            Self::Day(..) => false,
            Self::Categories(names) => names.is_empty(),
        }
    }
}

/// Whether a field is one of Outlook's four texts of the user's own.
pub(super) fn is_user(field: Field) -> bool {
    Field::USER_FIELDS.contains(&field)
}

/// The field that a label of Apple's address book names, written `Spouse` or `_$!<Spouse>!$_`.
pub(super) fn labelled_field(label: &str) -> Option<Field> {
    let inner = label
        .strip_prefix("_$!<")
        .and_then(|label| label.strip_suffix(">!$_"));
    Some(match inner.unwrap_or(label).to_ascii_lowercase().as_str() {
        "anniversary" => Field::Anniversary,
        "assistant" => Field::AssistantName,
        "manager" => Field::Manager,
        "spouse" => Field::SpouseName,
        "child" => Field::Children,
        _ => return None,
    })
}

/// Fields that are one text or day, with the names other programs use for them.
fn text_field(name: &str) -> Option<Field> {
    Some(match name {
        "FN" => Field::DisplayName,
        "TITLE" => Field::JobTitle,
        "ROLE" | "X-KADDRESSBOOK-X-PROFESSION" => Field::Profession,
        "NOTE" => Field::PersonalNotes,
        "X-MSGRAPH-INITIALS" => Field::Initials,
        "X-MSGRAPH-FILE-AS" | "X-EVOLUTION-FILE-AS" => Field::FileAs,
        "X-MSGRAPH-OFFICE-LOCATION" | "X-KADDRESSBOOK-X-OFFICE" => Field::OfficeLocation,
        "X-PHONETIC-FIRST-NAME" => Field::YomiGivenName,
        "X-PHONETIC-LAST-NAME" => Field::YomiSurname,
        "X-PHONETIC-ORG" => Field::YomiCompanyName,
        "X-MS-ASSISTANT"
        | "X-ASSISTANT"
        | "X-EVOLUTION-ASSISTANT"
        | "X-KADDRESSBOOK-X-ASSISTANTSNAME" => Field::AssistantName,
        "X-MS-MANAGER" | "X-MANAGER" | "X-EVOLUTION-MANAGER" | "X-KADDRESSBOOK-X-MANAGERSNAME" => {
            Field::Manager
        }
        "X-MS-SPOUSE"
        | "X-SPOUSE"
        | "X-EVOLUTION-SPOUSE"
        | "X-WAB-SPOUSE"
        | "X-KADDRESSBOOK-X-SPOUSESNAME" => Field::SpouseName,
        "ANNIVERSARY"
        | "X-ANNIVERSARY"
        | "X-MS-ANNIVERSARY"
        | "X-EVOLUTION-ANNIVERSARY"
        | "X-KADDRESSBOOK-X-ANNIVERSARY"
        | "X-WAB-WEDDING" => Field::Anniversary,
        "HOBBY" | "X-MS-INTERESTS" => Field::Hobbies,
        "FBURL" => Field::FreeBusyUrl,
        // The first of four: which of them it is, the assignment says.
        "X-MS-TEXT" => Field::UserField1,
        _ => return None,
    })
}

/// Component lists are joined with a space (vcard-mapping 2); what is empty in them is nothing.
fn name_parts(line: &Line) -> [String; 5] {
    let joined = |mut names: Vec<String>| {
        names.retain(|name| !name.is_empty());
        names.join(" ")
    };
    let mut parts = components(line).map(|part| joined(decoded(part)));
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// A comma in ORG separates nothing, escaped or not.
fn org_parts(line: &Line) -> [String; 2] {
    let mut parts = components(line).map(unescape);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn email(line: &Line) -> Email {
    Email {
        address: line.text(),
        name: line.param(EMAIL_NAME).next().unwrap_or_default().to_owned(),
    }
}

/// The sex, where nothing else is said; everything else Outlook has no place for.
fn gender(line: &Line) -> Option<&'static str> {
    match line.text().to_ascii_uppercase().as_str() {
        "F" => Some("F"),
        "M" => Some("M"),
        "FEMALE" if line.name == "X-GENDER" => Some("F"),
        "MALE" if line.name == "X-GENDER" => Some("M"),
        _ => None,
    }
}

/// A sensitivity other than none. A line that says more stays as it is.
fn class(line: &Line) -> Option<String> {
    let word = line.text().to_ascii_uppercase();
    let is_plain = line.group.is_none() && line.params.is_empty();
    let is_known = matches!(word.as_str(), "PERSONAL" | "PRIVATE" | "CONFIDENTIAL");
    (is_plain && is_known).then_some(word)
}

/// Parts after the seventh have no field: a shadow keeps them. The extended address becomes the first
/// line of the street, so that Outlook shows it (vcard-mapping 4).
fn address(line: &Line) -> Meaning {
    let parts: Vec<&str> = components(line).collect();
    let list = |at: usize, joint: &str| {
        let items = parts.get(at).map(|part| decoded(part)).unwrap_or_default();
        if items.iter().all(String::is_empty) {
            String::new() // A list of nothing is nothing.
        } else {
            items.join(joint)
        }
    };
    let street = [list(1, "\n"), list(2, "\n")]
        .into_iter()
        .filter(|part| !part.is_empty());
    let address = Address {
        street: street.collect::<Vec<_>>().join("\n"),
        city: list(3, ","),
        state: list(4, ","),
        postal_code: list(5, ","),
        country_or_region: list(6, ","),
    };
    let types = line.types();
    let field = match () {
        () if types.iter().any(|kind| kind == "work") => Field::BusinessAddress,
        () if types.iter().any(|kind| kind == "home") => Field::HomeAddress,
        () => Field::OtherAddress,
    };
    Meaning::Address(field, address, list(0, ","))
}

fn home_page(line: &Line) -> Option<Meaning> {
    let types = line.types();
    let is = |kind: &str| types.iter().any(|found| found == kind);
    let field = match () {
        () if types.is_empty() || is("work") => Field::BusinessHomePage,
        () if is("home") => Field::PersonalHomePage,
        () => return None,
    };
    Some(Meaning::Text(field, line.text()))
}

/// RELATED is a URI unless it says otherwise (RFC 6350 section 6.6.6); a URI names a card, not a
/// person's name.
fn related(line: &Line) -> Option<Meaning> {
    let name = line.text();
    if line.is_value("uri") || (!line.is_value("text") && has_scheme(&name)) {
        return None;
    }
    match line.types().as_slice() {
        [kind] if kind == "spouse" => Some(Meaning::Text(Field::SpouseName, name)),
        [kind] if kind == "child" => Some(Meaning::Item(Field::Children, name)),
        _ => None,
    }
}

/// Old messenger properties become the URI of their service.
fn im_address(line: &Line) -> Option<String> {
    let scheme = match line.name.as_str() {
        "IMPP" | "X-MS-IMADDRESS" => "",
        "X-AIM" => "aim:",
        "X-ICQ" => "icq:",
        "X-JABBER" | "X-GTALK" | "X-GOOGLE-TALK" => "xmpp:",
        "X-MSN" => "msnim:",
        "X-YAHOO" => "ymsgr:",
        "X-SKYPE" | "X-SKYPE-USERNAME" => "skype:",
        "X-QQ" => "qq:",
        "X-SIP" => "sip:",
        _ => return None,
    };
    let name = line.text();
    if name.is_empty() {
        None
    } else {
        Some(scheme.to_owned() + &name)
    }
}

/// Whether the service keeps a text as an e-mail address; it takes any other without a word, and then it is gone
/// (graph-facts 1.4). What may be either is none.
pub(super) fn is_address(text: &str) -> bool {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || ",;<>()\"".contains(c);
    let is_host = |host: &str| host.split('.').all(|label| !label.is_empty());
    let is_whole = |(user, host): (&str, &str)| !user.is_empty() && is_host(host);
    text.rsplit_once('@').is_some_and(is_whole) && !text.contains(is_odd)
}

/// Whether a text begins like a URI (RFC 3986 section 3.1).
pub(super) fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    })
}

/// The non-empty items of a comma list.
pub(super) fn list(line: &Line) -> Vec<String> {
    decoded(&line.value)
        .into_iter()
        .filter(|item| !item.is_empty())
        .collect()
}

/// Each name once, in the order of first mention.
pub(super) fn without_doubles(names: &[String]) -> Vec<String> {
    let mut seen = HashSet::with_capacity(names.len());
    let is_new: Vec<bool> = names
        .iter()
        .map(|name| seen.insert(name.as_str()))
        .collect();
    names
        .iter()
        .zip(is_new)
        .filter(|(_, is_new)| *is_new)
        .map(|(name, _)| name.clone())
        .collect()
}

pub(super) fn components(line: &Line) -> impl Iterator<Item = &str> {
    split(&line.value, ';').into_iter()
}

pub(super) fn decoded(list: &str) -> Vec<String> {
    split(list, ',').into_iter().map(unescape).collect()
}
