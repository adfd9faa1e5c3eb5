//! What is not taken, and the sentence that says so (vcard-mapping 9).

use super::*;

fn refusal(text: &str) -> String {
    read(text.as_bytes(), None, LF).unwrap_err().to_string()
}

fn card(body: &str) -> String {
    format!("BEGIN:VCARD\nVERSION:4.0\n{body}\nEND:VCARD\n")
}

#[test]
fn each_refusal_says_where_and_why() {
    let syntax = "is not \"NAME:value\"; is a continuation line missing its leading space?";
    for (text, sentence) in [
        ("", "a card begins with BEGIN:VCARD".to_owned()),
        ("FN:x\n", "line 1: a card begins with BEGIN:VCARD".into()),
        ("BEGIN:VCARD\nFN:x\n", "line 2: END:VCARD is missing".into()),
        (
            &card("FN:x\n\nNOTE:a\n b\nlost line"),
            format!("line 7: \"lost line\" {syntax}"),
        ),
        (
            &card("FN:x\nlost line: with a colon"),
            format!("line 4: \"lost line: with a colon\" {syntax}"),
        ),
        (&card("FN:x\n:v"), format!("line 4: \":v\" {syntax}")),
        (
            &card("FN:x\nBEGIN:VCARD"),
            "line 4: a second BEGIN:VCARD; one file holds one contact".into(),
        ),
        (
            &(card("FN:x") + &card("FN:y")),
            "line 5: a second BEGIN:VCARD; one file holds one contact".into(),
        ),
        (
            &(card("FN:x") + "X:y\n"),
            "line 5: text after END:VCARD; one file holds one contact".into(),
        ),
        (
            "BEGIN:VCARD\nVERSION:5.0\nFN:x\nEND:VCARD",
            "line 2: VERSION must be 2.1, 3.0 or 4.0".into(),
        ),
        (
            &card("FN:\nN:;;;;\nNOTE:x"),
            "a contact needs FN, N, ORG, EMAIL or TEL".into(),
        ),
        (
            &card("FN:x\nKIND:Group"),
            "line 4: KIND:group: Outlook contact groups cannot be made through Graph".into(),
        ),
        (
            &card(&format!("FN:x\nLOGO:{}", "a".repeat(61 << 10))),
            "line 4: LOGO (62 KiB) does not fit: 16 KiB per property can be kept on the server"
                .into(),
        ),
        (
            &card(&format!(
                "FN:x{}",
                format!("\nX-A:{}", "a".repeat(9 << 10)).repeat(3)
            )),
            "line 6: X-A and the other lines that Outlook has no field for (28 KiB) do not fit: 24 KiB can be kept on the server".into(),
        ),
    ] {
        assert_eq!(refusal(text), sentence, "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn foreign_bytes_are_refused_unless_declared() {
    let error = read(
        b"BEGIN:VCARD\nVERSION:3.0\nFN:caf\xe9\nEND:VCARD\n",
        None,
        LF,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 3, column 7: FN: not UTF-8, and no CHARSET is declared"
    );
    assert_eq!((error.line, error.column), (3, 7));
    assert_eq!(error.property.as_deref(), Some("FN"));
    let declared = b"BEGIN:VCARD\nVERSION:3.0\nFN;CHARSET=iso-8859-1:caf\xe9\nEND:VCARD\n";
    let card = read(declared, None, LF).unwrap();
    assert_eq!(card.contact.text(Field::DisplayName), "café");
    assert!(card.residue.is_empty(), "the character set is ours now");
}

#[test]
fn a_character_folded_in_the_middle_is_one_character() {
    let folded = b"BEGIN:VCARD\nVERSION:3.0\nFN:caf\xc3\n \xa9\nEND:VCARD\n";
    assert_eq!(
        read(folded, None, LF)
            .unwrap()
            .contact
            .text(Field::DisplayName),
        "café"
    );
}

#[test]
fn other_encodings_of_the_whole_file() {
    let text = card("FN:Zoë 😀");
    let big: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    let little: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [
        big.as_slice(),
        &little,
        format!("\u{feff}{text}").as_bytes(),
        text.replace('\n', "\r\n").as_bytes(),
    ] {
        assert!(is_complete(bytes));
        assert_eq!(
            read(bytes, None, LF)
                .unwrap()
                .contact
                .text(Field::DisplayName),
            "Zoë 😀"
        );
    }
    assert!(read(&big[..big.len() - 1], None, LF).is_err());
}

#[test]
fn a_missing_version_is_the_mounts() {
    let card = read(b"BEGIN:VCARD\nFN:x\nEND:VCARD", None, LF).unwrap();
    assert_eq!(card.contact.text(Field::DisplayName), "x");
}

#[test]
fn completeness() {
    for complete in [
        "BEGIN:VCARD\nEND:VCARD",
        "\u{feff}begin:vcard\r\nFN:x\r\nend:vcard\r\n\r\n",
        "\nBEGIN:VCARD\nEND:VCARD \n",
    ] {
        assert!(is_complete(complete.as_bytes()), "{complete:?}");
    }
    for partial in [
        "",
        "BEGIN:VCARD\n",
        "BEGIN:VCARD\nFN:x\nEND:VCAR",
        "END:VCARD",
        "BEGIN:VCARD\nNOTE:END:VCARD",
        "BEGIN:VCARD\nX",
    ] {
        assert!(!is_complete(partial.as_bytes()), "{partial:?}");
    }
}

#[test]
fn hostile_sizes_are_refused() {
    for text in [
        "\n".repeat(10 << 20),
        card(&format!("FN:x\nA{}:", ";".repeat(200_000))),
        card(&format!("FN:x\n{}", "A:b\n".repeat(20_000))),
        card(&format!("FN:x\nNOTE:{}", "\\".repeat(2 << 20))),
    ] {
        let kind = read(text.as_bytes(), None, LF).unwrap_err().kind;
        assert!(
            matches!(
                kind,
                CardErrorKind::TooLong { .. } | CardErrorKind::TooMany { .. }
            ),
            "{kind:?}"
        );
    }
}

#[test]
fn a_refusal_names_the_charset_or_the_longest_line() {
    let said = |text: &str| read(text.as_bytes(), None, LF).unwrap_err().to_string();
    let quoted = |charset: &str| {
        let head = format!("NOTE;CHARSET={charset};ENCODING=QUOTED-PRINTABLE");
        said(&card(&format!("FN:x\n{head}:caf=E9")))
    };
    for charset in ["UTF-8", "X-OURS"] {
        let expected = format!("line 4: NOTE: not text in the declared CHARSET {charset}");
        assert_eq!(quoted(charset), expected);
    }
    let lines = [("X-A", 9000), ("X-B", 12_000), ("X-C", 9000)];
    let lines = lines.map(|(name, size)| format!("{name}:{}", "a".repeat(size)));
    assert_eq!(
        said(&card(&format!("FN:x\n{}", lines.join("\n")))),
        "line 5: X-B and the other lines that Outlook has no field for (30 KiB) do not fit: 24 KiB can be kept on the server"
    );
}

/// A file without a charset whose foreign byte is in the name of a parameter.
#[test]
fn foreign_bytes_in_a_name_are_refused() {
    let file = b"BEGIN:VCARD\nVERSION:2.1\nFN:x\nTEL;TYPE=CELL;\x96REF=1:1\nEND:VCARD\n";
    let error = read(file, None, LF).unwrap_err();
    assert_eq!((error.kind, error.line), (CardErrorKind::Encoding, 4));
}
