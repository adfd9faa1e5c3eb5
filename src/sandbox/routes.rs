//! From a path under `/v1.0` to the operation on the mailbox.
//!
//! Decides who is asked (`/me`, `/users/{id}`) and what; holds no rule of its own about contacts.

use serde_json::json;

use super::contacts::{self, Context};
use super::http::{Refusal, Reply, Request};
use super::mailbox::{DEFAULT_FOLDER, Mailbox};
use super::people::{self, Home, Person};
use super::service::Switches;
use super::tokens::Caller;
use super::{categories, delta, folders, photo};

/// The mailboxes there are.
pub(super) struct Mailboxes<'m> {
    pub(super) main: &'m mut Mailbox,
    pub(super) shared: &'m mut Mailbox,
}

/// Answers one request on a mailbox; `base` ends in `/v1.0`.
pub(super) fn answer(
    mailboxes: Mailboxes<'_>,
    caller: &Caller,
    switches: Switches,
    request: &Request,
) -> Result<Reply, Refusal> {
    let segments = segments(request.path())?;
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (person, rest) = owner(caller, &path)?;
    permit(caller, person, request.method == "GET", rest)?;
    let mailbox = match person.home {
        _ if rest.is_empty() => mailboxes.main,
        Home::Main => mailboxes.main,
        Home::Shared => mailboxes.shared,
        Home::Closed => return Err(denied()),
        Home::Nothing => {
            return Err(Refusal::new(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            ));
        }
    };
    let mut context = Context {
        mailbox,
        request,
        base: format!("{}/v1.0", request.origin),
        owner: person.upn.replace('@', "%40"),
        switches,
    };
    if rest.is_empty() && request.method == "GET" {
        return Ok(profile(&context, person));
    }
    route(&mut context, rest)
}

/// The path after the version, decoded; names of resources are matched without case.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    let path = path.strip_prefix("/v1.0").unwrap_or(path);
    let raw = path.trim_start_matches('/').split('/');
    raw.map(|segment| {
        // An escaped `=` is not found, as one client met (graph-facts 3.3).
        if segment.to_ascii_uppercase().contains("%3D") {
            return Err(Refusal::item_not_found());
        }
        Ok(decode(segment))
    })
    .collect()
}

