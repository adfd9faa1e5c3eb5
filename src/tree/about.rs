//! What is known of a contact's file beside its bytes, for `status`, and as extended attributes (behaviour 1.8).

use super::{Result, Tree};
use crate::model::{ChangeKey, ContactId, Ino, Stamp};
use crate::names;
use crate::store::{InodeKind, RowId};

/// What is known of a contact's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The contact's id at the service, once it has one.
    pub id: Option<ContactId>,
    /// The version last heard of.
    pub change_key: Option<ChangeKey>,
    /// When the contact was made at the service.
    pub created: Option<Stamp>,
    /// `synced`, `pending`, `draft`, `conflict` or `rejected`.
    pub state: &'static str,
    /// Why, in one sentence, where there is more to say.
    pub error: Option<String>,
}

impl Tree {
    /// What is known of a contact's file; `None` for anything else.
    ///
    /// # Errors
    /// [`super::Error::NotFound`], or a failure of the store.
    pub fn about(&self, ino: Ino) -> Result<Option<About>> {
        let row = self.row(ino)?;
        let InodeKind::Card(contact) = row.kind else {
            return Ok(None);
        };
        let known = contact.map(|id| self.store.contact(id)).transpose()?;
        let known = known.flatten();
        let (state, error) = match contact {
            _ if row.dirty => ("draft", self.draft_error(ino)?),
            Some(id) => self.state_of(id)?,
            None => ("draft", None),
        };
        let made = known.as_ref().and_then(|contact| contact.graph.clone());
        Ok(Some(About {
            created: known
                .as_ref()
                .filter(|_| made.is_some())
                .map(|contact| contact.created),
            change_key: known.and_then(|contact| contact.change_key),
            id: made,
            state,
            error,
        }))
    }

    fn state_of(&self, contact: RowId) -> Result<(&'static str, Option<String>)> {
        if let Some(problem) = self.store.problem_of(contact)? {
            return Ok((problem.word(), Some(problem.sentence().to_owned())));
        }
        Ok(match self.store.queued(contact)? {
            Some(error) => ("pending", error),
            None => ("synced", None),
        })
    }

    /// What the `.error` file beside a draft says.
    fn draft_error(&self, ino: Ino) -> Result<Option<String>> {
        let beside = {
            let memory = self.memory();
            let named = memory.name_of(ino);
            named.and_then(|(dir, name)| memory.dir(dir)?.get(&names::error_name(&name)))
        };
        let Some(file) =
            beside.filter(|file| self.kind(*file).is_ok_and(|kind| kind == InodeKind::File))
        else {
            return Ok(None);
        };
        let text = self.read(file, 0, LONGEST, |bytes| {
            String::from_utf8_lossy(bytes).trim_end().to_owned()
        })?;
        Ok(Some(text))
    }
}

/// Longest sentence that is looked at, in bytes.
const LONGEST: usize = 4096;
