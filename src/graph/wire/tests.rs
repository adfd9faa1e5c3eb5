//! Reading, against recorded and documented replies where they are at hand, and against made-up hostile ones.

use std::path::PathBuf;

use jiff::civil::date;
use serde_json::{Value as Json, json};

use super::super::{DeltaItem, DeltaNext, Error};
use super::{Source, delta_page, error, folders, snapshot};
use crate::model::{Field, FolderId, Value};

/// An example body; `None` where the examples are not, which fails a CI run.
fn example(name: &str) -> Option<Json> {
    let shared = std::env::var_os("CONTACTFS_SHARED").map(PathBuf::from);
    let shared =
        shared.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")));
    let path = shared.join("graph/examples").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            panic!("{}: {error}", path.display())
        }
        Err(error) => {
            eprintln!("SKIPPED: no example {}: {error}", path.display());
            None
        }
    }
}

#[test]
fn a_recorded_contact_is_read() {
    let Some(item) = example("recorded-contact-get-response.json") else {
        return;
    };
    let read = snapshot(&item, Source::Expanded).unwrap();

    assert_eq!(
        (read.id.as_str(), read.change_key.as_str()),
        ("contact-1", "change-key-1")
    );
    assert_eq!(read.parent, Some(FolderId::new("contact-folder-root")));
    assert_eq!(read.created.unwrap().to_string(), "2026-07-27T12:15:27Z");
    assert_eq!(
        read.residue.unwrap().as_str(),
        "",
        "expanded and not there means none"
    );
    let contact = &read.contact;
    assert_eq!(contact.text(Field::DisplayName), "Ada Byron Lovelace");
    assert_eq!(contact.birthday(), Some(date(1815, 12, 10)));
    assert_eq!(contact.emails().len(), 2);
    assert_eq!(contact.list(Field::Categories), ["Fixture", "Engineering"]);
    let address = contact.address(Field::HomeAddress).unwrap();
    assert_eq!(
        (address.city.as_str(), address.postal_code.as_str()),
        ("Amsterdam", "")
    );
    for unset in [
        Field::FileAs,
        Field::Generation,
        Field::OtherAddress,
        Field::ImAddresses,
    ] {
        assert_eq!(contact.get(unset), None, "{unset:?}");
    }
    assert!(!read.notes_cut);
}

#[test]
fn recorded_delta_pages_are_read() {
    let Some(page) = example("recorded-contact-delta-initial-response.json") else {
        return;
    };
    let page = delta_page(&page).unwrap();
    assert!(
        matches!(&page.next, DeltaNext::Done(link) if link.as_str().ends_with("opaque-token-1"))
    );
    let DeltaItem::Changed(second) = &page.items[1] else {
        panic!("{:?}", page.items)
    };
    assert_eq!(second.id.as_str(), "contact-2");
    assert_eq!(second.residue, None, "delta does not say");
    assert!(
        second.notes_cut,
        "selected properties only: the rest is not known to be unset"
    );

    let Some(page) = example("recorded-contact-delta-removed-response.json") else {
        return;
    };
    assert!(
        matches!(&delta_page(&page).unwrap().items[..], [DeltaItem::Removed(id)] if id.as_str() == "contact-1")
    );
}

#[test]
fn recorded_folders_are_read() {
    let Some(page) = example("recorded-contactfolder-list-response.json") else {
        return;
    };
    let found = folders(&page, None).unwrap();
    assert_eq!(
        (found[0].id.as_str(), found[0].display_name.as_str()),
        ("contact-folder-1", "Fixture Folder")
    );
    assert_eq!((&found[0].parent, found[0].is_default), (&None, false));
}

#[test]
fn every_example_error_has_a_code() {
    for (name, code) in [
        (
            "error-404-item-not-found-response.json",
            "ErrorItemNotFound",
        ),
        (
            "error-410-sync-state-not-found-response.json",
            "SyncStateNotFound",
        ),
        ("error-429-response.json", "TooManyRequests"),
        (
            "recorded-error-delta-token-malformed-response.json",
            "BadRequest",
        ),
        (
            "recorded-error-directory-unauthorized-response.json",
            "UnknownError",
        ),
        ("recorded-error-photo-none-response.json", "ImageNotFound"),
        (
            "recorded-error-unauthorized-response.json",
            "InvalidAuthenticationToken",
        ),
    ] {
        let Some(body) = example(name) else { return };
        assert_eq!(error(&body).code, code);
    }
    for strange in [
        json!(null),
        json!("text"),
        json!([]),
        json!({ "error": "text" }),
        json!({ "error": { "code": 7 } }),
    ] {
        assert_eq!(error(&strange).code, "", "{strange}");
    }
}

fn with(members: Json) -> Json {
    let mut item = json!({ "id": "c", "changeKey": "k" });
    item.as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    item
}

/// Graph-facts 1.3: one meaning for all of them, and one for what is none of them.
#[test]
fn unset_has_many_forms() {
    let hostile = [
        json!(null),
        json!(""),
        json!({}),
        json!([]),
        json!(7),
        json!(true),
        json!([null, 1, ""]),
        json!([{}]),
        json!({ "city": 1 }),
    ];
    for form in hostile {
        for field in Field::ALL {
            let read =
                snapshot(&with(json!({ field.name(): form.clone() })), Source::Echo).unwrap();
            assert_eq!(read.contact.get(*field), None, "{field:?} {form}");
        }
    }
}

