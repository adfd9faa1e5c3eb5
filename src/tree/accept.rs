//! What an accepted text does: merged with what changed elsewhere, queued, and shown (behaviour 3.5 to 3.8, 6).
//!
//! Each of these is a part of one transaction. Whose text it is, and when it is looked at, is told in `commit`.

use super::commit::Ticket;
use super::rename::adopt;
use super::{Error, Result};
use crate::model::{Ino, Stamp};
use crate::names;
use crate::store::{Clash, ContactRow, Fate, InodeKind, InodeRow, Problem, RowId, Seq, Tx};
use crate::vcard::{self, Card, CardError, Prefer, Said};

const GONE: &str = "deleted elsewhere since you opened it, and the name is taken; your card is kept in the .rejected file";

/// What became of a commit.
pub(super) enum Outcome {
    /// The text is accepted; a save may be pending.
    Taken(Option<Ticket>),
    /// The contact changed elsewhere meanwhile, in a property that was changed here as well: the text was put aside.
    Clash,
}

/// Accepts a card's text: queues what it changes and makes it the text the file shows. What the text was edited from is
/// what the inode showed before; of a file that was made at `since` to be put in its place, what was shown then.
pub(super) fn accept(
    tx: &mut Tx<'_>,
    row: InodeRow,
    bytes: &[u8],
    since: Option<Stamp>,
) -> Result<Outcome> {
    let InodeKind::Card(contact) = row.kind else {
        return Ok(Outcome::Taken(None));
    };
    let Some((dir, name)) = tx.card_name(row.ino)? else {
        return Ok(Outcome::Taken(None));
    };
    let contact = contact.map(|id| tx.contact(id)).transpose()?.flatten();
    if let Some(contact) = &contact
        && tx.is_unread(contact)?
    {
        return Err(Error::NotLoaded);
    }
    if contact.is_none() && adopt_by_uid(tx, row.ino, dir, bytes)? {
        let kept = tx.inode(row.ino)?.ok_or(Error::NotFound)?;
        let attr = row.attr;
        return accept(tx, InodeRow { attr, ..kept }, bytes, since);
    }
    let ino = row.ino;
    let (id, edit) = match &contact {
        Some(contact) => (contact.id, accept_change(tx, contact, ino, bytes, since)?),
        None => accept_new(tx, &row, (dir, &name), bytes)?,
    };
    tx.keep_text(id, ino, bytes, Fate::Saved)?;
    let kind = InodeKind::Card(Some(id));
    let size = bytes.len() as u64;
    tx.put_inode(InodeRow {
        kind,
        dirty: false,
        attr: crate::store::Attr { size, ..row.attr },
        ..row
    })?;
    tx.put_text(ino, bytes)?;
    tx.record_known(&[ino])?;
    tx.drop_blob(ino);
    edit.tell(tx, id, (dir, &name))?;
    if let (Some(card), Some(contact)) = (&edit.merged, tx.contact(id)?) {
        let bytes = tx.draw(&contact, card)?;
        show(tx, &contact, &row, &bytes)?;
    }
    Ok(edit.outcome(tx, ino, id))
}

