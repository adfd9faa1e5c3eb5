//! Contact rows: what the service last said of each, and which file shows it.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row};

use super::{Error, FolderRowId, Result, Store, Tx};
use crate::model::{ChangeKey, Contact, ContactId, Field, Ino, PhotoId, ResidueText, Stamp};
use crate::vcard::{Card, Residue};

/// A contact's number in this store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub i64);

/// One contact.
#[derive(Clone, Debug)]
pub struct ContactRow {
    /// Its number here.
    pub id: RowId,
    /// Its id at the service; `None` until it has been made there.
    pub graph: Option<ContactId>,
    /// The folder it is shown in.
    pub folder: FolderRowId,
    /// The version last heard of.
    pub change_key: Option<ChangeKey>,
    /// Versions that our own writes replaced.
    pub old_keys: String,
    /// When it was made at the service.
    pub created: Stamp,
    /// When it last changed at the service, photo included.
    pub modified: Option<Stamp>,
    /// What the service last said; `None` until it has been made there.
    pub card: Option<Card>,
    /// The picture it has there, as far as that was read.
    pub photo: Option<PhotoId>,
    /// The file that shows it; `None` while it is unlinked or not shown yet.
    pub ino: Option<Ino>,
    /// Whether `card` is all there is: what lists and delta show may be cut.
    pub is_whole: bool,
}

const COLUMNS: &str = "id, graph, folder, change_key, old_keys, created, wire, residue, ino, modified, residue IS NOT NULL AND change_key IS NOT NULL, photo";

impl ContactRow {
    /// Whether a version is one that our own write replaced.
    pub(super) fn is_superseded(&self, key: &ChangeKey) -> bool {
        self.change_key.as_ref() != Some(key)
            && self.old_keys.split(' ').any(|old| old == key.as_str())
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<(Self, Option<String>, Option<String>)> {
        let contact = Self {
            id: RowId(row.get(0)?),
            graph: row.get::<_, Option<String>>(1)?.map(ContactId::new),
            folder: FolderRowId(row.get(2)?),
            change_key: row.get::<_, Option<String>>(3)?.map(ChangeKey::new),
            old_keys: row.get(4)?,
            created: Stamp(row.get(5)?),
            modified: row.get::<_, Option<i64>>(9)?.map(Stamp),
            card: None,
            photo: row.get::<_, Option<String>>(11)?.map(PhotoId::new),
            ino: row.get::<_, Option<u64>>(8)?.map(Ino),
            is_whole: row.get(10)?,
        };
        Ok((contact, row.get(6)?, row.get(7)?))
    }
}

/// A card as kept in a row.
#[derive(serde::Serialize, serde::Deserialize)]
struct KeptCard {
    contact: Contact,
    residue: ResidueText,
}

/// Writes a card as JSON.
pub(super) fn card_to_json(card: &Card) -> Result<String> {
    let kept = KeptCard {
        contact: card.contact.clone(),
        residue: card.residue.encode(),
    };
    serde_json::to_string(&kept).map_err(|error| Error::Corrupt(error.to_string()))
}

/// Reads a card as [`card_to_json`] wrote it.
pub(super) fn card_from_json(json: &str) -> Result<Card> {
    let kept: KeptCard =
        serde_json::from_str(json).map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok(Card {
        contact: kept.contact,
        residue: decode(&kept.residue),
    })
}

/// A residue that cannot be read is shown as none; it is never a reason to hide a contact (vcard-mapping 6).
pub(super) fn decode(text: &ResidueText) -> Residue {
    Residue::decode(text).unwrap_or_else(|error| {
        tracing::warn!(%error, "a residue property is damaged");
        Residue::default()
    })
}

impl Store {
    /// The categories that contacts have, each with how many.
    ///
    /// # Errors
    /// When the database fails.
    pub fn category_counts(&self) -> Result<Vec<(String, usize)>> {
        self.read(|sql| {
            let mut counts = BTreeMap::<String, usize>::new();
            let mut rows = sql.prepare("SELECT wire FROM contact WHERE wire IS NOT NULL")?;
            let mut rows = rows.query([])?;
            while let Some(row) = rows.next()? {
                let wire: String = row.get(0)?;
                let contact: Contact = serde_json::from_str(&wire)
                    .map_err(|error| Error::Corrupt(error.to_string()))?;
                for name in contact.list(Field::Categories) {
                    *counts.entry(name.clone()).or_default() += 1;
                }
            }
            Ok(counts.into_iter().collect())
        })
    }

