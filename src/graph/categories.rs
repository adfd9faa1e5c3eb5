//! The mailbox's list of categories (graph-facts 7.1): names and colours. Contacts have names of their own that need not
//! be in it.

use super::request::{About, Call};
use super::wire::{self, rows};
use super::{Client, Error};

/// A category as the mailbox's list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// The name; contacts hold it as text.
    pub name: String,
    /// `none`, or `preset0` to `preset24`.
    pub color: String,
}

impl Client {
    /// Reads the list.
    ///
    /// # Errors
    /// [`Error::Denied`] without the permission MailboxSettings.Read.
    pub async fn categories(&self) -> Result<Vec<Category>, Error> {
        let mut found = Vec::new();
        let mut target = self.path("/outlook/masterCategories");
        loop {
            let call = Call::get(About::Mailbox, target);
            let page = self.transport().send(call).await?.into_json()?;
            let before = found.len();
            found.extend(rows(&page)?.iter().filter_map(category));
            match wire::next_link(&page).filter(|_| found.len() > before) {
                Some(link) => target = self.transport().endpoint().relative(link)?,
                None => return Ok(found),
            }
        }
    }
}

fn category(item: &serde_json::Value) -> Option<Category> {
    let text = |name: &str| item.get(name)?.as_str().map(str::to_owned);
    Some(Category {
        name: text("displayName")?,
        color: text("color").unwrap_or_default(),
    })
}
