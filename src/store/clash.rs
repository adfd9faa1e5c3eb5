//! Contacts whose same property was changed here and there to different values (behaviour 6).
//!
//! The merged card goes on its way; what is kept here is the card as either side would have it, for whoever resolves.

use rusqlite::OptionalExtension;

use super::contacts::{card_from_json, card_to_json};
use super::{ContactRow, Problem, Result, RowId, Seq, Store, Tx};
use crate::model::{Ino, PhotoId};
use crate::vcard::{self, Card, Prefer, merge};

/// The property that a picture is.
const PHOTO: &str = "PHOTO";

/// The two ways in which a contact can go on.
#[derive(Clone, Debug)]
pub struct Clash {
    /// The merged card where this side's values stand; `None` when this side deleted the contact.
    pub ours: Option<Card>,
    /// The merged card where the other side's stand.
    pub theirs: Card,
    /// The properties in question, as a card spells them.
    pub names: Vec<String>,
}

/// The texts that a file in conflict would have as either side.
#[derive(Clone, Debug)]
pub struct Sides {
    /// With this side's values; `None` when this side deleted the contact.
    pub ours: Option<Vec<u8>>,
    /// With the other side's.
    pub theirs: Vec<u8>,
    /// The properties in question, as a card spells them.
    pub names: Vec<String>,
}

impl Store {
    /// The two sides of a file in conflict, with whatever else became of the contact since.
    ///
    /// # Errors
    /// When the database fails.
    pub fn sides(&self, ino: Ino) -> Result<Option<Sides>> {
        let Some(contact) = self.contact_at(ino)? else {
            return Ok(None);
        };
        self.write(|tx| {
            let (clash, pictures) = (tx.clash(contact.id)?, tx.photo_clash(contact.id)?);
            let Some(now) = tx
                .expected(&contact)?
                .filter(|_| clash.is_some() || pictures.is_some())
            else {
                return Ok(None);
            };
            let clash = clash.unwrap_or_else(|| Clash {
                ours: Some(now.clone()),
                theirs: now.clone(),
                names: Vec::new(),
            });
            let side = |of: &Card, card: &Card, picture: Option<&Option<PhotoId>>| {
                let card = merge(of, card, &now, Prefer::Ours).card;
                let Some(picture) = picture else {
                    return tx.draw(&contact, &card);
                };
                let photo = picture.as_ref().map(|id| tx.photo(id)).transpose()?;
                Ok(tx.draw_with(&contact, &card, photo.flatten().as_ref()))
            };
            let of_ours = pictures.as_ref().map(|pictures| &pictures.ours);
            let of_theirs = pictures.as_ref().map(|pictures| &pictures.theirs);
            let mut names = clash.names;
            names.extend(pictures.as_ref().map(|_| PHOTO.to_owned()));
            let (ours, theirs) = match &clash.ours {
                Some(ours) => (
                    Some(side(&clash.theirs, ours, of_ours)?),
                    side(ours, &clash.theirs, of_theirs)?,
                ),
                None => (None, tx.draw(&contact, &now)?),
            };
            Ok(Some(Sides {
                ours,
                theirs,
                names,
            }))
        })
    }
}

impl Tx<'_> {
    /// What clashes in a contact, if anything does.
    fn clash(&self, contact: RowId) -> Result<Option<Clash>> {
        let found: Option<(Option<String>, String, String)> = self
            .sql
            .prepare_cached("SELECT ours, theirs, names FROM clash WHERE contact = ?1")?
            .query_row([contact.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((ours, theirs, names)) = found else {
            return Ok(None);
        };
        Ok(Some(Clash {
            ours: ours.as_deref().map(card_from_json).transpose()?,
            theirs: card_from_json(&theirs)?,
            names: names.lines().map(str::to_owned).collect(),
        }))
    }

    /// Whose values stand on this mount.
    #[must_use]
    pub fn prefer(&self) -> Prefer {
        self.prefer
    }

    /// Merges two cards that were made from `base`, as this mount prefers.
    #[must_use]
    pub fn merged(&self, base: &Card, ours: &Card, theirs: &Card) -> (Card, Option<Clash>) {
        let merged = merge(base, ours, theirs, self.prefer);
        if merged.clashes.is_empty() {
            return (merged.card, None);
        }
        let as_preferring = |prefer| match prefer == self.prefer {
            true => merged.card.clone(),
            false => merge(base, ours, theirs, prefer).card,
        };
        let clash = Clash {
            ours: Some(as_preferring(Prefer::Ours)),
            theirs: as_preferring(Prefer::Theirs),
            names: merged.clashes.clone(),
        };
        (merged.card, Some(clash))
    }

    /// Merges a card that was edited from the text `from` with what the contact will be, `now`, once everything queued
    /// is sent: it may have changed elsewhere since.
    #[must_use]
    pub fn merge_edit(
        &self,
        contact: &ContactRow,
        from: Option<&[u8]>,
        ours: Card,
        now: &Card,
    ) -> (Card, Option<Clash>) {
        // A contact that is not made yet was changed by nobody else; one that was shown in part seems to have lost lines.
        let from = from.filter(|_| contact.is_whole);
        // Read in the same light, both texts agree in what a card does not show.
        let shown = Some((now, contact.graph.as_ref()));
        match from.map(|from| vcard::read(from, shown, self.style)) {
            Some(Ok(base)) => self.merged(&base, &ours, now),
            _ => (ours, None),
        }
    }

    /// Records a clash: the losing card is kept beside the contact, and `fsync` of the save is told when ours lost.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn set_clash(
        &mut self,
        contact: RowId,
        seq: Option<Seq>,
        clash: &Clash,
        place: Option<(Ino, &str)>,
        lost: &[u8],
    ) -> Result<()> {
        let names = clash.names.join(", ");
        let (seq, ends) = match self.prefer {
            Prefer::Theirs => (
                seq,
                "the value there stands, your card is kept in the .rejected file",
            ),
            Prefer::Ours => (
                None,
                "your value stands, the card there is kept in the .rejected file",
            ),
        };
        let problem = Problem::Conflict(format!(
            "changed elsewhere since you opened it: {names}; {ends}"
        ));
        if let Some((dir, name)) = place {
            self.keep_rejected(Some(contact), (dir, name), lost, &problem)?;
        }
        self.set_problem(contact, seq, &problem)?;
        self.put_clash(contact, clash)
    }

    pub(super) fn put_clash(&self, contact: RowId, clash: &Clash) -> Result<()> {
        let ours = clash.ours.as_ref().map(card_to_json).transpose()?;
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO clash VALUES(?1, ?2, ?3, ?4)")?
            .execute((
                contact.0,
                ours,
                card_to_json(&clash.theirs)?,
                clash.names.join("\n"),
            ))?;
        Ok(())
    }
}
