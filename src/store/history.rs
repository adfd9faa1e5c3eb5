//! Every text that a contact's file showed and shows no longer, and every text that was not taken (behaviour 4.13).
//!
//! Kept for 90 days, and no more than 256 MiB: the oldest go first. Nothing here is sent anywhere.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Result, RowId, Store, Tx};
use crate::model::{Ino, Stamp};
use crate::vcard::Card;

/// How long a version is kept.
const AGE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How many bytes are kept.
pub(super) const SIZE: u64 = 256 << 20;
/// The key in `meta` that counts them.
const COUNTER: &str = "history";

/// How a version ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A save on this machine replaced it.
    Saved,
    /// A change made elsewhere replaced it.
    Changed,
    /// The service kept a save in another form.
    Answered,
    /// The file was deleted on this machine.
    Deleted,
    /// The contact was deleted elsewhere.
    Vanished,
    /// It was never taken: it cannot be a contact, or the service refused it.
    Rejected,
    /// It lost to a change of the same property.
    Conflict,
}

const FATES: [(Fate, &str); 7] = [
    (Fate::Saved, "saved"),
    (Fate::Changed, "changed"),
    (Fate::Answered, "answered"),
    (Fate::Deleted, "deleted"),
    (Fate::Vanished, "vanished"),
    (Fate::Rejected, "rejected"),
    (Fate::Conflict, "conflict"),
];

impl Fate {
    /// The word for it in the database and for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        let known = FATES.iter().find(|(fate, _)| *fate == self);
        known.map_or("", |(_, word)| word)
    }
}

/// One version of a contact's file.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its number; later ones are greater.
    pub number: i64,
    /// The contact it is of; that may be gone.
    pub contact: RowId,
    /// When it ceased to be what the file shows.
    pub ended: Stamp,
    /// How it ended.
    pub fate: Fate,
    /// Its length in bytes.
    pub size: u64,
}

const COLUMNS: &str = "id, contact, at, fate, length(bytes)";

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let word: String = row.get(3)?;
    let known = FATES.iter().find(|(_, known)| *known == word);
    Ok(Version {
        number: row.get(0)?,
        contact: RowId(row.get(1)?),
        ended: Stamp(row.get(2)?),
        fate: known.map_or(Fate::Saved, |(fate, _)| *fate),
        size: row.get(4)?,
    })
}

impl Store {
    /// The versions of a contact, and of whatever else was deleted under its file's name; the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn versions(
        &self,
        contact: Option<RowId>,
        (dir, name): (Ino, &str),
    ) -> Result<Vec<Version>> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM history WHERE contact = ?1 OR contact IN
                 (SELECT contact FROM history WHERE dir = ?2 AND name = ?3 AND fate IN ('deleted', 'vanished'))
                 ORDER BY id DESC"
            ))?;
            let rows = rows.query_map((contact.map(|id| id.0), dir.0, name), version)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The bytes of a version.
    ///
    /// # Errors
    /// When the database fails.
    pub fn version_text(&self, number: i64) -> Result<Option<Vec<u8>>> {
        self.read(|sql| {
            Ok(sql
                .prepare_cached("SELECT bytes FROM history WHERE id = ?1")?
                .query_row([number], |row| row.get(0))
                .optional()?)
        })
    }
}

impl Tx<'_> {
    /// Keeps a text that a contact's file does not show any more, unless it is the one kept last.
    pub(super) fn keep_version(
        &self,
        contact: RowId,
        (dir, name): (Ino, &str),
        bytes: &[u8],
        fate: Fate,
    ) -> Result<()> {
        let is_last = self
            .sql
            .prepare_cached(
                "SELECT bytes = ?2 FROM history WHERE contact = ?1 ORDER BY id DESC LIMIT 1",
            )?
            .query_row((contact.0, bytes), |row| row.get(0))
            .optional()?
            .unwrap_or(false);
        if is_last || bytes.is_empty() {
            return Ok(());
        }
        self.sql
            .prepare_cached(
                "INSERT INTO history(contact, dir, name, at, fate, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((contact.0, dir.0, name, self.now.0, fate.word(), bytes))?;
        let kept: u64 = self
            .sql
            .prepare_cached(
                "INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = value + ?2 RETURNING value",
            )?
            .query_row((COUNTER, bytes.len()), |row| row.get(0))?;
        if kept > SIZE {
            prune(&self.sql, self.now, SIZE)?;
        }
        Ok(())
    }

    /// Keeps the accepted text of a contact's file, which is about to be replaced.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_text(&self, contact: RowId, ino: Ino, new: &[u8], fate: Fate) -> Result<()> {
        let Some((dir, name)) = self.card_name(ino)? else {
            return Ok(());
        };
        match self.text(ino)? {
            Some(text) if text != new => self.keep_version(contact, (dir, &name), &text, fate),
            _ => Ok(()),
        }
    }

    /// Keeps a card that no file of this machine shows: an edit made elsewhere, of the copy a move has made.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_copy(&self, contact: RowId, copy: &Card) -> Result<()> {
        let Some(row) = self.contact(contact)? else {
            return Ok(());
        };
        let place = row.ino.map(|ino| self.card_name(ino)).transpose()?;
        let Some((dir, name)) = place.flatten() else {
            return Ok(());
        };
        let text = self.draw(&row, copy)?;
        self.keep_version(contact, (dir, &name), &text, Fate::Changed)
    }

    /// Keeps the text of a contact's file that was unlinked, before the deletion is final.
    pub(super) fn keep_deleted(&self, contact: RowId) -> Result<()> {
        let was = self
            .sql
            .prepare_cached(
                "SELECT dir, name, old_ino FROM outbox WHERE contact = ?1 AND op = 'delete'",
            )?
            .query_row([contact.0], |row| {
                Ok((Ino(row.get(0)?), row.get::<_, String>(1)?, Ino(row.get(2)?)))
            })
            .optional()?;
        let Some((dir, name, ino)) = was else {
            return Ok(());
        };
        let text = self.text(ino)?.unwrap_or_default();
        self.keep_version(contact, (dir, &name), &text, Fate::Deleted)
    }

    /// What a contact's file showed at a time, if a change made elsewhere has replaced that since.
    ///
    /// # Errors
    /// When the database fails.
    pub fn shown_at(&self, contact: RowId, time: Stamp) -> Result<Option<Vec<u8>>> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT bytes FROM history WHERE contact = ?1 AND at > ?2 AND fate = 'changed' ORDER BY id LIMIT 1",
            )?
            .query_row((contact.0, time.0), |row| row.get(0))
            .optional()?)
    }
}

