//! Which line is which field, and the canonical text.

use jiff::civil::Date;

use super::*;

const FULL: &str = "\
BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:0d3a9b0e-1f0e-5b86-9c8a-2c7e9d6f1a11
FN:Dr. Zoë Meyer Jr.
N:Meyer;Zoë;Anna;Dr.;Jr.
NICKNAME:Zo
X-PHONETIC-FIRST-NAME:ゾーイ
X-PHONETIC-LAST-NAME:マイヤー
X-PHONETIC-ORG:ミル
ORG:Mill\\, Ltd.;Research
TITLE:Engineer
ROLE:Chemist
EMAIL;PREF=1;X-DISPLAY-NAME=\"Zoë (work)\":zoe@mill.example
EMAIL:zoe@home.example
TEL;TYPE=work:+49 30 1234
TEL;TYPE=home:+49 30 5678
TEL;TYPE=cell:+49 151 0000
TEL;TYPE=work,fax:+49 30 9999
TEL;TYPE=home,fax:+49 30 9998
TEL;TYPE=fax:+49 30 9997
TEL;TYPE=pager:+49 30 9996
TEL;TYPE=voice:+49 40 1
TEL;TYPE=car:+49 40 2
TEL;TYPE=x-primary:+49 40 4
TEL;TYPE=isdn:+49 40 5
TEL;TYPE=x-telex:+49 40 6
TEL;TYPE=textphone:+49 40 7
X-MS-TEL;TYPE=assistant:+49 40 3
X-MS-TEL;TYPE=company:+49 40 8
X-MS-TEL;TYPE=callback:+49 40 9
X-MS-TEL;TYPE=radio:+49 40 10
IMPP:xmpp:zoe@chat.example
X-MS-IMADDRESS:zoe.m
ADR;TYPE=work:PO 12;;Hauptstr. 1\\nHinterhaus;Berlin;;10115;Germany
ADR;TYPE=home;PREF=1:PO 13;;Weg 2;Potsdam;BB;14467;Germany
ADR:PO 14;;;Athens;;;
URL;TYPE=work:https://mill.example/a,b;c
URL;TYPE=home:https://zoe.example/
FBURL:https://mill.example/free/zoe
BDAY:--0412
ANNIVERSARY:20010203
GENDER:F
RELATED;TYPE=spouse;VALUE=text:Max Meyer
RELATED;TYPE=child;VALUE=text:Lea
X-MS-MANAGER:Chef Boss
X-MS-ASSISTANT:Ash
X-MSGRAPH-INITIALS:ZM
X-MSGRAPH-FILE-AS:The Zo
X-MSGRAPH-OFFICE-LOCATION:B2/1.03
HOBBY:sailing
X-MS-TEXT:one
X-MS-TEXT:two
X-MS-TEXT:three
X-MS-TEXT:four
CATEGORIES:Friends\\, close,Red category
NOTE:Line one\\nLine two\\; with semicolon
X-FOO:bar
END:VCARD
";

/// A card with every field. Which address is for letters is only Outlook's to say, and 4.0 has no word for the
/// sensitivity: a file made from nothing has neither.
fn full() -> Card {
    let mut contact = Contact::default();
    contact.set_text(Field::MailingAddress, "HOME");
    contact.set_text(Field::Sensitivity, "PRIVATE");
    let shown = Card::from_server(contact, Residue::default());
    read(FULL.as_bytes(), Some((&shown, None)), LF).unwrap()
}

fn card(body: &str) -> Card {
    let text = format!("BEGIN:VCARD\nVERSION:4.0\n{body}\nEND:VCARD\n");
    read(text.as_bytes(), None, LF).unwrap()
}

fn text_of(body: &str, field: Field) -> String {
    card(body).contact.text(field).to_owned()
}

fn rendered(card: &Card, version: Version) -> String {
    String::from_utf8(render(card, None, style(version, Eol::Lf))).unwrap()
}

#[test]
fn a_full_card_is_its_own_canonical_form() {
    let card = full();
    assert_eq!(rendered(&card, Version::V4), FULL);
    let shown: Vec<&Field> = Field::ALL
        .iter()
        .filter(|field| card.contact.get(**field).is_some())
        .collect();
    assert_eq!(shown.len(), Field::ALL.len(), "every field has a line");
    let kept: Vec<String> = card
        .residue
        .entries()
        .iter()
        .map(|entry| entry.line[..3].to_owned())
        .collect();
    assert_eq!(kept, ["UID", "X-F"], "nothing mapped is kept twice");
}

