//! The laws of the three-way merge, and what it makes of what people do.

use super::*;

/// A card with one work number, one mobile number and a title.
const BASE: &str =
    "FN:Ada\nN:Byron;Ada;;;\nTITLE:Analyst\nTEL;TYPE=work:1\nTEL;TYPE=cell:5\nNOTE:n\nX-FOO:a\n";

fn card(lines: &str) -> Card {
    let text = format!("BEGIN:VCARD\nVERSION:4.0\n{lines}END:VCARD\n");
    read(text.as_bytes(), None, LF).unwrap()
}

/// Both edits of [`BASE`] merged, as the lines of the card between UID and end, and what clashes.
#[track_caller]
fn merged(ours: impl Fn(&str) -> String, theirs: impl Fn(&str) -> String) -> (String, Vec<String>) {
    let [base, ours, theirs] = [BASE.to_owned(), ours(BASE), theirs(BASE)].map(|text| card(&text));
    let merged = merge(&base, &ours, &theirs, Prefer::Theirs);
    let mirrored = merge(&base, &theirs, &ours, Prefer::Ours);
    assert_eq!(merged.clashes, mirrored.clashes);
    assert_eq!(again(&merged.card, LF), merged.card);
    let text = String::from_utf8(render(&merged.card, None, LF)).unwrap();
    let text = text
        .replace("BEGIN:VCARD\nVERSION:4.0\n", "")
        .replace("END:VCARD\n", "");
    (text, merged.clashes)
}

fn with(old: &str, new: &str) -> impl Fn(&str) -> String {
    let (old, new) = (old.to_owned(), new.to_owned());
    move |text| {
        assert!(text.contains(&old), "{text}");
        text.replace(&old, &new)
    }
}

#[test]
fn different_properties_are_both_kept() {
    let (text, clashes) = merged(
        with("TITLE:Analyst", "TITLE:Poet"),
        with("TEL;TYPE=cell:5", "TEL;TYPE=cell:6"),
    );
    assert_eq!(
        text,
        BASE.replace("Analyst", "Poet").replace("cell:5", "cell:6")
    );
    assert_eq!(clashes, [""; 0]);
}

#[test]
fn one_property_changed_on_both_sides_clashes_and_the_rest_is_merged() {
    let ours = |text: &str| with("cell:5", "cell:6")(&with("NOTE:n", "NOTE:m")(text));
    let (text, clashes) = merged(ours, with("cell:5", "cell:7"));
    assert_eq!(
        text,
        BASE.replace("cell:5", "cell:7").replace("NOTE:n", "NOTE:m")
    );
    assert_eq!(clashes, ["TEL cell"]);
}

#[test]
fn what_is_deleted_here_and_changed_there_clashes() {
    let (text, clashes) = merged(with("TITLE:Analyst\n", ""), with("Analyst", "Poet"));
    assert_eq!(text, BASE.replace("Analyst", "Poet"));
    assert_eq!(clashes, ["TITLE"]);
}

#[test]
fn different_numbers_added_are_both_kept_beyond_what_the_service_takes() {
    let ours = with("TEL;TYPE=work:1\n", "TEL;TYPE=work:1\nTEL;TYPE=work:2\n");
    let theirs = with("TEL;TYPE=work:1\n", "TEL;TYPE=work:1\nTEL;TYPE=work:3\n");
    let (text, clashes) = merged(ours, theirs);
    let expected = BASE
        .replace("work:1\n", "work:1\nTEL;TYPE=work:3\n")
        .replace("X-FOO", "TEL;TYPE=work:2\nX-FOO");
    assert_eq!((text, clashes), (expected, vec![]));
}

#[test]
fn the_same_number_replaced_by_two_others_clashes() {
    let (text, clashes) = merged(with("work:1", "work:2"), with("work:1", "work:3"));
    assert_eq!(text, BASE.replace("work:1", "work:3"));
    assert_eq!(clashes, ["TEL work"]);
    let (text, clashes) = merged(with("work:1", "work:2"), with("TEL;TYPE=work:1\n", ""));
    assert_eq!((text, clashes), (BASE.replace("work:1", "work:2"), vec![]));
}

