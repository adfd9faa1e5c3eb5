//! What programs print when a text cannot be a contact, or the service does not take it: the table of contactfs(7),
//! WHAT PROGRAMS SAY.
//!
//! 3.2 "Complete but not acceptable: the call fails (EINVAL, EILSEQ, EFBIG, EOPNOTSUPP ...). Nothing is sent."

use std::fs;
use std::path::Path;

use contactfs::sandbox::Options;
use serde_json::{Value, json};

use crate::book::{Book, FILE};
use crate::support::{Run, need, run};

/// A text that is refused, and what a program is told.
struct Row {
    what: &'static str,
    text: Vec<u8>,
    errno: i32,
    /// As the C library words it.
    said: &'static str,
}

const INVALID: (i32, &str) = (libc::EINVAL, "Invalid argument");
const BYTES: (i32, &str) = (
    libc::EILSEQ,
    "Invalid or incomplete multibyte or wide character",
);
const LARGE: (i32, &str) = (libc::EFBIG, "File too large");
const UNSUPPORTED: (i32, &str) = (libc::EOPNOTSUPP, "Operation not supported");
const BUSY: &str = "Device or resource busy";

/// Every row of the table that is found here, before anything is sent.
fn rows() -> Vec<Row> {
    let card = |lines: &str| {
        format!("BEGIN:VCARD\r\nVERSION:4.0\r\n{lines}\r\nEND:VCARD\r\n").into_bytes()
    };
    let picture = |bytes: &[u8]| {
        let encoded = String::from_utf8(base64(bytes)).unwrap();
        card(&format!("FN:Ada\r\nPHOTO:data:image/jpeg;base64,{encoded}"))
    };
    let mut huge = b"\xff\xd8\xff\xe0".to_vec();
    huge.resize(5 << 20, b'x');
    let row = |what, text, (errno, said)| Row {
        what,
        text,
        errno,
        said,
    };
    vec![
        row(
            "a line without a colon",
            card("FN:Ada\r\nnonsense"),
            INVALID,
        ),
        row(
            "two cards",
            [card("FN:Ada"), card("FN:Bo")].concat(),
            INVALID,
        ),
        row(
            "a version that there is not",
            b"BEGIN:VCARD\nVERSION:5.0\nFN:Ada\nEND:VCARD\n".to_vec(),
            INVALID,
        ),
        row(
            "bytes that are no UTF-8",
            b"BEGIN:VCARD\nVERSION:4.0\nFN:Ad\xe4\nEND:VCARD\n".to_vec(),
            BYTES,
        ),
        row("nobody", card("NOTE:x"), INVALID),
        row("a group", card("KIND:group\r\nFN:Friends"), UNSUPPORTED),
        row(
            "a line that is too long",
            card(&format!("FN:Ada\r\nX-LOGO:{}", "a".repeat(20_000))),
            LARGE,
        ),
        row("a picture that is none", picture(b"hello"), INVALID),
        row("a picture that is too large", picture(&huge), LARGE),
    ]
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child = std::process::Command::new("base64")
        .arg("-w0")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.stdout
}