#[test]
fn spellings_of_3_0() {
    let card = full();
    let text = rendered(&card, Version::V3);
    for line in [
        "VERSION:3.0",
        "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12",
        "X-ANNIVERSARY:2001-02-03",
        "X-GENDER:F",
        "X-MS-INTERESTS:sailing",
        "X-MS-TEL;TYPE=ttytdd:+49 40 7",
        "X-MS-OL-DEFAULT-POSTAL-ADDRESS:1",
        "CLASS:PRIVATE",
        "X-MS-SPOUSE:Max Meyer",
        "X-MS-CHILD:Lea",
        "EMAIL;TYPE=pref;X-DISPLAY-NAME=\"Zoë (work)\":zoe@mill.example",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    let v3 = style(Version::V3, Eol::Lf);
    assert_eq!(
        read(text.as_bytes(), Some((&card, None)), v3).unwrap(),
        card
    );
}

#[test]
fn aliases_are_understood_and_kept() {
    for (line, field, value) in [
        ("X-ASSISTANT:Ash", Field::AssistantName, "Ash"),
        ("X-EVOLUTION-ASSISTANT:Ash", Field::AssistantName, "Ash"),
        (
            "X-KADDRESSBOOK-X-ASSISTANTSNAME:Ash",
            Field::AssistantName,
            "Ash",
        ),
        ("X-MANAGER:Boss", Field::Manager, "Boss"),
        ("X-KADDRESSBOOK-X-MANAGERSNAME:Boss", Field::Manager, "Boss"),
        ("X-SPOUSE:Max", Field::SpouseName, "Max"),
        ("X-MS-SPOUSE:Max", Field::SpouseName, "Max"),
        ("X-EVOLUTION-SPOUSE:Max", Field::SpouseName, "Max"),
        ("X-KADDRESSBOOK-X-SPOUSESNAME:Max", Field::SpouseName, "Max"),
        ("TEL;TYPE=main:1", Field::CompanyPhone, "1"),
        ("TEL:1", Field::OtherPhone, "1"),
        ("TEL;TYPE=msg,video:1", Field::OtherPhone, "1"),
        ("TEL;TYPE=work,pager:1", Field::Pager, "1"),
        ("TEL;TYPE=fax,work,voice:1", Field::BusinessFax, "1"),
        ("X-MS-TEL;TYPE=ttytdd:1", Field::TextPhone, "1"),
        ("X-GENDER:Female", Field::Gender, "F"),
        ("X-MS-INTERESTS:chess", Field::Hobbies, "chess"),
        ("HOBBY;LEVEL=high:chess", Field::Hobbies, "chess"),
        ("X-EVOLUTION-MANAGER:Boss", Field::Manager, "Boss"),
        ("X-WAB-SPOUSE:Max", Field::SpouseName, "Max"),
        ("X-KADDRESSBOOK-X-OFFICE:B2", Field::OfficeLocation, "B2"),
        (
            "X-KADDRESSBOOK-X-PROFESSION:Smith",
            Field::Profession,
            "Smith",
        ),
        ("X-EVOLUTION-FILE-AS:A\\, B", Field::FileAs, "A, B"),
        ("NICKNAME:Zo,Zed", Field::NickName, "Zo, Zed"),
        ("TEL;CELL;VOICE:1", Field::MobilePhone, "1"),
        ("item1.TITLE:Chef", Field::JobTitle, "Chef"),
    ] {
        let card = card(&format!("FN:x\n{line}"));
        assert_eq!(card.contact.text(field), value, "{line}");
        assert!(
            rendered(&card, Version::V4).contains(&format!("\n{line}\n")),
            "{line}"
        );
    }
}

#[test]
fn days_and_relations_of_other_programs() {
    for line in [
        "ANNIVERSARY:2001-02-03",
        "X-ANNIVERSARY:2001-02-03",
        "X-MS-ANNIVERSARY:20010203",
        "X-EVOLUTION-ANNIVERSARY:2001-02-03",
        "X-KADDRESSBOOK-X-ANNIVERSARY:2001-02-03",
        "X-WAB-WEDDING:20010203",
        "item1.X-ABDATE:2001-02-03\nitem1.X-ABLabel:_$!<Anniversary>!$_",
    ] {
        let card = card(&format!("FN:x\n{line}"));
        let day = card.contact.day(Field::Anniversary);
        assert_eq!(day, Some(Date::constant(2001, 2, 3)), "{line}");
    }
    for (label, field, value) in [
        ("_$!<Spouse>!$_", Field::SpouseName, "Sam"),
        ("Manager", Field::Manager, "Sam"),
        ("_$!<Assistant>!$_", Field::AssistantName, "Sam"),
        ("_$!<Friend>!$_", Field::SpouseName, ""),
    ] {
        let lines = format!("item1.X-ABRELATEDNAMES:Sam\nitem1.X-ABLabel:{label}");
        let related = card(&format!("FN:x\n{lines}"));
        assert_eq!(related.contact.text(field), value, "{label}");
        let text = rendered(&related, Version::V4);
        for line in lines.lines() {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in\n{text}");
        }
    }
    let children =
        card("FN:x\nX-CHILDREN:A\nX-MS-CHILD:B\na.X-ABRELATEDNAMES:C\na.X-ABLabel:Child");
    assert_eq!(children.contact.list(Field::Children), ["A", "B", "C"]);
}

/// Vcard-mapping 3: "If the tier is off, the vCard spelling is residue instead: nothing is lost."
#[test]
fn with_a_tier_off_its_spelling_is_residue() {
    let basic = Style {
        tier: Tier::Basic,
        ..LF
    };
    let card = read(FULL.as_bytes(), None, basic).unwrap();
    let beyond = card
        .contact
        .iter()
        .filter(|(field, _)| field.tier() > Tier::Basic);
    assert_eq!(beyond.count(), 0);
    let text = String::from_utf8(render(&card, None, basic)).unwrap();
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&text), sorted(FULL));
}