#[test]
fn parts_of_a_name_merge_and_a_name_in_a_users_own_spelling_is_whole() {
    let (text, clashes) = merged(
        with("N:Byron;Ada;", "N:King;Ada;"),
        with("N:Byron;Ada;", "N:Byron;Augusta;"),
    );
    assert_eq!(text, BASE.replace("N:Byron;Ada;", "N:King;Augusta;"));
    assert_eq!(clashes, [""; 0]);
    let ours = with("N:Byron;Ada;", "N;SORT-AS=\"x\":Byron;Ada;");
    let (text, clashes) = merged(ours, with("N:Byron;Ada;", "N:Byron;Augusta;"));
    assert_eq!(text, BASE.replace("Byron;Ada", "Byron;Augusta"));
    assert_eq!(clashes, ["N"]);
}

#[test]
fn an_address_is_not_made_up_of_two() {
    let base = |street: &str, city: &str, code: &str| {
        card(&format!("FN:a\nADR;TYPE=work:;;{street};{city};;{code};\n"))
    };
    let was = base("Weg 1", "Bonn", "1");
    let both = merge(
        &was,
        &base("Weg 1", "Bonn", "2"),
        &base("Weg 1a", "Bonn", "1"),
        Prefer::Theirs,
    );
    assert_eq!(
        (both.card, both.clashes),
        (base("Weg 1a", "Bonn", "2"), vec![])
    );
    let moved = base("Ufer 7", "Kiel", "9");
    let fixed = base("Weg 1a", "Bonn", "1");
    let clash = merge(&was, &moved, &fixed, Prefer::Theirs);
    assert_eq!(
        (clash.card, clash.clashes),
        (fixed.clone(), vec!["ADR work".to_owned()])
    );
    assert_eq!(merge(&was, &moved, &fixed, Prefer::Ours).card, moved);
}

#[test]
fn lines_without_a_field_merge_one_by_one() {
    let (text, clashes) = merged(
        |text| format!("{text}X-BAR:1\n"),
        |text| format!("{text}X-BAR:2\n"),
    );
    assert_eq!(
        (text, clashes),
        (format!("{BASE}X-BAR:1\nX-BAR:2\n"), vec![])
    );
    let (text, clashes) = merged(with("X-FOO:a", "X-FOO:b"), with("X-FOO:a", "X-FOO:c"));
    assert_eq!(text, BASE.replace("X-FOO:a", "X-FOO:c"));
    assert_eq!(clashes, ["X-FOO"]);
}

#[test]
fn a_name_the_service_invents_beside_an_address_is_no_clash() {
    let (base, mut ours, mut theirs) = (
        card("FN:a\nEMAIL:a@x\n"),
        card("FN:a\nEMAIL:a@x\nEMAIL:b@x\n"),
        card("FN:a\nEMAIL:a@x\n"),
    );
    let email = |address: &str, name: &str| Email {
        address: address.into(),
        name: name.into(),
    };
    theirs.contact.set(
        Field::EmailAddresses,
        Value::Emails(vec![email("a@x", "a (a@x)")]),
    );
    let both = merge(&base, &ours, &theirs, Prefer::Theirs);
    ours.contact.set(
        Field::EmailAddresses,
        Value::Emails(vec![email("a@x", "a (a@x)"), email("b@x", "")]),
    );
    assert_eq!((both.card, both.clashes), (ours, vec![]));
}

#[test]
fn an_invented_given_name_stays_hidden() {
    let base = card("ORG:x\n");
    let (contact, residue) = base.for_create();
    let server = |title: &str| {
        let mut contact = contact.clone();
        contact.set_text(Field::JobTitle, title);
        Card::from_server(contact, Residue::decode(&residue).unwrap())
    };
    let mut ours = server("a");
    ours.contact.set_text(Field::PersonalNotes, "n");
    let both = merge(&server("a"), &ours, &server("b"), Prefer::Theirs);
    let mut expected = server("b");
    expected.contact.set_text(Field::PersonalNotes, "n");
    assert_eq!((both.card, both.clashes), (expected, vec![]));
}

/// Some fields of one contact, the others of another.
fn mixed(base: &Contact, other: &Contact, fields: &[prop::sample::Index]) -> Contact {
    let mut mixed = base.clone();
    for field in fields.iter().map(|at| *at.get(Field::ALL)) {
        let value = other.get(field).cloned();
        mixed.set(field, value.unwrap_or(Value::Text(String::new())));
    }
    mixed
}

fn some() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..6)
}

