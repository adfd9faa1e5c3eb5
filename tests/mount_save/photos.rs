//! Pictures: read in the background, shown at the end of the card, sent behind the fields.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;

use contactfs::sandbox::{FaultAction, LogEntry, Options};
use serde_json::json;

use super::book::{ADA, Book, FILE, OUTAGE, SOON, errno};
use crate::support::{World, eventually, fuse_or_skip};

/// A picture as small as they come; `number` tells them apart.
fn jpeg(number: u8) -> Vec<u8> {
    [
        b"\xFF\xD8\xFF\xE0 picture ".as_slice(),
        &[number],
        b" \xFF\xD9",
    ]
    .concat()
}

/// The PHOTO line of a picture in 4.0, unfolded.
fn line(picture: &[u8]) -> String {
    format!("PHOTO:data:image/jpeg;base64,{}", base64(picture))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text
}

fn unfolded(text: &str) -> String {
    text.replace("\r\n ", "").replace("\n ", "")
}

/// The card's text with a line before its end.
fn with(text: &str, line: &str) -> String {
    text.replace("END:VCARD", &format!("{line}\r\nEND:VCARD"))
}

fn without_photo(text: &str) -> String {
    let text = unfolded(text);
    let lines = text
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("PHOTO"));
    lines.collect()
}

impl Book {
    /// A book whose contact has a picture, which the file shows.
    #[track_caller]
    fn pictured(number: u8) -> Option<Self> {
        let book = Self::open()?;
        book.world.api().put_photo(&book.id, &jpeg(number));
        book.calm();
        book.shows(&jpeg(number));
        book.world.clear_log();
        Some(book)
    }

    #[track_caller]
    fn shows(&self, picture: &[u8]) {
        let wanted = line(picture);
        eventually(SOON, "the card shows the picture", || {
            unfolded(&self.text()).contains(&wanted)
        });
    }

    #[track_caller]
    fn shows_none(&self) {
        eventually(SOON, "the card shows no picture", || {
            !self.text().contains("PHOTO")
        });
    }

    fn photo(&self) -> Option<Vec<u8>> {
        self.world.api().photo(&self.id)
    }

    fn on_photo(&self, method: &str) -> Vec<LogEntry> {
        let mut log = self.world.log();
        log.retain(|entry| entry.method == method && entry.path.contains("/photo"));
        log
    }

    #[track_caller]
    fn refused(&self, sentence: &str) {
        let error = self.mount.read(&format!("Contacts/.{FILE}.error"));
        assert!(error.contains(sentence), "{error}");
    }
}

/// "A contact's picture is the last property of its card"
#[test]
fn a_picture_made_elsewhere_ends_the_card() {
    let Some(book) = Book::open() else { return };
    let before = (book.text(), fs::metadata(book.path()).unwrap().ino());
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.calm();
    book.shows(&jpeg(1));
    let text = book.text();
    assert_eq!(unfolded(&text), with(&before.0, &line(&jpeg(1))));
    assert!(text.lines().all(|line| line.len() <= 75), "{text}");
    assert_ne!(
        fs::metadata(book.path()).unwrap().ino(),
        before.1,
        "a new version is a new inode"
    );
    book.world.api().put_photo(&book.id, &jpeg(2));
    book.calm();
    book.shows(&jpeg(2));
    fs::write(book.path(), book.text()).unwrap();
    book.nothing_sent();
    let book = book.remount();
    book.shows(&jpeg(2));
}