/// Lets vim write a file's text over the contact; what it printed, and whether it counted as written.
fn vim(book: &Book, text: &Path) -> String {
    let out = book.world.dir().join("vim.out");
    let commands = [
        "set nofixendofline binary".to_owned(),
        "%d _".to_owned(),
        format!("read {}", text.display()),
        "global/^$/delete _".to_owned(),
        format!("redir! > {}", out.display()),
        "silent! write!".to_owned(),
        "redir END".to_owned(),
        "cquit".to_owned(),
    ];
    let mut words = vec![
        "-es".to_owned(),
        "-u".to_owned(),
        "NONE".to_owned(),
        "-i".to_owned(),
        "NONE".to_owned(),
    ];
    words.extend(commands.map(|command| format!("+{command}")));
    words.push(book.path().to_str().unwrap().to_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    drop(run("vim", &words));
    fs::read_to_string(out).unwrap()
}

#[track_caller]
fn failed(run: &Run, code: i32, said: &str, what: &str) {
    assert_eq!(run.code, code, "{what}: {run:?}");
    assert!(run.err.contains(said), "{what}: {said:?} in {run:?}");
}

/// Each text by each program. In between the good text is put back, which is no change.
#[test]
fn a_text_that_cannot_be_a_contact_fails_in_every_program() {
    for program in ["rsync", "vim", "git", "base64"] {
        if !need(program) {
            return;
        }
    }
    let Some(book) = Book::open() else { return };
    let (good, contact) = (book.text(), book.contact());
    let outside = book.world.dir().join("bad.vcf");
    let from = outside.to_str().unwrap().to_owned();
    for Row {
        what,
        text,
        errno,
        said,
    } in rows()
    {
        fs::write(&outside, &text).unwrap();
        let sh = |line: &str| {
            let run = book.sh(&line
                .replace("FROM", &from)
                .replace("TO", &format!("'{FILE}'")));
            let cleared = fs::write(book.path(), &good);
            cleared.unwrap();
            run
        };
        failed(
            &sh("cp FROM TO"),
            1,
            &format!("cp: failed to close '{FILE}': {said}"),
            what,
        );
        failed(
            &sh("cp --remove-destination FROM TO"),
            1,
            &format!("cp: failed to close '{FILE}': {said}"),
            what,
        );
        failed(&sh("cat FROM > TO"), 1, said, what);
        failed(
            &sh("tee TO < FROM > /dev/null"),
            1,
            &format!("tee: '{FILE}': {said}"),
            what,
        );
        failed(&sh("dd if=FROM of=TO status=none"), 1, said, what);
        let rsync = sh("rsync -aI FROM TO");
        failed(
            &rsync,
            23,
            &format!("-> \"{FILE}\": {said} ({errno})"),
            what,
        );
        let rsync = sh("rsync -aI --inplace FROM TO");
        failed(&rsync, 11, &format!("{said} ({errno})"), what);
        let moved = sh("cp FROM .tmp && mv .tmp TO");
        // mv has a sentence of its own for EINVAL, which is about directories.
        let why = match said {
            "Invalid argument" => "mv: cannot move '.tmp' to a subdirectory of itself",
            _ => said,
        };
        failed(&moved, 1, why, what);
        assert_eq!(
            book.names(),
            [".tmp", FILE],
            "{what}: what mv could not rename is still there"
        );
        fs::remove_file(book.mount.path("Contacts/.tmp")).unwrap();

        // fsync fails as well; of the two vim tells of the last.
        let printed = vim(&book, &outside);
        assert!(printed.contains("E512: Close failed"), "{what}: {printed}");
        fs::write(book.path(), &good).unwrap();
    }
    assert_eq!(book.text(), good);
    book.nothing_sent();
    assert_eq!(book.contact(), contact);
    assert_eq!(book.names(), [FILE]);
}

/// git does not look at what `close` says: it reports success, and the reason is found beside the contact.
#[test]
fn git_says_nothing_and_the_reason_is_beside_the_contact() {
    if !need("git") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let good = book.text();
    let outside = book.world.dir().join("bad.vcf");
    fs::write(&outside, &rows()[0].text).unwrap();
    let line = format!(
        "export GIT_DIR='{0}/repository' GIT_WORK_TREE=. && git init -q && git add . && \
         blob=$(git hash-object -w '{1}') && git update-index --cacheinfo 100644,$blob,'{FILE}' && \
         git checkout -- '{FILE}'",
        book.world.dir().display(),
        outside.display()
    );
    let said = book.sh(&line);
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    let book = book.remount();
    assert_eq!(book.text(), good);
    let error = book.mount.read("Contacts/.Ada Byron.vcf.error");
    assert!(error.starts_with("line 4: \"nonsense\""), "{error}");
    assert_eq!(book.world.writes(), []);
}

/// 3.2 "Empty, or not yet complete ...: held. close succeeds ...; fsync fails with EINVAL."
#[test]
fn half_a_card_is_said_to_whoever_syncs_only() {
    if !need("rsync") || !need("vim") {
        return;
    }
    let Some(book) = Book::open() else { return };
    let good = book.text();
    let outside = book.world.dir().join("half.vcf");
    fs::write(&outside, "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\n").unwrap();
    let from = outside.display();
    book.sh(&format!("cp '{from}' '{FILE}'")).ok();
    book.sh(&format!("rsync -aI --inplace '{from}' '{FILE}'"))
        .ok();
    let synced = book.sh(&format!(
        "dd if='{from}' of='{FILE}' conv=fsync status=none"
    ));
    failed(&synced, 1, "Invalid argument", "dd conv=fsync");
    let printed = vim(&book, &outside);
    assert!(printed.contains("E667: Fsync failed"), "{printed}");
    fs::write(book.path(), &good).unwrap();
    book.nothing_sent();
}

/// 3.4 "the errno and .error file if refused or in conflict": for whoever syncs; `close` has the text safe and succeeds.
#[test]
fn what_the_service_does_not_take_is_said_to_whoever_syncs() {
    if !need("vim") {
        return;
    }
    let often = ["--poll-interval", "1h"];
    let refused: fn(&Book) = |book| {
        book.world
            .fail_with(Some("PATCH"), "/contacts", 1, 400, "ErrorInvalidRequest");
    };
    let edited: fn(&Book) = |book| {
        book.world
            .api()
            .patch(&book.id, json!({"mobilePhone": "+44 9"}));
    };
    let refusals = [("Invalid argument", refused), (BUSY, edited)];
    for (said, prepare) in refusals {
        for program in ["dd", "vim", "close"] {
            let Some(book) = Book::with(&often, Options::default()) else {
                return;
            };
            let outside = book.world.dir().join("new.vcf");
            fs::write(&outside, book.with_phone("+44 2")).unwrap();
            prepare(&book);
            match program {
                "dd" => {
                    let from = outside.display();
                    let run = book.sh(&format!(
                        "dd if='{from}' of='{FILE}' conv=fsync status=none"
                    ));
                    failed(&run, 1, said, program);
                }
                "vim" => {
                    let printed = vim(&book, &outside);
                    assert!(printed.contains("E667: Fsync failed"), "{said}: {printed}");
                }
                _ => book
                    .sh(&format!("cp '{}' '{FILE}'", outside.display()))
                    .ok()
                    .clear(),
            }
            book.mount.sync();
            book.lists(&[".Ada Byron.vcf.error", ".Ada Byron.vcf.rejected", FILE]);
            assert_ne!(
                book.contact()["mobilePhone"],
                json!("+44 2"),
                "{program}: {said}"
            );
        }
    }
}

/// Offline, nothing fails: what is saved waits. Read-only, everything does.
#[test]
fn offline_nothing_fails_and_read_only_everything_does() {
    for program in ["rsync", "vim"] {
        if !need(program) {
            return;
        }
    }
    let Some(book) = Book::open() else { return };
    let outside = book.world.dir().join("new.vcf");
    let text = book.with_phone("+44 2");
    fs::write(&outside, &text).unwrap();
    let from = outside.display().to_string();
    book.world.disconnect();
    book.sh(&format!("cp '{from}' '{FILE}'")).ok();
    book.sh(&format!(
        "dd if='{from}' of='{FILE}' conv=fsync status=none"
    ))
    .ok();
    book.sh(&format!("rsync -aI '{from}' '{FILE}'")).ok();
    let printed = vim(&book, &outside);
    assert!(
        !printed.contains("E667") && printed.contains("written"),
        "{printed}"
    );
    let pending: Value = book.mount.status()["mounts"][0]["pending"].clone();
    assert_eq!(pending.as_array().unwrap().len(), 1, "{pending}");
    book.world.reconnect();
    book.settled();
    assert_eq!(book.contact()["mobilePhone"], "+44 2");

    let Book { mount, world, id } = book;
    mount.unmount();
    let mount = world.mount(&["--read-only"]);
    assert_eq!(mount.list("Contacts"), [FILE]);
    let book = Book { mount, world, id };
    failed(
        &book.sh(&format!("cp '{from}' '{FILE}'")),
        1,
        "Read-only file system",
        "cp",
    );
    failed(
        &book.sh(&format!("rsync -aI '{from}' '{FILE}'")),
        23,
        "Read-only file system (30)",
        "rsync",
    );
    let printed = vim(&book, &outside);
    assert!(
        printed.contains("E212") || printed.contains("E505"),
        "{printed}"
    );
}
