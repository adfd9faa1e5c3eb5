//! Subscriptions to changes of contacts (graph-facts 8): who is told of what, and until when.
//!
//! They are kept in memory only: a service that was stopped has forgotten them, which the real one does at worst.

mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use self::rules::Wanted;
use super::clock;
use super::delivery::{self, Outgoing};
use super::http::{Refusal, Reply, Request};
use super::ids::Number;
use super::login;
use super::mailbox::{Change, Mailbox};
use super::people::{Home, Person};
use super::routes;
use super::service::Service;
use super::tokens::Caller;

/// Live subscriptions of one mailbox (graph-facts 8).
const MAX_LIVE: usize = 1_000;
/// What can happen to a subscription.
const EVENTS: [&str; 3] = ["missed", "subscriptionRemoved", "reauthorizationRequired"];

/// One subscription.
#[derive(Clone, Debug)]
struct Subscription {
    wanted: Wanted,
    expires: i64,
    /// Nothing is told before it was renewed.
    paused: bool,
}

/// Every subscription by its id, and what is to be told.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    all: BTreeMap<String, Subscription>,
    outgoing: Vec<Outgoing>,
    wake: Arc<Notify>,
    /// Seconds that a subscription is granted, whatever was asked for; for tests of the renewal.
    pub(super) granted: Option<i64>,
    /// Whether changes are kept to oneself; for tests of what was missed.
    pub(super) is_silent: bool,
}

/// Answers a request under `/subscriptions`.
pub(super) async fn answer(
    service: &Service,
    request: &Request,
    caller: &Caller,
) -> Result<Reply, Refusal> {
    let segments = routes::segments(request.path())?;
    let path: Vec<&str> = segments.iter().skip(1).map(String::as_str).collect();
    let base = format!("{}/v1.0", request.origin);
    if ("POST", path.as_slice()) == (request.method.as_str(), &[]) {
        return create(service, request, caller, &base).await;
    }
    let mut state = service.state();
    let subscriptions = &mut state.subscriptions;
    match (request.method.as_str(), path.as_slice()) {
        ("GET", []) => Ok(subscriptions.list(caller, &base)),
        ("GET", [id]) => {
            let found = subscriptions.find(caller, id)?;
            Ok(Reply::json(200, entity(&base, found.shown(id, None))))
        }
        ("PATCH", [id]) => {
            let expires = rules::renewal(&request.json_object()?)?;
            let found = subscriptions.renew(caller, id, expires)?;
            Ok(Reply::json(200, entity(&base, found.shown(id, None))))
        }
        ("DELETE", [id]) => {
            subscriptions.find(caller, id)?;
            subscriptions.all.remove(*id);
            Ok(Reply::empty(204))
        }
        ("POST", [id, "reauthorize"]) => {
            subscriptions.find(caller, id)?.paused = false;
            Ok(Reply::empty(204))
        }
        _ => Err(Refusal::not_supported()),
    }
}

/// Makes a subscription, if whoever is to be told of changes answers.
async fn create(
    service: &Service,
    request: &Request,
    caller: &Caller,
    base: &str,
) -> Result<Reply, Refusal> {
    let wanted = Wanted::read(&service.state(), caller, request)?;
    service.state().subscriptions.check_room(&wanted)?;
    for url in wanted.urls() {
        delivery::handshake(url).await?;
    }
    let mut state = service.state();
    state.subscriptions.check_room(&wanted)?;
    let state_text = wanted.client_state.clone();
    let (id, made) = state.subscriptions.add(wanted);
    let shown = made.shown(&id, state_text.as_deref());
    Ok(Reply::json(201, entity(base, shown)))
}

fn entity(base: &str, mut shown: Value) -> Value {
    if let Some(members) = shown.as_object_mut() {
        let context = format!("{base}/$metadata#subscriptions/$entity");
        members.insert("@odata.context".into(), json!(context));
    }
    shown
}

