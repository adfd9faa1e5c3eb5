//! Turning any text into one safe path component (behaviour 1.3).

/// Replaces what a path component must not hold and cuts to `max` bytes on a character boundary.
///
/// `/` becomes U+2215, controls are dropped, a leading `.` becomes U+2024. Trailing spaces and dots
/// stay: Linux allows them, and dropping them would make two names collide.
pub(super) fn component(text: &str, max: usize) -> String {
    let mut name: String = text
        .chars()
        .filter(|c| !c.is_control())
        .map(without_slash)
        .collect();
    if let Some(rest) = name.strip_prefix('.') {
        name = format!("\u{2024}{rest}");
    }
    cut(&name, max).to_owned()
}

/// The longest beginning of `text` of at most `max` bytes that ends on a character boundary.
pub(super) fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or("")
}

fn without_slash(c: char) -> char {
    if c == '/' { '\u{2215}' } else { c }
}
