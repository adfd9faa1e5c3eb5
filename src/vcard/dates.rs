//! Birthdays and anniversaries: which spellings are a calendar day (vcard-mapping 5).

use jiff::civil::Date;

use super::Version;
use super::line::{Line, Param};

/// Stands for "no year": a leap year inside Exchange's date range, and the one Apple devices use.
pub(super) const NO_YEAR: i16 = 1604;
/// Exchange's dates begin here; earlier ones would be refused.
const FIRST_YEAR: i16 = 1601;
const OMIT_YEAR: &str = "X-APPLE-OMIT-YEAR";

/// The day a line names; `None` when it is no full day, or not Gregorian.
pub(super) fn day(line: &Line) -> Option<Date> {
    let gregorian = line
        .param("CALSCALE")
        .all(|scale| scale.eq_ignore_ascii_case("gregorian"));
    if !gregorian || line.is_value("text") {
        return None;
    }
    let value = line.text();
    let (date, _) = value.split_once(['T', 't']).unwrap_or((&value, ""));
    match date.strip_prefix("--") {
        Some(rest) => yearless(rest),
        None => full(date),
    }
}

/// Whether the line leaves the year out.
pub(super) fn omits_year(line: &Line) -> bool {
    line.value.starts_with("--")
        || line
            .param(OMIT_YEAR)
            .any(|year| line.value.starts_with(year))
}

/// Whether the line says more than a day.
pub(super) fn has_time(line: &Line) -> bool {
    line.value.contains(['T', 't'])
}

/// The canonical line of that name.
pub(super) fn line(name: &str, date: Date, version: Version) -> Line {
    let (year, month, day) = (date.year(), date.month(), date.day());
    match version {
        Version::V4 if year == NO_YEAR => Line::new(name, vec![], format!("--{month:02}{day:02}")),
        Version::V4 => Line::new(name, vec![], format!("{year:04}{month:02}{day:02}")),
        Version::V3 => {
            let omit = (year == NO_YEAR).then(|| Param::new(OMIT_YEAR, &[&NO_YEAR.to_string()]));
            Line::new(
                name,
                omit.into_iter().collect(),
                format!("{year:04}-{month:02}-{day:02}"),
            )
        }
    }
}

fn yearless(rest: &str) -> Option<Date> {
    let digits = digits(rest)?;
    let (month, day) = digits.split_at_checked(2)?;
    Date::new(NO_YEAR, number(month)?, number(day)?).ok()
}

fn full(text: &str) -> Option<Date> {
    let digits = digits(text)?;
    let (year, rest) = digits.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let year = year.parse().ok().filter(|year| *year >= FIRST_YEAR)?;
    Date::new(year, number(month)?, number(day)?).ok()
}

/// The digits of a date in basic or extended form.
fn digits(text: &str) -> Option<String> {
    let digits = text.replace('-', "");
    let form = match (text.len(), digits.len()) {
        (8, 8) | (4, 4) => true,
        (10, 8) => text.get(4..5) == Some("-") && text.get(7..8) == Some("-"),
        (5, 4) => text.get(2..3) == Some("-"),
        _ => false,
    };
    (form && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

fn number(two_digits: &str) -> Option<i8> {
    (two_digits.len() == 2)
        .then(|| two_digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Option<String> {
        day(&Line::parse(raw).unwrap()).map(|date| date.to_string())
    }

    #[test]
    fn full_days() {
        for raw in [
            "BDAY:19850412",
            "BDAY:1985-04-12",
            "BDAY;VALUE=date:1985-04-12",
            "BDAY:19850412T0310Z",
        ] {
            assert_eq!(read(raw).as_deref(), Some("1985-04-12"), "{raw}");
        }
        assert_eq!(read("BDAY:1604-04-12").as_deref(), Some("1604-04-12"));
    }

    #[test]
    fn days_without_a_year() {
        for raw in [
            "BDAY:--0412",
            "BDAY:--04-12",
            "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12",
        ] {
            assert_eq!(read(raw).as_deref(), Some("1604-04-12"), "{raw}");
            assert!(omits_year(&Line::parse(raw).unwrap()), "{raw}");
        }
        assert_eq!(read("BDAY:--0229").as_deref(), Some("1604-02-29"));
        assert!(!omits_year(&Line::parse("BDAY:16040412").unwrap()));
    }

    #[test]
    fn what_is_no_day() {
        for raw in [
            "BDAY:1985",
            "BDAY:1985-04",
            "BDAY:---12",
            "BDAY;VALUE=text:circa 1800",
            "BDAY:1985-0412",
            "BDAY:",
            "BDAY;CALSCALE=hebrew:57450412",
            "BDAY:19851345",
            "BDAY:1500-01-01",
            "BDAY:१९८५0412",
            "BDAY:--4-12",
            "BDAY:12-04-1985",
        ] {
            assert_eq!(read(raw), None, "{raw}");
        }
    }

    #[test]
    fn canonical_forms() {
        let date = Date::constant(1985, 4, 2);
        assert_eq!(line("BDAY", date, Version::V4).raw, "BDAY:19850402");
        assert_eq!(line("BDAY", date, Version::V3).raw, "BDAY:1985-04-02");
        let date = Date::constant(1604, 4, 2);
        assert_eq!(line("BDAY", date, Version::V4).raw, "BDAY:--0402");
        assert_eq!(
            line("BDAY", date, Version::V3).raw,
            "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-02"
        );
    }
}
