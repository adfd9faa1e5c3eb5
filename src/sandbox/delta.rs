//! Delta queries over contacts and over top-level folders (graph-facts 3.2).
//!
//! A token says how far its holder has read, so no state is kept for it and it outlives a restart. It carries a
//! checksum (damage is a 400) and the generation of its folder (loss is a 410). The harmless oddities of the real
//! service are played too, repeatably by seed: empty pages, replays of unchanged rows, rows out of order.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::contacts::{Context, versioned};
use super::folders::{folder_query, narrow};
use super::http::{Refusal, Reply, Request};
use super::ids::{Number, mix, mix_text};
use super::mailbox::{DEFAULT_FOLDER, Mailbox, Origin, Row, Rows};
use super::odata::{self, Options};
use super::render::{self, Shape};

const DEFAULT_PAGE: usize = 20;
const MAX_PAGE: usize = 200;

/// How a token can be lost; both forms are seen in the wild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeltaExpiry {
    /// 410 `SyncStateNotFound`, with a `Location` to start again.
    Gone,
    /// 400 `BadRequest`, "Badly formed token."
    BadToken,
}

/// How far the holder of a link has read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Token {
    /// Folder; 0 for the list of folders.
    folder: Number,
    generation: u64,
    select: Option<Vec<String>>,
    /// Last revision delivered.
    after: u64,
    /// Departures up to here were before the first call, so they are not told.
    start: u64,
    /// Whether this continues a round (nextLink) rather than starting one (deltaLink).
    inside: bool,
    /// Whether the empty page of this round has been served.
    blank: bool,
}

/// `GET .../contacts/delta`.
pub(super) fn contacts(context: &Context<'_>, folder: &str) -> Result<Reply, Refusal> {
    let options = odata::parse(context.request.raw_query())?;
    refuse_options(&options)?;
    let token = held_token(context, &options)?;
    let number = context.find_folder(folder).map_err(|refusal| match token {
        Some(_) => Refusal::new(
            404,
            "ErrorSyncFolderNotFound",
            "The folder to synchronize could not be found.",
        ),
        None => refusal,
    })?;
    let token = started(context, token, number, options.select)?;
    let rows = &context.mailbox.folder(number)?.rows;
    let options = Options {
        select: token.select.clone(),
        ..Options::default()
    };
    let view = context.view(&options, Shape::Delta);
    let show = |row: &Row| match context.mailbox.contacts.get(&row.number) {
        Some(contact) if !row.gone => Some(Value::Object(view.contact(contact)))
            .filter(|_| contact.origin != Origin::HiddenList),
        _ => Some(removed(
            "#microsoft.graph.contact",
            gone_id(context, row.number, number),
        )),
    };
    Ok(page(context, token, rows, "Collection(contact)", show))
}

/// `GET .../contactFolders/delta`: top-level folders only, the stricter of two readings.
pub(super) fn folders(context: &Context<'_>) -> Result<Reply, Refusal> {
    let query = folder_query(context)?;
    let mut options = odata::parse(&without_select(context.request.raw_query()))?;
    refuse_options(&options)?;
    options.select = query.select;
    let token = held_token(context, &options)?;
    let token = started(context, token, 0, options.select)?;
    let select = token.select.clone();
    let ids = context.mailbox.ids;
    let show = |row: &Row| match context.mailbox.folders.get(&row.number) {
        Some(folder) if !row.gone => Some(narrow(render::folder(ids, folder), select.as_deref())),
        _ => Some(removed(
            "#microsoft.graph.contactFolder",
            ids.folder(row.number),
        )),
    };
    Ok(page(
        context,
        token,
        &context.mailbox.top_folders,
        "Collection(contactFolder)",
        show,
    ))
}

/// Whether a request continues from a token.
pub(super) fn carries_token(request: &Request) -> bool {
    odata::pairs(request.raw_query()).iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("$deltatoken") || name.eq_ignore_ascii_case("$skiptoken")
    })
}

