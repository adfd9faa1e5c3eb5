//! One logical line of a card: `group.NAME;PARAM=value:VALUE`.

use std::fmt::Write;

use ::vcard::tree::leaf::VcardLeaf;
use ::vcard::tree::line::VcardLine;
use ::vcard::tree::param::node::VcardParamNode;
use ::vcard::tree::wire::VcardWire;

use super::{escape, scan};

/// Comes behind every preference.
pub(super) const NO_PREFERENCE: u8 = 101;

/// An unfolded line, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// The prefix that ties lines together, as written.
    pub(super) group: Option<String>,
    /// The name, upper case.
    pub(super) name: String,
    /// The parameters in the order written.
    pub(super) params: Vec<Param>,
    /// The value, still escaped.
    pub(super) value: String,
    /// The whole line as written, unfolded.
    pub(super) raw: String,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Param {
    /// The name, upper case.
    pub(super) name: String,
    /// The values, their quotes and escapes taken off.
    pub(super) values: Vec<String>,
}

impl Line {
    /// A line of ours; its raw text is the canonical one.
    pub(super) fn new(name: &str, params: Vec<Param>, value: String) -> Self {
        let mut line = Self {
            name: name.to_owned(),
            params,
            value,
            ..Self::default()
        };
        line.write_raw();
        line
    }

    /// Takes a kept line apart; `None` when it is none.
    pub(super) fn parse(raw: &str) -> Option<Self> {
        VcardLine::take(raw.as_bytes())
            .ok()
            .map(|(line, _)| Self::from(line))
    }

    /// Writes `raw` anew after the parts were changed.
    pub(super) fn write_raw(&mut self) {
        let mut raw = String::with_capacity(self.name.len() + self.value.len() + 32);
        if let Some(group) = &self.group {
            raw.push_str(group);
            raw.push('.');
        }
        raw.push_str(&self.name);
        for param in &self.params {
            let values: Vec<String> = param
                .values
                .iter()
                .map(|value| escape::param(value))
                .collect();
            let _infallible = write!(raw, ";{}={}", param.name, values.join(","));
        }
        raw.push(':');
        raw.push_str(&self.value);
        self.raw = raw;
    }

    /// The values of all parameters of a name.
    pub(super) fn param(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.params.iter().filter(move |param| param.name == name);
        of_name.flat_map(|param| param.values.iter().map(String::as_str))
    }

    /// The values of TYPE, lower case. `TYPE="work,home"` is read as two, as most programs mean it.
    pub(super) fn types(&self) -> Vec<String> {
        self.param("TYPE")
            .flat_map(|value| value.split(','))
            .map(str::to_ascii_lowercase)
            .collect()
    }

    /// Whether VALUE names this kind of value.
    pub(super) fn is_value(&self, kind: &str) -> bool {
        self.param("VALUE")
            .any(|value| value.eq_ignore_ascii_case(kind))
    }

    /// Whether the line tells when a contact was made or changed: only the service knows (vcard-mapping 2).
    pub(super) fn is_time(&self) -> bool {
        matches!(self.name.as_str(), "REV" | "CREATED")
    }

    /// Whether it makes the card one of a group of contacts.
    pub(super) fn is_group(&self) -> bool {
        matches!(self.name.as_str(), "KIND" | "X-ADDRESSBOOKSERVER-KIND")
            && self.value.trim().eq_ignore_ascii_case("group")
    }

    /// The value as one text.
    pub(super) fn text(&self) -> String {
        escape::unescape(&self.value)
    }

    /// The preference, 1 to 100, lower is better; [`NO_PREFERENCE`] when none is given. A 3.0 `TYPE=pref` is 1.
    pub(super) fn preference(&self) -> u8 {
        let stated = self.param("PREF").find_map(|value| value.parse().ok());
        let preferred = || self.types().iter().any(|kind| kind == "pref").then_some(1);
        stated.or_else(preferred).unwrap_or(NO_PREFERENCE)
    }
}

impl From<VcardLine<'_>> for Line {
    fn from(mut line: VcardLine<'_>) -> Self {
        line.wire = VcardWire::default();
        line.eol = VcardLeaf::from("");
        Self {
            group: line.group().map(str::to_owned),
            name: line.bare_name().to_ascii_uppercase(),
            params: line.params.iter().map(Param::from).collect(),
            value: line.value.to_string(),
            raw: line.to_string(),
        }
    }
}

