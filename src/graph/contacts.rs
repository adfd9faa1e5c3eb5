//! Single contacts: reading, writing, finding a lost create.

use reqwest::Method;
use serde_json::Value;

use super::endpoint::segment;
use super::request::{About, Call, Payload, Reply};
use super::wire::{self, Source};
use super::{Client, Error, Snapshot, Version, Write, properties};
use crate::model::{ChangeKey, ClientId, ContactId, FolderId};

impl Client {
    /// Reads contacts whole, with residue and client id; results are in the order of `ids`.
    ///
    /// # Errors
    /// As a whole only for what concerns every request; else per contact.
    pub async fn contacts(&self, ids: &[ContactId]) -> Result<Vec<Result<Snapshot, Error>>, Error> {
        let options = self.expand_all();
        self.read_each(ids, &options, |item| wire::snapshot(item, Source::Expanded))
            .await
    }

    /// Reads the current versions; results are in the order of `ids`.
    ///
    /// # Errors
    /// As a whole only for what concerns every request; else per contact.
    pub async fn change_keys(
        &self,
        ids: &[ContactId],
    ) -> Result<Vec<Result<ChangeKey, Error>>, Error> {
        self.read_each(ids, "$select=id,changeKey", |item| {
            Ok(wire::version(item)?.change_key)
        })
        .await
    }

    /// Reads up to `top` versions of a folder from the `skip`th on, with the residue as far as a list shows it; fewer only at
    /// the end. Offsets into a changing list: entries may be missed or repeated (graph-facts 3.1).
    ///
    /// # Errors
    /// [`Error::FolderGone`] and whatever concerns every request.
    pub async fn list_page(
        &self,
        folder: &FolderId,
        skip: usize,
        top: usize,
    ) -> Result<Vec<Version>, Error> {
        let options = format!(
            "$select=id,changeKey,birthday&{}&$top={top}&$skip={skip}",
            self.expand_card()
        );
        let mut target = self.path(&format!(
            "/contactFolders/{}/contacts?{options}",
            segment(folder.as_str())?
        ));
        let mut versions = Vec::new();
        // The service may make smaller pages than asked for, so the link is followed; each page brings one row at least.
        loop {
            let page = self
                .transport()
                .send(Call::get(About::Folder, target))
                .await?
                .into_json()?;
            let rows = wire::versions(&page)?;
            let is_empty = rows.is_empty();
            versions.extend(rows);
            let Some(link) = wire::next_link(&page).filter(|_| !is_empty && versions.len() < top)
            else {
                break;
            };
            target = self.transport().endpoint().relative(link)?;
        }
        versions.truncate(top);
        Ok(versions)
    }

    /// Carries out changes, in no particular order; results are in the order of `writes`. Creates and updates return what the
    /// service now holds (without residue), `None` if its reply did not show it; deletes return `None`.
    ///
    /// # Errors
    /// As a whole only for what concerns every request; else per write. Before a create that failed with
    /// [`Error::may_have_happened`] is tried again, look for it with [`find_created`](Self::find_created). Updates and deletes
    /// are repeated when a reply is lost, so [`Error::Changed`] and [`Error::NotFound`] may be of their own doing.
    pub async fn write(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Option<Snapshot>, Error>>, Error> {
        let calls = writes.iter().map(|write| self.write_call(write)).collect();
        self.run_each(calls, written).await
    }

    /// Looks for the contact created with this client id (graph-facts 6.2).
    ///
    /// # Errors
    /// [`Error::FolderGone`] and whatever concerns every request.
    pub async fn find_created(
        &self,
        folder: &FolderId,
        client: &ClientId,
    ) -> Result<Option<Snapshot>, Error> {
        let filter = properties::filter(properties::CLIENT, client.as_str());
        let target = self.path(&format!(
            "/contactFolders/{}/contacts?{filter}&$select=id,changeKey",
            segment(folder.as_str())?
        ));
        let page = self
            .transport()
            .send(Call::get(About::Folder, target))
            .await?
            .into_json()?;
        let Some(found) = wire::versions(&page)?.pop() else {
            return Ok(None);
        };
        // A list cuts long texts, so the contact is read itself.
        let mut read = self.contacts(&[found.id]).await?;
        match read.pop() {
            // Whoever takes it for not made makes it twice.
            Some(Err(Error::NotFound)) | None => Err(Error::Malformed {
                what: "a created contact",
            }),
            Some(read) => read.map(Some),
        }
    }

    /// Reads the extended properties that no contact read here shows and that must be carried along when one is moved by
    /// create and delete, as (id, value).
    ///
    /// # Errors
    /// [`Error::NotFound`] and whatever concerns every request.
    pub async fn move_extras(&self, id: &ContactId) -> Result<Vec<(String, String)>, Error> {
        let carried = properties::carried(self.0.tier);
        let target = format!(
            "{}?$select=id&{}",
            self.contact_path(id)?,
            properties::expand(carried.iter().copied())
        );
        let item = self
            .transport()
            .send(Call::get(About::Contact, target))
            .await?
            .into_json()?;
        let held = carried
            .into_iter()
            .filter_map(|id| Some((id.to_owned(), properties::value(&item, id)?.to_owned())));
        Ok(held.collect())
    }

    /// The query option for all that a card shows and `$select` cannot name.
    fn expand_card(&self) -> String {
        properties::expand(self.card_properties())
    }

    fn card_properties(&self) -> impl Iterator<Item = &'static str> {
        let own = [properties::RESIDUE, properties::HAS_PICTURE];
        own.into_iter()
            .chain(properties::LOCAL_DAYS)
            .chain(properties::ids(self.0.tier))
    }

