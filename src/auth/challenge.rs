//! Claims challenges: a token refused before its end, and what the next one must answer (graph-facts 10.7).

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value, json};

/// What the service wants to see in the next token request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(Map<String, Value>);

impl Challenge {
    /// Reads a `WWW-Authenticate` header; `None` when it holds no claims.
    #[must_use]
    pub fn of_header(header: &str) -> Option<Self> {
        let claims = header.split("claims=\"").nth(1)?.split('"').next()?;
        let lenient =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = [&alphabet::STANDARD, &alphabet::URL_SAFE]
            .into_iter()
            .find_map(|alphabet| GeneralPurpose::new(alphabet, lenient).decode(claims).ok())?;
        match serde_json::from_slice(&decoded).ok()? {
            Value::Object(claims) => Some(Self(claims)),
            _ => None,
        }
    }
}

/// The `claims` parameter of a token request: that challenges are understood, and the answer to one.
pub(super) fn parameter(challenge: Option<&Challenge>) -> String {
    let mut claims = challenge
        .map(|challenge| challenge.0.clone())
        .unwrap_or_default();
    let access = claims
        .entry("access_token")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(access) = access.as_object_mut() {
        access.insert("xms_cc".to_owned(), json!({"values": ["cp1"]}));
    }
    Value::Object(claims).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_found_whatever_their_base64_and_answered() {
        let header = |claims: &str| {
            format!(
                "Bearer realm=\"\", error=\"insufficient_claims\", claims=\"{claims}\", x=\"y\""
            )
        };
        let text = r#"{"access_token":{"nbf":{"essential":true, "value":"1604106651"}}}"#;
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        for encoded in [encoded.as_str(), encoded.trim_end_matches('=')] {
            let challenge = Challenge::of_header(&header(encoded)).unwrap();
            let answer: Value = serde_json::from_str(&parameter(Some(&challenge))).unwrap();
            assert_eq!(answer["access_token"]["nbf"]["value"], "1604106651");
            assert_eq!(answer["access_token"]["xms_cc"]["values"][0], "cp1");
        }
        assert_eq!(Challenge::of_header("Bearer realm=\"\""), None);
        assert_eq!(Challenge::of_header(&header("%%%")), None);
    }
}
