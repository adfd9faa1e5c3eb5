//! Folding: long lines are cut so that no physical line is longer than 75 octets (RFC 6350
//! section 3.2).

/// Octets in a physical line, its line end not counted.
const WIDTH: usize = 75;

/// Appends one logical line with its line end, folded.
///
/// Never cut inside a character (readers that unfold text would see two broken ones) or inside a
/// `\n`, `\,`, `\;`, `\\` (readers that unescape before they unfold exist).
pub(super) fn push(out: &mut String, line: &str, eol: &str) {
    let mut rest = line;
    let mut room = WIDTH;
    while rest.len() > room {
        let (head, tail) = rest.split_at(cut(rest, room));
        out.push_str(head);
        out.push_str(eol);
        out.push(' ');
        rest = tail;
        room = WIDTH - 1;
    }
    out.push_str(rest);
    out.push_str(eol);
}

/// The last place at or before `room` where a line may be cut; never 0.
fn cut(line: &str, room: usize) -> usize {
    let boundary = (1..=room)
        .rev()
        .find(|at| line.is_char_boundary(*at))
        .unwrap_or(room);
    let head = line.get(..boundary).unwrap_or(line);
    let backslashes = head.len() - head.trim_end_matches('\\').len();
    if backslashes % 2 == 1 && backslashes < head.len() {
        boundary - 1
    } else {
        boundary
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(line: &str) -> String {
        let mut out = String::new();
        push(&mut out, line, "\r\n");
        out
    }

    #[test]
    fn short_lines_stay_whole() {
        let line = "N".repeat(75);
        assert_eq!(folded(&line), format!("{line}\r\n"));
        assert_eq!(folded(&(line.clone() + "X")), format!("{line}\r\n X\r\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn folding_loses_nothing(line in "[A-Z]{3}:(\\PC|\\\\n|\\\\\\\\|é|\\x{1F600}){0,200}") {
            let text = folded(&line);
            prop_assert_eq!(text.replace("\r\n ", ""), format!("{line}\r\n"));
            for physical in text.split("\r\n") {
                prop_assert!(physical.len() <= 75, "{} octets", physical.len());
                let backslashes = physical.len() - physical.trim_end_matches('\\').len();
                prop_assert!(backslashes % 2 == 0 || text.ends_with(&format!("{physical}\r\n")), "{physical:?}");
            }
        }
    }
}
