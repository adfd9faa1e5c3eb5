//! Requests on contact folders (graph-facts 2).

use serde_json::{Map, Value, json};

use super::contacts::{Context, next_link};
use super::http::{Refusal, Reply};
use super::ids::Number;
use super::mailbox::{DEFAULT_FOLDER, Folder};
use super::odata;
use super::render;

impl Context<'_> {
    /// The number of a folder by its id or by the alias of the default folder (graph-facts 2.3).
    pub(super) fn find_folder(&self, id: &str) -> Result<Number, Refusal> {
        if id.eq_ignore_ascii_case("contacts") {
            return Ok(DEFAULT_FOLDER);
        }
        let number = self
            .mailbox
            .ids
            .read_folder(id)
            .ok_or_else(Refusal::malformed_id)?;
        self.mailbox.folder(number).map(|folder| folder.number)
    }
}

/// `GET .../contactFolders` and `.../childFolders`: direct children only, so never the default folder.
pub(super) fn list(context: &Context<'_>, parent: Number) -> Result<Reply, Refusal> {
    let query = folder_query(context)?;
    let children: Vec<&Folder> = context.mailbox.child_folders(parent).collect();
    let page = query.top.unwrap_or(10);
    let rows = children
        .iter()
        .skip(query.skip)
        .take(page)
        .map(|folder| query.show(context, folder));
    let mut body = json!({
        "@odata.context": format!("{}/$metadata#users('{}')/contactFolders", context.base, context.owner),
        "value": rows.collect::<Vec<_>>(),
    });
    if let Some(members) = body.as_object_mut() {
        if query.count {
            members.insert("@odata.count".into(), json!(children.len()));
        }
        if children.len() > query.skip + page {
            members.insert(
                "@odata.nextLink".into(),
                json!(next_link(context, query.skip + page)),
            );
        }
    }
    Ok(Reply::json(200, body))
}

/// `GET .../contactFolders/{id}`.
pub(super) fn get(context: &Context<'_>, number: Number) -> Result<Reply, Refusal> {
    let query = folder_query(context)?;
    let shown = query.show(context, context.mailbox.folder(number)?);
    entity(context, shown, 200)
}

/// `POST .../contactFolders` and `.../childFolders`.
pub(super) fn create(context: &mut Context<'_>, parent: Number) -> Result<Reply, Refusal> {
    let parent = context.mailbox.folder(parent)?.number;
    let name = wanted_name(&context.request.json_object()?)?.ok_or_else(no_name)?;
    check_free(context, parent, &name, None)?;
    let number = context.mailbox.create_folder(Some(parent), &name);
    let shown = render::folder(context.mailbox.ids, context.mailbox.folder(number)?);
    entity(context, shown, 201)
}

/// `PATCH .../contactFolders/{id}`; a changed parent is taken without effect (graph-facts 2.4).
pub(super) fn change(context: &mut Context<'_>, number: Number) -> Result<Reply, Refusal> {
    let name = wanted_name(&context.request.json_object()?)?;
    if let Some(name) = name {
        let parent = context
            .mailbox
            .folder(number)?
            .parent
            .ok_or_else(distinguished)?;
        check_free(context, parent, &name, Some(number))?;
        context.mailbox.rename_folder(number, &name);
    }
    let shown = render::folder(context.mailbox.ids, context.mailbox.folder(number)?);
    entity(context, shown, 200)
}

/// `DELETE .../contactFolders/{id}` and `permanentDelete`.
pub(super) fn delete(context: &mut Context<'_>, number: Number) -> Result<Reply, Refusal> {
    if context.mailbox.folder(number)?.parent.is_none() {
        return Err(distinguished());
    }
    context.mailbox.delete_folder(number);
    Ok(Reply::empty(204))
}

/// The options that folders take.
pub(super) struct FolderQuery {
    pub(super) top: Option<usize>,
    pub(super) skip: usize,
    pub(super) count: bool,
    pub(super) select: Option<Vec<String>>,
}

impl FolderQuery {
    fn show(&self, context: &Context<'_>, folder: &Folder) -> Value {
        narrow(
            render::folder(context.mailbox.ids, folder),
            self.select.as_deref(),
        )
    }
}

/// Reduces a folder to what `$select` names; the id always stays.
pub(super) fn narrow(mut folder: Value, select: Option<&[String]>) -> Value {
    if let (Some(members), Some(select)) = (folder.as_object_mut(), select) {
        members.retain(|name, _| name == "id" || select.contains(name));
    }
    folder
}

/// Reads a query on folders, whose properties differ from those of contacts.
pub(super) fn folder_query(context: &Context<'_>) -> Result<FolderQuery, Refusal> {
    let pairs = odata::pairs(context.request.raw_query());
    let selected = pairs
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("$select"))
        .map(|(_, value)| value);
    let select = selected.map(|value| select(value)).transpose()?;
    let others: Vec<_> = pairs
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("$select"))
        .collect();
    let rest = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(others)
        .finish();
    let options = odata::parse(&rest)?;
    if options.filter.is_some() || options.order.is_some() || !options.expand.is_empty() {
        return Err(Refusal::bad_request(
            "The query specified in the URI is not supported for contact folders.",
        ));
    }
    Ok(FolderQuery {
        top: options.top,
        skip: options.skip,
        count: options.count,
        select,
    })
}

fn select(value: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = value
        .split(',')
        .map(|name| name.trim().to_owned())
        .collect();
    match names
        .iter()
        .find(|name| !["id", "displayName", "parentFolderId"].contains(&name.as_str()))
    {
        Some(name) => Err(Refusal::bad_request(format!(
            "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.contactFolder'."
        ))),
        None => Ok(names),
    }
}

fn wanted_name(body: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    if let Some(name) = body
        .keys()
        .find(|name| !["displayName", "parentFolderId", "@odata.type"].contains(&name.as_str()))
    {
        return Err(Refusal::body(format!(
            "The property '{name}' does not exist on type 'microsoft.graph.contactFolder'."
        )));
    }
    match body.get("displayName") {
        None => Ok(None),
        Some(Value::String(name)) if !name.trim().is_empty() => Ok(Some(name.clone())),
        Some(_) => Err(no_name()),
    }
}

fn no_name() -> Refusal {
    Refusal::property("The property 'DisplayName' is required when creating the entity.")
}

fn distinguished() -> Refusal {
    Refusal::new(
        403,
        "ErrorDeleteDistinguishedFolder",
        "Distinguished folders cannot be deleted or renamed.",
    )
}

/// Names are compared without case, as Exchange does.
fn check_free(
    context: &Context<'_>,
    parent: Number,
    name: &str,
    except: Option<Number>,
) -> Result<(), Refusal> {
    let wanted = name.to_lowercase();
    let taken =
        |folder: &Folder| Some(folder.number) != except && folder.name.to_lowercase() == wanted;
    if context.mailbox.child_folders(parent).any(taken) {
        return Err(Refusal::new(
            409,
            "ErrorFolderExists",
            "A folder with the specified name already exists.",
        ));
    }
    Ok(())
}

fn entity(context: &Context<'_>, folder: Value, status: u16) -> Result<Reply, Refusal> {
    let Value::Object(members) = folder else {
        return Err(Refusal::internal());
    };
    Ok(Reply::json(
        status,
        context.entity("contactFolders", members),
    ))
}
