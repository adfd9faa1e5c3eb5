//! Changes made elsewhere, applied to contacts and the files that show them.
//!
//! Applying is idempotent and order does not matter, because delta replays, repeats and reorders (graph-facts 3.2).

use super::{
    Attr, ContactRow, FolderRow, FolderRowId, InodeKind, Op, Problem, Result, RowId, Tx, contacts,
};
use crate::model::{ChangeKey, ClientId, Contact, ContactId, Ino, ResidueText, Stamp};
use crate::names;
use crate::vcard::{self, Card, Residue};

/// How many superseded versions of ours are remembered per contact.
const OLD_KEYS: usize = 4;
const EDITED: &str = "changed elsewhere since you deleted it: it is back as it is there; delete it again if you still want to";

/// A contact as the service has it.
#[derive(Clone, Debug)]
pub struct ServerContact {
    /// Its id.
    pub id: ContactId,
    /// Its version.
    pub change_key: ChangeKey,
    /// When it was made.
    pub created: Option<Stamp>,
    /// When it was last changed.
    pub modified: Option<Stamp>,
    /// What it says.
    pub contact: Contact,
    /// Its residue; `None` when this reply did not tell.
    pub residue: Option<ResidueText>,
    /// The private id of the create or move that made it; `None` when this reply did not tell.
    pub client: Option<ClientId>,
}

/// What a version heard of in a listing or delta means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing new: the version we have, or one that our own write replaced.
    Known,
    /// A version that has to be read.
    News,
}

