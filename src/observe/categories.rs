//! The categories of a mailbox's contacts, as serialisable values. The JSON keys are stable, as those of `status`.

use serde::{Deserialize, Serialize};

/// One category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Its colour in the mailbox's list, `none` for one without; `None` when it is not in that list, or that is unknown.
    pub color: Option<String>,
    /// How many contacts have it.
    pub contacts: usize,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories {
    /// Those of the mailbox's list in its order, then others by name.
    pub categories: Vec<Category>,
    /// Why the mailbox's list is not known, if it is not; one sentence.
    pub problem: Option<String>,
}

/// What Outlook calls the colours it numbers (graph-facts 7.1).
const COLORS: [&str; 25] = [
    "red",
    "orange",
    "brown",
    "yellow",
    "green",
    "teal",
    "olive",
    "blue",
    "purple",
    "cranberry",
    "steel",
    "dark steel",
    "gray",
    "dark gray",
    "black",
    "dark red",
    "dark orange",
    "dark brown",
    "dark yellow",
    "dark green",
    "dark teal",
    "dark olive",
    "dark blue",
    "dark purple",
    "dark cranberry",
];

impl Categories {
    /// Puts the mailbox's list, name and colour, and the names that contacts have together. Outlook takes names that
    /// differ in case for the same.
    #[must_use]
    pub fn of(listed: &[(String, String)], mut used: Vec<(String, usize)>) -> Self {
        let mut categories = Vec::with_capacity(listed.len() + used.len());
        for (name, color) in listed {
            let (mine, others): (Vec<_>, Vec<_>) = used
                .into_iter()
                .partition(|(other, _)| other.to_lowercase() == name.to_lowercase());
            used = others;
            categories.push(Category {
                name: name.clone(),
                color: Some(word(color)),
                contacts: mine.iter().map(|(_, contacts)| contacts).sum(),
            });
        }
        used.sort();
        categories.extend(used.into_iter().map(|(name, contacts)| Category {
            name,
            color: None,
            contacts,
        }));
        Self {
            categories,
            problem: None,
        }
    }
}

/// An unknown colour is shown as the service calls it.
fn word(color: &str) -> String {
    let number = color
        .strip_prefix("preset")
        .and_then(|number| number.parse().ok());
    let word = number.and_then(|number: usize| COLORS.get(number));
    word.map_or(color, |word| *word).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_and_the_contacts_meet() {
        let text = str::to_owned;
        let listed = [
            (text("Red"), text("preset0")),
            (text("Plain"), text("none")),
            (text("Last"), text("preset24")),
        ];
        let used = vec![
            (text("zoo"), 1),
            (text("red"), 2),
            (text("Red"), 3),
            (text("a"), 4),
        ];
        let found = Categories::of(&listed, used).categories;
        let found: Vec<_> = found
            .iter()
            .map(|row| (row.name.as_str(), row.color.as_deref(), row.contacts))
            .collect();
        let expected = [
            ("Red", Some("red"), 5),
            ("Plain", Some("none"), 0),
            ("Last", Some("dark cranberry"), 0),
            ("a", None, 4),
            ("zoo", None, 1),
        ];
        assert_eq!(found, expected);
        assert_eq!(word("preset99"), "preset99");
    }
}
