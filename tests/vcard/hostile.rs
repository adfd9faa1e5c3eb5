//! Large files made to cost time (behaviour 8.4). Wall clocks say little on a busy machine, so each reading is compared with
//! plain passes over the same bytes in the same run; the figures themselves are printed on request:
//! `cargo test --release --test vcard -- --ignored --nocapture hostile`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use contactfs::vcard::{self, Prefer, Residue, Said, Style};

/// How many plain passes a reading may cost; linear ones cost less than ten.
const PASSES: f64 = 60.0;

/// How long anything may take with ten megabytes.
const LIMIT: Duration = Duration::from_millis(100);

/// A file and what is special about it.
type Hostile = (&'static str, Vec<u8>);

fn card(body: &str) -> Vec<u8> {
    format!("BEGIN:VCARD\nVERSION:4.0\nFN:x\n{body}\nEND:VCARD\n").into_bytes()
}

fn old(body: &str) -> Vec<u8> {
    format!("BEGIN:VCARD\nVERSION:2.1\nN:x\n{body}\nEND:VCARD\n").into_bytes()
}

/// Files of ten megabytes, which are more than is looked at.
fn oversize() -> Vec<Hostile> {
    let full = |unit: &str| unit.repeat((10 << 20) / unit.len());
    let jpeg = "PHOTO:data:image/jpeg;base64,/9j/";
    vec![
        ("one line", card(&format!("NOTE:{}", full("a")))),
        ("line ends", full("\n").into_bytes()),
        ("no text", vec![0xff; 10 << 20]),
        ("small lines", card(&full("X:1\n"))),
        ("numbers", card(&full("TEL;TYPE=work:1\n"))),
        ("a folded line", card(&format!("NOTE:{}", full("aaaa\n ")))),
        ("a picture", card(&format!("{jpeg}{}", full("QUFB")))),
        (
            "a folded picture",
            card(&format!(
                "{jpeg}{}",
                full(&("\n ".to_owned() + &"QUFB".repeat(18)))
            )),
        ),
        ("beginnings", full("BEGIN:VCARD\n").into_bytes()),
        ("cards", full("BEGIN:VCARD\nFN:x\nEND:VCARD\n").into_bytes()),
        ("agents", full("BEGIN:VCARD\nAGENT:\n").into_bytes()),
        (
            "quoted-printable",
            old(&format!(
                "NOTE;ENCODING=QUOTED-PRINTABLE:{}",
                full("=C3=A9")
            )),
        ),
        (
            "soft breaks",
            old(&format!("NOTE;ENCODING=QUOTED-PRINTABLE:{}", full("a=\n"))),
        ),
        ("parameters", card(&format!("TEL{}:1", full(";TYPE=work")))),
        ("a parameter", card(&format!("X;A=\"{}\":b", full("^n")))),
        (
            "values of a parameter",
            card(&format!("TEL;TYPE={}x:1", full("work,"))),
        ),
        ("components", card(&format!("N:{}", full("a;b,")))),
        ("categories", card(&full("CATEGORIES:a,b\n"))),
        ("groups", card(&full("i.i.i.X:1\n"))),
        ("colons", card(&full(":"))),
        ("quotes", card(&format!("X;A={}", full("\"")))),
        (
            "UTF-16",
            [b"\xff\xfe".to_vec(), full("B\0").into_bytes()].concat(),
        ),
    ]
}

/// Files as large as they may be, of as many parts as they may have.
fn largest() -> Vec<Hostile> {
    let mut foreign = card(&"NOTE:a\n".repeat(9_000));
    foreign.extend(vec![0xff; 5 << 20]);
    let base64 = "QUFB".repeat(18);
    let jpeg = "PHOTO:data:image/jpeg;base64,/9j/";
    vec![
        (
            "5 MB of a picture",
            card(&format!("{jpeg}{}", "QUFB".repeat(5 << 18))),
        ),
        (
            "5 MB of a folded picture",
            card(&format!(
                "{jpeg}{}",
                ("\n ".to_owned() + &base64).repeat(70_000)
            )),
        ),
        (
            "5 MB of base64 without folds",
            card(&format!(
                "KEY;ENCODING=BASE64:\n{}",
                (base64.clone() + "\n").repeat(70_000)
            )),
        ),
        (
            "5 MB of a 2.1 picture",
            old(&format!(
                "PHOTO;JPEG;BASE64:\n /9j/{}",
                ("\n ".to_owned() + &base64).repeat(70_000)
            )),
        ),
        ("5 MB in an unknown character set", foreign),
        ("5 MB of a wide picture", {
            let text = format!(
                "BEGIN:VCARD\nFN:x\n{jpeg}{}\nEND:VCARD\n",
                "QUFB".repeat(5 << 17)
            );
            let units = text.encode_utf16().flat_map(u16::to_le_bytes);
            b"\xff\xfe".iter().copied().chain(units).collect()
        }),
        (
            "1 MB of escapes",
            card(&format!("NOTE:{}", "\\\\".repeat(1 << 18))),
        ),
        (
            "1 MB of line breaks",
            card(&format!("NOTE:{}", "\\n".repeat(1 << 18))),
        ),
        (
            "1 MB of soft breaks",
            card(&format!("NOTE;QUOTED-PRINTABLE:{}", "=\n".repeat(90_000))),
        ),
        (
            "1 MB of quoted-printable",
            old(&format!(
                "NOTE;ENCODING=QUOTED-PRINTABLE:{}",
                "=C3=A9".repeat(170_000)
            )),
        ),
        (
            "1 MB of folds",
            card(&format!("NOTE:{}", "aaaaaaaaa\n ".repeat(90_000))),
        ),
        (
            "1 MB of carets",
            card(&format!("X;A=\"{}\":b", "^n".repeat(1 << 18))),
        ),
        (
            "1 MB of quotes",
            card(&format!("X;A={}:b", "\"".repeat(1 << 19))),
        ),
        (
            "1 MB of colons",
            card(&format!("X:{}", ":".repeat(1 << 19))),
        ),
        (
            "parameters",
            card(&format!("TEL{}:1", ";TYPE=work".repeat(40_000))),
        ),
        (
            "types",
            card(&format!("TEL;TYPE={}x:1", "work,".repeat(40_000))),
        ),
        (
            "quoted types",
            card(&format!("TEL;TYPE=\"{}x\":1", "work,".repeat(40_000))),
        ),
        ("components", card(&format!("N:{}", "a;b,".repeat(20_000)))),
        (
            "a list of names",
            card(&format!("NICKNAME:{}", "a,".repeat(40_000))),
        ),
        ("a list of categories", card(&categories(5_000))),
        (
            "labels",
            card(&"i.X-ABLabel:_$!<Spouse>!$_\n".repeat(9_000)),
        ),
        ("labels of many groups", card(&grouped(4_000))),
        ("numbers", card(&"TEL;TYPE=work:1\n".repeat(9_000))),
        (
            "different numbers",
            card(&numbered("TEL;TYPE=work:", 2_000)),
        ),
        ("children", card(&numbered("X-CHILDREN:", 9_000))),
        ("spelled children", card(&numbered("i.X-MS-CHILD:", 500))),
        ("user fields", card(&numbered("X-MS-TEXT:", 900))),
        ("lines of one kind", card(&numbered("X-A:", 1_500))),
        ("categories", card(&"CATEGORIES:a,b\n".repeat(9_000))),
        (
            "small pictures",
            card(&"PHOTO:data:image/gif;base64,R0lGODlh\n".repeat(500)),
        ),
        (
            "agents",
            old(&"AGENT:\nBEGIN:VCARD\nFN:x\nEND:VCARD\n".repeat(2_000)),
        ),
        (
            "agents of agents",
            old(&("AGENT:\nBEGIN:VCARD\n".repeat(4_000) + &"END:VCARD\n".repeat(4_000))),
        ),
    ]
}

fn numbered(name: &str, count: usize) -> String {
    (0..count).map(|at| format!("{name}{at}\n")).collect()
}

fn categories(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|at| at.to_string()).collect();
    format!("CATEGORIES:{}", names.join(","))
}

