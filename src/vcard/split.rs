//! A file with many cards, taken apart: other programs export whole address books so.

use std::borrow::Cow;

use super::decode;

/// One card of a file; or what stands between cards, which no reader takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its first line in the file, from 1.
    pub line: usize,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// Takes a file apart. A card that is not finished ends where the next one begins.
#[must_use]
pub fn split(bytes: &[u8]) -> Vec<Piece> {
    let wide = decode::is_utf16(bytes).then(|| decode::decode(bytes));
    let bytes = match wide {
        Some(Ok(text)) => Cow::Owned(text.text.into_owned().into_bytes()),
        _ if decode::line_end(bytes) == b"\r" => {
            let end = |byte: &u8| if *byte == b'\r' { b'\n' } else { *byte };
            Cow::Owned(bytes.iter().map(end).collect())
        }
        _ => Cow::Borrowed(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
    };
    let (mut pieces, mut piece) = (Vec::new(), None::<Piece>);
    let (mut depth, mut after_agent) = (0_usize, false);
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // A line that goes on with the one before begins and ends nothing.
        let goes_on = piece.is_some() && matches!(line.first(), Some(b' ' | b'\t'));
        let word = if goes_on { b"-" } else { line.trim_ascii() };
        let begins = word.eq_ignore_ascii_case(b"BEGIN:VCARD");
        if begins && !after_agent {
            pieces.extend(piece.take());
            depth = 0;
        }
        if piece.is_none() && word.is_empty() {
            continue;
        }
        let open = piece.get_or_insert_with(|| Piece {
            line: number + 1,
            text: Vec::new(),
        });
        open.text.extend_from_slice(line);
        depth += usize::from(begins);
        if word.eq_ignore_ascii_case(b"END:VCARD") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                pieces.extend(piece.take());
            }
        }
        // vCard 2.1 puts the card of an agent into the card (its section 2.4.4).
        after_agent = word.len() >= 5
            && word
                .get(..5)
                .is_some_and(|name| name.eq_ignore_ascii_case(b"AGENT"));
    }
    pieces.extend(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(usize, String)> {
        let piece = |piece: Piece| (piece.line, String::from_utf8(piece.text).unwrap());
        split(text.as_bytes()).into_iter().map(piece).collect()
    }

    #[test]
    fn cards_are_told_apart_with_their_lines() {
        let text = "\u{feff}BEGIN:VCARD\r\nFN:a\r\nEND:VCARD\r\n\r\nbegin:vcard\nFN:b\nend:vcard";
        let expected = [
            (1, "BEGIN:VCARD\r\nFN:a\r\nEND:VCARD\r\n".to_owned()),
            (5, "begin:vcard\nFN:b\nend:vcard".to_owned()),
        ];
        assert_eq!(pieces(text), expected);
        assert_eq!(pieces(" \r\n"), []);
    }

    #[test]
    fn what_is_no_card_and_what_has_no_end_stays_by_itself() {
        let text = "junk\nBEGIN:VCARD\nFN:a\nBEGIN:VCARD\nFN:b\nEND:VCARD\n";
        let expected = [
            (1, "junk\n".to_owned()),
            (2, "BEGIN:VCARD\nFN:a\n".to_owned()),
            (4, "BEGIN:VCARD\nFN:b\nEND:VCARD\n".to_owned()),
        ];
        assert_eq!(pieces(text), expected);
    }

    #[test]
    fn an_agent_is_part_of_its_card() {
        let text = "BEGIN:VCARD\nAGENT:\nBEGIN:VCARD\nFN:a\nEND:VCARD\nFN:b\nEND:VCARD\n";
        assert_eq!(pieces(text), [(1, text.to_owned())]);
    }

    #[test]
    fn a_folded_line_ends_no_card() {
        let text = "BEGIN:VCARD\nAGENT:BEGIN:VCARD\\n\n END:VCARD\nFN:b\nEND:VCARD\n";
        assert_eq!(pieces(text), [(1, text.to_owned())]);
        let indented = " BEGIN:VCARD\nFN:b\nEND:VCARD\n";
        assert_eq!(pieces(indented), [(1, indented.to_owned())]);
    }

    #[test]
    fn utf_16_is_read() {
        let text = "BEGIN:VCARD\nFN:é\nEND:VCARD\nBEGIN:VCARD\nEND:VCARD\n";
        let mut bytes = vec![0xFF, 0xFE];
        bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        let found = split(&bytes);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].text, "BEGIN:VCARD\nFN:é\nEND:VCARD\n".as_bytes());
    }
}
