//! Any number of believable people, the same for the same seed.

use serde_json::{Value, json};

use super::super::contact_rules::Writing;
use super::super::ids::{Number, mix};
use super::super::mailbox::{DEFAULT_FOLDER, Mailbox, Origin};

const GIVEN: &[&str] = &[
    "Amelie", "Bilal", "Carmen", "Dmitri", "Esther", "Fatima", "Gunnar", "Hanna", "Imre", "Jasmin",
    "Kofi", "Linnea", "Mateo", "Nadia", "Olga", "Pascal", "Quentin", "Rosa", "Siobhán", "Tomasz",
    "Ulrike", "Viktor", "Wanjiru", "Xenia", "Yusuf", "Zoë",
];
const MIDDLE: &[&str] = &[
    "Anne", "Bruno", "Clara", "David", "Elias", "Frida", "Ines", "Jonas",
];
const FAMILY: &[&str] = &[
    "Abebe",
    "Bianchi",
    "Castellanos",
    "Dahl",
    "Eriksson",
    "Fontaine",
    "Grzybowski",
    "Hakimi",
    "Ivanova",
    "Jansen",
    "Kowalczyk",
    "Lindqvist",
    "Møller",
    "Nakamura",
    "O'Sullivan",
    "Petrović",
    "Quispe",
    "Rossi",
    "Schäfer",
    "Tanaka",
    "Urbanek",
    "Vermeulen",
    "Wójcik",
    "Yamamoto",
    "Zhang",
    "Östlund",
];
const COMPANY: &[&str] = &[
    "Nordlicht Logistik",
    "Atelier Mirabel",
    "Harbour & Finch",
    "Tramontana Foods",
    "Kestrel Instruments",
    "Polder Engineering",
    "Bluebell Clinics",
    "Sorella Textiles",
    "Granite Peak Media",
    "Linden Publishing",
];
const JOB: &[&str] = &[
    "Accountant",
    "Buyer",
    "Designer",
    "Engineer",
    "Librarian",
    "Nurse",
    "Planner",
    "Surveyor",
    "Teacher",
    "Translator",
];
const DEPARTMENT: &[&str] = &[
    "Finance",
    "Field Service",
    "Research",
    "Sales",
    "Operations",
];
const STREET: &[&str] = &[
    "Mill Lane",
    "Lindenstraße",
    "Rue des Tanneurs",
    "Via Garibaldi",
    "Storgata",
    "Calle Mayor",
    "Harbour Road",
];
const CITY: &[(&str, &str)] = &[
    ("Bergen", "Norway"),
    ("Lyon", "France"),
    ("Graz", "Austria"),
    ("Leeds", "United Kingdom"),
    ("Valencia", "Spain"),
    ("Torino", "Italy"),
    ("Utrecht", "Netherlands"),
    ("Poznań", "Poland"),
];
const NOTE: &[&str] = &[
    "Met at the spring fair.",
    "Prefers to be called in the morning.",
    "Speaks three languages.",
    "Asked for the catalogue in June.",
    "Knows the way to the old boathouse.",
    "Has the spare key.",
    "Send invoices by post.",
    "Birthday card every year.",
    "Recommended by the neighbours.",
    "Back from leave in autumn.",
];
const CATEGORY: &[&str] = &["Choir", "Neighbours", "Work"];

/// Adds people, spread over this many new folders, or in the default folder if there are none.
pub(in super::super) fn generate(mailbox: &mut Mailbox, people: usize, folders: usize) {
    let homes: Vec<Number> = (1..=folders)
        .map(|folder| mailbox.create_folder(Some(DEFAULT_FOLDER), &format!("Group {folder}")))
        .collect();
    for index in 0..people {
        let mut dice = Dice {
            state: mix(mailbox.seed, index as u64),
        };
        let home = index
            .checked_rem(homes.len())
            .and_then(|place| homes.get(place))
            .copied()
            .unwrap_or(DEFAULT_FOLDER);
        let origin = if dice.once_in(3) {
            Origin::Outlook
        } else {
            Origin::Api
        };
        mailbox.create_contact(home, origin, person(&mut dice, index));
    }
}

fn person(dice: &mut Dice, index: usize) -> Writing {
    let mut writing = Writing::default();
    let (given, family) = (dice.pick(GIVEN), dice.pick(FAMILY));
    let middle = if dice.once_in(3) {
        dice.pick(MIDDLE)
    } else {
        ""
    };
    // The number keeps names apart: a directory holds each once, and clashes are the business of the sample.
    let surname = format!("{family}-{}", index + 1);
    let display: Vec<&str> = [given, middle, &surname]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    let mut set = |name: &str, value: Value| writing.properties.set(name, value);
    set("givenName", json!(given));
    set("middleName", json!(middle));
    set("surname", json!(surname));
    set("displayName", json!(display.join(" ")));
    set("fileAs", json!(format!("{surname}, {given}")));
    set("emailAddresses", emails(dice, index));
    set("mobilePhone", json!(phone(dice)));
    set(
        "businessPhones",
        (0..dice.below(3)).map(|_| json!(phone(dice))).collect(),
    );
    set("homeAddress", address(dice));
    if dice.once_in(2) {
        set("companyName", json!(dice.pick(COMPANY)));
        set("department", json!(dice.pick(DEPARTMENT)));
        set("jobTitle", json!(dice.pick(JOB)));
        set("businessAddress", address(dice));
    }
    if dice.once_in(3) {
        let (year, month, day) = (
            1940 + dice.below(70),
            1 + dice.below(12),
            1 + dice.below(28),
        );
        set(
            "birthday",
            json!(format!("{year}-{month:02}-{day:02}T11:59:00Z")),
        );
    }
    if dice.once_in(4) {
        set("categories", json!([dice.pick(CATEGORY)]));
    }
    set("personalNotes", json!(notes(dice)));
    writing
}

fn emails(dice: &mut Dice, index: usize) -> Value {
    let local = format!("person{}", index + 1);
    let slots = (0..=dice.below(2)).map(|slot| {
        let address = format!(
            "{local}@{}.example",
            ["mail", "office", "post"].get(slot).unwrap_or(&"mail")
        );
        json!({"address": address, "name": address})
    });
    slots.collect()
}

fn phone(dice: &mut Dice) -> String {
    format!(
        "+{} {} {:06}",
        30 + dice.below(60),
        10 + dice.below(90),
        dice.below(1_000_000)
    )
}

fn address(dice: &mut Dice) -> Value {
    let (city, country) = CITY
        .get(dice.below(CITY.len()))
        .copied()
        .unwrap_or_default();
    let (street, house, code) = (
        dice.pick(STREET),
        1 + dice.below(120),
        1000 + dice.below(90_000),
    );
    json!({"street": format!("{street} {house}"), "city": city, "postalCode": code.to_string(), "countryOrRegion": country})
}

fn notes(dice: &mut Dice) -> String {
    let sentences = dice.below(14);
    (0..sentences)
        .map(|_| dice.pick(NOTE))
        .collect::<Vec<_>>()
        .join(if dice.once_in(3) { "\n" } else { " " })
}

/// A repeatable stream of choices.
struct Dice {
    state: u64,
}

impl Dice {
    /// A number from 0 up to but not including the limit.
    fn below(&mut self, limit: usize) -> usize {
        self.state = mix(self.state, 1);
        usize::try_from(self.state >> 11)
            .unwrap_or(0)
            .checked_rem(limit)
            .unwrap_or(0)
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from.get(self.below(from.len()))
            .copied()
            .unwrap_or_default()
    }
}
