//! Something on the way that changes what the service says; and somebody else's server, which must never be called.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Passes requests on to a service and rewrites the texts of its replies. Ends with the test program.
pub(crate) struct Proxy {
    address: String,
}

impl Proxy {
    /// For a world's service; `rewrite` gets its own origin (`http://...`), the target of the request, and the reply's body.
    pub(crate) fn start(
        graph_url: &str,
        rewrite: impl Fn(&str, &str, String) -> String + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = graph_url
            .trim_start_matches("http://")
            .trim_end_matches("/v1.0")
            .to_owned();
        let origin = format!("http://{address}");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (service, origin, rewrite) = (service.clone(), origin.clone(), rewrite.clone());
                // The client may go away at any time.
                thread::spawn(move || {
                    pass(stream.ok()?, &service, |target, body| {
                        rewrite(&origin, target, body)
                    })
                });
            }
        });
        Self { address }
    }

    /// The value of `CONTACTFS_GRAPH_URL`.
    pub(crate) fn graph_url(&self) -> String {
        format!("http://{}/v1.0", self.address)
    }
}

/// One request on a connection, which is closed then.
fn pass(
    mut client: TcpStream,
    service: &str,
    rewrite: impl Fn(&str, String) -> String,
) -> Option<()> {
    let (request, body) = message(&mut client)?;
    let target = request.first()?.split(' ').nth(1)?.to_owned();
    let mut server = TcpStream::connect(service).ok()?;
    let kept = request.iter().filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:") && !line.starts_with("accept-encoding:")
    });
    let mut head: String = kept.map(|line| format!("{line}\r\n")).collect();
    head.push_str("connection: close\r\n\r\n");
    server.write_all(&[head.as_bytes(), &body].concat()).ok()?;
    let (reply, body) = message(&mut server)?;
    let body = match String::from_utf8(body) {
        Ok(text) => rewrite(&target, text).into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    };
    let kept = reply.iter().filter(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("connection:") && !line.starts_with("content-length:")
    });
    let mut head: String = kept.map(|line| format!("{line}\r\n")).collect();
    head.push_str(&format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    ));
    client.write_all(&[head.as_bytes(), &body].concat()).ok()
}

/// The lines of a head, and a body of the length it gives.
fn message(stream: &mut TcpStream) -> Option<(Vec<String>, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let (mut lines, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        lines.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    (!lines.is_empty()).then_some((lines, body))
}

/// A server of somebody else.
pub(crate) struct Stranger {
    listener: TcpListener,
}

impl Stranger {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Fails the test if anybody called.
    #[track_caller]
    pub(crate) fn assert_uncalled(&self) {
        let called = self.listener.accept();
        assert!(called.is_err(), "another origin was called: {called:?}");
    }
}
