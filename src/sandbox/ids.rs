//! Identifiers: opaque to callers, self-checking to us.
//!
//! A contact has two (graph-facts 3.3): the immutable one (72 characters) and the regular one (140 characters),
//! which names the folder too and so changes with a move. Folder ids are regular only. All end in `=`, which callers
//! must put into a path unescaped. A damaged id is told apart from an absent item by a checksum over the mailbox's
//! seed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

/// Number of a contact or folder, never used twice in a mailbox.
pub(super) type Number = u64;

const IMMUTABLE_BYTES: usize = 53;
const REGULAR_BYTES: usize = 104;
const FOLDER_BYTES: usize = 89;

/// Writes and reads the ids of one mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    seed: u64,
}

/// What an id of a contact says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemId {
    Immutable(Number),
    Regular { item: Number, folder: Number },
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) fn immutable(self, item: Number) -> String {
        self.write(IMMUTABLE_BYTES, item, 0)
    }

    pub(super) fn regular(self, item: Number, folder: Number) -> String {
        self.write(REGULAR_BYTES, item, folder)
    }

    pub(super) fn folder(self, folder: Number) -> String {
        self.write(FOLDER_BYTES, folder, 0)
    }

    /// A contact's id, `None` if damaged.
    pub(super) fn read_item(self, text: &str) -> Option<ItemId> {
        let (length, item, folder) = self.read(text)?;
        match length {
            IMMUTABLE_BYTES => Some(ItemId::Immutable(item)),
            REGULAR_BYTES => Some(ItemId::Regular { item, folder }),
            _ => None,
        }
    }

    /// A folder's id, `None` if damaged.
    pub(super) fn read_folder(self, text: &str) -> Option<Number> {
        match self.read(text)? {
            (FOLDER_BYTES, folder, _) => Some(folder),
            _ => None,
        }
    }

    /// A change key: new at every revision.
    pub(super) fn change_key(self, revision: u64) -> String {
        let mut bytes = vec![0x11, 0, 0, 0, 0x16, 0, 0, 0];
        bytes.extend(mix(self.seed, revision).to_be_bytes());
        bytes.extend(revision.to_be_bytes().into_iter().skip(2));
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    fn write(self, length: usize, first: u64, second: u64) -> String {
        let mut bytes = self.head(length);
        bytes.extend(first.to_be_bytes());
        bytes.extend(second.to_be_bytes());
        bytes.extend(self.check(length, first, second).to_be_bytes());
        URL_SAFE.encode(bytes)
    }

    fn read(self, text: &str) -> Option<(usize, u64, u64)> {
        let bytes = URL_SAFE.decode(text).ok()?;
        let tail = bytes.len().checked_sub(24)?;
        let (head, numbers) = bytes.split_at_checked(tail)?;
        let mut words = numbers
            .chunks_exact(8)
            .map(|word| word.try_into().map(u64::from_be_bytes).unwrap_or(0));
        let (first, second, check) = (words.next()?, words.next()?, words.next()?);
        let genuine =
            head == self.head(bytes.len()) && check == self.check(bytes.len(), first, second);
        genuine.then_some((bytes.len(), first, second))
    }

    fn head(self, length: usize) -> Vec<u8> {
        let mut bytes = vec![
            0x00,
            if length == IMMUTABLE_BYTES {
                0x09
            } else {
                0x03
            },
            0x24,
            0x00,
        ];
        let mut word = self.seed;
        while bytes.len() < length.saturating_sub(24) {
            word = mix(word, length as u64);
            bytes.extend(word.to_be_bytes());
        }
        bytes.truncate(length.saturating_sub(24));
        bytes
    }

    fn check(self, length: usize, first: u64, second: u64) -> u64 {
        mix(mix(self.seed ^ length as u64, first), second)
    }
}

/// A well-spread function of two numbers (the finaliser of splitmix64); for ids and repeatable whims, not secrecy.
pub(super) fn mix(left: u64, right: u64) -> u64 {
    let mut word = left
        .wrapping_add(right.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// [`mix`] over text.
pub(super) fn mix_text(seed: u64, text: &str) -> u64 {
    text.bytes()
        .fold(seed, |word, byte| mix(word, u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_documented_lengths_and_read_back() {
        let ids = Ids::new(7);
        assert_eq!(ids.immutable(3).len(), 72);
        assert_eq!(ids.regular(3, 1).len(), 140);
        assert_eq!(ids.folder(1).len(), 120);
        assert_eq!(ids.read_item(&ids.immutable(3)), Some(ItemId::Immutable(3)));
        assert_eq!(
            ids.read_item(&ids.regular(3, 1)),
            Some(ItemId::Regular { item: 3, folder: 1 })
        );
        assert_eq!(ids.read_folder(&ids.folder(9)), Some(9));
        assert_eq!(ids.read_item(&ids.folder(9)), None);
    }

    #[test]
    fn damage_is_noticed() {
        let ids = Ids::new(7);
        assert_eq!(ids.read_item(&ids.immutable(3).replacen('A', "B", 1)), None);
        assert_eq!(ids.read_item("bogus"), None);
        assert_eq!(Ids::new(8).read_item(&ids.immutable(3)), None);
    }
}