impl Param {
    pub(super) fn new(name: &str, values: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            values: values.iter().map(|&value| value.to_owned()).collect(),
        }
    }
}

impl From<&VcardParamNode<'_>> for Param {
    /// A parameter without a name is a TYPE: vCard 2.1 writes `TEL;HOME;VOICE:`.
    fn from(node: &VcardParamNode<'_>) -> Self {
        let name = node.name.get();
        if node.values.is_empty() {
            return Self::new("TYPE", &[name]);
        }
        let values = node
            .values
            .iter()
            .map(|value| escape::unescape_param(value.get()))
            .collect();
        Self {
            name: name.to_ascii_uppercase(),
            values,
        }
    }
}

/// A kept line that prefers itself to no other.
pub(super) fn without_preference(raw: &str) -> String {
    let Some(mut line) = Line::parse(raw) else {
        return raw.to_owned();
    };
    for param in line.params.iter_mut().filter(|param| param.name == "TYPE") {
        param
            .values
            .retain(|kind| !kind.eq_ignore_ascii_case("pref"));
    }
    line.params
        .retain(|param| param.name != "PREF" && !param.values.is_empty());
    line.write_raw();
    line.raw
}

/// Whether a kept line can stand in a card: what somebody else left in the residue need not be one.
pub(super) fn is_presentable(raw: &str) -> bool {
    let is_whole = |line: &Line| {
        let is_mark = scan::is_mark(line, "BEGIN") || scan::is_mark(line, "END");
        let is_read = !is_mark && !line.is_group() && !line.is_time();
        let is_named = line.raw == raw && scan::is_name(&line.name);
        // A fold in such a line would be taken for one of its own.
        let mut encodings = line.param("ENCODING");
        let is_quoted = encodings.any(|name| name.eq_ignore_ascii_case("QUOTED-PRINTABLE"));
        is_named && is_read && !is_quoted
    };
    let is_odd = |c: char| c.is_control() && c != '\t';
    !raw.contains(is_odd) && Line::parse(raw).as_ref().is_some_and(is_whole)
}

/// The value of a kept line that is a UID.
pub(super) fn uid_of(raw: &str) -> Option<String> {
    if !is_uid(raw) {
        return None;
    }
    Line::parse(raw).map(|line| line.text())
}

/// Whether a kept line is a UID.
pub(super) fn is_uid(raw: &str) -> bool {
    is_named(raw, "UID")
}

/// Whether a kept line is a PHOTO.
pub(super) fn is_photo(raw: &str) -> bool {
    is_named(raw, "PHOTO")
}

fn is_named(raw: &str, wanted: &str) -> bool {
    let head = raw.split([':', ';']).next().unwrap_or(raw);
    head.rsplit('.')
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_line_apart() {
        let line = Line::parse("item1.tel;HOME;type=\"work,VOICE\";X-A=\"b;c:^n\":+1\\;2").unwrap();
        assert_eq!(line.group.as_deref(), Some("item1"));
        assert_eq!(line.name, "TEL");
        assert_eq!(line.types(), ["home", "work", "voice"]);
        assert_eq!(line.param("X-A").collect::<Vec<_>>(), ["b;c:\n"]);
        assert_eq!(line.text(), "+1;2");
        assert!(line.raw.starts_with("item1.tel;HOME;"));
    }

    #[test]
    fn preference_of_both_versions() {
        let of = |raw| Line::parse(raw).unwrap().preference();
        assert_eq!(of("EMAIL;PREF=7:a"), 7);
        assert_eq!(of("EMAIL;TYPE=INTERNET,PREF:a"), 1);
        assert_eq!(of("EMAIL:a"), 101);
    }

    #[test]
    fn finds_uids() {
        assert_eq!(uid_of("uid:a\\,b").as_deref(), Some("a,b"));
        assert_eq!(uid_of("item1.UID;X=1:u").as_deref(), Some("u"));
        assert_eq!(uid_of("X-UID:u"), None);
    }
}