    /// A contact by its number.
    ///
    /// # Errors
    /// When the database fails.
    pub fn contact(&self, id: RowId) -> Result<Option<ContactRow>> {
        self.read(|sql| one(sql, "id = ?1", id.0))
    }

    /// The contact a file shows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn contact_at(&self, ino: Ino) -> Result<Option<ContactRow>> {
        self.read(|sql| one(sql, "ino = ?1", ino.0))
    }
}

impl Tx<'_> {
    /// A contact by its number.
    ///
    /// # Errors
    /// When the database fails.
    pub fn contact(&self, id: RowId) -> Result<Option<ContactRow>> {
        one(&self.sql, "id = ?1", id.0)
    }

    /// A contact by its id at the service.
    ///
    /// # Errors
    /// When the database fails.
    pub fn contact_by_graph(&self, id: &ContactId) -> Result<Option<ContactRow>> {
        one(&self.sql, "graph = ?1", id.as_str())
    }

    /// Whether a version of a contact is one that our own writes have replaced since.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_older(&self, id: RowId, key: &ChangeKey) -> Result<bool> {
        Ok(self.contact(id)?.is_some_and(|row| row.is_superseded(key)))
    }

    /// Whether something of a contact is still to be sent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_queued(&self, id: &ContactId) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT 1 FROM contact JOIN outbox ON outbox.contact = contact.id WHERE contact.graph = ?1",
            )?
            .exists([id.as_str()])?)
    }

    /// Makes a contact that the service does not know yet.
    ///
    /// # Errors
    /// When the database fails.
    pub fn new_contact(&mut self, folder: FolderRowId, ino: Ino) -> Result<RowId> {
        self.sql
            .prepare_cached(
                "INSERT INTO contact(folder, created, ino, seen) VALUES(?1, ?2, ?3, 0)",
            )?
            .execute((folder.0, self.now.0, ino.0))?;
        Ok(RowId(self.sql.last_insert_rowid()))
    }

    /// Says which file shows a contact.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_contact_ino(&mut self, id: RowId, ino: Option<Ino>) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET ino = ?2 WHERE id = ?1")?
            .execute((id.0, ino.map(|ino| ino.0)))?;
        Ok(())
    }

    /// Says which folder shows a contact.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_contact_folder(&mut self, id: RowId, folder: FolderRowId) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET folder = ?2 WHERE id = ?1")?
            .execute((id.0, folder.0))?;
        Ok(())
    }

    /// A contact was or is about to be deleted by us, in this version.
    ///
    /// # Errors
    /// When the database fails.
    pub fn note_gone(&self, id: &ContactId, key: &ChangeKey) -> Result<()> {
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO gone VALUES(?1, ?2, ?3)")?
            .execute((id.as_str(), key.as_str(), self.now.0))?;
        Ok(())
    }

    /// Whether this is the version of a contact that we deleted.
    pub(super) fn is_gone(&self, id: &ContactId, key: &ChangeKey) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached("SELECT 1 FROM gone WHERE graph = ?1 AND change_key = ?2")?
            .exists((id.as_str(), key.as_str()))?)
    }

    /// Removes a contact's row.
    ///
    /// # Errors
    /// When the database fails.
    pub fn remove_contact(&mut self, id: RowId) -> Result<()> {
        self.sql
            .prepare_cached("DELETE FROM contact WHERE id = ?1")?
            .execute([id.0])?;
        Ok(())
    }

    /// The contacts of a folder that no file shows yet, oldest first (behaviour 1.4).
    ///
    /// # Errors
    /// When the database fails.
    pub fn unshown(&self, folder: FolderRowId, limit: usize) -> Result<Vec<RowId>> {
        let mut rows = self.sql.prepare_cached(
            "SELECT id FROM contact WHERE folder = ?1 AND ino IS NULL AND graph IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.contact = contact.id)
             AND EXISTS (SELECT 1 FROM folder JOIN inode ON inode.ino = folder.ino WHERE folder.id = ?1)
             ORDER BY created, graph LIMIT ?2",
        )?;
        let rows = rows.query_map((folder.0, limit), |row| row.get(0).map(RowId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The ids of a folder's contacts whose residue has not been read.
    ///
    /// # Errors
    /// When the database fails.
    pub fn without_residue(&self, folder: FolderRowId) -> Result<Vec<ContactId>> {
        let mut rows = self.sql.prepare_cached(
            "SELECT graph FROM contact WHERE folder = ?1 AND residue IS NULL AND graph IS NOT NULL",
        )?;
        let rows = rows.query_map([folder.0], |row| {
            row.get::<_, String>(0).map(ContactId::new)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The contacts of a folder that its present full load has not seen.
    ///
    /// # Errors
    /// When the database fails.
    pub fn unseen(&self, folder: FolderRowId) -> Result<Vec<ContactId>> {
        let mut rows = self.sql.prepare_cached(
            "SELECT graph FROM contact WHERE folder = ?1 AND graph IS NOT NULL
             AND seen < (SELECT generation FROM folder WHERE id = ?1)",
        )?;
        let rows = rows.query_map([folder.0], |row| {
            row.get::<_, String>(0).map(ContactId::new)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every contact of a folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn contacts_of(&self, folder: FolderRowId) -> Result<Vec<RowId>> {
        let mut rows = self
            .sql
            .prepare_cached("SELECT id FROM contact WHERE folder = ?1")?;
        let rows = rows.query_map([folder.0], |row| row.get(0).map(RowId))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The UID a contact's file shows.
    ///
    /// # Errors
    /// When the database fails.
    pub fn uid_of(&self, id: RowId) -> Result<Option<String>> {
        let uid: Option<Option<String>> = self
            .sql
            .prepare_cached("SELECT uid FROM contact WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?;
        Ok(uid.flatten())
    }

    /// Whether a shown contact of a folder has this UID.
    ///
    /// # Errors
    /// When the database fails.
    pub fn has_uid(&self, folder: FolderRowId, uid: &str) -> Result<bool> {
        Ok(self
            .sql
            .prepare_cached(
                "SELECT 1 FROM contact WHERE uid = ?1 AND folder = ?2 AND ino IS NOT NULL",
            )?
            .exists((uid, folder.0))?)
    }

    pub(super) fn set_uid(&self, id: RowId, uid: Option<&str>) -> Result<()> {
        self.sql
            .prepare_cached("UPDATE contact SET uid = ?2 WHERE id = ?1")?
            .execute((id.0, uid))?;
        Ok(())
    }

    /// A contact was shown incompletely: it has to be read singly.
    ///
    /// # Errors
    /// When the database fails.
    pub fn mark_cut(&mut self, id: &ContactId) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE contact SET residue = NULL, change_key = NULL WHERE graph = ?1",
            )?
            .execute([id.as_str()])?;
        Ok(())
    }

    /// Marks a contact as seen in the folder's present full load.
    ///
    /// # Errors
    /// When the database fails.
    pub fn mark_seen(&mut self, id: RowId) -> Result<()> {
        self.sql
            .prepare_cached(
                "UPDATE contact SET seen = (SELECT generation FROM folder WHERE folder.id = contact.folder) WHERE id = ?1",
            )?
            .execute([id.0])?;
        Ok(())
    }

    /// Records what a listing showed beside the properties of Graph, if the contact is still of that version.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_residue(
        &mut self,
        id: &ContactId,
        key: &ChangeKey,
        residue: &ResidueText,
        extended: &Contact,
    ) -> Result<bool> {
        let extended =
            serde_json::to_string(extended).map_err(|error| Error::Corrupt(error.to_string()))?;
        let done = self
            .sql
            .prepare_cached(
                "UPDATE contact SET residue = ?3, wire = json_patch(wire, ?4)
                 WHERE graph = ?1 AND change_key = ?2 AND residue IS NULL",
            )?
            .execute((id.as_str(), key.as_str(), residue.as_str(), extended))?;
        Ok(done > 0)
    }
}

fn one(
    sql: &rusqlite::Connection,
    condition: &str,
    key: impl rusqlite::ToSql,
) -> Result<Option<ContactRow>> {
    let found = sql
        .prepare_cached(&format!("SELECT {COLUMNS} FROM contact WHERE {condition}"))?
        .query_row([key], ContactRow::from_row)
        .optional()?;
    let Some((mut row, wire, residue)) = found else {
        return Ok(None);
    };
    if let Some(wire) = wire {
        let contact =
            serde_json::from_str(&wire).map_err(|error| Error::Corrupt(error.to_string()))?;
        row.card = Some(Card::from_server(
            contact,
            decode(&ResidueText::new(residue.unwrap_or_default())),
        ));
    }
    Ok(Some(row))
}
