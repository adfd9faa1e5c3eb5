//! Large files made to cost time (behaviour 8.4). Wall clocks say little on a busy machine, so each reading is compared with
//! plain passes over the same bytes in the same run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use contactfs::vcard::{self, Style};

/// How many plain passes a reading may cost; linear ones cost less than ten.
const PASSES: f64 = 60.0;

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let card =
        |body: &str| format!("BEGIN:VCARD\nVERSION:4.0\nFN:x\n{body}\nEND:VCARD\n").into_bytes();
    let mut foreign = card(&"NOTE:a\n".repeat(9_000));
    foreign.extend(vec![0xff; 5 << 20]);
    let base64 = "QUFB".repeat(18);
    vec![
        (
            "10 MB of one line",
            card(&format!("NOTE:{}", "a".repeat(10 << 20))),
        ),
        ("10 MB of line ends", "\n".repeat(10 << 20).into_bytes()),
        ("10 MB that are no text", vec![0xff; 10 << 20]),
        (
            "5 MB of a picture",
            card(&format!(
                "PHOTO:data:image/jpeg;base64,/9j/{}",
                "QUFB".repeat(5 << 18)
            )),
        ),
        (
            "5 MB of base64 without folds",
            card(&format!(
                "KEY;ENCODING=BASE64:\n{}",
                (base64 + "\n").repeat(70_000)
            )),
        ),
        ("5 MB in an unknown character set", foreign),
        (
            "1 MB of escapes",
            card(&format!("NOTE:{}", "\\\\".repeat(1 << 19))),
        ),
        (
            "1 MB of soft breaks",
            card(&format!("NOTE;QUOTED-PRINTABLE:{}", "=\n".repeat(90_000))),
        ),
        (
            "1 MB of carets",
            card(&format!("X;A=\"{}\":b", "^n".repeat(1 << 19))),
        ),
        (
            "parameters",
            card(&format!("TEL{}:1", ";TYPE=work".repeat(40_000))),
        ),
        ("components", card(&format!("N:{}", "a;b,".repeat(20_000)))),
        (
            "labels",
            card(&"i.X-ABLabel:_$!<Spouse>!$_\n".repeat(9_000)),
        ),
        ("numbers", card(&"TEL;TYPE=work:1\n".repeat(9_000))),
        ("categories", card(&"CATEGORIES:a,b\n".repeat(9_000))),
    ]
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
    for (name, bytes) in files() {
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
