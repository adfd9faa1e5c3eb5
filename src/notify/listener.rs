//! The server: one path, one method, one request per connection.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::message::{self, Notice};

/// Connections at a time; others wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// The longest life of a connection.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest body.
const MAX_BODY: usize = 1 << 20;
/// The longest head of a request.
const MAX_HEAD: usize = 64 << 10;
/// Notifications that wait to be taken; for more the service has to come again.
const WAITING: usize = 64;

/// A bound socket and what it takes to believe who speaks there.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    desk: Desk,
}

/// What answers requests.
#[derive(Debug)]
struct Desk {
    path: String,
    client_state: SecretString,
    heard: mpsc::Sender<Vec<Notice>>,
}

impl Listener {
    /// Binds the address for notifications at one path; what is heard arrives at the receiver.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn bind(
        address: SocketAddr,
        path: &str,
    ) -> io::Result<(Self, mpsc::Receiver<Vec<Notice>>)> {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let (heard, receiver) = mpsc::channel(WAITING);
        let desk = Desk {
            path: path.to_owned(),
            client_state: new_secret(),
            heard,
        };
        Ok((Self { socket, desk }, receiver))
    }

    /// The secret that every notification must repeat: new at each start, 64 characters.
    #[must_use]
    pub fn client_state(&self) -> SecretString {
        self.desk.client_state.clone()
    }

    /// Answers requests; ends with the runtime.
    ///
    /// # Errors
    /// The socket cannot be used at all.
    pub async fn serve(self) -> io::Result<Infallible> {
        let socket = tokio::net::TcpListener::from_std(self.socket)?;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let desk = Arc::new(self.desk);
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            match socket.accept().await {
                Ok((stream, _)) => {
                    let desk = Arc::clone(&desk);
                    drop(tokio::spawn(async move {
                        let _place = place;
                        desk.connection(stream).await;
                    }));
                }
                // Out of descriptors, most likely: others must close before another try can help.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

fn new_secret() -> SecretString {
    let half = || Uuid::new_v4().simple();
    format!("{}{}", half(), half()).into()
}

impl Desk {
    async fn connection(&self, stream: TcpStream) {
        let answer =
            service_fn(|request| async { Ok::<_, Infallible>(self.answer(request).await) });
        let served = hyper::server::conn::http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), answer);
        // Neither a peer that breaks off nor one that dawdles is anybody's business here.
        drop(tokio::time::timeout(PATIENCE, served).await);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let uri = request.uri();
        if uri.path() != self.path {
            return empty(StatusCode::NOT_FOUND);
        }
        if request.method() != Method::POST {
            let mut refusal = empty(StatusCode::METHOD_NOT_ALLOWED);
            let post = hyper::header::HeaderValue::from_static("POST");
            refusal.headers_mut().insert(ALLOW, post);
            return refusal;
        }
        if let Some(token) = validation_token(uri.query().unwrap_or_default()) {
            return plain(token);
        }
        match Limited::new(request.into_body(), MAX_BODY).collect().await {
            Ok(body) => empty(self.take(&body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => empty(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => empty(StatusCode::BAD_REQUEST),
        }
    }

    /// Hands on what a body says. Who lacks the secret is not told so.
    fn take(&self, body: &[u8]) -> StatusCode {
        let Some(notices) = message::read(body, self.client_state.expose_secret()) else {
            return StatusCode::BAD_REQUEST;
        };
        tracing::debug!(notices = notices.len(), "a notification");
        if notices.is_empty() {
            return StatusCode::ACCEPTED;
        }
        match self.heard.try_send(notices.into_iter().collect()) {
            Ok(()) => StatusCode::ACCEPTED,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What the service wants to hear back before it grants a subscription.
fn validation_token(query: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, token) = pairs.find(|(name, _)| name == "validationToken")?;
    Some(token.into_owned())
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Text that comes from a stranger and must not be taken for a page.
fn plain(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let headers = response.headers_mut();
    let value = hyper::header::HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, value("text/plain; charset=utf-8"));
    headers.insert("x-content-type-options", value("nosniff"));
    response
}
