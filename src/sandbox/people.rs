//! The people of the sandbox's directory, and whose contacts each may see (graph-facts 7.3).

use super::http::Refusal;

/// A user.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) id: &'static str,
    pub(super) upn: &'static str,
    pub(super) name: &'static str,
    pub(super) home: Home,
}

/// What stands behind a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// The mailbox that is seeded and served by default.
    Main,
    /// A second mailbox, shared with everybody of the directory.
    Shared,
    /// A mailbox that its owner shares with nobody, and that no application may enter.
    Closed,
    /// No mailbox: a user without a licence.
    Nothing,
}

/// Whose mailbox it is unless told otherwise.
pub(super) const ALEX: &Person = &Person {
    id: "5a4db0f5-0000-4000-8000-c0ffee000003",
    upn: "alex.sandberg@sandbox.example",
    name: "Alex Sandberg",
    home: Home::Main,
};

/// Who shares contacts.
pub(super) const ROBIN: &Person = &Person {
    id: "5a4db0f5-0000-4000-8000-c0ffee000004",
    upn: "robin.fjord@sandbox.example",
    name: "Robin Fjord",
    home: Home::Shared,
};

const OTHERS: [&Person; 2] = [
    &Person {
        id: "5a4db0f5-0000-4000-8000-c0ffee000005",
        upn: "casey.closed@sandbox.example",
        name: "Casey Closed",
        home: Home::Closed,
    },
    &Person {
        id: "5a4db0f5-0000-4000-8000-c0ffee000006",
        upn: "mo.nobox@sandbox.example",
        name: "Mo Nobox",
        home: Home::Nothing,
    },
];

/// The user with this id or principal name.
pub(super) fn find(name: &str) -> Option<&'static Person> {
    let everybody = [ALEX, ROBIN].into_iter().chain(OTHERS);
    everybody
        .into_iter()
        .find(|person| person.id == name || person.upn.eq_ignore_ascii_case(name))
}

/// As [`find`], refused as the service does for a stranger.
pub(super) fn addressed(name: &str) -> Result<&'static Person, Refusal> {
    find(name).ok_or_else(|| {
        Refusal::new(
            404,
            "ErrorInvalidUser",
            format!("The requested user '{name}' is invalid."),
        )
    })
}
