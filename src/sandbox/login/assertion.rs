//! Signed client assertions in place of a secret (graph-facts 10.6), checked against registered certificates.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters, UnparsedPublicKey,
};
use serde_json::Value;

use super::{CLIENT_ID, Denied, Login};

/// Difference of clocks that is forgiven, in seconds.
const LEEWAY: i64 = 300;

/// The public half of a certificate, and until when it is one.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    sha256: String,
    sha1: String,
    key: Vec<u8>,
    not_before: i64,
    not_after: i64,
}

impl Login {
    /// Registers a certificate in PEM; whether it is one with an RSA key.
    pub(in crate::sandbox) fn register(&mut self, pem: &str) -> bool {
        let certificate = Certificate::of_pem(pem);
        let is_one = certificate.is_some();
        self.certificates.extend(certificate);
        is_one
    }

    /// Checks an assertion made for this token endpoint.
    pub(super) fn check_assertion(&self, jwt: &str, endpoint: &str) -> Result<(), Denied> {
        let malformed = || invalid(50027, "JWT token is invalid or malformed.");
        let (signed, signature) = jwt.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        let header = part(header).ok_or_else(malformed)?;
        let claims = part(claims).ok_or_else(malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        let certificate = self.find(&header).ok_or_else(|| {
            invalid(700_027, "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]")
        })?;
        let algorithm: &RsaParameters = match text(&header, "alg") {
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            _ => return Err(malformed()),
        };
        UnparsedPublicKey::new(algorithm, &certificate.key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| invalid(700_027, "Client assertion contains an invalid signature."))?;
        let now = self.now();
        let outside = || {
            invalid(
                1_000_502,
                "The provided certificate is not within its specified validity period.",
            )
        };
        if now >= certificate.not_after {
            return Err(outside());
        }
        check_claims(&claims, endpoint, now)?;
        if now < certificate.not_before {
            return Err(outside());
        }
        Ok(())
    }

    fn find(&self, header: &Value) -> Option<&Certificate> {
        let named = |certificate: &&Certificate| {
            text(header, "x5t#S256") == certificate.sha256
                || text(header, "x5t") == certificate.sha1
        };
        self.certificates.iter().find(named)
    }
}

fn check_claims(claims: &Value, endpoint: &str, now: i64) -> Result<(), Denied> {
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    if text(claims, "aud") != endpoint {
        return Err(invalid(
            700_023,
            "Client assertion audience claim does not match Realm issuer.",
        ));
    }
    if text(claims, "iss") != CLIENT_ID || text(claims, "sub") != CLIENT_ID {
        return Err(invalid(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    if text(claims, "jti").is_empty() {
        return Err(invalid(50027, "JWT token is invalid or malformed."));
    }
    match (time("nbf"), time("exp")) {
        (Some(begin), Some(end)) if begin <= now + LEEWAY && now - LEEWAY < end => Ok(()),
        _ => Err(invalid(
            700_024,
            "Client assertion is not within its valid time range.",
        )),
    }
}

fn invalid(number: u32, text: &str) -> Denied {
    Denied::new("invalid_client", number, text).status(401)
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Certificate {
    fn of_pem(pem: &str) -> Option<Self> {
        let begin = pem.split_once("-----BEGIN CERTIFICATE-----")?.1;
        let body: String = begin.split_once("-----END")?.0.split_whitespace().collect();
        let der = STANDARD.decode(body).ok()?;
        let to_be_signed = contents(contents(&der, 0)?, 0)?;
        // The version is left out of the oldest ones.
        let skip = usize::from(to_be_signed.first() == Some(&0xA0));
        let validity = contents(to_be_signed, skip + 3)?;
        let key = contents(contents(to_be_signed, skip + 5)?, 1)?;
        Some(Self {
            sha256: URL_SAFE_NO_PAD.encode(digest(&SHA256, &der)),
            sha1: URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der)),
            // A bit string begins with the number of unused bits.
            key: key.get(1..)?.to_vec(),
            not_before: time(contents(validity, 0)?)?,
            not_after: time(contents(validity, 1)?)?,
        })
    }
}

/// What the element at a place of a DER sequence holds.
fn contents(mut der: &[u8], place: usize) -> Option<&[u8]> {
    for _ in 0..place {
        der = element(der)?.1;
    }
    element(der).map(|(held, _)| held)
}

/// The contents of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = der.split_at_checked(2)?;
    let short = usize::from(*head.get(1)?);
    if short < 0x80 {
        return rest.split_at_checked(short);
    }
    let (digits, rest) = rest.split_at_checked(short - 0x80)?;
    let length = digits.iter().try_fold(0_usize, |length, byte| {
        length.checked_mul(256)?.checked_add((*byte).into())
    })?;
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ`, or with four digits of the year.
fn time(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let text = if text.len() == 13 {
        format!("20{text}")
    } else {
        text.to_owned()
    };
    let part = |range: std::ops::Range<usize>| text.get(range);
    let iso = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    );
    iso.parse::<Timestamp>().ok().map(Timestamp::as_second)
}
