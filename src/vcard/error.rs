//! Why a file is not taken as a card: where, which property, and one plain sentence
//! (vcard-mapping 9).

use std::fmt;

/// Longest piece of a file that an error repeats, in characters; errors end up in logs.
const EXCERPT_CHARS: usize = 60;

/// A file that cannot be taken. Its text is the one sentence shown to the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CardError {
    /// The line in the file, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// The column in that line, from 1, in characters; 0 when the whole line is meant.
    pub column: usize,
    /// The property concerned, upper case.
    pub property: Option<String>,
    /// What is wrong.
    pub kind: CardErrorKind,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardErrorKind {
    /// The file does not begin with `BEGIN:VCARD`.
    NotACard,
    /// There is no `END:VCARD`.
    Unfinished,
    /// There is text after `END:VCARD`.
    TextAfterEnd,
    /// A line that is not `NAME:value`; holds its beginning.
    Syntax(String),
    /// A second card in the file.
    SecondCard,
    /// A version other than 2.1, 3.0 and 4.0.
    Version,
    /// Bytes that are neither UTF-8 nor in a declared character set.
    Encoding,
    /// Bytes that are no text in the character set that their line declares, or in one that is not known.
    Charset(String),
    /// Nothing to name the contact by.
    Nameless,
    /// A contact group.
    Group,
    /// A file, property or residue above what can be read or kept.
    TooLong {
        /// The size found, in bytes.
        size: usize,
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// More lines without a field than can be kept; the property is that of the longest.
    TooMuch {
        /// What would have to be kept, in bytes.
        size: usize,
        /// The most that is taken, in bytes.
        limit: usize,
    },
    /// A picture that is none.
    NotAPicture,
    /// A picture longer than the service takes.
    PictureTooLong {
        /// The size found, in bytes.
        size: usize,
    },
    /// More lines or separators than any card has.
    TooMany {
        /// The most that is taken.
        limit: usize,
    },
}

impl CardError {
    pub(super) fn at(line: usize, kind: CardErrorKind) -> Self {
        Self {
            line,
            column: 0,
            property: None,
            kind,
        }
    }

    pub(super) fn whole(kind: CardErrorKind) -> Self {
        Self::at(0, kind)
    }

    pub(super) fn column(mut self, column: usize) -> Self {
        self.column = column;
        self
    }

    pub(super) fn property(mut self, name: &str) -> Self {
        self.property = Some(excerpt(name).to_ascii_uppercase());
        self
    }
}

impl CardErrorKind {
    pub(super) fn charset(label: &str) -> Self {
        Self::Charset(excerpt(label))
    }

    pub(super) fn syntax(text: &str) -> Self {
        Self::Syntax(excerpt(text))
    }
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = (self.line > 0).then(|| format!("line {}", self.line));
        let column = (self.column > 1).then(|| format!("column {}", self.column));
        let place: Vec<String> = line.into_iter().chain(column).collect();
        if !place.is_empty() {
            write!(f, "{}: ", place.join(", "))?;
        }
        let property = self.property.as_deref().unwrap_or("the card");
        match &self.kind {
            CardErrorKind::NotACard => f.write_str("a card begins with BEGIN:VCARD"),
            CardErrorKind::Unfinished => f.write_str("END:VCARD is missing"),
            CardErrorKind::TextAfterEnd => {
                f.write_str("text after END:VCARD; one file holds one contact")
            }
            CardErrorKind::Syntax(excerpt) => write!(
                f,
                "\"{excerpt}\" is not \"NAME:value\"; is a continuation line missing its leading space?"
            ),
            CardErrorKind::SecondCard => {
                f.write_str("a second BEGIN:VCARD; one file holds one contact")
            }
            CardErrorKind::Version => f.write_str("VERSION must be 2.1, 3.0 or 4.0"),
            CardErrorKind::Encoding => {
                write!(f, "{property}: not UTF-8, and no CHARSET is declared")
            }
            CardErrorKind::Charset(label) => {
                write!(f, "{property}: not text in the declared CHARSET {label}")
            }
            CardErrorKind::Nameless => f.write_str("a contact needs FN, N, ORG, EMAIL or TEL"),
            CardErrorKind::Group => {
                write!(
                    f,
                    "{property}:group: Outlook contact groups cannot be made through Graph"
                )
            }
            CardErrorKind::TooLong { size, limit } => {
                write!(
                    f,
                    "{property} ({}) does not fit: {}{} can be kept on the server",
                    kib(*size),
                    kib(*limit),
                    if self.property.is_some() {
                        " per property"
                    } else {
                        ""
                    }
                )
            }
            CardErrorKind::TooMuch { size, limit } => {
                write!(
                    f,
                    "{property} and the other lines that Outlook has no field for ({}) do not fit: {} can be kept on the server",
                    kib(*size),
                    kib(*limit)
                )
            }
            CardErrorKind::NotAPicture => {
                write!(
                    f,
                    "{property} holds no picture (JPEG, PNG, GIF, WebP, BMP, TIFF, HEIC or AVIF)"
                )
            }
            CardErrorKind::PictureTooLong { size } => {
                let tenths = (size * 10).div_ceil(1 << 20);
                write!(
                    f,
                    "{property}: {}.{} MiB, the limit is 4 MiB",
                    tenths / 10,
                    tenths % 10
                )
            }
            CardErrorKind::TooMany { limit } => write!(f, "more than {limit} lines or separators"),
        }
    }
}

/// The beginning of a text, for an error.
fn excerpt(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT_CHARS)
        .collect()
}

/// A size rounded up, so that what does not fit never looks equal to the limit.
fn kib(bytes: usize) -> String {
    if bytes < 1024 {
        format!("{bytes} bytes")
    } else {
        format!("{} KiB", bytes.div_ceil(1024))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_what() {
        let error = CardError::at(7, CardErrorKind::syntax("this line has no colon"));
        assert_eq!(
            error.to_string(),
            "line 7: \"this line has no colon\" is not \"NAME:value\"; is a continuation line missing its leading space?"
        );
        // Whoever knows the line better says it before.
        let error = CardError::whole(CardErrorKind::Encoding)
            .column(9)
            .property("NOTE");
        assert_eq!(
            error.to_string(),
            "column 9: NOTE: not UTF-8, and no CHARSET is declared"
        );
        let error = CardError::whole(CardErrorKind::TooLong {
            size: 61 * 1024,
            limit: 16 * 1024,
        })
        .property("logo");
        assert_eq!(
            error.to_string(),
            "LOGO (61 KiB) does not fit: 16 KiB per property can be kept on the server"
        );
    }

    #[test]
    fn repeats_little_of_the_file() {
        let error = CardError::at(1, CardErrorKind::syntax(&"ä\u{1}".repeat(500)));
        assert_eq!(error.kind, CardErrorKind::Syntax("ä".repeat(60)));
    }
}
