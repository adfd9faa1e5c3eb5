//! HTTP settings shared by every request that carries a secret.
//!
//! One place decides which origins may see a token (TLS, or plain http on loopback) and that redirects are never
//! followed (behaviour 8.1). Used by `auth` and `graph`.

use std::sync::Once;
use std::time::Duration;

use reqwest::redirect::Policy;
use url::{Host, Url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the other side's kernel may leave what was sent unacknowledged: a connection that is dead ends then, however
/// much there is still to send. A slow one goes on.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// A client for one origin: no redirects, and no proxy in front of loopback. How long a reply may take is for the caller to
/// say, who knows how much it sends.
pub(crate) fn client(origin: &Url) -> Result<reqwest::Client, reqwest::Error> {
    install_tls_provider();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("contactfs/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_user_timeout(UNACKNOWLEDGED);
    if is_loopback(origin) {
        builder.no_proxy().build()
    } else {
        builder.build()
    }
}

/// Whether a secret may be sent there: https, or plain http that does not leave the machine; no credentials in the URL.
pub(crate) fn may_carry_secrets(url: &Url) -> bool {
    let transport = match url.scheme() {
        "https" => url.has_host(),
        "http" => is_loopback(url),
        _ => false,
    };
    transport && url.username().is_empty() && url.password().is_none()
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn install_tls_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already, which serves as well.
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a TLS provider was installed before");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_the_machine() {
        let allowed = |url: &str| may_carry_secrets(&Url::parse(url).unwrap());
        assert!(allowed("https://graph.microsoft.com/v1.0"));
        assert!(allowed("http://127.0.0.1:8000/v1.0"));
        assert!(allowed("http://[::1]:8000"));
        assert!(allowed("http://localhost:1"));
        assert!(!allowed("http://graph.microsoft.com/v1.0"));
        assert!(!allowed("http://127.0.0.1.example.com/"));
        assert!(!allowed("http://10.0.0.1/"));
        assert!(!allowed("https://user:pass@graph.microsoft.com/"));
        assert!(!allowed("ftp://127.0.0.1/"));
    }
}
