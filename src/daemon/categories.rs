//! The answer about categories: what contacts hold, with the colours of the mailbox's list.

use tokio::sync::oneshot;

use super::report::Report;
use crate::observe::categories::Categories;
use crate::sync::Command;

const ENDING: &str = "the mount is ending";

impl Report {
    /// The categories; without the mailbox's list those of the contacts, and why.
    pub(super) fn all_categories(&self) -> Categories {
        let used = self.store.category_counts().unwrap_or_default();
        match self.listed() {
            Ok(listed) => Categories::of(&listed, used),
            Err(problem) => Categories {
                problem: Some(problem),
                ..Categories::of(&[], used)
            },
        }
    }

    /// The mailbox's list, as name and colour.
    fn listed(&self) -> Result<Vec<(String, String)>, String> {
        let (done, finished) = oneshot::channel();
        let sent = self.commands.send(Command::Categories(done));
        sent.map_err(|_| ENDING.to_owned())?;
        finished.blocking_recv().map_err(|_| ENDING.to_owned())?
    }
}