    /// The same, and the private id.
    fn expand_all(&self) -> String {
        properties::expand(
            [properties::CLIENT]
                .into_iter()
                .chain(self.card_properties()),
        )
    }

    /// The path of a contact, whichever folder it is in (graph-facts 4.3).
    pub(super) fn contact_path(&self, id: &ContactId) -> Result<String, Error> {
        Ok(self.path(&format!("/contacts/{}", segment(id.as_str())?)))
    }

    async fn read_each<T>(
        &self,
        ids: &[ContactId],
        options: &str,
        read: impl Fn(&Value) -> Result<T, Error>,
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let call = |id| {
            Ok(Call::get(
                About::Contact,
                format!("{}?{options}", self.contact_path(id)?),
            ))
        };
        self.run_each(ids.iter().map(call).collect(), |_, reply| {
            read(&reply.into_json()?)
        })
        .await
    }

    /// Runs the calls that could be built and reads each reply, keeping the order.
    pub(super) async fn run_each<T>(
        &self,
        calls: Vec<Result<Call, Error>>,
        read: impl Fn(&Call, Reply) -> Result<T, Error>,
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let mut good = Vec::with_capacity(calls.len());
        let mut bad = Vec::new();
        for (index, call) in calls.into_iter().enumerate() {
            match call {
                Ok(call) => good.push(call),
                Err(error) => bad.push((index, error)),
            }
        }
        let replies = self.transport().run(&good).await?;
        let results = good
            .iter()
            .zip(replies)
            .map(|(call, reply)| read(call, reply?));
        let mut results: Vec<_> = results.collect();
        for (index, error) in bad {
            results.insert(index.min(results.len()), Err(error));
        }
        Ok(results)
    }

    fn write_call(&self, write: &Write) -> Result<Call, Error> {
        match write {
            Write::Create {
                folder,
                contact,
                residue,
                client,
                extra,
            } => {
                let target = self.path(&format!(
                    "/contactFolders/{}/contacts",
                    segment(folder.as_str())?
                ));
                let body = wire::create_body(contact, residue, client, extra);
                Ok(Call::new(
                    Method::POST,
                    About::Folder,
                    target,
                    Payload::Json(body),
                ))
            }
            Write::Update {
                id,
                change_key,
                patch,
                target,
                residue,
            } => {
                let body = wire::update_body(patch, target, residue.as_ref());
                let call = Call::new(
                    Method::PATCH,
                    About::Contact,
                    self.contact_path(id)?,
                    Payload::Json(body),
                );
                Ok(call.if_match(Some(change_key.as_str())))
            }
            Write::Delete { id, change_key } => {
                let call = Call::delete(About::Contact, self.contact_path(id)?);
                Ok(call.if_match(change_key.as_ref().map(ChangeKey::as_str)))
            }
        }
    }
}

/// What a successful write says. A create that shows no contact was carried out all the same, but its id is unknown.
fn written(call: &Call, reply: Reply) -> Result<Option<Snapshot>, Error> {
    if call.method == Method::DELETE {
        return Ok(None);
    }
    let is_create = call.method == Method::POST;
    if reply.is_empty() && !is_create {
        return Ok(None);
    }
    let snapshot = reply
        .into_json()
        .and_then(|item| wire::snapshot(&item, Source::Echo));
    match snapshot {
        Err(error) if is_create => Err(Error::ReplyLost {
            source: error.into(),
        }),
        other => other.map(Some),
    }
}
