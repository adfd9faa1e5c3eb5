//! One HTTP exchange per connection, by hand: the second client shares no code with the first.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reply, read whole.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends a request to `host:port`.
pub(super) fn exchange(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut stream = TcpStream::connect(address)
        .unwrap_or_else(|error| panic!("no service at {address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head =
        format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    parse(&reply).unwrap_or_else(|| panic!("{method} {target}: no reply ({read:?})"))
}

fn parse(reply: &[u8]) -> Option<Reply> {
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&reply[..end]).to_ascii_lowercase();
    assert!(
        !head.contains("transfer-encoding"),
        "not spoken here: {head}"
    );
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = reply[end + 4..].to_vec();
    Some(Reply { status, body })
}
