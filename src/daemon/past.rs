//! Answers about the past of contacts: conflicts and earlier versions.

use super::report::Report;
use crate::model::Ino;
use crate::observe::past::{Conflict, Version};
use crate::store::{self, Problem};

impl Report {
    /// Every contact in conflict, with the two cards it can go on as.
    pub(super) fn contacts_in_conflict(&self) -> store::Result<Vec<Conflict>> {
        let mut conflicts = Vec::new();
        for (ino, problem) in self.store.problems()? {
            let Problem::Conflict(reason) = problem else {
                continue;
            };
            let Some((ino, path)) = ino.and_then(|ino| Some((ino, self.tree.path_of(ino)?))) else {
                continue;
            };
            let Some(sides) = self.store.sides(ino)? else {
                continue;
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            conflicts.push(Conflict {
                path,
                properties: sides.names,
                reason,
                ours: sides.ours.as_deref().map(text),
                theirs: text(&sides.theirs),
            });
        }
        Ok(conflicts)
    }

    /// The versions of a file that is or was there, the newest first.
    pub(super) fn versions_of(&self, path: &str) -> store::Result<Vec<Version>> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(dir) = self.tree.find(dir) else {
            return Ok(Vec::new());
        };
        let contact = self.tree.find(path).map(|ino| self.contact_of(ino));
        let versions = self
            .store
            .versions(contact.transpose()?.flatten(), (dir, name))?;
        let version = |version: store::Version| Version {
            version: version.number,
            ended: version.ended.to_timestamp(),
            fate: version.fate.word().to_owned(),
            size: version.size,
        };
        Ok(versions.into_iter().map(version).collect())
    }

    fn contact_of(&self, ino: Ino) -> store::Result<Option<store::RowId>> {
        Ok(self.store.contact_at(ino)?.map(|contact| contact.id))
    }
}
