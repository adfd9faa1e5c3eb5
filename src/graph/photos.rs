//! Photos: one size, no delete (graph-facts 5, trap 19).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::Value;

use super::request::{About, Body, Call, Payload, Reply};
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

    /// Reads photos, `None` for a contact without one or that is gone; results are in the order of `ids`.
    ///
    /// # Errors
    /// As a whole only for what concerns every request; else per contact.
    pub async fn photos(
        &self,
        ids: &[ContactId],
    ) -> Result<Vec<Result<Option<Vec<u8>>, Error>>, Error> {
        let call = |id| Ok(Call::get(About::Contact, self.photo_path(id)?).limit(MAX_READ));
        let calls = ids.iter().map(call).collect();
        let mut read = self.run_each(calls, |_, reply| decoded(reply)).await?;
        for (id, read) in ids.iter().zip(&mut read) {
            // What does not travel well in a `$batch` is read alone.
            if let Err(Error::TooLarge { .. } | Error::Malformed { .. }) = read {
                *read = self.photo(id).await;
            }
            if let Err(Error::NotFound) = read {
                *read = Ok(None);
            }
        }
        Ok(read)
    }

    /// Removes a photo; a contact that has none is fine. The service may not offer this (graph-facts 5).
    ///
    /// # Errors
    /// [`Error::Refused`] where it cannot be done.
    pub async fn delete_photo(&self, id: &ContactId) -> Result<(), Error> {
        let call = Call::delete(About::Contact, self.photo_path(id)?);
        match self.transport().send(call).await {
            Ok(_) | Err(Error::NotFound) => Ok(()),
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

/// The bytes of a photo; a `$batch` carries them as text (graph-facts 9.1).
fn decoded(reply: Reply) -> Result<Option<Vec<u8>>, Error> {
    let bytes = match reply.body {
        Body::Raw(bytes) => bytes,
        Body::Parsed(Value::String(text)) => {
            STANDARD.decode(text).map_err(|_| Error::Malformed {
                what: "a photo in a batch",
            })?
        }
        Body::Parsed(_) => {
            return Err(Error::Malformed {
                what: "a photo in a batch",
            });
        }
    };
    Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
}
