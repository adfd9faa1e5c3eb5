//! Requests on the picture of a contact (graph-facts 5): one size, and no removal unless that is switched on.

use serde_json::json;

use super::contacts::Context;
use super::http::{Refusal, Reply};
use super::ids::{Number, mix_text};
use super::mailbox::Photo;

const MAX_BYTES: usize = 4 * 1024 * 1024;

/// `GET .../photo`.
pub(super) fn metadata(context: &Context<'_>, number: Number) -> Result<Reply, Refusal> {
    let photo = photo(context, number)?;
    let etag = photo.bytes.chunks(64).fold(0, |tag, chunk| {
        mix_text(tag, &String::from_utf8_lossy(chunk))
    });
    Ok(Reply::json(
        200,
        json!({
            "@odata.context": format!("{}/$metadata#users('{}')/contacts/photo/$entity", context.base, context.owner),
            "@odata.mediaContentType": photo.kind,
            "@odata.mediaEtag": format!("\"{etag:016X}\""),
            "id": "240X240",
            "width": 240,
            "height": 240,
        }),
    ))
}

/// `GET .../photo/$value`.
pub(super) fn read(context: &Context<'_>, number: Number) -> Result<Reply, Refusal> {
    let photo = photo(context, number)?;
    Ok(Reply::bytes(&photo.kind, photo.bytes.clone()))
}

/// `PUT` or `PATCH .../photo/$value`; a new picture is a new change key (graph-facts 3.2).
pub(super) fn write(context: &mut Context<'_>, number: Number) -> Result<Reply, Refusal> {
    let kind = context
        .request
        .header("content-type")
        .unwrap_or_default()
        .to_owned();
    let mut bytes = context.request.body.clone();
    if !context.switches.takes_photos {
        return Err(Refusal::new(
            403,
            "ErrorAccessDenied",
            "Access is denied. Check credentials and try again.",
        ));
    }
    if !kind.to_ascii_lowercase().starts_with("image/") {
        return Err(Refusal::new(
            415,
            "ErrorInvalidContentType",
            "A picture must be sent with an image content type.",
        ));
    }
    // Whether an empty picture removes one is not known, so it does not.
    if bytes.is_empty() {
        return Err(Refusal::bad_request("The picture is empty."));
    }
    if bytes.len() >= MAX_BYTES {
        return Err(Refusal::new(
            413,
            "ErrorMessageSizeExceeded",
            "The picture is too large.",
        ));
    }
    if context.switches.encodes_photos {
        bytes.extend_from_slice(b"encoded anew");
    }
    context.mailbox.change_contact(number, |contact| {
        contact.photo = Some(Photo { kind, bytes });
    });
    Ok(Reply::empty(200))
}

/// `DELETE .../photo/$value`.
pub(super) fn remove(context: &mut Context<'_>, number: Number) -> Result<Reply, Refusal> {
    if !context.switches.removes_photos {
        return Err(Refusal::not_supported());
    }
    photo(context, number)?;
    context
        .mailbox
        .change_contact(number, |contact| contact.photo = None);
    Ok(Reply::empty(204))
}

/// No picture looks like no contact: same status, same code.
fn photo<'a>(context: &'a Context<'_>, number: Number) -> Result<&'a Photo, Refusal> {
    context
        .mailbox
        .contact(number)?
        .photo
        .as_ref()
        .ok_or_else(Refusal::item_not_found)
}
