//! Cards into a mount and out of it: `contactfs import`, `export` and `categories`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "tests fail by panicking, and use a part of what others use"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use support::{Mount, Run, World, eventually, fuse_or_skip};

/// A mounted mailbox and a file beside it.
struct Desk {
    mount: Mount,
    world: World,
}

impl Desk {
    #[track_caller]
    fn open() -> Option<Self> {
        if !fuse_or_skip() {
            return None;
        }
        let world = World::new();
        let mount = world.mount(&[]);
        assert_eq!(mount.list(""), ["Contacts"]);
        mount.in_step();
        world.clear_log();
        Some(Self { mount, world })
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.world.dir().join("cards.vcf");
        fs::write(&path, text).unwrap();
        path
    }

    fn import(&self, text: &str, options: &[&str]) -> Run {
        let (file, folder) = (self.file(text), self.mount.path("Contacts"));
        let mut arguments = vec!["import", file.to_str().unwrap(), folder.to_str().unwrap()];
        arguments.extend(options);
        self.world.run(&arguments)
    }

    fn export(&self, options: &[&str]) -> Run {
        let dir = self.mount.dir().to_str().unwrap().to_owned();
        let mut arguments = vec!["export", dir.as_str()];
        arguments.extend(options);
        self.world.run(&arguments)
    }
}

fn card(name: &str, rest: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:uid-{name}\r\nFN:{name}\r\nN:{name};;;;\r\n{rest}END:VCARD\r\n"
    )
}

