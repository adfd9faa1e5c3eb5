//! Between Graph's JSON and the model; the only place that knows the service's shapes.
//!
//! Reading is tolerant: null, `""`, `{}`, `[]` and missing are all unset, a value of the wrong type is unset and logged by
//! property name, unknown members are ignored, sizes are bounded (graph-facts 1.3, behaviour 8.4). Writing is strict: only
//! what is meant (trap 12).

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(super) use read::{
    Source, clean, day, delta_page, error, folder, folders, local_day, next_link, parent, rows,
    snapshot, version, versions,
};
pub(super) use write::{create_body, folder_body, plain, update_body};

/// What the service said in an error body; both empty when it said nothing readable.
#[derive(Debug, Default)]
pub(super) struct ServiceError {
    /// The code, to be compared without case.
    pub(super) code: String,
    /// The inner code, if any.
    pub(super) inner: String,
    /// The text, for people only; shortened.
    pub(super) message: String,
}
