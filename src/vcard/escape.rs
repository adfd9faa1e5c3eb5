//! Escapes of values and parameters, in both directions.
//!
//! Values: RFC 6350 section 3.4; 3.0 (RFC 2426 section 5) has the same ones. Parameters: RFC 6868,
//! in both versions, since without it a quote or line break cannot be written at all.

/// Escapes text: `\`, line break, `,` and `;`.
pub(super) fn text(value: &str) -> String {
    escaped(value, |c| matches!(c, ',' | ';'))
}

/// Escapes a URI: only what would end or change the line, since `,` and `;` are its own.
pub(super) fn uri(value: &str) -> String {
    escaped(value, |_| false)
}

/// The text an escaped value stands for. A backslash that escapes nothing, as in `C:\temp`, stands for itself.
pub(super) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) if other.is_alphanumeric() => out.extend(['\\', other]),
                other => out.push(other.unwrap_or('\\')),
            },
            _ => out.push(c),
        }
    }
    out
}

/// The parts of a structured value, still escaped: cut at each bare `separator`.
pub(super) fn split(raw: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    raw.split(|c| {
        let cut = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
    .collect()
}

/// A parameter value, quoted when it must be.
pub(super) fn param(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    for c in value.chars() {
        match c {
            '^' => out.push_str("^^"),
            '"' => out.push_str("^'"),
            '\n' => out.push_str("^n"),
            _ => out.push(c),
        }
    }
    let quote = out.contains([',', ';', ':', ' ', '^']);
    if quote { format!("\"{out}\"") } else { out }
}

/// The text a parameter value stands for, its quotes taken off.
pub(super) fn unescape_param(raw: &str) -> String {
    let inner = raw
        .strip_prefix('"')
        .and_then(|raw| raw.strip_suffix('"'))
        .unwrap_or(raw);
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('^') {
        out.push_str(before);
        let (stands_for, skip) = match after.chars().next() {
            Some('n') => ('\n', 1),
            Some('^') => ('^', 1),
            Some('\'') => ('"', 1),
            _ => ('^', 0),
        };
        out.push(stands_for);
        rest = after.get(skip..).unwrap_or("");
    }
    out + rest
}

fn escaped(value: &str, separator: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if separator(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits_at_bare_separators_only() {
        assert_eq!(split(r"a\;b;c\\;;", ';'), [r"a\;b", r"c\\", "", ""]);
    }

    #[test]
    fn liberal_in_what_it_reads() {
        assert_eq!(unescape(r"a\Nb\:c\"), "a\nb:c\\");
        assert_eq!(unescape(r"C:\temp\1\\x\,"), r"C:\temp\1\x,");
        assert_eq!(unescape_param("a^b^"), "a^b^");
        assert_eq!(unescape_param("\"x"), "\"x");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_escaped_reads_back(value in "(\\PC|[\\\\,;:^\"n\n\t]){0,40}") {
            prop_assert_eq!(unescape(&text(&value)), value.as_str());
            prop_assert_eq!(unescape(&uri(&value)), value.as_str());
            prop_assert_eq!(unescape_param(&param(&value)), value.as_str());
            prop_assert_eq!(split(&text(&value), ';').len(), 1);
        }
    }
}
