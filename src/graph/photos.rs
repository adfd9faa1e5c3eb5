//! Photos: one size, no delete (graph-facts 5, trap 19).

use reqwest::Method;

use super::request::{About, Call, Payload};
use super::{Client, Error};
use crate::model::ContactId;

/// The longest photo read, in bytes; the service takes less than 4 MB, other clients may have had other limits.
const MAX_READ: usize = 16 << 20;

/// The longest photo the service takes, in bytes.
const MAX_WRITE: usize = 4 << 20;

impl Client {
    /// Reads a contact's photo; `None` when it has none.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the contact itself is gone, which costs a second request to tell.
    pub async fn photo(&self, id: &ContactId) -> Result<Option<Vec<u8>>, Error> {
        let call = Call::get(About::Contact, self.photo_path(id)?).limit(MAX_READ);
        match self.transport().send(call).await {
            Ok(reply) => Ok(Some(reply.into_bytes()).filter(|bytes| !bytes.is_empty())),
            Err(Error::NotFound) => self.exists(id).await.map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// Puts a photo in place of any other; the contact's version changes with it, so the one in hand is stale afterwards.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over 4 MiB, [`Error::Refused`] where the account type takes none.
    pub async fn put_photo(
        &self,
        id: &ContactId,
        bytes: &[u8],
        media_type: &str,
    ) -> Result<(), Error> {
        if bytes.len() > MAX_WRITE {
            return Err(Error::TooLarge { what: "the photo" });
        }
        let payload = Payload::Bytes(bytes.to_vec(), media_type.to_owned());
        let call = Call::new(Method::PUT, About::Contact, self.photo_path(id)?, payload);
        self.transport().send(call).await.map(drop)
    }

    /// "No photo" and "no contact" share status and code.
    async fn exists(&self, id: &ContactId) -> Result<(), Error> {
        let call = Call::get(
            About::Contact,
            format!("{}?$select=id", self.contact_path(id)?),
        );
        self.transport().send(call).await.map(drop)
    }

    fn photo_path(&self, id: &ContactId) -> Result<String, Error> {
        Ok(format!("{}/photo/$value", self.contact_path(id)?))
    }
}