impl Tx<'_> {
    /// Whether a version heard of is news; marks the contact as seen.
    ///
    /// # Errors
    /// When the database fails.
    pub fn hear(&mut self, folder: FolderRowId, id: &ContactId, key: &ChangeKey) -> Result<Seen> {
        let Some(row) = self.contact_by_graph(id)? else {
            return Ok(Seen::News);
        };
        let known = row.change_key.as_ref() == Some(key) || row.is_superseded(key);
        if known && row.folder == folder {
            self.mark_seen(row.id)?;
            return Ok(Seen::Known);
        }
        // A contact we have just moved away may still be replayed by its old folder.
        Ok(if known && self.is_moving(row.id)? {
            Seen::Known
        } else {
            Seen::News
        })
    }

    /// Takes in a contact as the service has it.
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn apply(&mut self, folder: FolderRowId, theirs: &ServerContact) -> Result<()> {
        if let Some(row) = self.contact_by_graph(&theirs.id)? {
            return self.apply_known(&row, folder, theirs);
        }
        if let Some(job) = theirs
            .client
            .as_ref()
            .map(|client| self.job_by_client(client))
            .transpose()?
            .flatten()
        {
            // Our own create or move, heard of before (or instead of) its reply.
            return match job.op {
                Op::Move => self.set_moved(job.seq, &theirs.id),
                _ => self.born(job.seq, theirs),
            };
        }
        self.sql
            .prepare_cached(
                "INSERT INTO contact(graph, folder, created, seen)
                 VALUES(?1, ?2, ?3, (SELECT generation FROM folder WHERE id = ?2))",
            )?
            .execute((
                theirs.id.as_str(),
                folder.0,
                theirs.created.unwrap_or(self.now).0,
            ))?;
        let id = RowId(self.sql.last_insert_rowid());
        self.set_wire(id, theirs)?;
        if self.is_shown(folder)? {
            self.show(id)
        } else {
            Ok(())
        }
    }

    fn apply_known(
        &mut self,
        row: &ContactRow,
        folder: FolderRowId,
        theirs: &ServerContact,
    ) -> Result<()> {
        if row.is_superseded(&theirs.change_key) {
            return self.mark_seen(row.id); // Read before our own write, or from a copy that lags behind.
        }
        if let Some(seq) = self.echoed(row, theirs)? {
            self.taken(seq, theirs)?;
            return match self.contact(row.id)? {
                Some(row) if row.folder != folder => self.apply_known(&row, folder, theirs),
                _ => Ok(()),
            };
        }
        self.set_wire(row.id, theirs)?;
        let is_moving = self.is_moving(row.id)?;
        if row.folder != folder && !is_moving {
            self.set_contact_folder(row.id, folder)?;
        }
        self.mark_seen(row.id)?;
        let Some(new) = self.contact(row.id)? else {
            return Ok(());
        };
        if row.card == new.card {
            self.rebase_edit(row, None, &theirs.change_key)?; // A photo or a flag: nobody's edit is stale.
        }
        let queued = self.last_job(row.id)?.is_some();
        match (&new.card, new.ino) {
            (Some(card), Some(_)) if queued && row.folder != new.folder => {
                self.rename_file(&new, card)
            }
            (_, Some(_)) if !queued => self.reshow(row, &new, theirs.modified),
            (_, None) if !queued && self.is_shown(new.folder)? => self.show(new.id),
            _ => Ok(()),
        }
    }

    /// The queued change that the service already shows: our own, heard of before its reply.
    fn echoed(&self, row: &ContactRow, theirs: &ServerContact) -> Result<Option<super::Seq>> {
        let (Some(residue), Some(job)) = (&theirs.residue, self.last_job(row.id)?) else {
            return Ok(None);
        };
        let residue = Residue::decode(residue).unwrap_or_default();
        let card = Card::from_server(theirs.contact.clone(), residue);
        let is_only = self.first_job(row.id)?.is_some_and(|seq| seq == job.seq);
        let holds = match (&job.base, &job.ours) {
            (Some(base), Some(ours)) => card.holds_change(base, ours),
            _ => false,
        };
        Ok(Some(job.seq).filter(|_| job.op == Op::Update && is_only && holds))
    }

    /// Whether a folder's contacts have files: it is loaded, and its directory is not about to be removed.
    fn is_shown(&self, folder: FolderRowId) -> Result<bool> {
        let Some(folder) = self.folder(folder)?.filter(|folder| folder.loaded) else {
            return Ok(false);
        };
        Ok(self.inode(folder.ino)?.is_some())
    }

    /// Lets the file follow a change made elsewhere: bytes if the meaning changed, name if displayName did,
    /// directory if the contact was moved. Bytes that still mean the same stay the user's (behaviour P2).
    fn reshow(
        &mut self,
        old: &ContactRow,
        new: &ContactRow,
        modified: Option<Stamp>,
    ) -> Result<()> {
        let (Some(ino), Some(card)) = (new.ino, &new.card) else {
            return Ok(());
        };
        let dirty = self.inode(ino)?.is_some_and(|row| row.dirty);
        if old.card.as_ref() != Some(card) && !dirty {
            let bytes = vcard::render(card, new.graph.as_ref(), self.style);
            let mtime = self.moved_on(ino, modified)?;
            self.replace_inode(new, ino, &bytes, mtime)?;
        }
        let renamed = old
            .card
            .as_ref()
            .is_some_and(|old| natural_name(old) != natural_name(card));
        if renamed || old.folder != new.folder {
            self.rename_file(new, card)?;
        }
        Ok(())
    }

    /// The later of the present mtime and a change made elsewhere (behaviour 1.7).
    fn moved_on(&self, ino: Ino, modified: Option<Stamp>) -> Result<Stamp> {
        let before = self
            .inode(ino)?
            .map_or(Stamp::default(), |row| row.attr.mtime);
        let now = modified.unwrap_or(self.now);
        // The service counts whole seconds: a second change within one must still be seen by make, rsync and vim.
        Ok(if now > before {
            now
        } else {
            self.now.max(Stamp(before.0 + 1))
        })
    }

    fn rename_file(&mut self, contact: &ContactRow, card: &Card) -> Result<()> {
        let (Some(folder), Some(current)) =
            (self.folder(contact.folder)?, self.contact(contact.id)?)
        else {
            return Ok(());
        };
        let Some(ino) = current.ino else {
            return Ok(());
        };
        for (dir, name) in self.names(ino)? {
            if self.is_card_entry(dir, &name)? {
                self.unlink(dir, &name)?;
            }
        }
        if self.inode(folder.ino)?.is_none() {
            // A directory about to be removed shows nothing; the contact comes back with it.
            self.set_contact_ino(contact.id, None)?;
            return self.orphan(ino, true);
        }
        let name = self.free_name(&folder, contact.graph.as_ref(), card)?;
        self.link(folder.ino, &name, ino)
    }

    /// Gives a contact its file.
    ///
    /// # Errors
    /// When the database fails.
    pub fn show(&mut self, id: RowId) -> Result<()> {
        let Some(contact) = self.contact(id)? else {
            return Ok(());
        };
        let (Some(card), Some(folder)) = (&contact.card, self.folder(contact.folder)?) else {
            return Ok(());
        };
        if self.inode(folder.ino)?.is_none() {
            return Ok(()); // A directory about to be removed shows nothing.
        }
        let bytes = vcard::render(card, contact.graph.as_ref(), self.style);
        let mtime = contact.modified.unwrap_or(contact.created);
        let attr = Attr {
            mode: 0o600,
            size: bytes.len() as u64,
            mtime,
            ctime: mtime,
        };
        let ino = self.new_inode(InodeKind::Card(Some(id)), attr)?;
        self.put_text(ino, &bytes)?;
        if let Some(graph) = &contact.graph {
            self.note_uid(id, card, graph)?;
        }
        let name = self.free_name(&folder, contact.graph.as_ref(), card)?;
        self.link(folder.ino, &name, ino)?;
        self.set_contact_ino(id, Some(ino))
    }

    /// The contact's name, told apart from those already there (behaviour 1.3, 1.4, 1.6).
    fn free_name(&self, folder: &FolderRow, id: Option<&ContactId>, card: &Card) -> Result<String> {
        let mut name = natural_name(card);
        while self.entry(folder.ino, &name)?.is_some() {
            name = match id {
                Some(id) => names::disambiguated(&name, id),
                None => names::disambiguated(&name, &any_id()),
            };
        }
        Ok(name)
    }

    /// The service says that a contact is gone from a folder.
    ///
    /// An edit that waits wins over a deletion made elsewhere: the contact is made again (behaviour 6.4).
    ///
    /// # Errors
    /// When the database or the local disk fails.
    pub fn vanish(&mut self, folder: FolderRowId, id: &ContactId) -> Result<()> {
        let Some(contact) = self.contact_by_graph(id)? else {
            return Ok(());
        };
        if contact.folder != folder {
            return Ok(()); // Moved: its new folder shows it.
        }
        match self.last_job(contact.id)? {
            Some(_) => self.make_again(&contact),
            None => self.remove_file(&contact),
        }
    }

    /// Lets a contact be made anew with what its file says, unless it was deleted here as well.
    ///
    /// # Errors
    /// When the database fails.
    pub fn make_again(&mut self, contact: &ContactRow) -> Result<()> {
        if self.is_deleted(contact.id)? {
            return self.buried(contact.id);
        }
        let Some(mut ours) = self.expected(contact)? else {
            return Ok(());
        };
        if let (None, Some(id)) = (ours.uid(), &contact.graph) {
            ours = ours.with_uid(&vcard::derived_uid(id)); // The file keeps the UID it shows (behaviour 4.3).
        }
        self.drop_jobs(contact.id)?;
        self.sql
            .prepare_cached("UPDATE contact SET graph = NULL, change_key = NULL, wire = NULL, residue = NULL WHERE id = ?1")?
            .execute([contact.id.0])?;
        self.queue_create(contact.id, &ours)?;
        Ok(())
    }

    /// Removes a contact and its file; a half-written text in it stays as a draft.
    fn remove_file(&mut self, contact: &ContactRow) -> Result<()> {
        if let Some(ino) = contact.ino
            && let Some(mut row) = self.inode(ino)?
        {
            if row.dirty {
                row.kind = InodeKind::Card(None);
                self.put_inode(row)?;
            } else {
                for (dir, name) in self.names(ino)? {
                    if self.is_card_entry(dir, &name)? {
                        self.unlink(dir, &name)?;
                    }
                }
                self.orphan(ino, true)?;
            }
        }
        self.remove_contact(contact.id)
    }

    /// A listing that shows no private id may have told of our own contact as of a stranger.
    fn claim_id(&mut self, contact: RowId, id: &ContactId) -> Result<()> {
        match self.contact_by_graph(id)? {
            Some(stranger) if stranger.id != contact => {
                self.drop_jobs(stranger.id)?;
                self.remove_file(&stranger)
            }
            _ => Ok(()),
        }
    }

    /// A create has succeeded.
    ///
    /// # Errors
    /// When the database fails.
    pub fn born(&mut self, seq: super::Seq, theirs: &ServerContact) -> Result<()> {
        let Some(contact) = self.job(seq)?.and_then(|job| job.contact) else {
            return Ok(());
        };
        self.claim_id(contact, &theirs.id)?;
        self.sql
            .prepare_cached("UPDATE contact SET graph = ?2, created = ?3 WHERE id = ?1")?
            .execute((
                contact.0,
                theirs.id.as_str(),
                theirs.created.unwrap_or(self.now).0,
            ))?;
        self.taken(seq, theirs)
    }

    /// A create or update has succeeded and this is the reply: the new base (behaviour 3.8).
    ///
    /// # Errors
    /// When the database fails.
    pub fn taken(&mut self, seq: super::Seq, theirs: &ServerContact) -> Result<()> {
        let Some(job) = self.job(seq)? else {
            return Ok(());
        };
        let Some(row) = job
            .contact
            .map(|id| self.contact(id))
            .transpose()?
            .flatten()
        else {
            return Ok(());
        };
        let residue = theirs.residue.clone().or_else(|| sent_residue(&job));
        self.set_wire(
            row.id,
            &ServerContact {
                residue,
                ..theirs.clone()
            },
        )?;
        self.remember_key(&row, &job, &theirs.change_key)?;
        self.rebase_edit(&row, job.base_key.as_ref(), &theirs.change_key)?;
        self.mark_seen(row.id)?;
        self.finish(seq)?;
        self.clear_problem(row.id)?;
        let Some(new) = self.contact(row.id)? else {
            return Ok(());
        };
        if self.last_job(row.id)?.is_none() {
            self.follow_reply(&new, theirs.modified)
        } else {
            Ok(())
        }
    }

    /// Lets the file show the service's card when its text means something else: the service has normalised a value,
    /// or the text is a copy with another contact's UID.
    fn follow_reply(&mut self, contact: &ContactRow, modified: Option<Stamp>) -> Result<()> {
        let (Some(ino), Some(card)) = (contact.ino, &contact.card) else {
            return Ok(());
        };
        if self.inode(ino)?.is_none_or(|row| row.dirty) {
            return Ok(());
        }
        let text = self.text(ino)?.unwrap_or_default();
        let said = vcard::read(&text, Some((card, contact.graph.as_ref())), self.style);
        if said.is_ok_and(|said| said == *card) {
            return Ok(());
        }
        let bytes = vcard::render(card, contact.graph.as_ref(), self.style);
        let mtime = self.moved_on(ino, modified)?;
        self.foreign(|tx| tx.replace_inode(contact, ino, &bytes, mtime))?;
        Ok(())
    }

    /// A version that our own write replaced may still be shown by a lagging delta: it must not count as news.
    fn remember_key(&self, row: &ContactRow, job: &super::Job, new: &ChangeKey) -> Result<()> {
        let mut old: Vec<&str> = row
            .old_keys
            .split(' ')
            .filter(|key| !key.is_empty())
            .collect();
        // Only what the write was made from: a version heard of meanwhile may be newer than the reply.
        if let Some(key) = job.base_key.as_ref()
            && key != new
            && !old.contains(&key.as_str())
        {
            old.push(key.as_str());
        }
        let keep = old.len().saturating_sub(OLD_KEYS);
        let old = old.split_off(keep).join(" ");
        self.sql
            .prepare_cached("UPDATE contact SET old_keys = ?2 WHERE id = ?1")?
            .execute((row.id.0, old))?;
        Ok(())
    }

    fn set_wire(&self, id: RowId, theirs: &ServerContact) -> Result<()> {
        let wire = serde_json::to_string(&theirs.contact)
            .map_err(|error| super::Error::Corrupt(error.to_string()))?;
        self.sql
            .prepare_cached("UPDATE contact SET residue = coalesce(?4, CASE WHEN change_key IS ?2 THEN residue END),
                 change_key = ?2, wire = ?3, modified = coalesce(?5, modified), created = coalesce(?6, created)
                 WHERE id = ?1")?
            .execute((
                id.0,
                theirs.change_key.as_str(),
                wire,
                theirs.residue.as_ref().map(ResidueText::as_str),
                theirs.modified.map(|modified| modified.0),
                theirs.created.map(|created| created.0),
            ))?;
        // Without the residue the UID is not known yet: the file's making tells it.
        match &theirs.residue {
            Some(residue) => {
                let card = Card::from_server(theirs.contact.clone(), contacts::decode(residue));
                self.note_uid(id, &card, &theirs.id)
            }
            None => Ok(()),
        }
    }

    fn note_uid(&self, id: RowId, card: &Card, graph: &ContactId) -> Result<()> {
        let uid = card.uid().unwrap_or_else(|| vcard::derived_uid(graph));
        self.set_uid(id, Some(&uid))
    }

    /// A deletion has succeeded.
    ///
    /// # Errors
    /// When the database fails.
    pub fn buried(&mut self, contact: RowId) -> Result<()> {
        self.drop_jobs(contact)?;
        self.remove_contact(contact)
    }

    /// A contact whose deletion was refused, by a change made elsewhere or by the service, comes back with the reason
    /// beside it (behaviour 6.4).
    ///
    /// # Errors
    /// When the database fails.
    pub fn revive(&mut self, contact: RowId, refused: Option<Problem>) -> Result<()> {
        self.drop_jobs(contact)?;
        self.foreign(|tx| tx.show(contact))?;
        let problem = refused.unwrap_or_else(|| Problem::Conflict(EDITED.to_owned()));
        self.set_problem(contact, None, &problem)?;
        let ino = self.contact(contact)?.and_then(|row| row.ino);
        let place = ino.map(|ino| self.card_name(ino)).transpose()?.flatten();
        place.map_or(Ok(()), |(dir, name)| self.keep_error(dir, &name, &problem))
    }

    /// A queued change goes on from a newer version that means the same.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rebase(&mut self, seq: super::Seq, theirs: &ServerContact) -> Result<()> {
        let Some(contact) = self.job(seq)?.and_then(|job| job.contact) else {
            return Ok(());
        };
        self.refresh(contact, theirs)?;
        self.sql
            .prepare_cached("UPDATE outbox SET base_key = ?2, sending = 0 WHERE seq = ?1")?
            .execute((seq.0, theirs.change_key.as_str()))?;
        self.wakes = true;
        Ok(())
    }

    /// Takes in what the service says of a contact without touching its file.
    ///
    /// # Errors
    /// When the database fails.
    pub fn refresh(&mut self, contact: RowId, theirs: &ServerContact) -> Result<()> {
        self.set_wire(contact, theirs)
    }

    /// A move was refused: the contact's file goes back to its folder.
    ///
    /// # Errors
    /// When the database fails.
    pub fn move_back(&mut self, contact: RowId, folder: FolderRowId) -> Result<()> {
        self.set_contact_folder(contact, folder)?;
        let Some(row) = self.contact(contact)? else {
            return Ok(());
        };
        match row.card.clone() {
            Some(card) => self.rename_file(&row, &card),
            None => Ok(()),
        }
    }

    /// The folder of a contact with an unsent save is gone: the contact is made again in another.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rescue(&mut self, contact: &ContactRow, folder: FolderRowId) -> Result<()> {
        let ours = self.expected(contact)?;
        self.set_contact_folder(contact.id, folder)?;
        if let (Some(card), Some(row)) = (&ours, self.contact(contact.id)?) {
            self.rename_file(&row, card)?;
        }
        self.make_again(contact)
    }

    /// Scratch files of a folder that is gone find their place in the root, drafts in the folder `drafts`.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rescue_scratch(&mut self, dir: Ino, drafts: Option<FolderRowId>) -> Result<()> {
        let drafts = self.dir_of(drafts)?;
        for (name, ino) in self.entries_of(dir)? {
            let is_draft = self.is_card_entry(dir, &name)?;
            let to = if is_draft { drafts } else { Ino::ROOT };
            let mut free = name.clone();
            while self.entry(to, &free)?.is_some() {
                free = if is_draft {
                    names::disambiguated(&free, &any_id())
                } else {
                    free + "~"
                };
            }
            self.unlink(dir, &name)?;
            self.link(to, &free, ino)?;
        }
        Ok(())
    }

    /// A move has succeeded: the contact's row now stands for the new one.
    ///
    /// # Errors
    /// When the database fails.
    pub fn moved(&mut self, seq: super::Seq, theirs: &ServerContact) -> Result<()> {
        let Some(contact) = self.job(seq)?.and_then(|job| job.contact) else {
            return Ok(());
        };
        self.claim_id(contact, &theirs.id)?;
        self.sql
            .prepare_cached("UPDATE contact SET graph = ?2 WHERE id = ?1")?
            .execute((contact.0, theirs.id.as_str()))?;
        self.set_wire(contact, theirs)?;
        self.mark_seen(contact)?;
        self.finish(seq)
    }
}

/// An id to tell a name apart by, for what has none yet.
fn any_id() -> ContactId {
    ContactId::new(uuid::Uuid::new_v4().to_string())
}

/// The residue that a save sent.
fn sent_residue(job: &super::Job) -> Option<ResidueText> {
    let mut ours = job.ours.clone()?;
    if job.op == Op::Create {
        return Some(ours.for_create().1);
    }
    if let Some(base) = &job.base {
        ours.inherit_invented(base);
    }
    Some(ours.residue.encode())
}

/// The name a contact asks for: the one a user chose, else the one its fields make.
fn natural_name(card: &Card) -> String {
    match card.file_name_hint() {
        Some(hint) if names::is_card_name(hint) && !hint.contains('/') => hint.to_owned(),
        _ => names::file_name(&card.contact),
    }
}