/// Accepts a text written through a handle whose file is not at its name any more (behaviour 2.3). It goes back there
/// if nothing was saved since, or if the contact was deleted elsewhere: the edit wins (behaviour 6.4). If the contact
/// changed meanwhile, the two are merged and the file there shows the result.
pub(super) fn accept_replaced(
    tx: &mut Tx<'_>,
    mut row: InodeRow,
    (dir, name): (Ino, &str),
    bytes: &[u8],
) -> Result<Outcome> {
    let InodeKind::Card(id) = row.kind else {
        return Ok(Outcome::Taken(None));
    };
    let contact = id.map(|id| tx.contact(id)).transpose()?.flatten();
    let shown = match &contact {
        Some(contact) if contact.ino.is_none() => return Ok(Outcome::Taken(None)), // Unlinked here since.
        Some(contact) => contact.ino.map(|ino| tx.inode(ino)).transpose()?.flatten(),
        None => None,
    };
    let (dir, name) = match &shown {
        Some(shown) => tx.card_name(shown.ino)?.unwrap_or((dir, name.to_owned())),
        None => (dir, name.to_owned()),
    };
    let free = match &shown {
        Some(shown) => !shown.dirty && tx.text(shown.ino)? == tx.text(row.ino)?,
        None => contact.is_none() && tx.inode(dir)?.is_some() && tx.entry(dir, &name)?.is_none(),
    };
    if !free {
        return match (&contact, &shown) {
            (Some(contact), Some(shown)) => {
                accept_beside(tx, contact, (row.ino, shown), (dir, &name), bytes)
            }
            _ => {
                let problem = Problem::Conflict(GONE.to_owned());
                tx.keep_rejected(id, (dir, &name), bytes, &problem)?;
                Ok(Outcome::Clash)
            }
        };
    }
    if contact.is_none() {
        row.kind = InodeKind::Card(None);
    }
    tx.put_inode(row.clone())?;
    tx.foreign(|tx| {
        tx.link(dir, &name, row.ino)?;
        shown.map_or(Ok(()), |shown| tx.orphan(shown.ino, true))
    })?;
    if let Some(contact) = contact {
        tx.set_contact_ino(contact.id, Some(row.ino))?;
    }
    accept(tx, row, bytes, None)
}

/// Accepts a text written to a replaced inode, with the one `shown` in its place. A text that is being written there is
/// merged in its turn when it is committed.
fn accept_beside(
    tx: &mut Tx<'_>,
    contact: &ContactRow,
    (ino, shown): (Ino, &InodeRow),
    place: (Ino, &str),
    bytes: &[u8],
) -> Result<Outcome> {
    let edit = accept_change(tx, contact, ino, bytes, None)?;
    tx.put_text(ino, bytes)?; // What the next write through the same handle starts from.
    tx.record_known(&[ino])?;
    edit.tell(tx, contact.id, place)?;
    if edit.is_change && !shown.dirty {
        let merged = edit.merged.as_ref();
        let drawn = merged.map(|card| tx.draw(contact, card)).transpose()?;
        show(tx, contact, shown, drawn.as_deref().unwrap_or(bytes))?;
    }
    Ok(edit.outcome(tx, ino, contact.id))
}

/// Puts a text that nobody wrote under a contact's name.
fn show(tx: &mut Tx<'_>, contact: &ContactRow, old: &InodeRow, bytes: &[u8]) -> Result<()> {
    let mtime = Stamp(old.attr.mtime.0 + 1).max(tx.now());
    tx.foreign(|tx| tx.replace_inode(contact, old.ino, bytes, mtime, Fate::Saved))?;
    Ok(())
}

/// What an accepted text does.
#[derive(Default)]
struct Edit {
    /// The save that is pending, if one is.
    seq: Option<Seq>,
    /// Whether the contact will say something else than before.
    is_change: bool,
    /// The card the file shall show, when a change made elsewhere was merged with the text.
    merged: Option<Card>,
    /// What clashes, and the bytes of the side that lost.
    clash: Option<(Clash, Vec<u8>)>,
}

impl Edit {
    /// Records a clash, or that there is none any more.
    fn tell(&self, tx: &mut Tx<'_>, contact: RowId, place: (Ino, &str)) -> Result<()> {
        tx.clear_rejected(place.0, place.1)?;
        tx.clear_problem(contact)?;
        if let Some((clash, lost)) = &self.clash {
            tx.set_clash(contact, None, clash, Some(place), lost)?;
        }
        Ok(())
    }

    fn outcome(&self, tx: &Tx<'_>, ino: Ino, contact: RowId) -> Outcome {
        if self.clash.is_some() && tx.prefer() == Prefer::Theirs {
            return Outcome::Clash;
        }
        Outcome::Taken(self.seq.map(|seq| Ticket { ino, contact, seq }))
    }
}

