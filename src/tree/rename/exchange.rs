//! Two names that swap what they stand for (`RENAME_EXCHANGE`).

use std::time::Duration;

use super::{Side, become_card, card_to_scratch, remember_name};
use crate::model::{Ino, Stamp};
use crate::store::{InodeKind, Tx};
use crate::tree::{Error, Place, Result, Tree};

impl Tree {
    /// Swaps two names. Two contacts of one folder swap names, two scratch files places; a contact and a scratch file
    /// swap bytes: an update (behaviour 4.6).
    pub(super) fn exchange(&self, from: &Side<'_>, a: Ino, to: &Side<'_>, b: Ino) -> Result<()> {
        let is_dir = |ino| self.memory().dir(ino).is_some();
        if is_dir(a) || is_dir(b) {
            self.check_dirs_exchange((from, a), (to, b))?;
        }
        let grace = self.settings.delete_grace;
        let (a_since, b_since) = (self.made_lately(a), self.made_lately(b));
        self.change_sides((from, a), (to, Some(b)), |tx| {
            match (from.place, to.place) {
                (Place::Card, Place::Card) if from.dir == to.dir => {
                    tx.link(from.dir, from.name, b)?;
                    tx.link(to.dir, to.name, a)?;
                    remember_name(tx, a, to.name)?;
                    remember_name(tx, b, from.name)
                }
                (Place::Card, Place::Card) => Err(Error::CrossDevice),
                (_, Place::Card) => swap_scratch_and_card(tx, (from, a), (to, b), (grace, a_since)),
                (Place::Card, _) => swap_scratch_and_card(tx, (to, b), (from, a), (grace, b_since)),
                _ => {
                    tx.link(from.dir, from.name, b)?;
                    Ok(tx.link(to.dir, to.name, a)?)
                }
            }
        })
    }

    /// Directories of a program's own change places with each other and with scratch files.
    fn check_dirs_exchange(&self, from: (&Side<'_>, Ino), to: (&Side<'_>, Ino)) -> Result<()> {
        for ((_, ino), (there, _)) in [(from, to), (to, from)] {
            let may_go = match self.kind(ino)? {
                InodeKind::Dir => self.takes_dirs(there)?,
                InodeKind::File | InodeKind::Symlink(_) => there.place == Place::Scratch,
                InodeKind::Root | InodeKind::Folder(_) | InodeKind::Card(_) => false,
            };
            if !may_go {
                return Err(Error::CrossDevice);
            }
            if self.is_below(there.dir, ino) {
                return Err(Error::Invalid);
            }
        }
        Ok(())
    }
}

/// The scratch file takes the contact's name and is its new text; the old text takes the scratch name.
fn swap_scratch_and_card(
    tx: &mut Tx<'_>,
    (scratch, scratch_ino): (&Side<'_>, Ino),
    (card, card_ino): (&Side<'_>, Ino),
    (grace, since): (Duration, Option<Stamp>),
) -> Result<()> {
    tx.unlink(scratch.dir, scratch.name)?;
    card_to_scratch(tx, card, card_ino, scratch, grace)?;
    tx.link(card.dir, card.name, scratch_ino)?;
    become_card(tx, scratch_ino, (card.dir, card.name), since)
}