/// "Pictures are read in the background; a listing never waits for them", in batches of those that have one.
#[test]
fn pictures_come_after_the_listing_in_batches() {
    if !fuse_or_skip() {
        return;
    }
    let world = World::new();
    for number in 0..30 {
        let name = format!("P{number:02}");
        let made = world
            .api()
            .create(json!({"givenName": name, "displayName": name}));
        if number < 25 {
            world
                .api()
                .put_photo(made["id"].as_str().unwrap(), &jpeg(number));
        }
    }
    world.fail_with(None, "/photo/", u32::MAX, 503, "ServiceUnavailable");
    let mount = world.mount(&[]);
    assert_eq!(mount.list("Contacts").len(), 30);
    assert!(!mount.read("Contacts/P07.vcf").contains("PHOTO"));
    world.clear_faults();
    world.clear_log();
    mount.in_step();
    for number in 0..30 {
        let shows = || {
            let text = unfolded(&mount.read(&format!("Contacts/P{number:02}.vcf")));
            let expected = if number < 25 {
                line(&jpeg(number))
            } else {
                "END".to_owned()
            };
            text.contains(&expected) && text.contains("PHOTO") == (number < 25)
        };
        eventually(SOON, "pictures are shown of those that have one", shows);
    }
    let mut reads = world.log();
    reads.retain(|entry| entry.path.contains("/photo") && entry.status == 200);
    assert_eq!(reads.len(), 25, "one each, and none for those without");
    assert!(reads.iter().all(|entry| entry.in_batch), "{reads:#?}");
    world.clear_log();
    mount.in_step();
    let again = world.log();
    assert!(
        again.iter().all(|entry| !entry.path.contains("/photo")),
        "{again:#?}"
    );
    assert_eq!(world.writes(), []);
}

/// "A card saved with another picture sends the picture behind the other properties"
#[test]
fn a_picture_is_sent_replaced_and_kept() {
    let Some(book) = Book::open() else { return };
    let text = with(&book.text(), &line(&jpeg(1)));
    fs::write(book.path(), &text).unwrap();
    let sent = book.one_write("PUT");
    assert_eq!(sent, json!(null), "bytes, not JSON");
    assert_eq!(book.photo(), Some(jpeg(1)));
    assert_eq!(book.text(), text, "the user's own bytes");
    book.calm();
    let text = text
        .replace(&line(&jpeg(1)), &line(&jpeg(2)))
        .replace("+44 1", "+44 7");
    fs::write(book.path(), &text).unwrap();
    book.mount.in_step();
    let writes = book.world.writes();
    let methods: Vec<&str> = writes.iter().map(|entry| entry.method.as_str()).collect();
    assert_eq!(methods, ["PATCH", "PUT"]);
    assert_eq!(writes[0].request, Some(json!({"mobilePhone": "+44 7"})));
    assert_eq!((book.photo(), book.text()), (Some(jpeg(2)), text.clone()));
    let book = book.remount();
    book.calm();
    assert_eq!(book.text(), text);
    fs::write(book.path(), book.with_phone_of("+44 7", "+44 8")).unwrap();
    book.one_patch(&json!({"mobilePhone": "+44 8"}));
    assert_eq!(
        book.photo(),
        Some(jpeg(2)),
        "an edit of the phone is none of the picture"
    );
    assert_eq!(
        book.on_photo("GET"),
        [],
        "an own change of the fields is no reason to read it again"
    );
}

impl Book {
    fn with_phone_of(&self, old: &str, new: &str) -> String {
        self.text().replace(old, new)
    }
}