fn grouped(count: usize) -> String {
    (0..count)
        .map(|at| format!("i{at}.X-ABRELATEDNAMES:{at}\ni{at}.X-ABLabel:child\n"))
        .collect()
}

fn best(mut run: impl FnMut()) -> Duration {
    let mut time = || {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..2).map(|_| time()).min().unwrap()
}

#[test]
fn large_files_cost_a_bounded_number_of_passes() {
    for (name, bytes) in oversize().into_iter().chain(largest()) {
        // As much work as ten megabytes are, however small the file.
        let scan = || bytes.iter().filter(|byte| **byte == b'\n').count();
        let pass = best(|| {
            black_box(scan());
        });
        let pass = pass.as_secs_f64();
        let pass = pass * (10 << 20) as f64 / bytes.len() as f64;
        let mut outcome = None;
        let reading =
            best(|| outcome = Some(vcard::read_all(&bytes, None, Style::default()).is_ok()));
        let passes = reading.as_secs_f64() / pass;
        println!("{name}: {reading:?}, {passes:.1} passes over 10 MB, accepted {outcome:?}");
        assert!(passes < PASSES, "{name}: {passes:.0} passes");
    }
}

/// What is done with a file's bytes, each with the time it takes.
fn steps(bytes: &[u8]) -> Vec<(&'static str, Duration)> {
    let style = Style::default();
    let mut steps = vec![
        (
            "read",
            best(|| drop(black_box(vcard::read_all(bytes, None, style)))),
        ),
        (
            "complete?",
            best(|| {
                black_box(vcard::is_complete(bytes));
            }),
        ),
        (
            "picture?",
            best(|| {
                black_box(vcard::photo_in(bytes, &Residue::default()));
            }),
        ),
        ("split", best(|| drop(black_box(vcard::split(bytes))))),
    ];
    if let Ok(Said { card, photo }) = vcard::read_all(bytes, None, style) {
        let render = || vcard::render_with(&card, None, photo.as_ref(), None, style);
        let text = render();
        let again = || vcard::read_all(&text, Some((&card, None)), style);
        let line = String::from_utf8_lossy(&text).replace("END:", "X-B:2\nEND:");
        let ours = vcard::read(line.as_bytes(), Some((&card, None)), style);
        let base = vcard::Card::default();
        let ours = ours.unwrap_or_default();
        steps.extend([
            ("write", best(|| drop(black_box(render())))),
            ("read again", best(|| drop(black_box(again())))),
            (
                "merge",
                best(|| drop(black_box(vcard::merge(&base, &ours, &card, Prefer::Ours)))),
            ),
        ]);
    }
    steps
}

#[test]
#[ignore = "figures, for a release build on a quiet machine"]
fn nothing_takes_a_tenth_of_a_second() {
    let mut slow = Vec::new();
    for (name, bytes) in oversize().into_iter().chain(largest()) {
        let steps = steps(&bytes);
        let megabytes = bytes.len() as f64 / f64::from(1 << 20);
        let figures: Vec<String> = steps
            .iter()
            .map(|(step, time)| format!("{step} {:.1}", time.as_secs_f64() * 1e3))
            .collect();
        println!("{name}, {megabytes:.1} MB: {} ms", figures.join(", "));
        let late = steps.into_iter().filter(|(_, time)| *time > LIMIT);
        slow.extend(late.map(|step| (name, step)));
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
