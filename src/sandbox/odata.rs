//! The part of OData that contacts need: `$select`, `$expand`, `$filter`, `$orderby` and paging.
//!
//! Pure parsing: text in, options or a refusal out. What is not understood is refused rather than ignored, as the
//! service does for names that begin with `$`; other names are ignored.

use super::extended;
use super::http::Refusal;
use super::properties::is_selectable;

/// Largest `$top`.
const MAX_TOP: usize = 999;
/// Rows without `$top` (graph-facts 3.1).
const DEFAULT_TOP: usize = 10;

/// The options of one request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Options {
    pub(super) top: Option<usize>,
    pub(super) skip: usize,
    pub(super) select: Option<Vec<String>>,
    /// Canonical ids of extended properties to include.
    pub(super) expand: Vec<String>,
    pub(super) filter: Option<Filter>,
    pub(super) order: Option<Order>,
    pub(super) count: bool,
    pub(super) skip_token: Option<String>,
    pub(super) delta_token: Option<String>,
}

/// A condition on contacts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    /// The extended property of this canonical id has this value.
    Extended { id: String, value: String },
    /// Any e-mail address is this one.
    Email(String),
}

/// An order of rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) property: String,
    pub(super) descending: bool,
}

impl Options {
    /// Rows on a page of a list.
    pub(super) fn page(&self) -> usize {
        self.top.unwrap_or(DEFAULT_TOP)
    }
}

/// The pairs of a query in order, decoded.
pub(super) fn pairs(raw: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(raw.as_bytes())
        .into_owned()
        .collect()
}

/// Reads a query.
pub(super) fn parse(raw: &str) -> Result<Options, Refusal> {
    let mut options = Options::default();
    for (name, value) in pairs(raw) {
        match name.to_ascii_lowercase().as_str() {
            "$top" => options.top = Some(top(&value)?),
            "$skip" => options.skip = number(&name, &value)?,
            "$select" => options.select = Some(select(&value)?),
            "$expand" => options.expand = expand(&value)?,
            "$filter" => options.filter = Some(filter(&value)?),
            "$orderby" => options.order = Some(order(&value)?),
            "$count" => options.count = value.eq_ignore_ascii_case("true"),
            "$skiptoken" => options.skip_token = Some(value),
            "$deltatoken" => options.delta_token = Some(value),
            other if other.starts_with('$') => {
                return Err(Refusal::bad_request(format!(
                    "The query specified in the URI is not valid. The query parameter '{name}' is not supported."
                )));
            }
            _ => {}
        }
    }
    Ok(options)
}

fn number(name: &str, value: &str) -> Result<usize, Refusal> {
    value.parse().map_err(|_| {
        Refusal::bad_request(format!(
            "Invalid value '{value}' for {name} query option found."
        ))
    })
}

fn top(value: &str) -> Result<usize, Refusal> {
    match number("$top", value)? {
        top @ 1..=MAX_TOP => Ok(top),
        _ => Err(Refusal::bad_request(format!(
            "The limit of '{MAX_TOP}' for Top query has been exceeded. The value from the incoming request is '{value}'."
        ))),
    }
}

fn select(value: &str) -> Result<Vec<String>, Refusal> {
    let names = value
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names
        .map(|name| {
            if is_selectable(name) {
                Ok(name.to_owned())
            } else {
                Err(no_property(name))
            }
        })
        .collect()
}

fn no_property(name: &str) -> Refusal {
    Refusal::bad_request(format!(
        "Parsing OData Select and Expand failed: Could not find a property named '{name}' on type 'microsoft.graph.contact'."
    ))
}

/// `singleValueExtendedProperties($filter=id eq 'A' or id eq 'B')`; the ids must be named (graph-facts 6.2).
fn expand(value: &str) -> Result<Vec<String>, Refusal> {
    let ids = value
        .trim()
        .strip_prefix("singleValueExtendedProperties")
        .and_then(|rest| {
            rest.trim()
                .strip_prefix('(')?
                .strip_suffix(')')?
                .trim()
                .strip_prefix("$filter=")
        });
    let Some(ids) = ids else {
        return Err(Refusal::bad_request(format!(
            "Parsing OData Select and Expand failed: '{value}' cannot be expanded."
        )));
    };
    let mut scan = Scan::new(ids);
    let mut found = Vec::new();
    loop {
        let id = scan.words(&["id", "eq"]).and_then(|()| scan.literal());
        found.push(extended::canonical(&id.ok_or_else(|| bad_filter(ids))?)?);
        if scan.at_end() {
            return Ok(found);
        }
        scan.words(&["or"]).ok_or_else(|| bad_filter(ids))?;
    }
}

fn bad_filter(text: &str) -> Refusal {
    Refusal::bad_request(format!("Invalid filter clause: '{text}'."))
}

