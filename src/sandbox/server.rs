//! HTTP on a socket: turns bytes into requests and outcomes into bytes, connections cut short included.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::http::{Content, JSON, Reply, Request};
use super::service::{Outcome, Service};

const MAX_BODY: usize = 8 * 1024 * 1024;

/// Serves until told to stop; connections end with the runtime.
pub(super) async fn serve(listener: TcpListener, service: Arc<Service>, stop: Arc<Notify>) {
    loop {
        let accepted = tokio::select! {
            () = stop.notified() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, Arc::clone(&service)))),
            // Out of descriptors, most likely: others must close before another try can help.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

async fn connection(stream: TcpStream, service: Arc<Service>) {
    let local = stream
        .local_addr()
        .map_or_else(|_| String::new(), |address| address.to_string());
    // Without this a small reply waits for the peer's delayed acknowledgement.
    drop(stream.set_nodelay(true));
    let answer = service_fn(move |incoming| {
        let (service, local) = (Arc::clone(&service), local.clone());
        async move { exchange(&service, &local, incoming).await }
    });
    // An error here is a connection that we or the peer ended; the log has the exchange.
    drop(
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer)
            .await,
    );
}

async fn exchange(
    service: &Service,
    local: &str,
    incoming: hyper::Request<Incoming>,
) -> io::Result<hyper::Response<Out>> {
    let request = read(local, incoming).await?;
    match service.handle(request).await {
        Outcome::Reply(reply) => response(reply, false, Duration::ZERO),
        Outcome::Cut(reply) => response(reply, true, Duration::ZERO),
        Outcome::Slow(reply, time) => response(reply, false, time),
        Outcome::HangUp => Err(io::Error::other("asked to hang up")),
    }
}

async fn read(local: &str, incoming: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = incoming.into_parts();
    let headers = head.headers.iter();
    let headers: Vec<(String, String)> = headers
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let host = headers
        .iter()
        .find(|(name, _)| name == "host")
        .map_or(local, |(_, value)| value.as_str());
    let origin = format!("http://{host}");
    let body = Limited::new(body, MAX_BODY)
        .collect()
        .await
        .map_err(io::Error::other)?
        .to_bytes()
        .to_vec();
    Ok(Request {
        method: head.method.as_str().to_owned(),
        target: head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
            .to_owned(),
        headers,
        body,
        origin,
        batch: None,
    })
}

fn response(reply: Reply, cut: bool, time: Duration) -> io::Result<hyper::Response<Out>> {
    let mut response = hyper::Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let (kind, bytes) = match reply.content {
        Content::None => (None, Vec::new()),
        Content::Json(value) => (Some(JSON.to_owned()), serde_json::to_vec(&value)?),
        Content::Bytes { kind, bytes } => (Some(kind), bytes),
    };
    if let Some(kind) = kind {
        response = response.header("content-type", kind);
    }
    if cut {
        response = response.header("content-length", bytes.len());
    }
    let half = if cut { bytes.len() / 2 } else { bytes.len() };
    let data = Bytes::from(bytes).slice(..half);
    response
        .body(Out {
            data: Some(data),
            cut,
            pace: (!time.is_zero()).then(|| Pace::over(time, half)),
        })
        .map_err(io::Error::other)
}

/// A body that may break off, or come slowly.
struct Out {
    data: Option<Bytes>,
    cut: bool,
    pace: Option<Pace>,
}

/// How slowly a body comes.
struct Pace {
    piece: usize,
    every: Duration,
    next: Pin<Box<tokio::time::Sleep>>,
}

impl Pace {
    const PIECES: u32 = 8;

    fn over(time: Duration, bytes: usize) -> Self {
        let every = time / Self::PIECES;
        Self {
            piece: bytes.div_ceil(Self::PIECES as usize).max(1),
            every,
            next: Box::pin(tokio::time::sleep(every)),
        }
    }

    /// The next piece of `data`, once its time has come.
    fn poll_piece(&mut self, data: &mut Bytes, context: &mut Context<'_>) -> Poll<Bytes> {
        ready!(self.next.as_mut().poll(context));
        let next = tokio::time::Instant::now() + self.every;
        self.next.as_mut().reset(next);
        Poll::Ready(data.split_to(self.piece.min(data.len())))
    }
}

impl Body for Out {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { data, pace, .. } = &mut *self;
        if let (Some(rest), Some(pace)) = (data, pace)
            && !rest.is_empty()
        {
            let piece = ready!(pace.poll_piece(rest, context));
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        Poll::Ready(match self.data.take() {
            Some(data) if !data.is_empty() => Some(Ok(Frame::data(data))),
            _ if self.cut => Some(Err(io::Error::other("asked to break off"))),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        !self.cut && self.data.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.data {
            Some(data) if !self.cut => SizeHint::with_exact(data.len() as u64),
            None if !self.cut => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }
}