impl Subscriptions {
    /// Told when there is something to deliver.
    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// What is to be delivered.
    pub(super) fn take(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outgoing)
    }

    /// Notes whom to tell of the changes of a request that is about to be answered.
    pub(super) fn announce(&mut self, home: Home, mailbox: &Mailbox) {
        self.forget_expired();
        if mailbox.changes.is_empty() || self.is_silent {
            return;
        }
        let events = events(mailbox);
        for (id, subscription) in &self.all {
            if subscription.wanted.home != home || subscription.paused {
                continue;
            }
            let told = events.iter().filter(|event| subscription.hears(event));
            self.outgoing.extend(told.map(|event| Outgoing {
                url: subscription.wanted.url.clone(),
                is_lifecycle: false,
                item: subscription.change(id, mailbox, event),
            }));
        }
        self.wake.notify_one();
    }

    /// Tells every subscriber that asked for it of an event in the life of a subscription.
    pub(super) fn lifecycle(&mut self, event: &str) -> Result<(), Refusal> {
        if !EVENTS.contains(&event) {
            return Err(Refusal::bad_request("There is no such event."));
        }
        self.forget_expired();
        for (id, subscription) in &mut self.all {
            subscription.paused |= event == "reauthorizationRequired";
            let Some(url) = subscription.wanted.lifecycle_url.clone() else {
                continue;
            };
            let mut item = subscription.head(id);
            item.extend([("lifecycleEvent".to_owned(), json!(event))]);
            self.outgoing.push(Outgoing {
                url,
                is_lifecycle: true,
                item: item.into(),
            });
        }
        if event == "subscriptionRemoved" {
            self.all.clear();
        }
        self.wake.notify_one();
        Ok(())
    }

    /// All of them with their secrets, for the controls.
    pub(super) fn summary(&mut self) -> Value {
        self.forget_expired();
        let shown = self.all.iter().map(|(id, subscription)| {
            subscription.shown(id, subscription.wanted.client_state.as_deref())
        });
        shown.collect()
    }

    fn list(&mut self, caller: &Caller, base: &str) -> Reply {
        self.forget_expired();
        let own = self.all.iter().filter(|(_, held)| held.is_of(caller));
        let rows: Vec<Value> = own.map(|(id, held)| held.shown(id, None)).collect();
        let context = format!("{base}/$metadata#subscriptions");
        Reply::json(200, json!({"@odata.context": context, "value": rows}))
    }

    fn find(&mut self, caller: &Caller, id: &str) -> Result<&mut Subscription, Refusal> {
        self.forget_expired();
        let found = self.all.get_mut(id).filter(|held| held.is_of(caller));
        found.ok_or_else(|| Refusal::new(404, "ResourceNotFound", "The object was not found."))
    }

    fn renew(&mut self, caller: &Caller, id: &str, expires: i64) -> Result<&Subscription, Refusal> {
        let expires = self.grant(expires);
        let found = self.find(caller, id)?;
        (found.expires, found.paused) = (expires, false);
        Ok(found)
    }

    /// Refuses one too many, and a second one for the same, as the reference of the call has it.
    fn check_room(&mut self, wanted: &Wanted) -> Result<(), Refusal> {
        self.forget_expired();
        let mut others = self
            .all
            .iter()
            .filter(|(_, held)| held.wanted.home == wanted.home);
        if others.clone().count() >= MAX_LIVE {
            // The limit is documented, the reply is not.
            let message = "Subscription limit reached for the mailbox.";
            return Err(Refusal::new(403, "ExceededQuota", message));
        }
        match others.find(|(_, held)| held.wanted.is_same(wanted)) {
            Some((id, _)) => Err(Refusal::new(
                409,
                "Conflict",
                format!("Subscription Id {id} already exists for the requested combination"),
            )),
            None => Ok(()),
        }
    }

    fn add(&mut self, wanted: Wanted) -> (String, &Subscription) {
        let id = uuid::Uuid::new_v4().to_string();
        let made = Subscription {
            expires: self.grant(wanted.expires),
            wanted,
            paused: false,
        };
        (id.clone(), self.all.entry(id).or_insert(made))
    }

    fn grant(&self, asked: i64) -> i64 {
        self.granted.map_or(asked, |seconds| clock::now() + seconds)
    }

    fn forget_expired(&mut self) {
        let now = clock::now();
        self.all.retain(|_, held| held.expires > now);
    }
}

