//! What the options of a mount make of cards, and that a card means the same under each of them.

use super::*;
use crate::model::{Photo, Stamp};

const KEPT_OUT: Style = Style {
    yearless: Yearless::Residue,
    ..LF
};

/// Every spelling of a birthday without a year.
const YEARLESS: [&str; 4] = [
    "BDAY:--0412",
    "BDAY:--04-12",
    "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12",
    "item1.BDAY;VALUE=date:--0412",
];

fn text(lines: &str) -> String {
    format!("BEGIN:VCARD\nVERSION:4.0\nFN:x\n{lines}\nEND:VCARD\n")
}

fn card(lines: &str, style: Style) -> Card {
    read(text(lines).as_bytes(), None, style).unwrap()
}

/// The lines with some replaced, saved over the card that showed them.
fn saved(shown: &Card, lines: &str, style: Style) -> Card {
    read(text(lines).as_bytes(), Some((shown, Some(&id()))), style).unwrap()
}

fn birthday(card: &Card) -> Option<String> {
    match card.contact.get(Field::Birthday)? {
        Value::Date(date) => Some(date.to_string()),
        _ => None,
    }
}

fn kept(card: &Card) -> Vec<&str> {
    card.residue.lines_of("-").collect()
}

#[test]
fn a_long_line_is_folded_or_whole_and_means_the_same() {
    let note = format!("NOTE:{}é\\n{}", "a\\, b".repeat(300), "X".repeat(3000));
    let shown = card(&note, LF);
    let whole = Style {
        unfolded: true,
        ..LF
    };
    let of = |style| String::from_utf8(render(&shown, None, style)).unwrap();
    let (folded, unfolded) = (of(LF), of(whole));
    assert!(folded.lines().all(|line| line.len() <= 75));
    assert!(unfolded.lines().any(|line| line == note), "{unfolded}");
    assert_eq!(folded.replace("\n ", ""), unfolded);
    for (text, style) in [(&folded, whole), (&unfolded, LF)] {
        assert_eq!(read(text.as_bytes(), None, style).unwrap(), shown);
    }
}

#[test]
fn a_picture_is_one_line_as_well() {
    let jpeg = [&[0xff, 0xd8, 0xff, 0xe0][..], &[7; 3000]].concat();
    let photo = Photo::new(jpeg).unwrap();
    let style = Style {
        unfolded: true,
        ..LF
    };
    let text = render_with(&card("", LF), None, Some(&photo), None, style);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(text.lines().any(|line| line.len() > 4000));
    let said = read_all(text.as_bytes(), None, style).unwrap();
    assert_eq!(said.photo.map(|said| said.id()), Some(photo.id()));
}

#[test]
fn times_are_told_at_the_end_and_are_no_data() {
    let shown = card("X-A:1\nNOTE:n", LF);
    let stamp = |text: &str| {
        let time: jiff::Timestamp = text.parse().unwrap();
        Stamp(time.as_nanosecond().try_into().unwrap())
    };
    let times = Times {
        created: stamp("2024-01-02T03:04:05Z"),
        modified: stamp("2025-06-07T08:09:10.5Z"),
    };
    let photo = Photo::new(vec![0xff, 0xd8, 0xff, 0xe0]).unwrap();
    for (version, expected) in [
        (
            Version::V4,
            "X-A:1\nCREATED:20240102T030405Z\nREV:20250607T080910Z\n",
        ),
        (Version::V3, "X-A:1\nREV:2025-06-07T08:09:10Z\n"),
    ] {
        let style = Style {
            rev: true,
            version,
            ..LF
        };
        let of = |photo, times| {
            String::from_utf8(render_with(&shown, None, photo, times, style)).unwrap()
        };
        let text = of(None, Some(times));
        assert!(text.ends_with(&format!("{expected}END:VCARD\n")), "{text}");
        let pictured = of(Some(&photo), Some(times));
        assert!(
            pictured.contains(&format!("{expected}PHOTO")),
            "the picture is last: {pictured}"
        );
        assert!(!of(None, None).contains("REV"), "not made there yet");
        for reader in [LF, style] {
            assert_eq!(read(text.as_bytes(), None, reader).unwrap(), shown);
        }
    }
    let hidden = render_with(&shown, None, None, Some(times), LF);
    assert_eq!(hidden, render(&shown, None, LF), "only with the option");
}

