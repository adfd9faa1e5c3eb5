//! Which permissions a use of the mailbox needs, and which of them a sign-in lacks (graph-facts 7.4, 10.2).

/// What is wanted of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Nothing will be changed.
    pub read_only: bool,
    /// The mailbox is somebody else's.
    pub shared: bool,
    /// The mailbox's list of categories is wanted as well; everything else works without it.
    pub categories: bool,
}

/// The permission to tell who signed in.
const NAME: &str = "User.Read";
/// The permission to the mailbox's list of categories.
const CATEGORIES: &str = "MailboxSettings.Read";

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

    /// The permissions a sign-in asks for: that, the name of who signed in, and the list of categories if it is wanted.
    #[must_use]
    pub fn permissions(self) -> Vec<&'static str> {
        let categories = self.categories.then_some(CATEGORIES);
        [self.permission(), NAME]
            .into_iter()
            .chain(categories)
            .collect()
    }

    /// The same, and a sign-in that lasts.
    #[must_use]
    pub fn scopes(self) -> Vec<&'static str> {
        let mut scopes = self.permissions();
        scopes.insert(1, "offline_access");
        scopes
    }

    /// Whether a sign-in without this permission is of use all the same.
    #[must_use]
    pub fn can_do_without(scope: &str) -> bool {
        [NAME, CATEGORIES].iter().any(|name| scope.ends_with(name))
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
            .flat_map(|read_only| {
                [false, true].map(|shared| Self {
                    read_only,
                    shared,
                    categories: false,
                })
            })
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
        let wish = |read_only, shared| Wish {
            read_only,
            shared,
            categories: true,
        };
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