/// Pictures come in every dress; what the line says besides is kept, also for another machine.
#[test]
fn pictures_of_every_version_are_taken() {
    let Some(book) = Book::open() else { return };
    let png = b"\x89PNG\r\n\x1A\n tiny".to_vec();
    let cards = [
        (
            "2.1",
            format!("PHOTO;JPEG;ENCODING=BASE64:\r\n {}\r\n", base64(&jpeg(1))),
            jpeg(1),
        ),
        (
            "3.0",
            format!("PHOTO;ENCODING=b;TYPE=JPEG:{}", base64(&png)),
            png,
        ),
        (
            "3.0",
            format!(
                "item1.PHOTO;X-ABCROP-RECTANGLE=ABC&1;ENCODING=b;TYPE=JPEG:{}",
                base64(&jpeg(3))
            ),
            jpeg(3),
        ),
        (
            "4.0",
            format!("PHOTO;PREF=1:data:image/png;base64,{}", base64(&jpeg(4))),
            jpeg(4),
        ),
    ];
    for (number, (version, photo, picture)) in cards.iter().enumerate() {
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:{version}\r\nN:N{number};;;;\r\nFN:N{number}\r\n{photo}\r\nEND:VCARD\r\n"
        );
        fs::write(book.mount.path(&format!("Contacts/N{number}.vcf")), card).unwrap();
        book.mount.in_step();
        let made = book.world.api().contact(&format!("N{number}")).unwrap();
        let there = book.world.api().photo(made["id"].as_str().unwrap());
        assert_eq!(there.as_ref(), Some(picture), "{photo}");
    }
    let other = book.world.mounting().at("other").state("elsewhere").start();
    other.in_step();
    let read = |number: usize| unfolded(&other.read(&format!("Contacts/N{number}.vcf")));
    assert!(
        read(1).contains("PHOTO:data:image/png;base64,"),
        "{}",
        read(1)
    );
    assert!(
        read(2).contains("\nitem1.PHOTO;X-ABCROP-RECTANGLE=ABC&1:data:image/jpeg;base64,"),
        "{}",
        read(2)
    );
    assert!(
        read(3).contains("\nPHOTO;PREF=1:data:image/jpeg;base64,"),
        "{}",
        read(3)
    );
    let text = other.read("Contacts/N2.vcf");
    book.world.clear_log();
    fs::write(other.path("Contacts/N2.vcf"), text).unwrap();
    other.in_step();
    assert_eq!(book.world.writes(), []);
}

/// "Only saving a card without the picture that its file showed removes the picture": an editor that had the card open when the picture
/// arrived saves it without.
#[test]
fn a_card_saved_without_a_picture_that_had_not_arrived_keeps_it() {
    let Some(book) = Book::open() else { return };
    let text = book.with_phone("+44 2");
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(book.path())
        .unwrap();
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.calm();
    book.shows(&jpeg(1));
    let mut seen = String::new();
    file.read_to_string(&mut seen).unwrap();
    assert!(!seen.contains("PHOTO"), "never under an open handle");
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_len(text.len() as u64).unwrap();
    drop(file);
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!(book.photo(), Some(jpeg(1)));
    eventually(SOON, "the picture is shown with the new phone", || {
        let text = unfolded(&book.text());
        text.contains(&line(&jpeg(1))) && text.contains("+44 2")
    });
    assert_eq!(book.names(), [FILE]);
}