/// The two documented collection filters; anything else is refused (graph-facts 3.1).
fn filter(text: &str) -> Result<Filter, Refusal> {
    filter_extended(text)
        .or_else(|| filter_email(text))
        .ok_or_else(|| bad_filter(text))?
}

fn filter_extended(text: &str) -> Option<Result<Filter, Refusal>> {
    let (range, body) = lambda(text, "singleValueExtendedProperties")?;
    let mut scan = Scan::new(body);
    scan.words(&[&format!("{range}/id"), "eq"])?;
    let id = scan.literal()?;
    scan.words(&["and"])?;
    // A cast names the type of values that are not strings.
    scan.words(&[&format!("{range}/value"), "eq"])?;
    let value = scan.literal()?;
    scan.at_end()
        .then(|| extended::canonical(&id).map(|id| Filter::Extended { id, value }))
}

fn filter_email(text: &str) -> Option<Result<Filter, Refusal>> {
    let (range, body) = lambda(text, "emailAddresses")?;
    let mut scan = Scan::new(body);
    scan.words(&[&format!("{range}/address"), "eq"])?;
    let address = scan.literal()?;
    scan.at_end().then_some(Ok(Filter::Email(address)))
}

/// Splits `collection/any(x: body)` into `x` and `body`.
fn lambda<'t>(text: &'t str, collection: &str) -> Option<(&'t str, &'t str)> {
    let rest = text.trim().strip_prefix(collection)?.strip_prefix('/')?;
    let (any, rest) = rest.split_at_checked(3)?;
    let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (range, body) = inner.split_once(':')?;
    any.eq_ignore_ascii_case("any")
        .then_some((range.trim(), body))
}

fn order(value: &str) -> Result<Order, Refusal> {
    let mut words = value.split_whitespace();
    let property = words.next().unwrap_or_default().to_owned();
    let direction = words.next().unwrap_or("asc");
    let known = [
        "displayName",
        "givenName",
        "surname",
        "createdDateTime",
        "lastModifiedDateTime",
    ]
    .contains(&property.as_str());
    if known && matches!(direction, "asc" | "desc") && words.next().is_none() {
        Ok(Order {
            property,
            descending: direction == "desc",
        })
    } else {
        Err(Refusal::bad_request(format!(
            "The sort order '{value}' is not supported."
        )))
    }
}

/// Reads words and quoted literals one after the other.
struct Scan<'t> {
    rest: &'t str,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str) -> Self {
        Self { rest: text.trim() }
    }

    fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes these words, each followed by white space.
    fn words(&mut self, expected: &[&str]) -> Option<()> {
        for word in expected {
            let rest = self.rest.strip_prefix(word)?;
            self.rest = rest.trim_start();
            if self.rest.len() == rest.len() {
                return None;
            }
        }
        Some(())
    }

    /// Takes a literal in single quotes; a doubled quote stands for one.
    fn literal(&mut self) -> Option<String> {
        let body = self.rest.strip_prefix('\'')?;
        let mut text = String::new();
        let mut chars = body.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            if char != '\'' {
                text.push(char);
            } else if chars.next_if(|(_, next)| *next == '\'').is_some() {
                text.push('\'');
            } else {
                self.rest = body.get(at + 1..)?.trim_start();
                return Some(text);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expand_names_its_properties() {
        let options = parse("$expand=singleValueExtendedProperties($filter=id%20eq%20'String 0x3a24'%20or%20id eq 'String 0x3A25')").unwrap();
        assert_eq!(options.expand, ["String 0x3A24", "String 0x3A25"]);
        assert!(parse("$expand=singleValueExtendedProperties").is_err());
        assert!(parse("$expand=photo").is_err());
        assert_eq!(parse("expand=photo").unwrap(), Options::default());
    }

    #[test]
    fn filters_are_the_two_documented_ones() {
        let found = parse("$filter=singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x3A24' and ep/value eq 'it''s')").unwrap();
        assert_eq!(
            found.filter,
            Some(Filter::Extended {
                id: "String 0x3A24".into(),
                value: "it's".into()
            })
        );
        let found = parse("$filter=emailAddresses/any(a:a/address eq 'x@y.z')").unwrap();
        assert_eq!(found.filter, Some(Filter::Email("x@y.z".into())));
        assert!(parse("$filter=jobTitle eq 'x'").is_err());
    }

    #[test]
    fn unknown_names_are_refused_and_limits_kept() {
        assert!(
            parse("$select=id,phones")
                .unwrap_err()
                .message
                .contains("'phones'")
        );
        assert!(parse("$top=1000").is_err());
        assert!(parse("$top=0").is_err());
        assert!(parse("$search=x").is_err());
        assert_eq!(parse("$top=999&$skip=5").unwrap().page(), 999);
    }
}
