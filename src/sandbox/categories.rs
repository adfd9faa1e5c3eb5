//! Requests on master categories and on translating ids.

use serde_json::{Value, json};

use super::contacts::Context;
use super::http::{Refusal, Reply};
use super::ids::ItemId;
use super::mailbox::{Category, Change};

/// `GET .../outlook/masterCategories`.
pub(super) fn list(context: &Context<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::json(
        200,
        json!({
            "@odata.context": format!("{}/$metadata#users('{}')/outlook/masterCategories", context.base, context.owner),
            "value": context.mailbox.categories,
        }),
    ))
}

/// `POST .../outlook/masterCategories`; names are unique (graph-facts 7.1).
pub(super) fn create(context: &mut Context<'_>) -> Result<Reply, Refusal> {
    let body = context.request.json_object()?;
    let member = |name: &str| body.get(name).and_then(Value::as_str);
    let name = member("displayName").filter(|name| !name.is_empty());
    let name = name
        .ok_or_else(|| {
            Refusal::property("The property 'DisplayName' is required when creating the entity.")
        })?
        .to_owned();
    if context
        .mailbox
        .categories
        .iter()
        .any(|held| held.display_name.eq_ignore_ascii_case(&name))
    {
        return Err(Refusal::new(
            409,
            "ErrorItemExists",
            "A category with the specified name already exists.",
        ));
    }
    let color = member("color").unwrap_or("none").to_owned();
    let category = Category {
        id: uuid::Uuid::new_v4().to_string(),
        display_name: name,
        color,
    };
    let shown = json!(category);
    context.mailbox.categories.push(category);
    context.mailbox.changes.push(Change::Categories);
    Ok(Reply::json(201, shown))
}

/// `DELETE .../outlook/masterCategories/{id}`.
pub(super) fn delete(context: &mut Context<'_>, id: &str) -> Result<Reply, Refusal> {
    let before = context.mailbox.categories.len();
    context.mailbox.categories.retain(|held| held.id != id);
    if context.mailbox.categories.len() == before {
        return Err(Refusal::item_not_found());
    }
    context.mailbox.changes.push(Change::Categories);
    Ok(Reply::empty(204))
}

/// `POST .../translateExchangeIds`: up to 1,000 (graph-facts 3.3).
pub(super) fn translate_ids(context: &Context<'_>) -> Result<Reply, Refusal> {
    let body = context.request.json_object()?;
    let inputs = body
        .get("inputIds")
        .and_then(Value::as_array)
        .ok_or_else(|| Refusal::bad_request("inputIds is missing."))?;
    if inputs.len() > 1000 {
        return Err(Refusal::bad_request("Too many inputIds."));
    }
    let to_immutable = match body.get("targetIdType").and_then(Value::as_str) {
        Some("restImmutableEntryId") => true,
        Some("restId") => false,
        _ => return Err(Refusal::bad_request("The targetIdType is not supported.")),
    };
    let rows = inputs
        .iter()
        .map(|input| translated(context, input, to_immutable))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(200, json!({"value": rows})))
}

fn translated(context: &Context<'_>, input: &Value, to_immutable: bool) -> Result<Value, Refusal> {
    let source = input.as_str().unwrap_or_default();
    let ids = context.mailbox.ids;
    let number = match ids.read_item(source).ok_or_else(Refusal::malformed_id)? {
        ItemId::Immutable(number) | ItemId::Regular { item: number, .. } => number,
    };
    let folder = context.mailbox.contact(number)?.folder;
    let target = if to_immutable {
        ids.immutable(number)
    } else {
        ids.regular(number, folder)
    };
    Ok(json!({"sourceId": source, "targetId": target}))
}