/// The same with a card that was never shown with its picture.
#[test]
fn a_card_saved_before_its_picture_was_read_keeps_it() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail_with(Some("GET"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    book.world.api().control("DELETE", "faults", &json!(null));
    book.world.api().put_photo(&book.id, &jpeg(1));
    book.world
        .fail_with(Some("GET"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    book.save_phone("+44 2");
    book.world
        .api()
        .await_contact("Ada Byron", |ada| ada["mobilePhone"] == "+44 2");
    book.world.clear_faults();
    book.mount.in_step();
    assert_eq!(book.photo(), Some(jpeg(1)));
    book.shows(&jpeg(1));
}

/// "Where the service does not remove pictures ... the rest of the card is saved ... and the file shows the picture that
/// stands."
#[test]
fn a_removal_is_done_or_refused_in_words() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = without_photo(&book.text()).replace("+44 1", "+44 2");
    fs::write(book.path(), &text).unwrap();
    assert_eq!(book.mount.sync().code, 1);
    assert_eq!(book.photo(), Some(jpeg(1)));
    book.refused("PHOTO: Microsoft Graph does not remove the picture of a contact");
    assert_eq!(book.mount.read(&format!("Contacts/.{FILE}.rejected")), text);
    book.shows(&jpeg(1));
    assert_eq!(
        book.contact()["mobilePhone"],
        "+44 2",
        "the rest of the card was saved"
    );
    assert!(book.text().contains("+44 2"));

    book.world
        .api()
        .control("POST", "settings", &json!({"removes_photos": true}));
    book.world.clear_log();
    fs::write(book.path(), without_photo(&book.text())).unwrap();
    book.one_write("DELETE");
    assert_eq!(book.photo(), None);
    book.shows_none();
    assert_eq!(
        book.names(),
        [FILE],
        "the next good save clears what was kept aside"
    );
    assert_eq!(book.world.api().count(), 1);
}

/// A picture taken away elsewhere leaves the card.
#[test]
fn a_picture_removed_elsewhere_goes() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let api = book.world.api();
    api.control("POST", "settings", &json!({"removes_photos": true}));
    let (status, _) = api.request(
        "DELETE",
        &format!("/contacts/{}/photo/$value", book.id),
        None,
    );
    assert_eq!(status, 204);
    book.calm();
    book.shows_none();
    assert!(book.world.api().get(&book.id).is_some());
    book.nothing_sent();
}

/// "Where the service ... takes none, the rest of the card is saved".
#[test]
fn a_refused_picture_keeps_the_rest_of_the_card() {
    let Some(book) = Book::open() else { return };
    book.world
        .api()
        .control("POST", "settings", &json!({"takes_photos": false}));
    let text = with(&book.with_phone("+44 2"), &line(&jpeg(1)));
    let mut file = File::create(book.path()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    assert_eq!(
        errno(file.sync_all()),
        rustix::io::Errno::INVAL.raw_os_error()
    );
    drop(file);
    book.refused("PHOTO: this account takes no pictures through Microsoft Graph");
    assert_eq!(book.mount.read(&format!("Contacts/.{FILE}.rejected")), text);
    assert_eq!(book.contact()["mobilePhone"], "+44 2");
    assert!(book.text().contains("+44 2") && !book.text().contains("PHOTO"));
    assert_eq!(book.mount.status()["mounts"][0]["pending"], json!([]));

    let new = with(&super::book::card("Zoe"), &line(&jpeg(2)));
    fs::write(book.mount.path("Contacts/Zoe.vcf"), &new).unwrap();
    assert_eq!(book.mount.sync().code, 1);
    assert!(
        book.world.api().contact("Zoe").is_some(),
        "made without its picture"
    );
    assert!(book.mount.read("Contacts/.Zoe.vcf.error").contains("PHOTO"));
}

/// What is no picture, or too long, is refused at once.
#[test]
fn what_is_no_picture_or_too_long_is_refused_at_close() {
    let Some(book) = Book::open() else { return };
    let save = |photo: &[u8]| {
        let text = with(&book.text(), &line(photo));
        let mut file = File::create(book.mount.path("Contacts/New.vcf")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        errno(file.sync_all())
    };
    assert_eq!(
        save(b"this is no picture"),
        rustix::io::Errno::INVAL.raw_os_error()
    );
    let long = [jpeg(1), vec![7; 4 << 20]].concat();
    assert_eq!(save(&long), rustix::io::Errno::FBIG.raw_os_error());
    let longer = [jpeg(1), vec![7; 6 << 20]].concat();
    assert_eq!(save(&longer), rustix::io::Errno::FBIG.raw_os_error());
    fs::remove_file(book.mount.path("Contacts/New.vcf")).unwrap();
    let fits = [jpeg(1), vec![7; (4 << 20) - 30]].concat();
    let text = with(&book.text(), &line(&fits));
    fs::write(book.path(), &text).unwrap();
    book.one_write("PUT");
    assert_eq!(book.photo().map(|photo| photo.len()), Some(fits.len()));
    assert!(book.text() == text);
}

/// A picture named by an address is a line like any other.
#[test]
fn an_address_of_a_picture_is_never_followed() {
    let Some(book) = Book::open() else { return };
    let text = with(
        &book.text(),
        "PHOTO;VALUE=uri:http://pictures.example/ada.jpg",
    );
    fs::write(book.path(), &text).unwrap();
    book.one_write("PATCH");
    assert_eq!((book.photo(), book.text()), (None, text));
    let both = with(&book.text(), &line(&jpeg(1)));
    fs::write(book.path(), &both).unwrap();
    book.mount.in_step();
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), both));
}