fn items(card: &Card, field: Field) -> Vec<String> {
    let emails = card
        .contact
        .emails()
        .iter()
        .map(|email| email.address.clone());
    let emails = emails.filter(|_| field.kind() == Kind::Emails);
    emails
        .chain(card.contact.list(field).iter().cloned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_keeps_what_one_side_changed(a in file(), b in file(), prefer in prop_oneof![Just(Prefer::Ours), Just(Prefer::Theirs)]) {
        let [a, b] = [a, b].map(|file| read(file.as_bytes(), None, LF).unwrap());
        for (base, ours, theirs, expected) in [(&a, &b, &a, &b), (&a, &a, &b, &b), (&a, &b, &b, &b)] {
            let merged = merge(base, ours, theirs, prefer);
            prop_assert_eq!((&merged.card, merged.clashes.len()), (expected, 0));
        }
    }

    #[test]
    fn a_merged_card_is_a_card(base in file(), ours in file(), theirs in file()) {
        let [base, ours, theirs] = [base, ours, theirs].map(|file| read(file.as_bytes(), None, LF).unwrap());
        let merged = merge(&base, &ours, &theirs, Prefer::Theirs);
        prop_assert_eq!(&again(&merged.card, LF), &merged.card);
        let mirrored = merge(&base, &theirs, &ours, Prefer::Ours);
        prop_assert_eq!(merged.clashes, mirrored.clashes);
        let once_more = merge(&theirs, &merged.card, &theirs, Prefer::Theirs);
        prop_assert_eq!(once_more.card, merged.card, "sent and come back");
    }

    #[test]
    fn disjoint_edits_are_both_kept(base in contact(), ours in contact(), theirs in contact(), here in some(), there in some()) {
        let there: Vec<_> = there.into_iter().filter(|a| !here.iter().any(|b| a.get(Field::ALL) == b.get(Field::ALL))).collect();
        let both = mixed(&mixed(&base, &ours, &here), &theirs, &there);
        let [base, ours, theirs, both] = [base.clone(), mixed(&base, &ours, &here), mixed(&base, &theirs, &there), both]
            .map(|contact| Card::from_server(contact, Residue::default()));
        for prefer in [Prefer::Ours, Prefer::Theirs] {
            let merged = merge(&base, &ours, &theirs, prefer);
            prop_assert_eq!((&merged.card, merged.clashes.len()), (&both, 0));
        }
    }

    #[test]
    fn a_clash_ends_as_the_preferred_side_says(base in contact(), ours in contact(), theirs in contact(), at in some()) {
        let [base, ours, theirs] = [base.clone(), mixed(&base, &ours, &at), mixed(&base, &theirs, &at)]
            .map(|contact| Card::from_server(contact, Residue::default()));
        let single = |field: &&Field| !matches!(field.kind(), Kind::List { .. } | Kind::Emails | Kind::Address);
        for prefer in [Prefer::Ours, Prefer::Theirs] {
            let merged = merge(&base, &ours, &theirs, prefer);
            for &field in Field::ALL.iter().filter(single) {
                let [was, our, their, is] = [&base, &ours, &theirs, &merged.card].map(|card| card.contact.get(field));
                let expected = if our == was { their } else if their == was || prefer == Prefer::Ours { our } else { their };
                prop_assert_eq!(is, expected);
            }
        }
    }

    #[test]
    fn no_element_that_one_side_added_is_lost(base in vec("[a-c]", 0..2), ours in vec("[d-g]", 0..2), theirs in vec("[d-g]", 0..2), field in 0usize..4) {
        let field = [Field::BusinessPhones, Field::ImAddresses, Field::Children, Field::Categories][field];
        let with = |added: &[String]| {
            let mut contact = Contact::default();
            let items = [base.as_slice(), added].concat();
            contact.set(field, Value::List(items));
            Card::from_server(contact, Residue::default())
        };
        let merged = merge(&with(&[]), &with(&ours), &with(&theirs), Prefer::Theirs);
        prop_assert_eq!(merged.clashes.len(), 0);
        let text = String::from_utf8(render(&merged.card, None, LF)).unwrap();
        for item in base.iter().chain(&ours).chain(&theirs) {
            let is_field = items(&merged.card, field).contains(item);
            prop_assert!(is_field || text.contains(&format!(":{item}\n")), "{} in\n{}", item, text);
        }
        let Kind::List { max } = field.kind() else { unreachable!() };
        prop_assert!(items(&merged.card, field).len() <= max);
    }
}
