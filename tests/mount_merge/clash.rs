//! The same property changed here and elsewhere to different values, for each kind of property and either policy.

use std::fs::{self, File};
use std::io::Write;

use contactfs::sandbox::Options;
use rustix::io::Errno;
use serde_json::{Value, json};

use super::book::{Book, FILE, SOON, errno};
use super::{ERROR, REJECTED, read, save, shows, state};
use crate::support::eventually;

/// A line of the card, as it is, as it is saved here, and as the change elsewhere makes it; that change; what the
/// property is called.
struct Clash {
    line: [&'static str; 3],
    there: (&'static str, Value),
    name: &'static str,
}

fn clashes() -> Vec<Clash> {
    let clash = |line, there, name| Clash { line, there, name };
    vec![
        clash(
            [
                "TEL;TYPE=cell:+44 1",
                "TEL;TYPE=cell:+44 2",
                "TEL;TYPE=cell:+44 9",
            ],
            ("mobilePhone", json!("+44 9")),
            "TEL cell",
        ),
        clash(
            ["TITLE:Analyst\r\n", "", "TITLE:Poet\r\n"],
            ("jobTitle", json!("Poet")),
            "TITLE",
        ),
        clash(
            ["NOTE:first line", "NOTE:ours", "NOTE:theirs"],
            ("personalNotes", json!("theirs")),
            "NOTE",
        ),
        clash(
            ["FN:Ada Byron", "FN:Ada of Lovelace", "FN:Ada B."],
            ("displayName", json!("Ada B.")),
            "FN",
        ),
        clash(
            ["TEL;TYPE=work:1", "TEL;TYPE=work:2", "TEL;TYPE=work:3"],
            ("businessPhones", json!(["3"])),
            "TEL work",
        ),
        clash(
            [
                "EMAIL:a@x.example",
                "EMAIL:b@x.example",
                "EMAIL:c@x.example",
            ],
            ("emailAddresses", json!([{"address": "c@x.example"}])),
            "EMAIL",
        ),
        clash(
            ["BDAY:18151210", "BDAY:18151211", "BDAY:18151212"],
            ("birthday", json!("1815-12-12T11:59:00Z")),
            "BDAY",
        ),
        clash(
            [
                "ADR;TYPE=home:;;Weg 1;Bonn;;1;",
                "ADR;TYPE=home:;;Ufer 2;Kiel;;2;",
                "ADR;TYPE=home:;;Weg 3;Bonn;;1;",
            ],
            (
                "homeAddress",
                json!({"street": "Weg 3", "city": "Bonn", "postalCode": "1"}),
            ),
            "ADR home",
        ),
    ]
}

/// A book whose contact has all of that.
fn book(policy: &str) -> Option<Book> {
    let book = Book::with(&["--conflict", policy], Options::default())?;
    book.world.api().patch(
        &book.id,
        json!({
            "businessPhones": ["1"], "emailAddresses": [{"address": "a@x.example"}],
            "birthday": "1815-12-10T11:59:00Z",
            "homeAddress": {"street": "Weg 1", "city": "Bonn", "postalCode": "1"},
        }),
    );
    book.calm();
    eventually(SOON, "the card is whole", || {
        book.text().contains("TEL;TYPE=work:1")
    });
    Some(book)
}

/// Changes the contact here and there; the result is that of `fsync`. `also` is another change made here.
fn both(book: &Book, clash: &Clash) -> (String, String, std::io::Result<()>) {
    let was = book.text();
    let [old, ours, theirs] = clash.line;
    assert!(was.contains(old), "{old} in\n{was}");
    let (field, value) = &clash.there;
    let saved = was
        .replace(old, ours)
        .replace("END:VCARD", "X-ALSO:1\r\nEND:VCARD");
    book.world
        .api()
        .patch(&book.id, json!({ *field: value, "companyName": "There" }));
    let done = save(book, &saved);
    (saved, was.replace(old, theirs), done)
}

fn has_both(text: &str) -> bool {
    text.contains("X-ALSO:1\r\n") && text.contains("ORG:There\r\n")
}

fn is_there(book: &Book, clash: &Clash) -> bool {
    let (field, value) = &clash.there;
    let contact = book.contact();
    match value {
        Value::Array(list) if list[0].is_object() => {
            contact[*field][0]["address"] == list[0]["address"]
        }
        Value::Object(parts) => parts
            .iter()
            .all(|(part, value)| contact[*field][part] == *value),
        value => contact[*field] == *value,
    }
}

/// 6.2 "theirs (default: the server's value stands in the clashing property)"; "non-clashing properties of both sides are
/// kept, and the complete losing card is kept in history and as .NAME.vcf.rejected with .error"; 6.3 "fsync then fails
/// with EBUSY under theirs; the state is conflict".
#[test]
fn under_theirs_the_value_there_stands_and_the_text_here_is_kept() {
    for clash in clashes() {
        let Some(book) = book("theirs") else { return };
        let (saved, _, done) = both(&book, &clash);
        assert_eq!(errno(done), Errno::BUSY.raw_os_error(), "{}", clash.name);
        book.settled_clash();
        let text = book.shown();
        assert!(text.contains(clash.line[2]) && has_both(&text), "{text}");
        assert_eq!(book.rejected(), saved);
        let error = book.error();
        assert!(error.contains(&format!(": {};", clash.name)), "{error}");
        assert_eq!(book.state_of_shown(), "conflict", "{}", clash.name);
        assert!(is_there(&book, &clash), "{}", book.contact());
        assert_eq!(book.contact()["companyName"], "There");
    }
}

/// 6.2 "or ours".
#[test]
fn under_ours_the_value_here_stands_and_the_card_there_is_kept() {
    for clash in clashes() {
        let Some(book) = book("ours") else { return };
        let (_, _, done) = both(&book, &clash);
        done.unwrap();
        book.settled_clash();
        let text = book.shown();
        assert!(text.contains(clash.line[1]) && has_both(&text), "{text}");
        assert!(
            !text.contains(clash.line[2]) || clash.line[2].is_empty(),
            "{text}"
        );
        let kept = book.rejected();
        assert!(
            kept.contains(clash.line[2]) && !kept.contains("X-ALSO"),
            "{kept}"
        );
        let error = book.error();
        assert!(error.contains(&format!(": {};", clash.name)), "{error}");
        assert_eq!(book.state_of_shown(), "conflict", "{}", clash.name);
        assert!(!is_there(&book, &clash), "{}", book.contact());
        assert_eq!(book.contact()["companyName"], "There");
    }
}

/// What a clash leaves, whatever the file is called by now.
impl Book {
    /// The one file that is shown.
    fn file(&self) -> String {
        let mut names = self.names();
        names.retain(|name| !name.starts_with('.'));
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    fn shown(&self) -> String {
        read(self, &self.file())
    }

    fn hidden(&self, end: &str) -> String {
        let names = self.names();
        let name = names.iter().find(|name| name.ends_with(end));
        read(self, name.unwrap_or_else(|| panic!("{end} in {names:?}")))
    }

    fn rejected(&self) -> String {
        self.hidden(".rejected")
    }

    fn error(&self) -> String {
        self.hidden(".error")
    }

    fn state_of_shown(&self) -> String {
        let path = self.mount.path(&format!("Contacts/{}", self.file()));
        let run = self
            .world
            .run(&["status", "--json", path.to_str().unwrap()]);
        let item: Value = serde_json::from_str(&run.out).unwrap();
        item["state"].as_str().unwrap().to_owned()
    }

    /// Everything sent, and the kernel told.
    fn settled_clash(&self) {
        eventually(SOON, "the clash is settled", || {
            let status = self.mount.status();
            let mount = &status["mounts"][0];
            let names = self.names();
            let is_kept = names.iter().any(|name| name.ends_with(".rejected"));
            is_kept
                && has_both(&self.shown())
                && mount["pending"] == json!([])
                && mount["conflicts"] != json!([])
        });
    }
}

/// 6.3 "the state is conflict until the user saves again"; 3.2 "Both vanish at the next good save".
#[test]
fn the_next_good_save_ends_a_conflict() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    assert_eq!(errno(save(&book, &text)), Errno::BUSY.raw_os_error());
    book.lists(&[ERROR, REJECTED, FILE]);
    let book = book.remount();
    assert_eq!(state(&book), "conflict");
    assert_eq!(read(&book, REJECTED), text);
    book.world.clear_log();
    save(&book, &text).unwrap();
    assert_eq!(state(&book), "synced");
    book.saved(&text);
}

/// A clash that was found when a text was committed, not when it was sent, leaves the same.
#[test]
fn a_clash_with_news_that_are_here_already_is_a_conflict() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let mut file = File::options().write(true).open(book.path()).unwrap();
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    book.mount.in_step();
    file.set_len(0).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    assert_eq!(errno(file.sync_all()), Errno::BUSY.raw_os_error());
    assert_eq!(state(&book), "conflict");
    drop(file);
    assert_eq!(read(&book, REJECTED), text);
    shows(&book, &text.replace("+44 2", "+44 9"));
    assert_eq!(book.world.writes(), []);
}

/// 6.2 "the complete losing card is kept": also when `close` had taken it and nobody waits.
#[test]
fn a_clash_that_nobody_waits_for_is_kept_as_well() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    book.world
        .api()
        .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    fs::write(book.path(), &text).unwrap();
    book.lists(&[ERROR, REJECTED, FILE]);
    assert_eq!(
        (read(&book, REJECTED), state(&book)),
        (text, "conflict".to_owned())
    );
    assert_eq!(book.world.writes(), []);
}
