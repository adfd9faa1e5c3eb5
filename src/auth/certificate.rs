//! A certificate with its private key, and the assertions it signs in place of a secret (graph-facts 10.6).

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::zeroize::Zeroizing;
use serde_json::json;

use super::AuthError;
use super::service::config;

/// How long an assertion is good, in seconds.
const LIFE: i64 = 300;

/// A certificate registered with the application, with its private key.
pub struct Certificate {
    key: RsaKeyPair,
    /// SHA-256 of the certificate, as `x5t#S256` wants it.
    thumbprint: String,
}

impl Certificate {
    /// Reads a PEM file that holds both, in any order.
    ///
    /// # Errors
    /// [`AuthError::Config`] when it cannot be read or holds no RSA key with a certificate.
    pub fn read(path: &Path) -> Result<Self, AuthError> {
        let wrong = |what: &str| config(&format!("{}: {what}", path.display()));
        let pem = std::fs::read(path).map(Zeroizing::new);
        let pem = pem.map_err(|error| wrong(&error.to_string()))?;
        let certificate = CertificateDer::from_pem_slice(&pem)
            .map_err(|_| wrong("it holds no certificate in PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
            wrong("it holds no private key in PEM (an encrypted one cannot be used)")
        })?;
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(wrong("its key is not an RSA key")),
        };
        Ok(Self {
            key: pair.map_err(|_| wrong("its key is not an RSA key of 2048 bits or more"))?,
            thumbprint: URL_SAFE_NO_PAD.encode(digest(&SHA256, &certificate)),
        })
    }

    /// A signed statement that the bearer is this client, for this endpoint and the next minutes.
    pub(super) fn assertion(&self, endpoint: &str, client_id: &str) -> Result<String, AuthError> {
        let now = Timestamp::now().as_second();
        let header = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint});
        let claims = json!({
            "aud": endpoint,
            "iss": client_id,
            "sub": client_id,
            "jti": uuid::Uuid::new_v4().to_string(),
            "nbf": now,
            "iat": now,
            "exp": now + LIFE,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PSS_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| config("the certificate's key cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}
