//! A scripted HTTP server: canned answers, and a record of what was asked on which connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) connection: usize,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request body is JSON")
    }

    /// The members of a batch; empty for a plain request.
    pub(crate) fn members(&self) -> Vec<Value> {
        if self.target.ends_with("/$batch") {
            self.json()["requests"].as_array().unwrap().clone()
        } else {
            Vec::new()
        }
    }

    /// Requests as the service counts those under way: a batch runs four members at a time.
    pub(crate) fn weight(&self) -> usize {
        self.members().len().clamp(1, 4)
    }
}

/// What the server does about a request.
pub(crate) enum Answer {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// Closes the connection without a word.
    HangUp,
    /// Promises more body than it sends, then closes.
    CutShort(Vec<u8>),
    /// Thinks first.
    Slow(Duration, Box<Self>),
}

pub(crate) fn ok(body: &Value) -> Answer {
    status(200, body)
}

pub(crate) fn status(status: u16, body: &Value) -> Answer {
    let headers = vec![("Content-Type", "application/json".to_owned())];
    Answer::Reply {
        status,
        headers,
        body: body.to_string().into_bytes(),
    }
}

pub(crate) fn raw(status: u16, body: &[u8]) -> Answer {
    Answer::Reply {
        status,
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

pub(crate) fn failure(code: u16, name: &str) -> Answer {
    status(code, &error(name))
}

pub(crate) fn error(name: &str) -> Value {
    json!({ "error": { "code": name, "message": "A text for developers.", "innerError": { "request-id": "r" } } })
}

impl Answer {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// The answer to a batch, each member answered by `each` with (status, headers, body).
pub(crate) fn batch(request: &Request, each: impl Fn(&Value) -> (u16, Value, Value)) -> Answer {
    let answers = request.members().into_iter().rev().map(|member| {
        let (status, headers, body) = each(&member);
        json!({ "id": member["id"], "status": status, "headers": headers, "body": body })
    });
    ok(&json!({ "responses": answers.collect::<Vec<_>>() }))
}

type Handler = dyn Fn(usize, &Request) -> Answer + Send + Sync;

/// A running server; stops with the runtime of the test.
pub(crate) struct Server {
    pub(crate) origin: String,
    state: Arc<State>,
}

struct State {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Server {
    /// Starts a server; the handler gets the number of the request, from 0.
    pub(crate) async fn start(
        handler: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            handler: Box::new(handler),
            requests: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        });
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { origin, state }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().unwrap().clone()
    }

    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .map(|request| format!("{} {}", request.method, request.target))
            .collect()
    }

    /// The most requests under way at one moment, batch members counted.
    pub(crate) fn most_under_way(&self) -> usize {
        self.state.most_under_way.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connection = 0;
    while let Ok((stream, _)) = listener.accept().await {
        connection += 1;
        tokio::spawn(serve(stream, connection, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, connection: usize, state: Arc<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = read_request(&mut stream, connection).await?;
        let weight = request.weight();
        let now = state.under_way.fetch_add(weight, Ordering::SeqCst) + weight;
        state.most_under_way.fetch_max(now, Ordering::SeqCst);
        let number = {
            let mut requests = state.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let mut answer = (state.handler)(number, &request);
        if let Answer::Slow(pause, then) = answer {
            tokio::time::sleep(pause).await;
            answer = *then;
        }
        state.under_way.fetch_sub(weight, Ordering::SeqCst);
        write_answer(&mut stream, answer).await?;
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>, connection: usize) -> Option<Request> {
    let mut line = String::new();
    if stream.read_line(&mut line).await.ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request {
        connection,
        method,
        target,
        headers,
        body: Vec::new(),
    };
    let length = request.header("content-length").parse().unwrap_or(0);
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}

/// `None` closes the connection.
async fn write_answer(stream: &mut BufReader<TcpStream>, answer: Answer) -> Option<()> {
    let (status, headers, body, promised) = match answer {
        Answer::Reply {
            status,
            headers,
            body,
        } => (status, headers, body.clone(), body.len()),
        Answer::CutShort(body) => (200, Vec::new(), body.clone(), body.len() + 100),
        Answer::HangUp | Answer::Slow(..) => return None,
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {promised}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.write_all(&body).await.ok()?;
    stream.flush().await.ok()?;
    (promised == body.len()).then_some(())
}