/// Forgets the state behind the token of a request, so that it stays lost.
pub(super) fn expire(mailbox: &mut Mailbox, request: &Request) {
    let options = odata::parse(&without_select(request.raw_query())).unwrap_or_default();
    let token = options
        .delta_token
        .or(options.skip_token)
        .and_then(|text| decode(mailbox.seed, &text));
    if let Some(token) = token {
        mailbox.expire_delta(if token.folder == 0 {
            DEFAULT_FOLDER
        } else {
            token.folder
        });
    }
}

/// The refusal of a lost token.
pub(super) fn lost(expiry: DeltaExpiry, request: &Request) -> Refusal {
    match expiry {
        DeltaExpiry::BadToken => bad_token(),
        DeltaExpiry::Gone => Refusal::new(
            410,
            "SyncStateNotFound",
            "The sync state generation is not found.",
        )
        .with_header(
            "location",
            format!("{}{}", request.origin, versioned(request.path())),
        ),
    }
}

fn bad_token() -> Refusal {
    Refusal::bad_request("Badly formed token.")
}

fn without_select(raw: &str) -> String {
    let kept = raw
        .split('&')
        .filter(|pair| !pair.starts_with("$select") && !pair.starts_with("%24select"));
    kept.collect::<Vec<_>>().join("&")
}

fn refuse_options(options: &Options) -> Result<(), Refusal> {
    if !options.expand.is_empty() {
        return Err(Refusal::bad_request(
            "Parsing OData Select and Expand failed: the option is not supported with change tracking.",
        ));
    }
    let others = options.top.is_some()
        || options.skip > 0
        || options.filter.is_some()
        || options.order.is_some()
        || options.count;
    if others {
        return Err(Refusal::url_query(
            "The following parameters are not supported with change tracking over the 'Contacts' resource: '$orderby, $filter, $select, $expand, $search, $top'.",
        ));
    }
    Ok(())
}

/// The token of the request, if it has one and it is whole.
fn held_token(context: &Context<'_>, options: &Options) -> Result<Option<Token>, Refusal> {
    let (text, inside) = match (&options.delta_token, &options.skip_token) {
        (None, None) => return Ok(None),
        (Some(text), None) => (text, false),
        (None, Some(text)) => (text, true),
        (Some(_), Some(_)) => return Err(bad_token()),
    };
    let token = decode(context.mailbox.seed, text).filter(|token| token.inside == inside);
    token.map(Some).ok_or_else(bad_token)
}

/// The token to go on from, or a fresh one for the whole folder.
fn started(
    context: &Context<'_>,
    token: Option<Token>,
    folder: Number,
    select: Option<Vec<String>>,
) -> Result<Token, Refusal> {
    // The list of folders lives and dies with the default folder.
    let owner = if folder == 0 { DEFAULT_FOLDER } else { folder };
    let generation = context.mailbox.folder(owner)?.generation;
    match token {
        Some(token) if token.folder != folder => Err(bad_token()),
        Some(token) if token.generation != generation => {
            Err(lost(DeltaExpiry::Gone, context.request))
        }
        Some(token) => Ok(token),
        None => {
            let start = context.mailbox.last_revision;
            Ok(Token {
                folder,
                generation,
                select,
                after: 0,
                start,
                inside: false,
                blank: false,
            })
        }
    }
}

fn page(
    context: &Context<'_>,
    mut token: Token,
    rows: &Rows,
    kind: &str,
    show: impl Fn(&Row) -> Option<Value>,
) -> Reply {
    let size = context
        .request
        .preference("odata.maxpagesize")
        .and_then(|size| size.parse().ok());
    let size = size.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let whim = mix(mix(context.mailbox.seed, token.folder), token.after);
    let until = visible(context, &token);
    let pending = next_row(rows, &token, until).is_some();
    if pending && !token.blank && whim.is_multiple_of(5) {
        token.blank = true;
        token.inside = true;
        return linked(context, &token, kind, Vec::new());
    }
    let mut shown: Vec<Value> = replay(&token, rows, whim, &show).into_iter().collect();
    shown.extend(advance(&mut token, rows, until, size, &show));
    if whim.is_multiple_of(4) {
        shown.reverse();
    }
    token.inside = next_row(rows, &token, until).is_some();
    token.blank &= token.inside;
    linked(context, &token, kind, shown)
}