#[test]
fn messenger_properties_become_uris() {
    for (line, uri) in [
        ("X-ICQ:1", "icq:1"),
        ("X-JABBER:a@b", "xmpp:a@b"),
        ("X-GOOGLE-TALK:a@b", "xmpp:a@b"),
        ("X-MSN:a", "msnim:a"),
        ("X-YAHOO:a", "ymsgr:a"),
        ("X-SKYPE:a", "skype:a"),
        ("X-SKYPE-USERNAME:a", "skype:a"),
        ("X-QQ:1", "qq:1"),
        ("X-SIP:a@b", "sip:a@b"),
        ("IMPP;X-SERVICE-TYPE=Skype:skype:a", "skype:a"),
        ("X-MS-IMADDRESS:zoe.m", "zoe.m"),
    ] {
        let card = card(&format!("FN:x\n{line}"));
        assert_eq!(card.contact.list(Field::ImAddresses), [uri], "{line}");
        assert!(rendered(&card, Version::V4).contains(&format!("\n{line}\n")));
    }
    let card = card("FN:x\nX-AIM:a\nX-GTALK:b\nIMPP:sip:c");
    assert_eq!(
        card.contact.list(Field::ImAddresses),
        ["aim:a", "xmpp:b", "sip:c"]
    );
}

#[test]
fn what_has_no_field_is_residue() {
    for line in [
        "TEL;TYPE=bbs:1",
        "TEL;TYPE=work,modem:1",
        "TEL;TYPE=x-satellite:1",
        "X-MS-TEL:1",
        "X-MS-TEL;TYPE=other:1",
        "EMAIL:nobody",
        "EMAIL:\"Zoe\" <zoe@x.example>",
        "URL;TYPE=blog:http://x",
        "BDAY:1985",
        "ANNIVERSARY;VALUE=text:in spring",
        "GENDER:O",
        "GENDER:F;woman",
        "GENDER:;it's complicated",
        "X-GENDER:unknown",
        "CLASS:PUBLIC",
        "CLASS:PRIVATE",
        "X-ABDATE:20010203",
        "X-ABRELATEDNAMES:Max",
        "X-MS-OL-DEFAULT-POSTAL-ADDRESS:2",
        "RELATED;TYPE=spouse:urn:uuid:0",
        "RELATED;TYPE=friend;VALUE=text:F",
        "PHOTO:http://x/p.jpg",
        "NOTE:",
        "SORT-STRING:x",
        "X-PLACE;P=\"a;b\":c\\xd",
    ] {
        let card = card(&format!("FN:x\n{line}"));
        assert_eq!(card.contact.iter().count(), 1, "{line}");
        assert_eq!(card.residue.lines_of("-").collect::<Vec<_>>(), [line]);
    }
}

