use proptest::prelude::*;

use super::*;
use crate::model::{Email, Value};

fn named(display_name: &str) -> Contact {
    let mut contact = Contact::default();
    contact.set_text(Field::DisplayName, display_name);
    contact
}

#[test]
fn display_name_is_the_name() {
    assert_eq!(file_name(&named("Ada Lovelace")), "Ada Lovelace.vcf");
}

#[test]
fn falls_back_in_the_documented_order() {
    let mut contact = Contact::default();
    assert_eq!(file_name(&contact), "Unnamed.vcf");
    contact.set_text(Field::MobilePhone, "+49 151");
    assert_eq!(file_name(&contact), "+49 151.vcf");
    contact.set(Field::BusinessPhones, Value::List(vec!["+49 30".into()]));
    assert_eq!(file_name(&contact), "+49 30.vcf");
    let email = Email {
        address: "ada@example.org".into(),
        name: "Countess".into(),
    };
    contact.set(Field::EmailAddresses, Value::Emails(vec![email]));
    assert_eq!(file_name(&contact), "ada@example.org.vcf");
    contact.set_text(Field::CompanyName, "Engines/Ltd");
    assert_eq!(file_name(&contact), "Engines\u{2215}Ltd.vcf");
    contact.set_text(Field::Surname, "Lovelace");
    assert_eq!(file_name(&contact), "Lovelace.vcf");
    contact.set_text(Field::GivenName, "Ada");
    assert_eq!(file_name(&contact), "Ada Lovelace.vcf");
    contact.set_text(Field::DisplayName, "\u{1}\n");
    assert_eq!(
        file_name(&contact),
        "Ada Lovelace.vcf",
        "a name of controls only is no name"
    );
}

#[test]
fn hostile_names_become_harmless() {
    assert_eq!(
        file_name(&named("../../etc/passwd")),
        "\u{2024}.\u{2215}..\u{2215}etc\u{2215}passwd.vcf"
    );
    assert_eq!(folder_name(".."), "\u{2024}.");
    assert_eq!(folder_name("."), "\u{2024}");
    assert_eq!(folder_name(""), "Unnamed");
    assert_eq!(folder_name("\0\u{85}"), "Unnamed");
    assert_eq!(folder_name("end. . "), "end. . ");
    assert_eq!(
        folder_name("\u{7}.git"),
        "\u{2024}git",
        "a dot that becomes the first character counts"
    );
}

#[test]
fn disambiguation_is_stable_for_ever() {
    let id = ContactId::new("AAMkAGE1M2_bs88AAA=");
    assert_eq!(
        disambiguated("Ada.vcf", &id),
        format!("Ada ({}).vcf", short_hash("AAMkAGE1M2_bs88AAA="))
    );
    assert_eq!(short_hash("AAMkAGE1M2_bs88AAA="), "c4f740");
    assert_ne!(
        disambiguated("Ada.vcf", &id),
        disambiguated("Ada.vcf", &ContactId::new("aAMkAGE1M2_bs88AAA="))
    );
    assert!(disambiguated("Ada.VCF", &id).ends_with(").VCF"));
}

#[test]
fn cards_are_told_from_scratch() {
    for card in ["a.vcf", "A.VCF", "#x.vcf", "a b.vCf", "x.vcf.vcf"] {
        assert!(is_card_name(card), "{card}");
    }
    for scratch in [
        ".a.vcf",
        "a.vcf~",
        "#x.vcf#",
        ".#x.vcf",
        "4913",
        ".x.swp",
        "x.vcf.tmp",
        ".vcf",
        "vcf",
        "",
        "é",
    ] {
        assert!(!is_card_name(scratch), "{scratch}");
    }
    assert!(is_hidden(".git"));
    assert!(!is_hidden("git"));
}

#[test]
fn companions_are_named_after_the_card() {
    assert_eq!(rejected_name("Ada.vcf"), ".Ada.vcf.rejected");
    assert_eq!(error_name("Ada.vcf"), ".Ada.vcf.error");
    let (one, two) = ("é".repeat(125) + "a.vcf", "é".repeat(125) + "b.vcf");
    assert_eq!(one.len(), 255);
    assert_ne!(rejected_name(&one), rejected_name(&two));
}

fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with('.')
        && !name.contains('/')
        && !name.chars().any(char::is_control)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_name_is_safe(text in "(\\PC|[./\\x00-\\x1f]){0,200}", id in ".{0,40}") {
        let id = ContactId::new(id);
        let file = file_name(&named(&text));
        prop_assert!(is_safe(&file) && is_card_name(&file), "{file:?}");
        let other = disambiguated(&file, &id);
        prop_assert!(is_safe(&other) && is_card_name(&other), "{other:?}");
        prop_assert_eq!(other.len(), file.len() + 9, "telling apart never shortens");
        prop_assert!(is_safe(&folder_name(&text)));
    }

    #[test]
    fn companions_always_fit(stem in "\\PC{1,300}") {
        let card = format!("{}.vcf", clean::component(&stem, 251));
        for name in [rejected_name(&card), error_name(&card)] {
            prop_assert!(name.len() <= 255 && is_hidden(&name) && !is_card_name(&name), "{name:?}");
        }
    }
}