/// Lets the oldest versions go: those past their age, and then as many as it takes to be well within `size`.
pub(super) fn prune(sql: &Connection, now: Stamp, size: u64) -> Result<()> {
    let kept: Option<u64> = sql
        .query_row("SELECT value FROM meta WHERE key = ?1", [COUNTER], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(mut kept) = kept else { return Ok(()) };
    let age = i64::try_from(AGE.as_nanos()).unwrap_or(i64::MAX);
    let mut old = sql.prepare("DELETE FROM history WHERE at < ?1 RETURNING length(bytes)")?;
    for size in old.query_map([now.0.saturating_sub(age)], |row| row.get::<_, u64>(0))? {
        kept = kept.saturating_sub(size?);
    }
    if kept > size {
        let mut last = 0;
        let mut oldest = sql.prepare("SELECT id, length(bytes) FROM history ORDER BY id")?;
        let mut oldest = oldest.query([])?;
        while let Some(row) = oldest.next()?
            && kept > size - size / 8
        {
            last = row.get(0)?;
            kept = kept.saturating_sub(row.get(1)?);
        }
        sql.execute("DELETE FROM history WHERE id <= ?1", [last])?;
    }
    sql.execute("UPDATE meta SET value = ?2 WHERE key = ?1", (COUNTER, kept))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vcard::Style;

    const PLACE: (Ino, &str) = (Ino(7), "A.vcf");

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), "me", "http://here", Style::default()).unwrap();
        (dir, store)
    }

    fn keep(store: &Store, contact: i64, text: &str, fate: Fate) {
        let keep = |tx: &mut Tx<'_>| tx.keep_version(RowId(contact), PLACE, text.as_bytes(), fate);
        store.write::<_, super::super::Error>(keep).unwrap();
    }

    fn texts(store: &Store, contact: Option<i64>) -> Vec<(String, Fate)> {
        let versions = store.versions(contact.map(RowId), PLACE).unwrap();
        let text = |version: &Version| store.version_text(version.number).unwrap().unwrap();
        versions
            .iter()
            .map(|version| (String::from_utf8(text(version)).unwrap(), version.fate))
            .collect()
    }

    #[test]
    fn the_newest_comes_first_and_a_text_is_kept_once() {
        let (_dir, store) = store();
        for text in ["a", "b", "b", "", "a"] {
            keep(&store, 1, text, Fate::Saved);
        }
        keep(&store, 2, "x", Fate::Changed);
        let expected = ["a", "b", "a"].map(|text| (text.to_owned(), Fate::Saved));
        assert_eq!(texts(&store, Some(1)), expected);
        assert_eq!(texts(&store, None), []);
        keep(&store, 2, "y", Fate::Deleted);
        let deleted = [
            ("y".to_owned(), Fate::Deleted),
            ("x".to_owned(), Fate::Changed),
        ];
        assert_eq!(
            texts(&store, None),
            deleted,
            "found by the name of the file"
        );
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size() {
        let (_dir, store) = store();
        for text in ["11111111", "22222222", "33333333", "44444444"] {
            keep(&store, 1, text, Fate::Saved);
        }
        let prune = |now, size| store.write(|tx| prune(&tx.sql, now, size)).unwrap();
        prune(Stamp::now(), 24);
        let left = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| ((*text).to_owned(), Fate::Saved))
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&store, Some(1)), left(&["44444444", "33333333"]));
        prune(Stamp::now().after(AGE - Duration::from_secs(60)), 24);
        assert_eq!(texts(&store, Some(1)).len(), 2);
        prune(Stamp::now().after(AGE), 24);
        assert_eq!(texts(&store, Some(1)), []);
        keep(&store, 1, "5", Fate::Saved);
        assert_eq!(texts(&store, Some(1)), left(&["5"]));
    }

    #[test]
    fn what_was_shown_at_a_time_is_the_first_that_a_change_elsewhere_replaced_since() {
        let (_dir, store) = store();
        keep(&store, 1, "a", Fate::Changed);
        std::thread::sleep(Duration::from_millis(2));
        let time = Stamp::now();
        std::thread::sleep(Duration::from_millis(2));
        keep(&store, 1, "b", Fate::Saved);
        let shown = || {
            store
                .write::<_, super::super::Error>(|tx| tx.shown_at(RowId(1), time))
                .unwrap()
        };
        assert_eq!(shown(), None);
        keep(&store, 1, "c", Fate::Changed);
        keep(&store, 1, "d", Fate::Changed);
        assert_eq!(shown(), Some(b"c".to_vec()));
    }
}
