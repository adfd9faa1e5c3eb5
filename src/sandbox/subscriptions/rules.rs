//! What a subscription may ask for (graph-facts 8).

use jiff::Timestamp;
use serde_json::{Map, Value};
use url::{Host, Url};

use super::super::clock;
use super::super::http::{Refusal, Request};
use super::super::ids::Number;
use super::super::mailbox::DEFAULT_FOLDER;
use super::super::people::{Home, Person};
use super::super::routes;
use super::super::service::State;
use super::super::tokens::Caller;

/// The longest life of a subscription, and the shortest: less is raised.
const MAX_MINUTES: i64 = 10_080;
const MIN_MINUTES: i64 = 45;
const MAX_CLIENT_STATE: usize = 128;
const KINDS: [&str; 3] = ["created", "updated", "deleted"];
/// What can be said when one is made; the rest of the type is for notifications with data, which contacts can have but this
/// service does not offer.
const PROPERTIES: [&str; 7] = [
    "changeType",
    "notificationUrl",
    "lifecycleNotificationUrl",
    "resource",
    "expirationDateTime",
    "clientState",
    "latestSupportedTlsVersion",
];

/// What was asked for and may be granted.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Who asked; `None` for an application.
    pub(super) caller: Option<&'static Person>,
    pub(super) owner: &'static Person,
    pub(super) home: Home,
    pub(super) folder: Number,
    /// As sent.
    pub(super) resource: String,
    pub(super) change_type: String,
    /// Whether notifications name contacts by immutable ids (graph-facts 3.3).
    pub(super) immutable: bool,
    pub(super) url: Url,
    pub(super) lifecycle_url: Option<Url>,
    pub(super) client_state: Option<String>,
    pub(super) expires: i64,
}

impl Wanted {
    /// Reads a request to make one.
    pub(super) fn read(state: &State, caller: &Caller, request: &Request) -> Result<Self, Refusal> {
        let body = request.json_object()?;
        check_names(&body, &PROPERTIES)?;
        let resource = text(&body, "resource")?.ok_or_else(|| missing("resource"))?;
        let (owner, folder) = resolve(state, caller, &resource)?;
        let url = text(&body, "notificationUrl")?.ok_or_else(|| missing("notificationUrl"))?;
        let client_state = text(&body, "clientState")?;
        if client_state.as_ref().map_or(0, |held| held.chars().count()) > MAX_CLIENT_STATE {
            return Err(invalid("The clientState is longer than 128 characters."));
        }
        Ok(Self {
            caller: caller.person,
            owner,
            home: owner.home,
            folder,
            change_type: change_type(&body)?,
            immutable: request.prefers("IdType=\"ImmutableId\""),
            url: endpoint(&url)?,
            lifecycle_url: text(&body, "lifecycleNotificationUrl")?
                .map(|url| endpoint(&url))
                .transpose()?,
            client_state,
            expires: expiration(&body)?,
            resource,
        })
    }

    /// The addresses that must answer before it is granted.
    pub(super) fn urls(&self) -> impl Iterator<Item = &Url> {
        let other = self.lifecycle_url.iter();
        std::iter::once(&self.url).chain(other.filter(|url| **url != self.url))
    }

    /// Whether a second one beside `other` is refused.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let of = |wanted: &Self| (wanted.caller.map(|person| person.id), wanted.folder);
        of(self) == of(other) && self.change_type == other.change_type
    }
}

/// The time in a request to renew one.
pub(super) fn renewal(body: &Map<String, Value>) -> Result<i64, Refusal> {
    check_names(body, &["expirationDateTime"])?;
    expiration(body)
}

fn check_names(body: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Refusal::bad_request(format!(
            "The property '{name}' cannot be set on type 'microsoft.graph.subscription' here."
        ))),
        None => Ok(()),
    }
}

/// Whose contacts a resource names, and in which folder.
fn resolve(
    state: &State,
    caller: &Caller,
    resource: &str,
) -> Result<(&'static Person, Number), Refusal> {
    let unknown = || invalid("The resource is not supported for change notifications.");
    let segments = routes::segments(resource)?;
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (person, rest) = routes::owner(caller, &path)?;
    let is_own = caller.person.is_none_or(|caller| caller == person);
    let permissions = ["Contacts.Read", "Contacts.ReadWrite"].map(str::to_owned);
    // Permissions for what others share do not reach this far (graph-facts 7.3).
    if !is_own || !caller.may(&permissions) {
        return Err(routes::denied());
    }
    let mailbox = match person.home {
        Home::Main => &state.mailbox,
        Home::Shared => &state.shared,
        Home::Closed | Home::Nothing => return Err(routes::denied()),
    };
    let folder = match rest {
        ["contacts"] => DEFAULT_FOLDER,
        [folders, id, "contacts"] if folders.eq_ignore_ascii_case("contactFolders") => {
            let number = mailbox.ids.read_folder(id);
            let number = number.ok_or_else(Refusal::malformed_id)?;
            mailbox.folder(number)?.number
        }
        _ => return Err(unknown()),
    };
    Ok((person, folder))
}

fn change_type(body: &Map<String, Value>) -> Result<String, Refusal> {
    let named = text(body, "changeType")?.ok_or_else(|| missing("changeType"))?;
    if named.split(',').all(|kind| KINDS.contains(&kind)) {
        Ok(named)
    } else {
        Err(invalid(
            "The changeType is not one of created, updated, deleted.",
        ))
    }
}

/// The service takes https only. This one takes plain http on loopback and nothing else can be reached from it: it speaks no
/// TLS, and tests need none.
fn endpoint(text: &str) -> Result<Url, Refusal> {
    let url = Url::parse(text).map_err(|_| invalid("The notification URL is no URL."))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err(invalid("The notification URL must use the https protocol.")),
    }
}

fn expiration(body: &Map<String, Value>) -> Result<i64, Refusal> {
    let named = text(body, "expirationDateTime")?.ok_or_else(|| missing("expirationDateTime"))?;
    let time = named.parse::<Timestamp>();
    let time = time.map_err(|_| invalid("The expirationDateTime is no time."))?;
    let ahead = time.as_second() - clock::now();
    if ahead <= 0 {
        return Err(invalid("Subscription expiration must be in the future."));
    }
    if ahead > MAX_MINUTES * 60 {
        return Err(invalid(
            "Subscription expiration can only be 10080 minutes in the future.",
        ));
    }
    Ok(time.as_second().max(clock::now() + MIN_MINUTES * 60))
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(invalid(&format!("The property '{name}' must be a text."))),
    }
}

fn missing(name: &str) -> Refusal {
    invalid(&format!("The property '{name}' is required."))
}

fn invalid(message: &str) -> Refusal {
    Refusal::new(400, "InvalidRequest", message)
}
