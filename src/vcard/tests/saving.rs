//! What a save changes, and what it must not.

use super::*;

fn email(address: &str, name: &str) -> Email {
    Email {
        address: address.into(),
        name: name.into(),
    }
}

fn ada() -> Contact {
    let mut contact = Contact::default();
    contact.set_text(Field::DisplayName, "Ada Lovelace");
    contact.set_text(Field::GivenName, "Ada");
    contact.set_text(Field::FileAs, "Lovelace, Ada");
    contact.set_text(Field::Surname, "Lovelace");
    contact.set(
        Field::EmailAddresses,
        Value::Emails(vec![email("a@x", "Ada Lovelace"), email("b@x", "b@x")]),
    );
    contact
}

/// The card after a text edit of what was shown.
fn edited(card: &Card, edit: impl Fn(&str) -> String) -> Card {
    let text = String::from_utf8(render(card, Some(&id()), LF)).unwrap();
    let after = edit(&text);
    assert_ne!(after, text, "the edit does something to\n{text}");
    read(after.as_bytes(), Some((card, Some(&id()))), LF).unwrap()
}

#[test]
fn an_edit_changes_one_field() {
    let card = Card::from_server(ada(), Residue::default());
    let after = edited(&card, |text| text.replace("b@x", "c@x"));
    let patch = card.contact.patch_to(&after.contact);
    assert_eq!(
        patch.iter().map(|(field, _)| field).collect::<Vec<_>>(),
        [Field::EmailAddresses]
    );
    assert_eq!(
        after.contact.emails(),
        [email("a@x", "Ada Lovelace"), email("c@x", "")],
        "hidden names stay"
    );
    assert_eq!(
        after.contact.text(Field::FileAs),
        "Lovelace, Ada",
        "a hidden fileAs is not deleted"
    );
    assert!(after.residue.is_empty(), "the derived UID is not data");
}

#[test]
fn a_removed_line_is_removed() {
    let text = "BEGIN:VCARD\nFN:x\nNOTE:n\nX-A:1\nX-B:2\nitem1.TEL;TYPE=work:3\nEND:VCARD\n";
    let card = read(text.as_bytes(), None, LF).unwrap();
    let after = edited(&card, |text| {
        text.replace("NOTE:n\n", "")
            .replace("X-A:1\n", "")
            .replace("item1.TEL;TYPE=work:3\n", "")
    });
    assert_eq!(after.contact.iter().count(), 1);
    assert_eq!(after.residue.lines_of("-").collect::<Vec<_>>(), ["X-B:2"]);
    assert_eq!(after.residue.entries().len(), 1);
}

#[test]
fn the_next_line_moves_up_when_a_slot_is_freed_here_only() {
    let text = "BEGIN:VCARD\nFN:x\nNOTE:first\nNOTE:second\nEND:VCARD\n";
    let card = read(text.as_bytes(), None, LF).unwrap();
    let after = edited(&card, |text| text.replace("NOTE:first\n", ""));
    assert_eq!(after.contact.text(Field::PersonalNotes), "second");
    assert!(after.residue.is_empty());

    let mut theirs = card.contact.clone();
    theirs.set_text(Field::PersonalNotes, "");
    let theirs = Card::from_server(theirs, card.residue);
    let after = edited(&theirs, |text| text.replace("FN:x", "FN:y"));
    assert_eq!(
        after.contact.text(Field::PersonalNotes),
        "",
        "freed by the service"
    );
}

#[test]
fn a_made_up_name_is_not_data_until_it_is_changed() {
    let mut contact = Contact::default();
    contact.set_text(Field::CompanyName, "Mill");
    let card = Card::from_server(contact, Residue::default());
    let after = edited(&card, |text| text.replace("ORG:Mill", "ORG:Mill;Grain"));
    assert_eq!(after.contact.text(Field::DisplayName), "");
    let after = edited(&card, |text| text.replace("FN:Mill", "FN:The Mill"));
    assert_eq!(after.contact.text(Field::DisplayName), "The Mill");
}

