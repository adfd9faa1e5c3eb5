//! Pictures beside their cards: read-only files that follow the contact (`--photo sidecar`).
//!
//! They are scratch files that the mount makes, moves and removes by itself, whenever pictures are looked after. One that
//! a user removed stays away until the picture changes, and no file of a user's own is ever replaced.

use super::{InodeKind, InodeRow, Photos, Result, Store, Tx};
use crate::model::{Ino, Photo, PhotoId, Stamp};
use crate::names;

/// Nobody writes to it: a picture is changed in its card.
const MODE: u16 = 0o400;

/// Of the names `k` of a card's file the one that is a contact's: it may have others as a scratch file has.
const IS_CARD: &str = "k.ino = c.ino AND k.name LIKE '%.vcf' AND k.name NOT LIKE '.%'
             AND EXISTS (SELECT 1 FROM inode d WHERE d.ino = k.dir AND d.folder IS NOT NULL)";

/// Where a file is.
type Place = (Ino, String);

/// A file beside a card, or one that was.
struct Sidecar {
    ino: Ino,
    /// `None` when a user removed it.
    place: Option<Place>,
    /// Where it belongs; `None` when its contact is gone or has another picture.
    wanted: Option<Place>,
}

/// A picture whose card has no file beside it.
struct Missing {
    contact: i64,
    photo: PhotoId,
    card: Place,
    modified: Stamp,
}

impl Store {
    /// Whether a file is a picture beside its card.
    ///
    /// # Errors
    /// When the database fails.
    pub fn is_sidecar(&self, ino: Ino) -> Result<bool> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached("SELECT 1 FROM sidecar WHERE ino = ?1")?;
            Ok(rows.exists([ino.0])?)
        })
    }
}

impl Tx<'_> {
    /// Brings the files beside cards in step with the cards and their pictures.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn tend_sidecars(&mut self) -> Result<()> {
        let is_on = self.photos == Photos::Sidecar;
        for sidecar in self.sidecars()? {
            match (&sidecar.place, sidecar.wanted.filter(|_| is_on)) {
                (None, Some(_)) => {}
                (Some(place), Some(wanted)) if *place == wanted => {}
                _ => self.drop_sidecar(sidecar.ino)?,
            }
        }
        if is_on {
            for missing in self.without_sidecar()? {
                self.make_sidecar(&missing)?;
            }
        }
        Ok(())
    }

    fn sidecars(&self) -> Result<Vec<Sidecar>> {
        let mut rows = self.sql.prepare_cached(&format!(
            "SELECT s.ino, s.ending, e.dir, e.name, k.dir, k.name FROM sidecar s LEFT JOIN entry e ON e.ino = s.ino
             LEFT JOIN contact c ON c.id = s.contact AND c.photo = s.photo LEFT JOIN entry k ON {IS_CARD}",
        ))?;
        let rows = rows.query_map([], |row| {
            let ending: String = row.get(1)?;
            let card: Option<Place> = row.get::<_, Option<u64>>(4)?.map(Ino).zip(row.get(5)?);
            Ok(Sidecar {
                ino: Ino(row.get(0)?),
                place: row.get::<_, Option<u64>>(2)?.map(Ino).zip(row.get(3)?),
                wanted: card.and_then(|card| beside(&card, &ending)),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn without_sidecar(&self) -> Result<Vec<Missing>> {
        let mut rows = self.sql.prepare_cached(&format!(
            "SELECT c.id, c.photo, k.dir, k.name, coalesce(c.modified, c.created) FROM contact c JOIN entry k ON {IS_CARD}
             WHERE c.photo IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sidecar s WHERE s.contact = c.id)",
        ))?;
        let rows = rows.query_map([], |row| {
            Ok(Missing {
                contact: row.get(0)?,
                photo: PhotoId::new(row.get(1)?),
                card: (Ino(row.get(2)?), row.get(3)?),
                modified: Stamp(row.get(4)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn make_sidecar(&mut self, missing: &Missing) -> Result<()> {
        let Some(photo) = self.photo(&missing.photo)? else {
            return Ok(());
        };
        let ending = ending(&photo);
        let Some((dir, name)) = beside(&missing.card, ending) else {
            return Ok(());
        };
        if self.entry(dir, &name)?.is_some() {
            return Ok(()); // A user's own.
        }
        self.foreign(|tx| tx.put_scratch(dir, &name, photo.bytes()))?;
        let Some(ino) = self.entry(dir, &name)? else {
            return Ok(());
        };
        if let Some(row) = self.inode(ino)? {
            let mut attr = row.attr;
            (attr.mode, attr.mtime) = (MODE, missing.modified);
            self.foreign(|tx| tx.put_inode(InodeRow { attr, ..row }))?;
        }
        self.sql
            .prepare_cached(
                "INSERT INTO sidecar(ino, contact, photo, ending) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute((ino.0, missing.contact, missing.photo.as_str(), ending))?;
        Ok(())
    }

    fn drop_sidecar(&mut self, ino: Ino) -> Result<()> {
        let is_file = |row: InodeRow| row.kind == InodeKind::File;
        if self.inode(ino)?.is_some_and(is_file) {
            self.foreign(|tx| {
                for (dir, name) in tx.names(ino)? {
                    tx.unlink(dir, &name)?;
                }
                tx.drop_if_unnamed(ino, true)
            })?;
        }
        self.sql
            .prepare_cached("DELETE FROM sidecar WHERE ino = ?1")?
            .execute([ino.0])?;
        Ok(())
    }
}

/// The place of a file beside a card: the same name with another ending. `None` when that is no possible name.
fn beside((dir, card): &Place, ending: &str) -> Option<Place> {
    if !names::is_card_name(card) {
        return None;
    }
    let stem = card.get(..card.len().checked_sub(4)?)?;
    let name = format!("{stem}.{ending}");
    (name.len() <= 255).then_some((*dir, name))
}

fn ending(photo: &Photo) -> &'static str {
    match photo.format() {
        "jpeg" => "jpg",
        format => format,
    }
}