fn decode(segment: &str) -> String {
    // A `+` in a path is a plus, unlike in a query.
    let guarded = segment.replace('+', "%2B");
    url::form_urlencoded::parse(format!("x={guarded}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Checks the permission that a path needs (graph-facts 7.3, 7.4).
fn permit(caller: &Caller, person: &Person, reads: bool, path: &[&str]) -> Result<(), Refusal> {
    let is_own = caller.person == Some(person);
    let area = match path {
        [] if is_own => return needs(caller, &["User.Read"], "Authorization_RequestDenied"),
        [] => {
            return needs(
                caller,
                &["User.ReadBasic.All"],
                "Authorization_RequestDenied",
            );
        }
        ["outlook", ..] => "MailboxSettings",
        _ => "Contacts",
    };
    let (read, write) = (format!("{area}.Read"), format!("{area}.ReadWrite"));
    let (read_shared, write_shared) = (format!("{read}.Shared"), format!("{write}.Shared"));
    let mut enough = vec![write_shared.as_str()];
    if reads {
        enough.push(&read_shared);
    }
    // A permission for what others share is one for one's own as well.
    if is_own || caller.person.is_none() {
        enough.push(&write);
    }
    if reads && (is_own || caller.person.is_none()) {
        enough.push(&read);
    }
    needs(caller, &enough, "ErrorAccessDenied")
}

fn needs(caller: &Caller, any: &[&str], code: &str) -> Result<(), Refusal> {
    let any: Vec<String> = any.iter().map(|name| (*name).to_owned()).collect();
    match (caller.may(&any), code) {
        (true, _) => Ok(()),
        (false, "ErrorAccessDenied") => Err(denied()),
        (false, code) => Err(Refusal::new(
            403,
            code,
            "Insufficient privileges to complete the operation.",
        )),
    }
}

pub(super) fn denied() -> Refusal {
    Refusal::new(
        403,
        "ErrorAccessDenied",
        "Access is denied. Check credentials and try again.",
    )
}

/// Checks whose data is asked for and returns the path behind it.
pub(super) fn owner<'p>(
    caller: &Caller,
    path: &'p [&'p str],
) -> Result<(&'static Person, &'p [&'p str]), Refusal> {
    match path {
        ["me", rest @ ..] => match caller.person {
            Some(person) => Ok((person, rest)),
            None => Err(Refusal::bad_request(
                "/me request is only valid with delegated authentication flow.",
            )),
        },
        // Directory resources, asked of a personal account (graph-facts 1.7).
        ["users", "delta", ..] => Err(Refusal::new(401, "UnknownError", "")),
        ["contacts", ..] => Err(Refusal::bad_request(
            "This API is not supported for MSA accounts.",
        )),
        ["users", id, rest @ ..] => Ok((people::addressed(id)?, rest)),
        [first, ..] => Err(Refusal::unknown_segment(first)),
        [] => Err(Refusal::unknown_segment("")),
    }
}

fn profile(context: &Context<'_>, person: &Person) -> Reply {
    Reply::json(
        200,
        json!({
            "@odata.context": format!("{}/$metadata#users/$entity", context.base),
            "id": person.id,
            "displayName": person.name,
            "mail": person.upn,
            "userPrincipalName": person.upn,
        }),
    )
}

fn route(context: &mut Context<'_>, path: &[&str]) -> Result<Reply, Refusal> {
    let method = context.request.method.clone();
    let (first, rest) = path.split_first().ok_or_else(Refusal::not_supported)?;
    match first.to_ascii_lowercase().as_str() {
        "contacts" => in_contacts(context, &method, "contacts", rest),
        "contactfolders" => in_folders(context, &method, rest),
        "outlook" => in_outlook(context, &method, rest),
        "translateexchangeids" if method == "POST" => categories::translate_ids(context),
        _ => Err(Refusal::unknown_segment(first)),
    }
}

fn in_outlook(context: &mut Context<'_>, method: &str, path: &[&str]) -> Result<Reply, Refusal> {
    match (method, path) {
        (_, [first, ..]) if !first.eq_ignore_ascii_case("masterCategories") => {
            Err(Refusal::unknown_segment(first))
        }
        ("GET", [_]) => categories::list(context),
        ("POST", [_]) => categories::create(context),
        ("DELETE", [_, id]) => categories::delete(context, id),
        _ => Err(Refusal::not_supported()),
    }
}

fn in_folders(context: &mut Context<'_>, method: &str, path: &[&str]) -> Result<Reply, Refusal> {
    match (method, path) {
        ("GET", []) => folders::list(context, DEFAULT_FOLDER),
        ("POST", []) => folders::create(context, DEFAULT_FOLDER),
        ("GET", ["delta"]) => delta::folders(context),
        // An empty id is a call on the collection (graph-facts 2.4).
        (_, [] | ["", ..]) => Err(Refusal::not_supported()),
        (_, [id, rest @ ..]) => in_folder(context, method, id, rest),
    }
}

fn in_folder(
    context: &mut Context<'_>,
    method: &str,
    id: &str,
    path: &[&str],
) -> Result<Reply, Refusal> {
    if let ["contacts", rest @ ..] = path {
        return in_contacts(context, method, id, rest);
    }
    let folder = context.find_folder(id)?;
    match (method, path) {
        ("GET", []) => folders::get(context, folder),
        ("PATCH", []) => folders::change(context, folder),
        ("DELETE", []) | ("POST", ["permanentDelete"]) => folders::delete(context, folder),
        ("GET", ["childFolders"]) => folders::list(context, folder),
        ("POST", ["childFolders"]) => folders::create(context, folder),
        (_, ["childFolders", child, rest @ ..]) if !child.is_empty() => {
            let number = context.find_folder(child)?;
            if context.mailbox.folder(number)?.parent != Some(folder) {
                return Err(Refusal::folder_not_found());
            }
            in_folder(context, method, child, rest)
        }
        (_, [] | ["childFolders", ..] | ["permanentDelete"]) => Err(Refusal::not_supported()),
        (_, [other, ..]) => Err(Refusal::unknown_segment(other)),
    }
}

fn in_contacts(
    context: &mut Context<'_>,
    method: &str,
    folder: &str,
    path: &[&str],
) -> Result<Reply, Refusal> {
    if let ["delta"] = path {
        return if method == "GET" {
            delta::contacts(context, folder)
        } else {
            Err(Refusal::not_supported())
        };
    }
    let folder = context.find_folder(folder)?;
    match (method, path) {
        ("GET", []) => contacts::list(context, folder),
        ("GET", ["$count"]) => contacts::count(context, folder),
        ("POST", []) => contacts::create(context, folder),
        (_, [] | ["", ..] | ["$count"]) => Err(Refusal::not_supported()),
        ("POST", [id, "permanentDelete"]) => contacts::purge(context, id),
        (_, [id, rest @ ..]) => on_contact(context, method, id, rest),
    }
}

/// A contact in any folder can be reached without naming its folder (graph-facts 4.3).
fn on_contact(
    context: &mut Context<'_>,
    method: &str,
    id: &str,
    path: &[&str],
) -> Result<Reply, Refusal> {
    let number = context.find_contact(id)?;
    match (method, path) {
        ("GET", []) => contacts::get(context, number),
        ("PATCH", []) => contacts::change(context, number),
        ("DELETE", []) => contacts::delete(context, number),
        ("GET", ["photo"]) => photo::metadata(context, number),
        ("GET", ["photo", "$value"]) => photo::read(context, number),
        ("PUT" | "PATCH", ["photo", "$value"]) => photo::write(context, number),
        ("DELETE", ["photo", "$value"]) => photo::remove(context, number),
        (_, [] | ["photo"] | ["photo", "$value"] | ["permanentDelete"]) => {
            Err(Refusal::not_supported())
        }
        (_, [other, ..]) => Err(Refusal::unknown_segment(other)),
    }
}
