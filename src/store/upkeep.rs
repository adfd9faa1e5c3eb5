//! What is put right at each start, and dropped now and then in a mount that lasts for months.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::{Result, Store, history};
use crate::model::{Ino, Stamp};

impl Store {
    /// Drops what nobody asks for any more: a mount may last for months.
    ///
    /// # Errors
    /// When the database fails.
    pub fn tidy(&self) -> Result<()> {
        self.write(|tx| tidy(&tx.sql, tx.now))
    }

    /// Drops what a crash left without an owner, and forgets that requests were under way.
    pub(super) fn recover(&self) -> Result<()> {
        let writer = self.writer();
        let now = Stamp::now();
        writer.execute(
            "INSERT OR IGNORE INTO inode(ino, kind, dirty, mode, size, mtime, ctime) VALUES(?1, 5, 0, ?2, 0, ?3, ?3)",
            (Ino::ROOT.0, 0o700, now.0),
        )?;
        writer.execute(
            "UPDATE outbox SET sending = 0, unsure = 1 WHERE sending = 1",
            [],
        )?;
        writer.execute_batch(
            "CREATE TEMP TABLE forgotten AS SELECT ino FROM orphan
             WHERE ino NOT IN (SELECT old_ino FROM outbox WHERE old_ino IS NOT NULL)
             AND ino NOT IN (SELECT ino FROM inode WHERE kind = 2);
             DELETE FROM text WHERE ino IN (SELECT ino FROM forgotten);
             DELETE FROM orphan WHERE ino IN (SELECT ino FROM forgotten);
             DROP TABLE forgotten;",
        )?;
        tidy(&writer, now)?;
        writer.execute(
            "DELETE FROM photo WHERE NOT EXISTS (SELECT 1 FROM contact WHERE contact.photo = photo.id)
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.photo = photo.id)
             AND NOT EXISTS (SELECT 1 FROM photo_clash WHERE photo.id IN (ours, theirs))",
            [],
        )?;
        let mut wanted = writer.prepare("SELECT ino FROM inode WHERE kind = 3 OR dirty")?;
        let wanted: HashSet<u64> = wanted
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        self.blobs.retain(|ino| wanted.contains(&ino.0))?;
        for ino in wanted.into_iter().map(Ino) {
            if !self.blobs.exists(ino) {
                self.replace_lost(&writer, ino)?;
            }
        }
        Ok(())
    }

    /// A power cut took a backing file that was never synced: the last accepted text stands, else nothing.
    fn replace_lost(&self, writer: &Connection, ino: Ino) -> Result<()> {
        let text = writer
            .query_row("SELECT bytes FROM text WHERE ino = ?1", [ino.0], |row| {
                row.get(0)
            })
            .optional()?;
        let text: Vec<u8> = text.unwrap_or_default();
        Ok(self.blobs.write(ino, &text)?)
    }
}

/// Versions past their age, and deletions that are older than any request takes.
fn tidy(sql: &Connection, now: Stamp) -> Result<()> {
    history::prune(sql, now, history::SIZE)?;
    sql.execute(
        "DELETE FROM gone WHERE at < ?1",
        [now.0 - 3_600_000_000_000],
    )?;
    Ok(())
}