/// Queues what a text changes of a contact, merged with what changed elsewhere since it was read.
fn accept_change(
    tx: &mut Tx<'_>,
    contact: &ContactRow,
    ino: Ino,
    bytes: &[u8],
    since: Option<Stamp>,
) -> Result<Edit> {
    let now = tx.expected(contact)?;
    let Said { card, photo } = read(tx, bytes, now.as_ref(), contact)?;
    let now = now.unwrap_or_default();
    let from = since.map(|since| tx.shown_at(contact.id, since));
    let from = match from.transpose()?.flatten() {
        Some(shown) => Some(shown),
        None => tx.text(ino)?,
    };
    let (merged, clash) = tx.merge_edit(contact, from.as_deref(), card.clone(), &now);
    let clash = match clash {
        Some(clash) => {
            let lost = match tx.prefer() {
                Prefer::Theirs => bytes.to_vec(),
                Prefer::Ours => tx.draw(contact, &now)?,
            };
            Some((clash, lost))
        }
        None => None,
    };
    let is_change = merged != now;
    let seq = if is_change {
        Some(tx.queue_update(contact, &merged)?)
    } else {
        tx.last_job(contact.id)?.map(|job| job.seq)
    };
    let shown = from
        .as_deref()
        .and_then(|from| vcard::photo_in(from, &now.residue));
    let shown = shown.map(|photo| photo.id());
    // A picture that arrived after the text was read is not taken away by its absence.
    let picture = if photo.is_some() || shown == tx.known_photo(ino)? {
        tx.queue_photo(contact.id, photo.as_ref(), shown.as_ref())?
    } else {
        None
    };
    let is_other = merged != card || !tx.expects_photo(contact, photo.as_ref())?;
    Ok(Edit {
        seq: picture.or(seq),
        is_change: is_change || picture.is_some(),
        merged: is_other.then_some(merged),
        clash,
    })
}

fn read(
    tx: &Tx<'_>,
    bytes: &[u8],
    shown: Option<&Card>,
    contact: &ContactRow,
) -> std::result::Result<Said, CardError> {
    vcard::read_all(
        bytes,
        shown.map(|card| (card, contact.graph.as_ref())),
        tx.style(),
    )
}

/// A new contact.
fn accept_new(
    tx: &mut Tx<'_>,
    row: &InodeRow,
    (dir, name): (Ino, &str),
    bytes: &[u8],
) -> Result<(RowId, Edit)> {
    let Said { mut card, photo } = vcard::read_all(bytes, None, tx.style())?;
    let folder = tx.folder_of_dir(dir)?.ok_or(Error::NotFound)?;
    if let Some(uid) = card.uid()
        && tx.has_uid(folder.id, &uid)?
    {
        card = card.without_uid(); // A copy: it gets a UID of its own (behaviour 4.3).
    }
    if names::file_name(&card.contact) != name {
        card.set_file_name_hint(Some(name));
    }
    let contact = tx.new_contact(folder.id, row.ino)?;
    let seq = tx.queue_create(contact, &card)?;
    let seq = tx.queue_photo(contact, photo.as_ref(), None)?.or(Some(seq));
    Ok((
        contact,
        Edit {
            seq,
            ..Edit::default()
        },
    ))
}

/// Lets a new file stand for a contact of the same UID that was just unlinked, if there is one (behaviour 4.5).
fn adopt_by_uid(tx: &mut Tx<'_>, ino: Ino, dir: Ino, bytes: &[u8]) -> Result<bool> {
    let unlinked = tx.unlinked_in(dir)?;
    if unlinked.is_empty() {
        return Ok(false);
    }
    let Some(uid) = vcard::read(bytes, None, tx.style())?.uid() else {
        return Ok(false);
    };
    for (name, id) in unlinked {
        if tx.uid_of(id)?.as_deref() == Some(&uid) {
            adopt(tx, ino, dir, &name)?;
            return Ok(true);
        }
    }
    Ok(false)
}