#[test]
fn an_invented_given_name_is_never_shown() {
    let text = "BEGIN:VCARD\nFN:Mill\nORG:Mill\nEND:VCARD\n";
    let card = read(text.as_bytes(), None, LF).unwrap();
    let (sent, residue) = card.for_create();
    assert_eq!(sent.text(Field::GivenName), "Mill");
    let residue = Residue::decode(&residue).unwrap();
    let server = Card::from_server(sent.clone(), residue.clone());
    assert_eq!(server.contact, card.contact);

    let mut renamed = sent;
    renamed.set_text(Field::GivenName, "Milly");
    let renamed = Card::from_server(renamed, residue);
    assert_eq!(
        renamed.contact.text(Field::GivenName),
        "Milly",
        "given elsewhere"
    );
    assert!(renamed.residue.is_empty());

    let after = edited(&server, |text| text.replace("N:;;;;", "N:;Mill;;;"));
    let stored = Card::from_server(after.contact.clone(), after.residue);
    assert_eq!(
        stored.contact.text(Field::GivenName),
        "Mill",
        "given by the user, though it is the same"
    );
}

#[test]
fn names_for_a_create() {
    let given = |body: &str| {
        let text = format!("BEGIN:VCARD\n{body}\nEND:VCARD\n");
        let card = read(text.as_bytes(), None, LF).unwrap();
        card.for_create().0.text(Field::GivenName).to_owned()
    };
    assert_eq!(given("FN:Full\nN:;Given;;;"), "Given");
    assert_eq!(given("FN:Full\nORG:Org"), "Full");
    assert_eq!(given("ORG:Org\nEMAIL:e@x"), "Org");
    assert_eq!(given("EMAIL:e@x\nTEL;TYPE=work:1"), "e@x");
    assert_eq!(given("TEL;TYPE=cell:1"), "1");
    assert_eq!(given("TEL:1"), "1");
    assert_eq!(given("TEL;TYPE=work,fax:1"), "1");
    assert_eq!(given("TEL;TYPE=bbs:1"), "Unnamed");
}

#[test]
fn uids() {
    let text = "BEGIN:VCARD\nFN:x\nX-A:1\nUID:mine\nEND:VCARD\n";
    let card = read(text.as_bytes(), None, LF).unwrap();
    assert_eq!(card.uid().as_deref(), Some("mine"));
    let copy = card.without_uid();
    assert_eq!(copy.uid(), None);
    let shown = |card: &Card| String::from_utf8(render(card, Some(&id()), LF)).unwrap();
    assert!(shown(&card).contains("\nUID:mine\nFN:x\n"));
    assert!(shown(&copy).contains(&format!("\nUID:{}\nFN:x\n", derived_uid(&id()))));
    assert_eq!(
        derived_uid(&id()),
        "urn:uuid:a94c787a-446d-582b-90fb-39ba36d609e1",
        "for ever"
    );
    assert!(
        !String::from_utf8(render(&copy, None, LF))
            .unwrap()
            .contains("UID")
    );
}

#[test]
fn the_file_name_is_remembered_and_never_a_line() {
    let mut card = Card::from_server(ada(), Residue::default());
    card.set_file_name_hint(Some("countess.vcf"));
    assert_eq!(
        Residue::decode(&card.residue.encode()).unwrap(),
        card.residue
    );
    let after = edited(&card, |text| text.replace("FN:Ada Lovelace", "FN:Ada"));
    assert_eq!(after.file_name_hint(), Some("countess.vcf"));
    assert!(
        !String::from_utf8(render(&card, None, LF))
            .unwrap()
            .contains("countess")
    );
    card.set_file_name_hint(None);
    assert!(card.residue.is_empty());
}

#[test]
fn the_invented_parts_of_a_contact_are_not_shown() {
    let text = String::from_utf8(render(
        &Card::from_server(ada(), Residue::default()),
        None,
        LF,
    ))
    .unwrap();
    assert!(
        !text.contains("X-MSGRAPH-FILE-AS") && !text.contains("X-DISPLAY-NAME"),
        "{text}"
    );
}

#[test]
fn residue_of_a_newer_program_is_carried() {
    let body = "future/slot\tsomething";
    let text = format!("1 1 {:08x}\n{body}", crc32fast::hash(body.as_bytes()));
    let residue = Residue::decode(&ResidueText::new(text.clone())).unwrap();
    let card = Card::from_server(ada(), residue);
    let after = edited(&card, |text| text.replace("FN:Ada Lovelace", "FN:Ada"));
    assert_eq!(after.residue.encode().as_str(), text);
}

