//! Which service and which mailbox, and how ids and links become URLs.
//!
//! The only place that builds or follows a URL, hence the only guard against sending the token elsewhere (behaviour 8.1,
//! graph-facts 10.10).

use url::{Position, Url};

use super::Error;
use crate::auth::web;

/// A Graph service root and a mailbox in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The versioned root, such as `https://graph.microsoft.com/v1.0`.
    pub graph_url: Url,
    /// Whose contacts.
    pub mailbox: Mailbox,
}

/// Whose contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailbox {
    /// The signed-in user's own (`/me`).
    Me,
    /// A user id or principal name (`/users/{id}`): shared mailboxes and application sign-in.
    User(String),
}

impl Endpoint {
    /// Takes a service root.
    ///
    /// # Errors
    /// [`Error::Config`] unless the URL is https, or plain http on loopback, and for an empty user.
    pub fn new(graph_url: Url, mailbox: Mailbox) -> Result<Self, Error> {
        let endpoint = Self { graph_url, mailbox };
        endpoint.check()?;
        Ok(endpoint)
    }

    /// Repeats the checks of [`new`](Self::new), for the fields are public.
    pub(super) fn check(&self) -> Result<(), Error> {
        if !web::may_carry_secrets(&self.graph_url) {
            return Err(config(
                "the Graph URL must be https (plain http only on loopback)",
            ));
        }
        if self.graph_url.query().is_some() || self.graph_url.fragment().is_some() {
            return Err(config("the Graph URL must not carry a query"));
        }
        if self.mailbox == Mailbox::User(String::new()) {
            return Err(config("the mailbox is empty"));
        }
        Ok(())
    }

    /// The path of something in the mailbox, relative to the service root: `/me/contacts/...`.
    pub(super) fn path(&self, rest: &str) -> String {
        match &self.mailbox {
            Mailbox::Me => format!("/me{rest}"),
            Mailbox::User(user) => format!("/users/{}{rest}", escape(user)),
        }
    }

    /// The absolute URL of a relative path.
    pub(super) fn absolute(&self, target: &str) -> Result<Url, Error> {
        let root = self.graph_url.as_str().trim_end_matches('/');
        Url::parse(&format!("{root}{target}"))
            .map_err(|error| config(&format!("the Graph URL: {error}")))
    }

    /// The path and query of a link the service sent, relative to the service root, if it stays below it.
    ///
    /// # Errors
    /// [`Error::ForeignOrigin`] for another scheme, host, port, path or user.
    pub(super) fn relative(&self, link: &str) -> Result<String, Error> {
        let url = Url::parse(link).map_err(|_| Error::Malformed {
            what: "a link is no URL",
        })?;
        let foreign = || Error::ForeignOrigin {
            origin: url.origin().ascii_serialization(),
        };
        if url.origin() != self.graph_url.origin() || !web::may_carry_secrets(&url) {
            return Err(foreign());
        }
        let root = self.graph_url.path().trim_end_matches('/');
        let rest = url
            .path()
            .strip_prefix(root)
            .filter(|rest| rest.starts_with('/'))
            .ok_or_else(foreign)?;
        Ok(format!(
            "{rest}{}",
            &url[Position::AfterPath..Position::AfterQuery]
        ))
    }
}

/// An id as a path segment: as it is, but for what would end the segment (graph-facts 3.3; `=` must stay).
///
/// # Errors
/// [`Error::Refused`] for an id that would make another path of it: an empty one is a call on the whole collection (trap 23).
pub(super) fn segment(id: &str) -> Result<String, Error> {
    if matches!(id, "" | "." | "..") {
        return Err(Error::Refused {
            code: "EmptyId".to_owned(),
            message: "an id is empty".to_owned(),
        });
    }
    Ok(escape(id))
}

/// Text as a query value; quotes of OData strings are the caller's.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~=,;:@!*()".contains(&byte) {
            escaped.push(char::from(byte));
        } else if write!(escaped, "%{byte:02X}").is_err() {
            return escaped;
        }
    }
    escaped
}

fn config(reason: &str) -> Error {
    Error::Config {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(root: &str, mailbox: Mailbox) -> Endpoint {
        Endpoint::new(Url::parse(root).unwrap(), mailbox).unwrap()
    }

    #[test]
    fn plain_http_off_loopback_is_refused() {
        let refused = Endpoint::new(
            Url::parse("http://graph.microsoft.com/v1.0").unwrap(),
            Mailbox::Me,
        );
        assert!(matches!(refused, Err(Error::Config { .. })));
    }

    #[test]
    fn ids_keep_their_equals_sign() {
        assert_eq!(segment("AAMk-_=").unwrap(), "AAMk-_=");
        assert_eq!(
            segment("a/b+c%d?e#f g\\").unwrap(),
            "a%2Fb%2Bc%25d%3Fe%23f%20g%5C"
        );
        for id in ["", ".", ".."] {
            assert!(segment(id).is_err(), "{id:?}");
        }
    }

    #[test]
    fn principal_names_are_escaped() {
        let endpoint = endpoint(
            "https://graph.microsoft.com/v1.0/",
            Mailbox::User("o'neil$@example.com".to_owned()),
        );
        let url = endpoint.absolute(&endpoint.path("/contacts")).unwrap();
        assert_eq!(
            url.as_str(),
            "https://graph.microsoft.com/v1.0/users/o%27neil%24@example.com/contacts"
        );
    }

    #[test]
    fn links_stay_below_the_root() {
        let endpoint = endpoint("https://graph.microsoft.com/v1.0", Mailbox::Me);
        let link = "https://graph.microsoft.com/v1.0/me/contacts/delta?$deltatoken=a_b-c";
        assert_eq!(
            endpoint.relative(link).unwrap(),
            "/me/contacts/delta?$deltatoken=a_b-c"
        );
        for foreign in [
            "https://evil.example/v1.0/me/contacts",
            "http://graph.microsoft.com/v1.0/me/contacts",
            "https://graph.microsoft.com:444/v1.0/me/contacts",
            "https://graph.microsoft.com.evil.example/v1.0/me",
            "https://user@graph.microsoft.com/v1.0/me/contacts",
            "https://graph.microsoft.com/beta/me/contacts",
            "https://graph.microsoft.com/v1.0/../beta/me",
            "https://graph.microsoft.com/v1.0x/me",
        ] {
            assert!(
                matches!(endpoint.relative(foreign), Err(Error::ForeignOrigin { .. })),
                "{foreign}"
            );
        }
        assert!(matches!(
            endpoint.relative("/me/contacts"),
            Err(Error::Malformed { .. })
        ));
    }
}
