//! A contact's picture: bytes, and what they are by their own account.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Pictures as they begin; what a file says of its picture is not believed (vcard-mapping 5).
const FORMATS: &[(usize, &[u8], &str)] = &[
    (0, b"\xFF\xD8\xFF", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1A\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypavif", "image/avif"),
];

/// A picture of one of the known formats.
#[derive(Clone, PartialEq, Eq)]
pub struct Photo {
    bytes: Arc<[u8]>,
    media_type: &'static str,
}

/// What tells pictures apart: a hash of the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PhotoId(String);

impl Photo {
    /// Longest picture the service takes, in bytes: less than 4 MiB (graph-facts 5).
    pub const MAX_BYTES: usize = (4 << 20) - 1;

    /// Takes bytes that begin like a picture; `None` for any other.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let begins = |(at, magic, _): &&(usize, &[u8], &str)| {
            bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic))
        };
        let (_, _, media_type) = FORMATS.iter().find(begins)?;
        Some(Self {
            bytes: bytes.into(),
            media_type,
        })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The media type, e.g. `image/jpeg`.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// What follows `image/`: the name of the format, and a usual ending of such files.
    #[must_use]
    pub fn format(&self) -> &'static str {
        self.media_type.trim_start_matches("image/")
    }

    /// What tells it from others.
    #[must_use]
    pub fn id(&self) -> PhotoId {
        PhotoId::of(&self.bytes)
    }
}

impl fmt::Debug for Photo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Photo({}, {} bytes)", self.media_type, self.bytes.len())
    }
}

impl PhotoId {
    fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Wraps an id that was kept.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The hash in hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_bytes() {
        let kind = |bytes: &[u8]| Photo::new(bytes.to_vec()).map(|photo| photo.media_type());
        assert_eq!(kind(b"\xFF\xD8\xFF\xE0 jpeg"), Some("image/jpeg"));
        assert_eq!(kind(b"\x89PNG\r\n\x1A\n..."), Some("image/png"));
        assert_eq!(kind(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(kind(b"GIF8"), None);
        assert_eq!(kind(b"<svg/>"), None);
        assert_eq!(kind(b""), None);
    }

    #[test]
    fn equal_bytes_are_one_picture() {
        let photo = |tail: &str| Photo::new(format!("BM{tail}").into_bytes()).unwrap();
        assert_eq!(photo("a").id(), photo("a").id());
        assert_ne!(photo("a").id(), photo("b").id());
        assert_eq!(photo("a").id().as_str().len(), 64);
    }
}