/// "Afterwards the file shows the picture as the service returns it."
#[test]
fn a_picture_that_the_service_encodes_anew_is_shown_so() {
    let Some(book) = Book::open() else { return };
    book.world
        .api()
        .control("POST", "settings", &json!({"encodes_photos": true}));
    fs::write(book.path(), with(&book.text(), &line(&jpeg(1)))).unwrap();
    book.one_write("PUT");
    let anew = [jpeg(1), b"encoded anew".to_vec()].concat();
    assert_eq!(book.photo(), Some(anew.clone()));
    book.shows(&anew);
    book.calm();
    fs::write(book.path(), book.text()).unwrap();
    book.nothing_sent();
}

/// 6.1 "A conflict is the same property changed here and there to different values."
#[test]
fn a_picture_changed_here_and_there_is_a_conflict() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = unfolded(&book.text()).replace(&line(&jpeg(1)), &line(&jpeg(2)));
    // Nothing is sent before the version was compared.
    book.world.fail_with(
        Some("GET"),
        "changeKey",
        u32::MAX,
        503,
        "ServiceUnavailable",
    );
    fs::write(book.path(), &text).unwrap();
    book.world.api().put_photo(&book.id, &jpeg(3));
    book.world.reconnect();
    eventually(OUTAGE, "the picture is not taken", || {
        book.mount.sync().out.contains("PHOTO: changed elsewhere")
    });
    assert_eq!(book.photo(), Some(jpeg(3)));
    assert_eq!(book.on_photo("PUT"), []);
    book.refused("PHOTO: changed elsewhere");
    assert_eq!(book.mount.read(&format!("Contacts/.{FILE}.rejected")), text);
    book.shows(&jpeg(3));
}

/// 7.3 "Killing the process at any instant loses nothing that close/fsync acknowledged and sends nothing twice."
#[test]
fn a_kill_between_fields_and_picture_sends_each_once() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail_with(Some("PUT"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    let text = with(&book.with_phone("+44 2"), &line(&jpeg(1)));
    fs::write(book.path(), &text).unwrap();
    book.world
        .api()
        .await_contact("Ada Byron", |ada| ada["mobilePhone"] == "+44 2");
    let book = book.killed(World::clear_faults);
    book.settled();
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), text));
    assert_eq!(book.world.patches().len(), 1);
    let puts = book.on_photo("PUT");
    assert_eq!(
        puts.iter().filter(|put| put.status == 200).count(),
        1,
        "{puts:#?}"
    );
    assert_eq!(book.world.api().count(), 1);
}

/// The same with a picture that arrived and whose reply did not.
#[test]
fn a_picture_whose_reply_was_lost_is_not_sent_again() {
    let Some(book) = Book::open() else { return };
    book.world
        .fail(Some("PUT"), "/photo/", 1, FaultAction::DropAfter);
    fs::write(book.path(), with(&book.text(), &line(&jpeg(1)))).unwrap();
    eventually(SOON, "the picture is there", || {
        book.photo() == Some(jpeg(1))
    });
    let book = book.killed(|_| {});
    book.settled();
    book.shows(&jpeg(1));
    assert_eq!(book.world.api().count(), 1);
}

/// 4.2 "a create never makes two contacts": with a picture behind it.
#[test]
fn a_new_contact_with_a_picture_is_made_once() {
    let Some(book) = Book::with(&[], Options::default()) else {
        return;
    };
    book.world
        .fail_with(Some("PUT"), "/photo/", u32::MAX, 503, "ServiceUnavailable");
    let text = with(&super::book::card("Zoe"), &line(&jpeg(1)));
    fs::write(book.mount.path("Contacts/Zoe.vcf"), &text).unwrap();
    book.world.api().await_contact("Zoe", |_| true);
    let book = book.killed(World::clear_faults);
    book.settled();
    assert_eq!(book.world.api().count(), 2);
    let zoe = book.world.api().contact("Zoe").unwrap();
    assert_eq!(
        book.world.api().photo(zoe["id"].as_str().unwrap()),
        Some(jpeg(1))
    );
    assert_eq!(book.mount.read("Contacts/Zoe.vcf"), text);
}

