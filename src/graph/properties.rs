//! Extended properties: our own two, and the MAPI ones a contact keeps beside its Graph properties (graph-facts 6.2, 6.3).
//!
//! The only place that spells their ids. Replies may spell the GUID or the number otherwise, so they are matched by name
//! or number.

use serde_json::{Value, json};

use super::endpoint;

/// The residue: what the card says beyond the Graph properties (vcard-mapping 6).
pub(super) const RESIDUE: &str = "String {abe447e2-eca4-48f3-b531-405763018d42} Name vcf-residue";

/// The private id by which a create with a lost reply is found again (behaviour 4.2).
pub(super) const CLIENT: &str =
    "String {abe447e2-eca4-48f3-b531-405763018d42} Name contactfs-client-id";

/// What is carried along when a contact moves by create and delete: all of graph-facts 6.3 that no Graph property covers.
pub(super) const CARRIED: &[&str] = &[
    "String 0x3A24",                                            // business fax
    "String 0x3A25",                                            // home fax
    "String 0x3A23",                                            // primary fax
    "String 0x3A21",                                            // pager
    "String 0x3A1E",                                            // car phone
    "String 0x3A1D",                                            // radio
    "String 0x3A1F",                                            // other phone
    "String 0x3A2D",                                            // ISDN
    "String 0x3A2E",                                            // assistant's phone
    "String 0x3A50",                                            // personal home page
    "SystemTime 0x3A41",                                        // wedding anniversary
    "Short 0x3A4D",                                             // gender
    "String 0x3A5E",                                            // post-office box, home
    "String 0x3A64",                                            // post-office box, other
    "String {00062004-0000-0000-C000-000000000046} Id 0x804A",  // post-office box, work
    "String {00062004-0000-0000-C000-000000000046} Id 0x80D8",  // free/busy URL
    "String {00062004-0000-0000-C000-000000000046} Id 0x804F",  // user field 1
    "String {00062004-0000-0000-C000-000000000046} Id 0x8050",  // user field 2
    "String {00062004-0000-0000-C000-000000000046} Id 0x8051",  // user field 3
    "String {00062004-0000-0000-C000-000000000046} Id 0x8052",  // user field 4
    "Boolean {00062008-0000-0000-C000-000000000046} Id 0x8506", // private mark
    "Integer 0x0036",                                           // sensitivity
];

/// The query option that adds these properties to a reply, escaped.
pub(super) fn expand(ids: &[&str]) -> String {
    let wanted: Vec<String> = ids
        .iter()
        .map(|id| format!("id eq '{}'", quoted(id)))
        .collect();
    format!(
        "$expand=singleValueExtendedProperties($filter={})",
        endpoint::escape(&wanted.join(" or "))
    )
}

/// The query option that finds the items with this value, escaped.
pub(super) fn filter(id: &str, value: &str) -> String {
    let any = format!(
        "singleValueExtendedProperties/Any(ep: ep/id eq '{}' and ep/value eq '{}')",
        quoted(id),
        quoted(value)
    );
    format!("$filter={}", endpoint::escape(&any))
}

/// The property as a request body carries it.
pub(super) fn to_json(id: &str, value: &str) -> Value {
    json!({ "id": id, "value": value })
}

/// The value of one property in an item, if the reply holds it.
pub(super) fn value<'a>(item: &'a Value, id: &str) -> Option<&'a str> {
    let properties = item.get("singleValueExtendedProperties")?.as_array()?;
    let found = properties.iter().find(|property| {
        property
            .get("id")
            .and_then(Value::as_str)
            .is_some_and(|other| same(id, other))
    })?;
    found.get("value")?.as_str()
}

/// Whether two ids mean the same property: same name, or same number.
fn same(ours: &str, theirs: &str) -> bool {
    match (ours.split_once(" Name "), theirs.split_once(" Name ")) {
        (Some((_, a)), Some((_, b))) => a == b,
        (None, None) => number(ours).is_some() && number(ours) == number(theirs),
        _ => false,
    }
}

fn number(id: &str) -> Option<u32> {
    let last = id.rsplit(' ').next()?;
    let digits = last
        .strip_prefix("0x")
        .or_else(|| last.strip_prefix("0X"))?;
    u32::from_str_radix(digits, 16).ok()
}

/// Text inside an OData string.
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_match_by_name_or_number() {
        assert!(same(
            RESIDUE,
            "String {ABE447E2-0000-0000-0000-000000000000} Name vcf-residue"
        ));
        assert!(!same(RESIDUE, CLIENT));
        assert!(
            !same(RESIDUE, "String {x} Name VCF-residue"),
            "names are case-sensitive"
        );
        assert!(same("String 0x3A24", "String 0x3a24"));
        assert!(same("String {A} Id 0x804A", "String {a} Id 0x804a"));
        assert!(!same("String 0x3A24", "String 0x3A25"));
        assert!(!same("String 0x3A24", RESIDUE));
    }

    #[test]
    fn query_options_are_escaped() {
        let option = filter(CLIENT, "it's");
        assert!(option.starts_with("$filter=singleValueExtendedProperties%2FAny(ep:%20ep%2Fid%20eq%20%27String%20%7Babe447e2"));
        assert!(option.ends_with("%27it%27%27s%27)"));
        assert!(
            expand(&["String 0x3A24", "String 0x3A25"]).ends_with(
                "id%20eq%20%27String%200x3A24%27%20or%20id%20eq%20%27String%200x3A25%27)"
            )
        );
    }
}
