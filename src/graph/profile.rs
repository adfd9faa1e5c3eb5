//! Who is signed in, and whether the mailbox can be read.

use serde_json::Value;

use super::request::{About, Call};
use super::{Client, Error};

impl Client {
    /// The signed-in person's principal name; `None` when the service keeps it to itself (graph-facts 7.4: needs User.Read).
    ///
    /// # Errors
    /// Whatever concerns every request.
    pub async fn signed_in_user(&self) -> Result<Option<String>, Error> {
        let target = "/me?$select=userPrincipalName".to_owned();
        match self
            .transport()
            .send(Call::get(About::Mailbox, target))
            .await
        {
            Ok(reply) => {
                let me = reply.into_json()?;
                let name = me.get("userPrincipalName").and_then(Value::as_str);
                Ok(name.map(str::to_owned))
            }
            Err(Error::Denied { .. } | Error::Refused { .. } | Error::NoMailbox { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the name of the mailbox's contact folder, which needs what reading contacts needs.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NoMailbox`], and whatever concerns every request.
    pub async fn probe(&self) -> Result<String, Error> {
        self.default_folder()
            .await
            .map(|folder| folder.display_name)
    }
}
