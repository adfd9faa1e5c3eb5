//! What is known of a contact as extended attributes of its file, to be read only (behaviour 1.8).

use std::ffi::OsStr;

use fuser::{Errno, ReplyXattr};

use crate::tree::About;

const PREFIX: &str = "user.contactfs.";

/// The attributes that a file has, with their values.
fn all(about: &About) -> [(&'static str, Option<String>); 5] {
    [
        ("id", about.id.as_ref().map(ToString::to_string)),
        (
            "changekey",
            about.change_key.as_ref().map(ToString::to_string),
        ),
        (
            "created",
            about
                .created
                .map(|created| created.to_timestamp().to_string()),
        ),
        ("state", Some(about.state.to_owned())),
        ("error", about.error.clone()),
    ]
}

/// The value of one attribute.
pub(super) fn value(about: &About, name: &OsStr) -> Option<String> {
    let wanted = name.to_str()?.strip_prefix(PREFIX)?;
    let mut attributes = all(about).into_iter();
    attributes.find(|(name, _)| *name == wanted)?.1
}

/// The names of all attributes a file has, each ended by a NUL.
pub(super) fn names(about: &About) -> Vec<u8> {
    let present = all(about).into_iter().filter(|(_, value)| value.is_some());
    present
        .flat_map(|(name, _)| format!("{PREFIX}{name}\0").into_bytes())
        .collect()
}

/// Answers with the bytes, or with their number when that is what was asked.
pub(super) fn answer(bytes: &[u8], size: u32, reply: ReplyXattr) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    match size {
        0 => reply.size(length),
        size if size < length => reply.error(Errno::ERANGE),
        _ => reply.data(bytes),
    }
}
