//! Which permissions a use of the mailbox needs, and which of them a sign-in lacks (graph-facts 7.4, 10.2).

/// What is wanted of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Nothing will be changed.
    pub read_only: bool,
    /// The mailbox is somebody else's.
    pub shared: bool,
}

impl Wish {
    /// The permission it needs.
    #[must_use]
    pub fn permission(self) -> &'static str {
        match (self.read_only, self.shared) {
            (false, false) => "Contacts.ReadWrite",
            (true, false) => "Contacts.Read",
            (false, true) => "Contacts.ReadWrite.Shared",
            (true, true) => "Contacts.Read.Shared",
        }
    }

    /// What a sign-in asks for: that, a sign-in that lasts, and the name of who signed in.
    #[must_use]
    pub fn scopes(self) -> [&'static str; 3] {
        [self.permission(), "offline_access", "User.Read"]
    }

    /// The permission that is missing from those given, if it is. One to write is one to read, and one for what others
    /// share is one for one's own.
    #[must_use]
    pub fn missing(self, given: &str) -> Option<&'static str> {
        let has = |name: &str| {
            let short = |scope: &str| scope.rsplit('/').next().unwrap_or(scope).to_owned();
            given
                .split_whitespace()
                .any(|scope| short(scope).eq_ignore_ascii_case(name))
        };
        let enough = [false, true]
            .into_iter()
            .flat_map(|read_only| [false, true].map(|shared| Self { read_only, shared }))
            .filter(|other| (self.read_only || !other.read_only) && (!self.shared || other.shared));
        let given = enough.into_iter().any(|other| has(other.permission()));
        (!given).then(|| self.permission())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greater_permission_includes_a_smaller_one() {
        let wish = |read_only, shared| Wish { read_only, shared };
        let given = "https://graph.microsoft.com/contacts.readwrite openid User.Read";
        assert_eq!(wish(false, false).missing(given), None);
        assert_eq!(wish(true, false).missing(given), None);
        assert_eq!(
            wish(true, true).missing(given),
            Some("Contacts.Read.Shared")
        );
        assert_eq!(
            wish(false, true).missing(given),
            Some("Contacts.ReadWrite.Shared")
        );
        assert_eq!(
            wish(false, false).missing("Contacts.Read"),
            Some("Contacts.ReadWrite")
        );
        assert_eq!(wish(true, false).missing("Contacts.ReadWrite.Shared"), None);
        assert_eq!(wish(true, false).missing(""), Some("Contacts.Read"));
    }
}
