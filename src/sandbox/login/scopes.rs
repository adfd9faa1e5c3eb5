//! The permissions that can be asked for, and which of them a person or administrator gives.

use super::Denied;

const KNOWN: [&str; 12] = [
    "Contacts.Read",
    "Contacts.ReadWrite",
    "Contacts.Read.Shared",
    "Contacts.ReadWrite.Shared",
    "MailboxSettings.Read",
    "MailboxSettings.ReadWrite",
    "User.Read",
    "User.ReadBasic.All",
    "offline_access",
    "openid",
    "profile",
    "email",
];

/// The short names of a `scope` parameter; `origin` is this service's own, which stands for Graph's.
pub(super) fn parse(scope: &str, origin: &str, tenant: &str) -> Result<Vec<String>, Denied> {
    let names: Option<Vec<String>> = scope
        .split_whitespace()
        .map(|name| known(name, origin, tenant))
        .collect();
    names
        .filter(|names| names.iter().any(|name| name.contains('.')))
        .ok_or_else(|| {
            Denied::new(
                "invalid_scope",
                70011,
                format!("The provided value for the input parameter 'scope' is not valid. The scope '{scope}' is not valid."),
            )
        })
}

/// Personal accounts share nothing (graph-facts 11).
fn known(name: &str, origin: &str, tenant: &str) -> Option<String> {
    let short = ["https://graph.microsoft.com", origin]
        .iter()
        .find_map(|resource| name.strip_prefix(resource)?.strip_prefix('/'))
        .unwrap_or(name);
    let offered = !(tenant == "consumers" && short.ends_with(".Shared"));
    KNOWN
        .iter()
        .find(|known| offered && known.eq_ignore_ascii_case(short))
        .map(|known| (*known).to_owned())
}

/// What is given of what was asked for; `grantable` limits it.
pub(super) fn given(asked: &[String], grantable: Option<&str>) -> Vec<String> {
    let may = |name: &&String| {
        !name.contains('.')
            || grantable.is_none_or(|list| list.split_whitespace().any(|one| one == *name))
    };
    asked.iter().filter(may).cloned().collect()
}