/// Somebody else may have written there what is no line of a card: it is not shown, and not lost.
#[test]
fn what_is_no_line_is_carried_and_never_shown() {
    let body = "-\tEND:VCARD\n-\tno colon\n-\tKIND:group\n-\tX-GOOD:1\n-\tbegin:vcard\n-\tX:\u{7}\n-\tREV:1\n-\tX;ENCODING=QUOTED-PRINTABLE:=FC\n-\t\nphoto\tPHOTO;X-A=1:";
    let text = format!("1 10 {:08x}\n{body}", crc32fast::hash(body.as_bytes()));
    let residue = Residue::decode(&ResidueText::new(text)).unwrap();
    let card = Card::from_server(ada(), residue);
    let shown = render(&card, None, LF);
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(again(&card, LF), card);
    assert!(shown.contains("X-GOOD:1\nEND:VCARD\n"), "{shown}");
    assert!(!shown.contains("no colon"), "{shown}");
    let after = edited(&card, |text| text.replace("FN:Ada Lovelace", "FN:Ada"));
    let kept = after.residue.encode();
    for odd in [
        "END:VCARD",
        "no colon",
        "KIND:group",
        "begin:vcard",
        "X:\u{7}",
    ] {
        assert!(kept.as_str().contains(&format!("odd\t{odd}")), "{kept:?}");
    }
}

/// An address that is there twice keeps the order that its spellings make.
#[test]
fn equal_addresses_keep_their_order() {
    let twice = "EMAIL;PREF=1:a@x.example\nEMAIL;PREF=1:a@x.example\nEMAIL;PREF=5:b@x.example";
    let text = format!("BEGIN:VCARD\nFN:x\n{twice}\nEND:VCARD\n");
    let card = read(text.as_bytes(), None, LF).unwrap();
    assert_eq!(again(&card, LF), card);
    // Nobody spelled them: they are as we write them.
    let card = Card::from_server(card.contact, Residue::default());
    assert_eq!(again(&card, LF), card);
}

/// What other machines hold in a field is shown beside an equal line that was kept.
#[test]
fn of_two_equal_lines_one_is_the_fields() {
    let lines = "TEL;TYPE=work:1\nTEL;TYPE=work:2\nTEL;TYPE=work:3\nEMAIL:odd";
    let text = format!("BEGIN:VCARD\nFN:x\n{lines}\nEND:VCARD\n");
    let card = read(text.as_bytes(), None, LF).unwrap();
    let mut theirs = card.contact.clone();
    theirs.set(Field::BusinessPhones, Value::List(vec!["3".to_owned()]));
    let odd = Email {
        address: "odd".to_owned(),
        name: String::new(),
    };
    theirs.set(Field::EmailAddresses, Value::Emails(vec![odd]));
    let server = Card::from_server(theirs, card.residue);
    assert_eq!(again(&server, LF), server);
    let less = edited(&server, |text| text.replacen("TEL;TYPE=work:3\n", "", 1));
    assert_eq!(
        less.contact, server.contact,
        "what was removed is the double"
    );
}

#[test]
fn a_line_of_ours_that_is_doubled_is_the_users() {
    let card = Card::from_server(ada(), Residue::default());
    let (one, two) = ("EMAIL;PREF=1:a@x\n", "EMAIL;PREF=1:a@x\nEMAIL;PREF=1:a@x\n");
    let after = edited(&card, |text| text.replace(one, two));
    let text = String::from_utf8(render(&after, Some(&id()), LF)).unwrap();
    assert!(text.contains(two), "{text}");
}

#[test]
fn an_order_of_addresses_made_elsewhere_outlasts_another_edit() {
    let text = "BEGIN:VCARD\nFN:x\nEMAIL;TYPE=home;PREF=1:a@x\nEMAIL;TYPE=work;PREF=2:b@x\nNOTE:n\nEND:VCARD\n";
    let card = read(text.as_bytes(), None, LF).unwrap();
    for turned in [["b@x", "a@x"], ["a@x", "b@x"]] {
        let turned = turned.map(|address| email(address, address)).to_vec();
        let mut contact = card.contact.clone();
        contact.set(Field::EmailAddresses, Value::Emails(turned));
        let card = Card::from_server(contact, card.residue.clone());
        let text = String::from_utf8(render(&card, Some(&id()), LF)).unwrap();
        let same = read(text.as_bytes(), Some((&card, Some(&id()))), LF).unwrap();
        assert_eq!(same, card, "{text}");
        let after = edited(&card, |text| text.replace("NOTE:n", "NOTE:m"));
        let patch = card.contact.patch_to(&after.contact);
        let fields: Vec<_> = patch.iter().map(|(field, _)| field).collect();
        assert_eq!(fields, [Field::PersonalNotes]);
        assert_eq!(after.residue, card.residue);
        assert!(
            text.contains("TYPE=home") && text.contains("TYPE=work"),
            "{text}"
        );
    }
}