#[test]
fn structured_values() {
    assert_eq!(
        text_of("N:de la Vega;Juan,Carlos;;Prof.,Dr.;", Field::GivenName),
        "Juan Carlos"
    );
    assert_eq!(
        text_of("ORG:Mill, Inc.;a;b", Field::CompanyName),
        "Mill, Inc."
    );
    let address = card("FN:x\nADR;TYPE=home:PO 1;Flat 3;Main St 1,Rear;York\\, GB").contact;
    let address = address.address(Field::HomeAddress).unwrap();
    assert_eq!(
        (address.street.as_str(), address.city.as_str()),
        ("Flat 3\nMain St 1\nRear", "York, GB")
    );
}

#[test]
fn preference_orders_emails_and_overflow_is_kept() {
    let card =
        card("FN:x\nEMAIL:d@x\nEMAIL;PREF=3:c@x\nEMAIL;PREF=1:a@x\nEMAIL;PREF=2:b@x\nEMAIL:e@x");
    let order: Vec<&str> = card
        .contact
        .emails()
        .iter()
        .map(|email| email.address.as_str())
        .collect();
    assert_eq!(order, ["a@x", "b@x", "c@x"]);
    assert_eq!(
        card.residue.lines_of("-").collect::<Vec<_>>(),
        ["EMAIL:d@x", "EMAIL:e@x"]
    );
}

#[test]
fn categories_are_merged() {
    let card = card("FN:x\nCATEGORIES:b,a\nCATEGORIES:a,c");
    assert_eq!(card.contact.list(Field::Categories), ["b", "a", "c"]);
    assert!(card.residue.is_empty());
}

#[test]
fn birthdays() {
    assert_eq!(
        card("FN:x\nBDAY:1985-04-12").contact.birthday(),
        Some(Date::constant(1985, 4, 12))
    );
    let timed = card("FN:x\nBDAY:19850412T0310Z");
    assert_eq!(timed.contact.birthday(), Some(Date::constant(1985, 4, 12)));
    assert!(rendered(&timed, Version::V4).contains("\nBDAY:19850412T0310Z\n"));
}

#[test]
fn a_spelling_goes_when_the_value_changes_elsewhere() {
    let card =
        card("FN:x\nitem1.TEL;TYPE=work,voice:1\nitem1.X-ABLabel:desk\nTEL;TYPE=work,video:2");
    let mut theirs = card.contact.clone();
    theirs.set(
        Field::BusinessPhones,
        Value::List(vec!["2".into(), "3".into()]),
    );
    let text = rendered(&Card::from_server(theirs, card.residue), Version::V4);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("TEL") || line.contains("item1"))
        .collect();
    assert_eq!(
        lines,
        [
            "TEL;TYPE=work,video:2",
            "TEL;TYPE=work:3",
            "item1.X-ABLabel:desk"
        ]
    );
}

#[test]
fn a_spelling_serves_one_of_two_equal_values() {
    let card = card("FN:x\nitem1.TEL;TYPE=work:1\nTEL;TYPE=work:1");
    let text = rendered(&card, Version::V4);
    assert_eq!(text.matches("item1.").count(), 1, "{text}");
    assert_eq!(read(text.as_bytes(), None, LF).unwrap(), card);
}

#[test]
fn a_nameless_contact_still_has_fn_and_n() {
    let name = |field, text: &str| {
        let mut contact = Contact::default();
        contact.set_text(field, text);
        rendered(&Card::from_server(contact, Residue::default()), Version::V4)
            .lines()
            .nth(2)
            .unwrap()
            .to_owned()
    };
    assert_eq!(name(Field::Surname, "Berg"), "FN:Berg");
    assert_eq!(name(Field::CompanyName, "Mill"), "FN:Mill");
    assert_eq!(name(Field::PersonalNotes, "hm"), "FN:(no name)");
}
