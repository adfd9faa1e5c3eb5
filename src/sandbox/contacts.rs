//! Requests on contacts: list, count, get, create, change and delete.

use serde_json::{Map, Value, json};

use super::contact_rules::{self, Writing};
use super::http::{Refusal, Reply, Request};
use super::ids::{ItemId, Number};
use super::mailbox::{Contact, Folder, Mailbox, Origin};
use super::odata::{self, Filter, Options, Order};
use super::properties::Packed;
use super::render::{Shape, View, plain};
use super::service::Switches;

/// What a handler works with.
pub(super) struct Context<'a> {
    pub(super) mailbox: &'a mut Mailbox,
    pub(super) request: &'a Request,
    /// `http://host:port/v1.0`.
    pub(super) base: String,
    /// The mailbox as contexts name it.
    pub(super) owner: String,
    pub(super) switches: Switches,
}

impl Context<'_> {
    pub(super) fn immutable(&self) -> bool {
        self.request.prefers("IdType=\"ImmutableId\"")
    }

    pub(super) fn view<'o>(&self, options: &'o Options, shape: Shape) -> View<'o> {
        let select = options.select.as_deref();
        View {
            ids: self.mailbox.ids,
            immutable: self.immutable(),
            select,
            plain: plain(select),
            expand: &options.expand,
            shape,
        }
    }

    /// Finds a contact by the form of id that the request's headers ask for (graph-facts 3.3).
    pub(super) fn find_contact(&self, id: &str) -> Result<Number, Refusal> {
        let number = self.read_id(id)?;
        self.mailbox.contact(number).map(|contact| contact.number)
    }

    /// The number in an id, whether or not the contact is still there.
    pub(super) fn read_id(&self, id: &str) -> Result<Number, Refusal> {
        match (self.mailbox.ids.read_item(id), self.immutable()) {
            (Some(ItemId::Immutable(number)), true) => Ok(number),
            (Some(ItemId::Regular { item, folder }), false) => {
                let moved = self
                    .mailbox
                    .contacts
                    .get(&item)
                    .is_some_and(|contact| contact.folder != folder);
                if moved {
                    Err(Refusal::item_not_found())
                } else {
                    Ok(item)
                }
            }
            (Some(ItemId::Regular { .. }), true) => Err(Refusal::item_not_found()),
            (Some(ItemId::Immutable(_)), false) | (None, _) => Err(Refusal::malformed_id()),
        }
    }

    /// Adds `@odata.context` to an entity.
    pub(super) fn entity(&self, set: &str, mut value: Map<String, Value>) -> Value {
        let context = format!(
            "{}/$metadata#users('{}')/{set}/$entity",
            self.base, self.owner
        );
        value.insert("@odata.context".into(), Value::String(context));
        Value::Object(value)
    }

    /// Refuses a stale `If-Match` when that is asked for (graph-facts 4.2).
    pub(super) fn check_if_match(&self, number: Number) -> Result<(), Refusal> {
        let Some(expected) = self
            .request
            .header("if-match")
            .filter(|tag| *tag != "*" && self.switches.enforce_if_match)
        else {
            return Ok(());
        };
        let key = self
            .mailbox
            .ids
            .change_key(self.mailbox.contact(number)?.revision);
        if expected == format!("W/\"{key}\"") {
            return Ok(());
        }
        Err(Refusal::new(
            412,
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
        ))
    }
}

/// `GET .../contacts`.
pub(super) fn list(context: &Context<'_>, folder: Number) -> Result<Reply, Refusal> {
    let options = odata::parse(context.request.raw_query())?;
    let folder = context.mailbox.folder(folder)?;
    let mut matching = matching(context.mailbox, folder, &options, options.skip);
    let mut rows = Vec::new();
    let view = context.view(&options, Shape::List);
    for contact in matching.by_ref().take(options.page()) {
        rows.push(Value::Object(view.contact(contact)));
    }
    let more = matching.next().is_some();
    let kind = format!(
        "{}/$metadata#users('{}')/contacts",
        context.base, context.owner
    );
    let mut body = Map::from_iter([
        ("@odata.context".to_owned(), Value::String(kind)),
        // Not `json!`, which would copy the rows.
        ("value".to_owned(), Value::Array(rows)),
    ]);
    if options.count {
        // Counts include what is never shown (graph-facts 1.7).
        let count = counted(context.mailbox, folder, &options);
        body.insert("@odata.count".to_owned(), json!(count));
    }
    if more {
        let next = next_link(context, options.skip + options.page());
        body.insert("@odata.nextLink".to_owned(), Value::String(next));
    }
    Ok(Reply::json(200, Value::Object(body)))
}

/// `GET .../contacts/$count`: hidden contact lists included.
pub(super) fn count(context: &Context<'_>, folder: Number) -> Result<Reply, Refusal> {
    let options = odata::parse(context.request.raw_query())?;
    let folder = context.mailbox.folder(folder)?;
    let count = counted(context.mailbox, folder, &options);
    Ok(Reply::bytes("text/plain", count.to_string().into_bytes()))
}

fn counted(mailbox: &Mailbox, folder: &Folder, options: &Options) -> usize {
    match options.filter {
        Some(_) => matching(mailbox, folder, options, 0).count(),
        None => folder.rows.members.len(),
    }
}