#[test]
fn times_that_a_file_tells_are_ignored_in_every_form() {
    let plain = card("NOTE:n", LF);
    for line in [
        "REV:19951031T222710Z",
        "REV;VALUE=timestamp:1",
        "CREATED:20220705T093412Z",
        "item1.created;VALUE=TIMESTAMP:x",
    ] {
        for style in STYLES {
            assert_eq!(card(&format!("NOTE:n\n{line}"), style), plain, "{line}");
        }
        // What an earlier program kept is not shown beside the time that is true.
        let body = format!("-\t{line}");
        let residue = format!("1 1 {:08x}\n{body}", crc32fast::hash(body.as_bytes()));
        let residue = Residue::decode(&ResidueText::new(residue)).unwrap();
        let held = Card::from_server(plain.contact.clone(), residue);
        assert_eq!(render(&held, None, LF), render(&plain, None, LF), "{line}");
        assert_eq!(again(&held, LF), held, "{line}");
    }
}

#[test]
fn a_new_birthday_without_a_year_is_kept_out_of_outlook() {
    for line in YEARLESS {
        let kept_out = card(line, KEPT_OUT);
        assert_eq!(birthday(&kept_out), None, "{line}");
        assert_eq!(kept(&kept_out), [line]);
        let in_contact = card(line, LF);
        assert_eq!(birthday(&in_contact).as_deref(), Some("1604-04-12"));
        assert_eq!(kept(&in_contact), [""; 0], "{line}");
        // Each stays where it is, whatever the mount says, and whatever else is edited.
        for held in [&kept_out, &in_contact] {
            for style in [LF, KEPT_OUT] {
                assert_eq!(again(held, style), *held, "{line}");
                let edited = saved(held, &format!("{line}\nNOTE:n"), style);
                assert_eq!(birthday(&edited), birthday(held), "{line}");
                assert_eq!(kept(&edited), kept(held), "{line}");
                let server = Card::from_server(edited.contact.clone(), edited.residue.clone());
                assert_eq!(server, edited, "the service's echo is the card");
            }
        }
    }
}

#[test]
fn other_days_are_where_they_always_are() {
    for line in ["BDAY:19850412", "BDAY:1604-04-12", "BDAY:19850412T0310Z"] {
        assert_eq!(card(line, KEPT_OUT), card(line, LF), "{line}");
        assert!(birthday(&card(line, KEPT_OUT)).is_some(), "{line}");
    }
    let wedding = "ANNIVERSARY:--0412";
    assert_eq!(card(wedding, KEPT_OUT), card(wedding, LF));
    // The field is free for one with a year.
    let both = card("BDAY:--0412\nBDAY:19850412", KEPT_OUT);
    assert_eq!(birthday(&both).as_deref(), Some("1985-04-12"));
    assert_eq!(kept(&both), ["BDAY:--0412"]);
    assert_eq!(again(&both, KEPT_OUT), both);
    assert_eq!(again(&both, LF), both);
}

#[test]
fn a_changed_birthday_goes_where_the_mount_that_changed_it_says() {
    let in_contact = card("BDAY:--0412", LF);
    let changed = saved(&in_contact, "BDAY:--0413", KEPT_OUT);
    assert_eq!(birthday(&changed), None);
    assert_eq!(kept(&changed), ["BDAY:--0413"]);
    let back = saved(&changed, "BDAY:--0414", LF);
    assert_eq!(birthday(&back).as_deref(), Some("1604-04-14"));
    assert_eq!(kept(&back), [""; 0]);
    // Another spelling of the day that Outlook has is no news, and a year may be found out.
    let respelled = saved(&in_contact, "BDAY:--04-12", KEPT_OUT);
    assert_eq!(respelled, in_contact);
    let full = saved(&changed, "BDAY:19850413", KEPT_OUT);
    assert_eq!(birthday(&full).as_deref(), Some("1985-04-13"));
    assert_eq!(kept(&full), [""; 0]);
}

#[test]
fn a_birthday_that_is_kept_out_merges_like_any_line() {
    let base = card("NOTE:n", KEPT_OUT);
    let ours = card("NOTE:n\nBDAY:--0412", KEPT_OUT);
    let theirs = card("NOTE:m", LF);
    for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
        let merged = merge(&base, ours, theirs, Prefer::Theirs);
        assert_eq!(merged.clashes, [""; 0]);
        assert_eq!(merged.card, card("NOTE:m\nBDAY:--0412", KEPT_OUT));
    }
    // One that Outlook has is taken out by the side that changed it, and the other side's edit stays.
    let base = card("NOTE:n\nBDAY:--0412", LF);
    let ours = saved(&base, "NOTE:n\nBDAY:--0413", KEPT_OUT);
    let theirs = saved(&base, "NOTE:m\nBDAY:--0412", LF);
    let merged = merge(&base, &ours, &theirs, Prefer::Theirs);
    assert_eq!(merged.card, card("NOTE:m\nBDAY:--0413", KEPT_OUT));
    assert_eq!(merged.clashes, [""; 0]);
}
