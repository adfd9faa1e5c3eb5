//! Pictures that go: sent behind the fields, or refused in words.

use std::fs::{self, File};
use std::io::Write;

use serde_json::json;

use super::book::{ADA, Book, FILE, card, errno};
use super::offline::await_connection;
use super::picture::{base64, jpeg, line, unfolded, with, without_photo};

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
    fs::write(book.path(), book.text().replace("+44 7", "+44 8")).unwrap();
    book.one_patch(&json!({"mobilePhone": "+44 8"}));
    assert_eq!(
        book.photo(),
        Some(jpeg(2)),
        "an edit of the phone is none of the picture"
    );
    // Another may have been put there between the look at the version and the change, and nothing would tell.
    book.mount.in_step();
    assert_eq!(book.on_photo("GET").len(), 1);
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
        let text = format!(
            "BEGIN:VCARD\r\nVERSION:{version}\r\nN:N{number};;;;\r\nFN:N{number}\r\n{photo}\r\nEND:VCARD\r\n"
        );
        fs::write(book.mount.path(&format!("Contacts/N{number}.vcf")), text).unwrap();
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

    let new = with(&card("Zoe"), &line(&jpeg(2)));
    fs::write(book.mount.path("Contacts/Zoe.vcf"), &new).unwrap();
    assert_eq!(book.mount.sync().code, 1);
    assert!(
        book.world.api().contact("Zoe").is_some(),
        "made without its picture"
    );
    assert!(book.mount.read("Contacts/.Zoe.vcf.error").contains("PHOTO"));
}

/// "A save that changes nothing sends nothing, and saves that were not sent yet become one": a picture added and taken
/// out again.
#[test]
fn a_picture_taken_out_before_it_was_sent_is_no_removal() {
    let Some(book) = Book::open() else { return };
    let text = book.text();
    book.world.disconnect();
    fs::write(book.path(), with(&text, &line(&jpeg(1)))).unwrap();
    await_connection(&book, "offline");
    fs::write(book.path(), &text).unwrap();
    book.world.reconnect();
    book.settled();
    assert_eq!(book.world.writes(), []);
    assert_eq!((book.photo(), book.text()), (None, text));
    assert_eq!(book.names(), [FILE]);
}