/// The contacts a list shows, from the `skip`th on.
fn matching<'a>(
    mailbox: &'a Mailbox,
    folder: &'a Folder,
    options: &'a Options,
    skip: usize,
) -> Box<dyn Iterator<Item = &'a Contact> + 'a> {
    let contacts = move |skip| {
        let numbers = folder.rows.members.shown_from(skip, &mailbox.hidden);
        numbers.filter_map(|number| mailbox.contacts.get(&number))
    };
    if options.filter.is_none() && options.order.is_none() {
        return Box::new(contacts(skip));
    }
    let filter = options.filter.as_ref();
    let fitting =
        contacts(0).filter(move |contact| filter.is_none_or(|filter| fits(contact, filter)));
    let Some(order) = &options.order else {
        return Box::new(fitting.skip(skip));
    };
    let mut sorted: Vec<&Contact> = fitting.collect();
    sort(&mut sorted, order);
    Box::new(sorted.into_iter().skip(skip))
}

/// Values compare without case (graph-facts 6.2).
fn fits(contact: &Contact, filter: &Filter) -> bool {
    match filter {
        Filter::Extended { id, value } => contact
            .extended
            .get(id)
            .is_some_and(|held| held.to_lowercase() == value.to_lowercase()),
        Filter::Email(address) => {
            let properties = contact.properties.open();
            let slots = properties.get("emailAddresses").and_then(Value::as_array);
            let held = |slot: &Value| {
                slot.get("address")
                    .and_then(Value::as_str)
                    .is_some_and(|held| held.eq_ignore_ascii_case(address))
            };
            slots.is_some_and(|slots| slots.iter().any(held))
        }
    }
}

fn sort(contacts: &mut [&Contact], order: &Order) {
    contacts.sort_by_cached_key(|contact| match order.property.as_str() {
        "createdDateTime" => (contact.created, String::new()),
        "lastModifiedDateTime" => (contact.modified, String::new()),
        name => (0, contact.properties.open().text(name).to_lowercase()),
    });
    if order.descending {
        contacts.reverse();
    }
}

/// The same request further on: offsets into a changing list, as the service does (graph-facts 3.1).
pub(super) fn next_link(context: &Context<'_>, skip: usize) -> String {
    let raw = context.request.raw_query();
    let kept = raw.split('&').filter(|pair| {
        let name = pair
            .split('=')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        !pair.is_empty() && !matches!(name.as_str(), "$skip" | "%24skip")
    });
    let query: Vec<String> = kept
        .map(str::to_owned)
        .chain([format!("$skip={skip}")])
        .collect();
    format!(
        "{}{}?{}",
        context.request.origin,
        versioned(context.request.path()),
        query.join("&")
    )
}

/// The path with the version in front; members of a batch leave it out.
pub(super) fn versioned(path: &str) -> String {
    if path.starts_with("/v1.0/") {
        path.to_owned()
    } else {
        format!("/v1.0/{}", path.trim_start_matches('/'))
    }
}

/// `GET .../contacts/{id}`.
pub(super) fn get(context: &Context<'_>, number: Number) -> Result<Reply, Refusal> {
    let options = odata::parse(context.request.raw_query())?;
    show(context, number, &options, 200)
}

fn show(
    context: &Context<'_>,
    number: Number,
    options: &Options,
    status: u16,
) -> Result<Reply, Refusal> {
    let contact = context.mailbox.contact(number)?;
    let shown = context.view(options, Shape::Entity).contact(contact);
    Ok(Reply::json(status, context.entity("contacts", shown)))
}

/// `POST .../contacts`.
pub(super) fn create(context: &mut Context<'_>, folder: Number) -> Result<Reply, Refusal> {
    let folder = context.mailbox.folder(folder)?.number;
    let writing = contact_rules::create(&context.request.json_object()?)?;
    let number = context.mailbox.create_contact(folder, Origin::Api, writing);
    show(context, number, &Options::default(), 201)
}

/// `PATCH .../contacts/{id}`.
pub(super) fn change(context: &mut Context<'_>, number: Number) -> Result<Reply, Refusal> {
    context.check_if_match(number)?;
    let contact = context.mailbox.contact(number)?;
    let present = Writing {
        properties: contact.properties.open(),
        extended: contact.extended.clone(),
    };
    let writing = contact_rules::patch(&present, &context.request.json_object()?)?;
    context.mailbox.change_contact(number, |contact| {
        contact.properties = Packed::new(&writing.properties);
        contact.extended = writing.extended;
    });
    show(context, number, &Options::default(), 200)
}

/// `DELETE .../contacts/{id}`.
pub(super) fn delete(context: &mut Context<'_>, number: Number) -> Result<Reply, Refusal> {
    context.check_if_match(number)?;
    context.mailbox.delete_contact(number, false);
    Ok(Reply::empty(204))
}

/// `POST .../contacts/{id}/permanentDelete`; a second one is a 403 (graph-facts 2.6).
pub(super) fn purge(context: &mut Context<'_>, id: &str) -> Result<Reply, Refusal> {
    if context.request.batch.is_none() && context.request.header("content-length").is_none() {
        return Err(Refusal::new(
            411,
            "LengthRequired",
            "A POST request must carry a Content-Length header.",
        ));
    }
    if context
        .read_id(id)
        .is_ok_and(|number| context.mailbox.is_purged(number))
    {
        return Err(Refusal::new(
            403,
            "ErrorCannotDeleteObject",
            "The object cannot be deleted.",
        ));
    }
    let number = context.find_contact(id)?;
    context.mailbox.delete_contact(number, true);
    Ok(Reply::empty(204))
}