/// 6.4 "Edited here, deleted there: the edit wins and the contact is created again", with its picture.
#[test]
fn a_contact_made_again_takes_its_picture_along() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    book.world.disconnect();
    fs::write(book.path(), book.text().replace("+44 1", "+44 2")).unwrap();
    book.world.reconnect();
    let deleted = book
        .world
        .api()
        .request("DELETE", &format!("/contacts/{}", book.id), None);
    assert_eq!(deleted.0, 204);
    book.settled();
    if let Some(ada) = book.world.api().contact("Ada Byron") {
        assert_eq!(
            book.world.api().photo(ada["id"].as_str().unwrap()),
            Some(jpeg(1))
        );
        book.shows(&jpeg(1));
    }
}

/// 4.5: a file deleted and written anew, as git does, sends the picture no second time.
#[test]
fn a_card_written_anew_keeps_its_picture() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let text = book.text();
    fs::remove_file(book.path()).unwrap();
    fs::write(book.path(), text.replace("+44 1", "+44 2")).unwrap();
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    book.sh(&format!("sed -i 's/+44 2/+44 3/' '{FILE}'")).ok();
    book.mount.in_step();
    assert_eq!(book.photo(), Some(jpeg(1)));
    assert_eq!(book.on_photo("PUT"), []);
    assert_eq!(book.mount.read(ADA), text.replace("+44 1", "+44 3"));
}

/// `--photo none`: not shown, never removed, and sent all the same.
#[test]
fn pictures_are_hidden_on_request() {
    let Some(book) = Book::pictured(1) else {
        return;
    };
    let Book { mount, world, id } = book;
    mount.unmount();
    world.clear_log();
    let mount = world.mount(&["--photo", "none"]);
    let book = Book { mount, world, id };
    assert!(!book.text().contains("PHOTO"), "{}", book.text());
    let saved = book.save_phone("+44 2");
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), saved));
    assert_eq!(book.on_photo("GET"), []);
    book.world.clear_log();
    let text = with(&book.text(), &line(&jpeg(2)));
    fs::write(book.path(), &text).unwrap();
    book.one_write("PUT");
    assert_eq!((book.photo(), book.text()), (Some(jpeg(2)), text));
    let book = book.remount();
    book.calm();
    book.shows(&jpeg(2));
}

/// `--photo sidecar`: a file beside the card that follows it.
#[test]
fn pictures_are_files_beside_their_cards_on_request() {
    let Some(book) = Book::with(&["--photo", "sidecar"], Options::default()) else {
        return;
    };
    let api = book.world.api();
    api.put_photo(&book.id, &jpeg(1));
    book.calm();
    book.lists(&["Ada Byron.jpg", FILE]);
    let picture = book.mount.path("Contacts/Ada Byron.jpg");
    assert_eq!(fs::read(&picture).unwrap(), jpeg(1));
    assert_eq!(fs::metadata(&picture).unwrap().mode() & 0o777, 0o400);
    assert!(!book.text().contains("PHOTO"));
    let saved = book.save_phone("+44 2");
    book.one_patch(&json!({"mobilePhone": "+44 2"}));
    assert_eq!((book.photo(), book.text()), (Some(jpeg(1)), saved));

    book.sh(&format!("mv '{FILE}' Countess.vcf")).ok();
    book.calm();
    book.lists(&["Countess.jpg", "Countess.vcf"]);
    let png = b"\x89PNG\r\n\x1A\n tiny".to_vec();
    api.put_photo(&book.id, &png);
    book.calm();
    book.lists(&["Countess.png", "Countess.vcf"]);
    fs::remove_file(book.mount.path("Contacts/Countess.png")).unwrap();
    fs::write(book.mount.path("Contacts/Countess.jpg"), "mine").unwrap();
    book.calm();
    assert_eq!(book.names(), ["Countess.jpg", "Countess.vcf"]);
    api.put_photo(&book.id, &jpeg(2));
    book.calm();
    assert_eq!(
        book.mount.read("Contacts/Countess.jpg"),
        "mine",
        "a file of one's own is never replaced"
    );
    fs::remove_file(book.mount.path("Contacts/Countess.jpg")).unwrap();
    book.calm();
    book.lists(&["Countess.jpg", "Countess.vcf"]);
    api.delete(&book.id);
    book.calm();
    book.lists(&[]);
}
