//! Small pictures, the lines of cards that hold them, and the questions that tests ask of them.

use contactfs::sandbox::LogEntry;

use super::book::{Book, FILE, SOON};
use crate::support::eventually;

/// A picture as small as they come; `number` tells them apart.
pub fn jpeg(number: u8) -> Vec<u8> {
    [
        b"\xFF\xD8\xFF\xE0 picture ".as_slice(),
        &[number],
        b" \xFF\xD9",
    ]
    .concat()
}

/// The PHOTO line of a picture in 4.0, unfolded.
pub fn line(picture: &[u8]) -> String {
    format!("PHOTO:data:image/jpeg;base64,{}", base64(picture))
}

pub fn base64(bytes: &[u8]) -> String {
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

pub fn unfolded(text: &str) -> String {
    text.replace("\r\n ", "").replace("\n ", "")
}

/// The card's text with a line before its end.
pub fn with(text: &str, line: &str) -> String {
    text.replace("END:VCARD", &format!("{line}\r\nEND:VCARD"))
}

pub fn without_photo(text: &str) -> String {
    let text = unfolded(text);
    let lines = text
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("PHOTO"));
    lines.collect()
}

impl Book {
    /// A book whose contact has a picture, which the file shows.
    #[track_caller]
    pub fn pictured(number: u8) -> Option<Self> {
        Self::pictured_with(number, &[])
    }

    /// The same, on a mount with options.
    #[track_caller]
    pub fn pictured_with(number: u8, arguments: &[&str]) -> Option<Self> {
        let book = Self::with(arguments, contactfs::sandbox::Options::default())?;
        book.world.api().put_photo(&book.id, &jpeg(number));
        book.calm();
        book.shows(&jpeg(number));
        book.world.clear_log();
        Some(book)
    }

    #[track_caller]
    pub fn shows(&self, picture: &[u8]) {
        let wanted = line(picture);
        eventually(SOON, "the card shows the picture", || {
            unfolded(&self.text()).contains(&wanted)
        });
    }

    #[track_caller]
    pub fn shows_none(&self) {
        eventually(SOON, "the card shows no picture", || {
            !self.text().contains("PHOTO")
        });
    }

    pub fn photo(&self) -> Option<Vec<u8>> {
        self.world.api().photo(&self.id)
    }

    pub fn on_photo(&self, method: &str) -> Vec<LogEntry> {
        let mut log = self.world.log();
        log.retain(|entry| entry.method == method && entry.path.contains("/photo"));
        log
    }

    #[track_caller]
    pub fn refused(&self, sentence: &str) {
        let error = self.mount.read(&format!("Contacts/.{FILE}.error"));
        assert!(error.contains(sentence), "{error}");
    }

    /// Pictures that the service took.
    #[track_caller]
    pub fn taken(&self) -> usize {
        let puts = self.on_photo("PUT");
        puts.iter().filter(|put| put.status == 200).count()
    }
}