/// The last revision that may be shown: a later round misses what has just been changed (graph-facts 3.2).
fn visible(context: &Context<'_>, token: &Token) -> u64 {
    if token.after < token.start {
        return u64::MAX;
    }
    context
        .mailbox
        .revision_before(context.switches.delta_lag)
        .max(token.after)
}

fn next_row<'a>(rows: &'a Rows, token: &Token, until: u64) -> Option<(&'a u64, &'a Row)> {
    // Beyond the last revision there is nothing, and a range must not begin there.
    let first = token.after.saturating_add(1);
    (first <= until).then(|| rows.by_revision.range(first..=until).next())?
}

/// Takes the next rows in order of change.
fn advance(
    token: &mut Token,
    rows: &Rows,
    until: u64,
    size: usize,
    show: impl Fn(&Row) -> Option<Value>,
) -> Vec<Value> {
    let mut shown = Vec::new();
    while let Some((revision, row)) = next_row(rows, token, until) {
        if shown.len() == size {
            break;
        }
        token.after = *revision;
        if !row.gone || *revision > token.start {
            shown.extend(show(row));
        }
    }
    shown
}

/// Sometimes begins a later round with an unchanged row the caller has already (graph-facts trap 16).
fn replay(
    token: &Token,
    rows: &Rows,
    whim: u64,
    show: impl Fn(&Row) -> Option<Value>,
) -> Option<Value> {
    let later_round = !token.inside && token.after > 0;
    if !later_round || !whim.is_multiple_of(3) {
        return None;
    }
    let known = rows
        .by_revision
        .range(..=token.after)
        .rev()
        .find(|(_, row)| !row.gone);
    known.and_then(|(_, row)| show(row))
}

fn linked(context: &Context<'_>, token: &Token, kind: &str, rows: Vec<Value>) -> Reply {
    let (member, parameter) = if token.inside {
        ("@odata.nextLink", "$skiptoken")
    } else {
        ("@odata.deltaLink", "$deltatoken")
    };
    let path = versioned(context.request.path());
    let link = format!(
        "{}{path}?{parameter}={}",
        context.request.origin,
        encode(context.mailbox.seed, token)
    );
    // Not `json!`, which would copy the rows.
    let body = Map::from_iter([
        (
            "@odata.context".to_owned(),
            json!(format!("{}/$metadata#{kind}", context.base)),
        ),
        (member.to_owned(), Value::String(link)),
        ("value".to_owned(), Value::Array(rows)),
    ]);
    Reply::json(200, Value::Object(body))
}

fn removed(kind: &str, id: String) -> Value {
    json!({"@odata.type": kind, "id": id, "@removed": {"reason": "deleted"}})
}

fn gone_id(context: &Context<'_>, number: Number, folder: Number) -> String {
    let ids = context.mailbox.ids;
    if context.immutable() {
        ids.immutable(number)
    } else {
        ids.regular(number, folder)
    }
}

fn encode(seed: u64, token: &Token) -> String {
    let text = serde_json::to_string(token).unwrap_or_default();
    let check = mix_text(seed, &text);
    URL_SAFE_NO_PAD.encode(format!("{check:016x}{text}"))
}

fn decode(seed: u64, text: &str) -> Option<Token> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (check, text) = text.split_at_checked(16)?;
    let genuine = u64::from_str_radix(check, 16).ok()? == mix_text(seed, text);
    if genuine {
        serde_json::from_str(text).ok()
    } else {
        None
    }
}