/// "The file may hold many cards. One whose UID a contact of the directory has already is skipped. Each refused card is
/// reported with its line, and the others are imported."
#[test]
fn import_takes_what_it_can_and_says_the_rest() {
    let Some(desk) = Desk::open() else { return };
    let text = [
        card("Ann", "TEL;TYPE=CELL:+1\r\n"),
        card("Bad", "this line has no colon\r\n"),
        "\r\n".to_owned(),
        card("Ann", ""),
        card("Team", "KIND:group\r\n"),
        card("Zoe", ""),
    ]
    .concat();
    let dry = desk.import(&text, &["--dry-run", "--json"]);
    assert_eq!(dry.code, 1, "{dry:?}");
    assert_eq!(desk.mount.list("Contacts"), Vec::<String>::new());
    assert_eq!(desk.world.writes(), []);

    let run = desk.import(&text, &["--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.out, dry.out, "a dry run says what would be done");
    let rows: Value = serde_json::from_str(&run.out).unwrap();
    let rows = rows.as_array().unwrap().iter();
    let said: Vec<(u64, &str)> = rows
        .map(|row| {
            (
                row["line"].as_u64().unwrap(),
                row["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    // The lines of the cards, or of what is wrong in them.
    let expected = [
        (1, "imported"),
        (13, "refused"),
        (16, "skipped"),
        (27, "refused"),
        (29, "imported"),
    ];
    assert_eq!(said, expected);
    assert!(run.out.contains("is not \\\"NAME:value\\\""), "{run:?}");
    assert_eq!(desk.mount.list("Contacts"), ["Ann.vcf", "Zoe.vcf"]);
    assert_eq!(desk.world.api().count(), 2);
    let ann = desk.world.api().contact("Ann").unwrap();
    assert_eq!(ann["mobilePhone"], "+1");

    desk.world.clear_log();
    let again = desk.import(&text, &[]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again.err.contains("0 imported, 3 skipped, 2 refused"),
        "{again:?}"
    );
    assert!(again.out.contains("cards.vcf:13: refused: "), "{again:?}");
    assert_eq!(desk.world.writes(), []);
}

/// A large file travels in `$batch`.
#[test]
fn a_large_import_travels_in_batches() {
    let Some(desk) = Desk::open() else { return };
    let text: String = (0..200)
        .map(|number| card(&format!("P{number:03}"), ""))
        .collect();
    let run = desk.import(&text, &[]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run:?}");
    assert_eq!(desk.world.api().count(), 200);
    let log = desk.world.log();
    let posts = log
        .iter()
        .filter(|entry| entry.method == "POST" && entry.status == 201);
    assert_eq!(posts.count(), 200);
    let requests = log.iter().filter(|entry| entry.batch.is_none()).count();
    assert!(
        requests <= 120,
        "{requests} requests: what comes together is sent together"
    );
}

/// What the service refuses is reported as well, and so is what could not be sent yet.
#[test]
fn import_says_what_the_service_refuses_and_what_waits() {
    let Some(desk) = Desk::open() else { return };
    desk.world
        .fail_with(Some("POST"), "/contacts", 1, 400, "ErrorInvalidProperty");
    let run = desk.import(&card("Ann", ""), &[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.out
            .contains("cards.vcf:1: refused: the server refused it"),
        "{run:?}"
    );
    desk.world.disconnect();
    let run = desk.import(&card("Bo", ""), &[]);
    assert_eq!(run.code, 75, "{run:?}");
    desk.world.reconnect();
    desk.world.api().await_contact("Bo", |_| true);
}

/// Two people of one name get two files, and the root takes none.
#[test]
fn import_finds_names_and_wants_a_folder() {
    let Some(desk) = Desk::open() else { return };
    let twins = card("Ann", "") + &card("Ann", "").replace("UID:uid-Ann", "UID:other");
    let run = desk.import(&twins, &[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(desk.mount.list("Contacts"), ["Ann (2).vcf", "Ann.vcf"]);
    let file = desk.file(&twins);
    let root = desk.mount.dir().to_str().unwrap().to_owned();
    let run = desk.world.run(&["import", file.to_str().unwrap(), &root]);
    assert_eq!(run.code, 64, "{run:?}");
    let outside = desk.world.dir().to_str().unwrap().to_owned();
    let run = desk
        .world
        .run(&["import", file.to_str().unwrap(), &outside]);
    assert_eq!(run.code, 64, "{run:?}");
}

/// What was exported can be imported elsewhere: the same contacts, pictures included.
#[test]
fn export_and_import_carry_a_mailbox() {
    let Some(desk) = Desk::open() else { return };
    let photo = b"\xff\xd8\xff\xe0 small \xff\xd9";
    let text = card("Ann", "X-PET:Möhre\r\n") + &card("Zoe", "");
    assert_eq!(desk.import(&text, &[]).code, 0);
    let ann = desk.world.api().contact("Ann").unwrap();
    desk.world
        .api()
        .put_photo(ann["id"].as_str().unwrap(), photo);
    desk.world.api().create_folder("Work");
    desk.mount.in_step();
    eventually(
        std::time::Duration::from_secs(20),
        "the picture is shown",
        || {
            desk.mount.list("").contains(&"Work".to_owned())
                && desk.mount.read("Contacts/Ann.vcf").contains("PHOTO")
        },
    );
    let draft = desk.mount.path("Contacts/Draft.vcf");
    fs::write(&draft, "BEGIN:VCARD\r\n").unwrap();
    let run = desk.export(&[]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.err.contains("left out") && run.err.contains("2 exported"),
        "{run:?}"
    );
    fs::remove_file(&draft).unwrap();

    let all = desk.world.dir().join("all.vcf");
    let run = desk.export(&["--output", all.to_str().unwrap(), "--json"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    assert_eq!(
        serde_json::from_str::<Value>(&run.out).unwrap(),
        json!({"exported": 2, "left_out": []})
    );
    let exported = fs::read_to_string(&all).unwrap();
    assert_eq!(exported.matches("BEGIN:VCARD").count(), 2);
    assert!(
        exported.contains("X-PET:Möhre") && exported.contains("PHOTO"),
        "{exported}"
    );
    assert_eq!(
        fs::metadata(&all).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let each = desk.world.dir().join("each");
    assert_eq!(desk.export(&["--split", each.to_str().unwrap()]).code, 0);
    let names = |dir: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(each.join(dir)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(
        names("Contacts"),
        BTreeSet::from(["Ann.vcf".to_owned(), "Zoe.vcf".to_owned()])
    );
    assert_eq!(
        fs::read_to_string(each.join("Contacts/Ann.vcf")).unwrap(),
        desk.mount.read("Contacts/Ann.vcf")
    );

    let work = desk.mount.path("Work").to_str().unwrap().to_owned();
    let run = desk.world.run(&["import", all.to_str().unwrap(), &work]);
    assert_eq!(run.code, 0, "{run:?}");
    let folder = desk.world.api().folder("Work").unwrap();
    let copies = desk.world.api().contacts_in(&folder);
    assert_eq!(copies.len(), 2);
    let copy = copies
        .iter()
        .find(|copy| copy["displayName"] == "Ann")
        .unwrap();
    assert_eq!(
        desk.world
            .api()
            .photo(copy["id"].as_str().unwrap())
            .unwrap(),
        photo
    );
    let ann = desk
        .mount
        .path("Contacts/Ann.vcf")
        .to_str()
        .unwrap()
        .to_owned();
    let one = desk.world.run(&["export", &ann]);
    assert_eq!(one.out, desk.mount.read("Contacts/Ann.vcf"));
}

/// "A category is a name on the contacts, in CATEGORIES; one that is not in the mailbox's list has no colour."
#[test]
fn categories_have_the_colours_of_the_mailbox() {
    let Some(desk) = Desk::open() else { return };
    let api = desk.world.api();
    let (status, _) = api.request(
        "POST",
        "/outlook/masterCategories",
        Some(&json!({"displayName": "Friends, close", "color": "preset4"})),
    );
    assert_eq!(status, 201);
    let cards =
        card("Ann", "CATEGORIES:Friends\\, close,Chess\r\n") + &card("Zoe", "CATEGORIES:Chess\r\n");
    assert_eq!(desk.import(&cards, &[]).code, 0);
    let ann = api.contact("Ann").unwrap();
    assert_eq!(
        ann["categories"],
        json!(["Friends, close", "Chess"]),
        "new names are strings"
    );
    let dir = desk.mount.path("Contacts").to_str().unwrap().to_owned();
    let run = desk.world.run(&["categories", "--json", &dir]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let expected = json!([
        {"name": "Friends, close", "color": "green", "contacts": 1},
        {"name": "Chess", "color": null, "contacts": 2},
    ]);
    assert_eq!(serde_json::from_str::<Value>(&run.out).unwrap(), expected);
    let by_account = desk.world.run(&["categories", "default"]);
    assert!(
        by_account.out.contains("1  green           Friends, close"),
        "{by_account:?}"
    );

    desk.world
        .fail_with(Some("GET"), "masterCategories", 1, 403, "ErrorAccessDenied");
    let run = desk.world.run(&["categories"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.err
            .contains("lacks the permission MailboxSettings.Read"),
        "{run:?}"
    );
    assert!(run.out.contains("2  -               Chess"), "{run:?}");
}