#[test]
fn a_contact_needs_an_id_and_a_version() {
    for item in [
        json!({}),
        json!({ "id": "", "changeKey": "k" }),
        json!({ "id": "c" }),
        json!([]),
        json!("x"),
    ] {
        assert!(
            matches!(snapshot(&item, Source::Echo), Err(Error::Malformed { .. })),
            "{item}"
        );
    }
    let tagged = json!({ "id": "c", "@odata.etag": "W/\"EQAA=\"" });
    assert_eq!(
        snapshot(&tagged, Source::Echo).unwrap().change_key.as_str(),
        "EQAA="
    );
}

/// Graph-facts 1.5 and trap 9.
#[test]
fn a_birthday_is_the_nearest_day() {
    for (moment, expected) in [
        ("1974-07-22T11:59:00Z", Some(date(1974, 7, 22))),
        ("1974-07-22T00:00:00Z", Some(date(1974, 7, 22))),
        ("1974-07-21T22:00:00Z", Some(date(1974, 7, 22))),
        ("1974-07-22T08:00:00Z", Some(date(1974, 7, 22))),
        ("1974-07-22T11:59:00+02:00", Some(date(1974, 7, 22))),
        ("1604-02-29T11:59:00Z", Some(date(1604, 2, 29))),
        ("1974-07-22", Some(date(1974, 7, 22))),
        ("9999-12-31T23:59:59Z", Some(date(9999, 12, 31))),
        ("yesterday", None),
        ("1974-13-22", None),
        ("1974-07-2\u{e9}", None),
    ] {
        let read = snapshot(&with(json!({ "birthday": moment })), Source::Echo).unwrap();
        assert_eq!(read.contact.birthday(), expected, "{moment}");
    }
}

/// Vcard-mapping 3: of the day kept beside the moment only what tells more than that counts.
#[test]
fn a_birthday_is_the_day_kept_beside_its_moment() {
    const LOCAL: &str = "SystemTime {00062004-0000-0000-C000-000000000046} Id 0x80de";
    for (moment, local, expected) in [
        // Midnight in Auckland in summer, on Kiritimati, in Berlin, in Honolulu.
        ("1974-02-21T11:00:00Z", "1974-02-22T00:00:00Z", 22),
        ("1974-02-21T10:00:00Z", "1974-02-22T00:00:00Z", 22),
        ("1974-02-21T23:00:00Z", "1974-02-22T00:00:00Z", 22),
        ("1974-02-22T10:00:00Z", "1974-02-22T00:00:00Z", 22),
        // Left behind by a writer that knows the moment only.
        ("1974-02-22T11:59:00Z", "1974-02-21T00:00:00Z", 22),
        ("1974-02-22T00:00:00Z", "1974-02-14T00:00:00Z", 22),
        ("1974-02-22T00:00:00Z", "soon", 22),
    ] {
        let item = with(json!({
            "birthday": moment,
            "singleValueExtendedProperties": [{"id": LOCAL, "value": local}],
        }));
        let read = snapshot(&item, Source::Expanded).unwrap();
        let expected = Some(date(1974, 2, expected));
        assert_eq!(read.contact.birthday(), expected, "{moment} {local}");
    }
}

/// Graph-facts 1.6 and trap 10.
#[test]
fn notes_from_a_list_may_be_cut() {
    let cut = |notes: &str, source| {
        let mut item = with(json!({ "personalNotes": notes }));
        for field in Field::ALL {
            item.as_object_mut()
                .unwrap()
                .entry(field.name())
                .or_insert(Json::Null);
        }
        snapshot(&item, source).unwrap().notes_cut
    };
    assert!(cut(&"é".repeat(256), Source::Delta));
    assert!(cut("\r\nline", Source::Delta));
    assert!(!cut(&"é".repeat(256), Source::Expanded));
    assert!(!cut(&format!("a\n{}", "x".repeat(254)), Source::Delta));
    assert!(!cut(&"x".repeat(300), Source::Delta));
    assert!(!cut("short", Source::Delta));
}

#[test]
fn line_ends_are_plain_and_sizes_bounded() {
    let notes = format!("a\r\nb\nc{}", "\u{e9}".repeat(1 << 20));
    let children: Vec<String> = (0..5000).map(|index| format!("child {index}")).collect();
    let read = snapshot(
        &with(json!({ "personalNotes": notes, "children": children })),
        Source::Echo,
    )
    .unwrap();
    let text = read.contact.text(Field::PersonalNotes);
    assert!(text.starts_with("a\nb\nc\u{e9}") && text.len() <= 1 << 20);
    assert_eq!(read.contact.list(Field::Children).len(), 1000);
}

#[test]
fn emails_keep_their_slots() {
    let emails = json!([{ "address": "a@x", "name": null }, { "name": "N" }, {}, { "address": "b@x", "name": "B" }]);
    let read = snapshot(&with(json!({ "emailAddresses": emails })), Source::Echo).unwrap();
    let slots: Vec<_> = read
        .contact
        .emails()
        .iter()
        .map(|email| (email.address.as_str(), email.name.as_str()))
        .collect();
    assert_eq!(slots, [("a@x", ""), ("", "N"), ("b@x", "B")]);
    assert!(matches!(
        read.contact.get(Field::EmailAddresses),
        Some(Value::Emails(_))
    ));
}

#[test]
fn a_page_must_say_how_to_go_on() {
    assert!(matches!(
        delta_page(&json!({ "value": [] })),
        Err(Error::Malformed { .. })
    ));
    assert!(matches!(
        delta_page(&json!({ "@odata.deltaLink": "x" })),
        Err(Error::Malformed { .. })
    ));
    let both = json!({ "value": [], "@odata.nextLink": "n", "@odata.deltaLink": "d" });
    assert!(
        matches!(delta_page(&both).unwrap().next, DeltaNext::More(_)),
        "nothing is over before the last page"
    );
}
