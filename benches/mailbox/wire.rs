//! A client with no abilities: one connection, one exchange after the other, bodies as text. What it takes is the
//! service's time and nothing else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail};
use contactfs::sandbox::{LogEntry, Sandbox};

/// One connection.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
    host: String,
    token: String,
}

impl Wire {
    pub(super) fn to(service: &Sandbox) -> Result<Self> {
        let host = service.login_url().replace("http://", "");
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            host,
            token: service.access_token(),
        })
    }

    /// Repeats a logged request, with other headers than those of the connection as they were.
    pub(super) fn repeat(&mut self, entry: &LogEntry, target: &str, body: &str) -> Result<String> {
        let own = [
            "host",
            "authorization",
            "content-length",
            "connection",
            "accept-encoding",
        ];
        let mut head = format!(
            "{} {target} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n",
            entry.method, self.host, self.token
        );
        for (name, value) in &entry.request_headers {
            if !own.contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> Result<String> {
        let (mut head, mut line) = (String::new(), String::new());
        while self.stream.read_line(&mut line)? > 2 {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        if !head.starts_with("http/1.1 200") {
            bail!("{head}");
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.context("no content-length")?.trim_end().parse()?];
        self.stream.read_exact(&mut body)?;
        Ok(String::from_utf8(body)?)
    }

    /// Walks the pages of a delta query that was begun with a logged request; returns how many there were.
    pub(super) fn walk(&mut self, first: &LogEntry) -> Result<usize> {
        let mut target = first.path.clone();
        for pages in 1.. {
            let page = self.repeat(first, &target, "")?;
            let Some((_, rest)) = page.split_once("\"@odata.nextLink\":\"") else {
                return Ok(pages);
            };
            let (link, _) = rest.split_once('"').context("an endless link")?;
            let (_, path) = link.split_once(&self.host).context("a link elsewhere")?;
            target = path.to_owned();
        }
        Ok(0)
    }
}