/// Something that happened to a contact.
struct Event {
    folder: Number,
    contact: Number,
    kind: &'static str,
}

/// What the changes of one request are to subscribers. A new contact is often told of twice (graph-facts 8).
fn events(mailbox: &Mailbox) -> Vec<Event> {
    let folder_of = |contact: &Number| mailbox.contacts.get(contact).map(|held| held.folder);
    let event = |folder: Option<Number>, contact: Number, kind| {
        folder.map(|folder| Event {
            folder,
            contact,
            kind,
        })
    };
    // Who comes from another folder is new in this one.
    let has_left = |contact: &Number| {
        let mut changes = mailbox.changes.iter();
        changes.any(|change| matches!(change, Change::Gone(gone) if gone.number == *contact))
    };
    let of_change = |change: &Change| match change {
        Change::Made(contact) => vec![
            event(folder_of(contact), *contact, "created"),
            event(folder_of(contact), *contact, "updated"),
        ],
        Change::Contact(contact) if has_left(contact) => {
            vec![event(folder_of(contact), *contact, "created")]
        }
        Change::Contact(contact) => vec![event(folder_of(contact), *contact, "updated")],
        Change::Gone(gone) => vec![event(gone.folder, gone.number, "deleted")],
        Change::Folder(_) | Change::Categories => Vec::new(),
    };
    let all = mailbox.changes.iter().flat_map(of_change);
    all.flatten().collect()
}

impl Subscription {
    fn is_of(&self, caller: &Caller) -> bool {
        self.wanted.caller == caller.person
    }

    fn hears(&self, event: &Event) -> bool {
        let kinds = &self.wanted.change_type;
        event.folder == self.wanted.folder && kinds.split(',').any(|kind| kind == event.kind)
    }

    /// What every notification says.
    fn head(&self, id: &str) -> serde_json::Map<String, Value> {
        let head = json!({
            "subscriptionId": id,
            "subscriptionExpirationDateTime": clock::with_zone(self.expires),
            "clientState": self.wanted.client_state,
            "tenantId": login::TENANT,
        });
        head.as_object().cloned().unwrap_or_default()
    }

    fn change(&self, id: &str, mailbox: &Mailbox, event: &Event) -> Value {
        let contact = if self.wanted.immutable {
            mailbox.ids.immutable(event.contact)
        } else {
            mailbox.ids.regular(event.contact, event.folder)
        };
        let resource = format!("Users/{}/Contacts/{contact}", self.wanted.owner.id);
        let mut item = self.head(id);
        item.extend([
            ("changeType".to_owned(), json!(event.kind)),
            ("resource".to_owned(), json!(resource)),
            (
                "resourceData".to_owned(),
                json!({
                    "@odata.type": "#Microsoft.Graph.Contact",
                    "@odata.id": resource,
                    "id": contact,
                }),
            ),
        ]);
        item.into()
    }

    /// As replies show it. The secret is in the reply to its making only.
    fn shown(&self, id: &str, client_state: Option<&str>) -> Value {
        let creator: Option<&Person> = self.wanted.caller;
        json!({
            "id": id,
            "resource": self.wanted.resource,
            "applicationId": login::CLIENT_ID,
            "changeType": self.wanted.change_type,
            "clientState": client_state,
            "notificationUrl": self.wanted.url.as_str(),
            "lifecycleNotificationUrl": self.wanted.lifecycle_url.as_ref().map(Url::as_str),
            "expirationDateTime": clock::with_zone(self.expires),
            "creatorId": creator.map_or(login::CLIENT_ID, |person| person.id),
            "latestSupportedTlsVersion": "v1_2",
            "includeResourceData": null,
            "encryptionCertificate": null,
            "encryptionCertificateId": null,
            "notificationQueryOptions": null,
        })
    }
}
