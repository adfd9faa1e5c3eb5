//! The browser's way back: a listener on this machine that takes one answer and shows a small page.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::auth::AuthError;
use crate::auth::service::Service;

/// Longer than any answer.
const MAX_REQUEST: usize = 16 * 1024;

/// A connection that says nothing is dropped after this.
const SILENCE: Duration = Duration::from_secs(5);

/// Connections looked at together; a browser opens two or three.
const MAX_READERS: usize = 32;

/// Listens on a port of its own, at both addresses that `localhost` may mean.
pub(super) struct Loopback {
    port: u16,
    v4: TcpListener,
    /// Missing on machines without IPv6.
    v6: Option<TcpListener>,
}

impl Loopback {
    pub(super) async fn open() -> Result<Self, AuthError> {
        let failed = |error: std::io::Error| AuthError::Offline {
            source: format!("cannot listen on this machine: {error}").into(),
        };
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(failed)?;
        let port = v4.local_addr().map_err(failed)?.port();
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        Ok(Self { port, v4, v6 })
    }

    /// The redirect as it is registered, with this port (graph-facts 10.4).
    pub(super) fn redirect(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The first request for the redirect; what else a browser asks for, such as an icon, does not count, and a connection
    /// that it opens to be ready holds nobody up. The listener is gone when this returns.
    pub(super) async fn answer(self) -> Answer {
        let mut readers = JoinSet::new();
        loop {
            tokio::select! {
                stream = self.accept(), if readers.len() < MAX_READERS => {
                    readers.spawn(tokio::time::timeout(SILENCE, read(stream)));
                }
                Some(done) = readers.join_next() => {
                    if let Ok(Ok(Some(answer))) = done {
                        return answer;
                    }
                }
            }
        }
    }

    async fn accept(&self) -> TcpStream {
        loop {
            let accepted = match &self.v6 {
                Some(v6) => tokio::select! {
                    accepted = self.v4.accept() => accepted,
                    accepted = v6.accept() => accepted,
                },
                None => self.v4.accept().await,
            };
            match accepted {
                Ok((stream, _)) => return stream,
                // Out of descriptors, most likely.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// What the browser brought back.
pub(super) struct Answer {
    stream: TcpStream,
    fields: HashMap<String, String>,
}

impl Answer {
    /// The code, if the answer is one to the request with this state.
    pub(super) fn code(&self, service: &Service, state: &str) -> Result<String, AuthError> {
        let get = |name: &str| self.fields.get(name).map_or("", String::as_str);
        let needed = |reason: &str| AuthError::SignInNeeded {
            reason: reason.to_owned(),
        };
        if get("state") != state {
            return Err(needed(
                "the browser brought an answer that does not belong to this sign-in",
            ));
        }
        match (get("error"), get("code")) {
            ("", "") => Err(needed("the browser brought no code")),
            ("", code) => Ok(code.to_owned()),
            (error, _) => Err(service.judge(error, get("error_description"))),
        }
    }

    /// Shows how it went.
    pub(super) async fn show(mut self, error: Option<&AuthError>) {
        let (status, sentence) = match error {
            None => (
                "200 OK",
                "You are signed in. You can close this page.".to_owned(),
            ),
            Some(error) => ("400 Bad Request", error.to_string()),
        };
        reply(&mut self.stream, status, &sentence).await;
    }
}

/// What a connection asks, if it is the redirect.
async fn read(mut stream: TcpStream) -> Option<Answer> {
    let target = target(&mut stream).await?;
    let url = Url::parse(&format!("http://localhost{target}")).ok()?;
    if url.path() != "/" || url.query().is_none() {
        reply(&mut stream, "404 Not Found", "There is nothing here.").await;
        return None;
    }
    Some(Answer {
        stream,
        fields: url.query_pairs().into_owned().collect(),
    })
}

/// The path and query of a GET; `None` for anything else.
async fn target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > MAX_REQUEST || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.lines().next()?.strip_prefix("GET ")?;
    target.split(' ').next().map(str::to_owned)
}

async fn reply(stream: &mut TcpStream, status: &str, sentence: &str) {
    let sentence = sentence
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>contactfs</title>\
         <body style=\"font:1.2em sans-serif;margin:4em\"><h1>contactfs</h1><p>{sentence}</p>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\nReferrer-Policy: no-referrer\r\n\
         Connection: close\r\n\r\n",
        page.len()
    );
    // The browser may be gone; the sign-in does not depend on it.
    drop(stream.write_all((head + &page).as_bytes()).await);
    drop(stream.shutdown().await);
}
