//! A running sandbox and a client that knows nothing but URLs.

use contactfs::sandbox::{Options, Sandbox};
use reqwest::{Client, Method, redirect};
use serde_json::{Value, json};

pub(crate) const IMMUTABLE: (&str, &str) = ("Prefer", "IdType=\"ImmutableId\"");

/// A sandbox with a client for it.
pub(crate) struct Bed {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: Client,
    pub(crate) token: String,
}

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) bytes: Vec<u8>,
    pub(crate) json: Value,
}

impl Got {
    pub(crate) fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn rows(&self) -> &Vec<Value> {
        self.json["value"].as_array().expect("a list")
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.json);
    }
}

/// A sandbox without people.
pub(crate) fn empty() -> Bed {
    start(Options {
        empty: true,
        ..Options::default()
    })
}

pub(crate) fn start(options: Options) -> Bed {
    // The client demands a TLS provider even for plain HTTP.
    drop(rustls::crypto::ring::default_provider().install_default());
    let sandbox = Sandbox::start(options).expect("the sandbox starts");
    let http = Client::builder()
        .redirect(redirect::Policy::none())
        .build()
        .unwrap();
    let token = sandbox.access_token();
    Bed {
        sandbox,
        http,
        token,
    }
}

impl Bed {
    pub(crate) async fn try_send(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> reqwest::Result<Got> {
        let url = if url.starts_with("http") {
            url.to_owned()
        } else {
            format!("{}{url}", self.sandbox.graph_url())
        };
        let mut request = self
            .http
            .request(Method::from_bytes(method.as_bytes()).unwrap(), url)
            .bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request).await
    }

    pub(crate) async fn send(&self, method: &str, url: &str, body: Option<Value>) -> Got {
        self.try_send(method, url, body.as_ref(), &[IMMUTABLE])
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, url: &str) -> Got {
        self.send("GET", url, None).await
    }

    pub(crate) async fn post(&self, url: &str, body: Value) -> Got {
        self.send("POST", url, Some(body)).await
    }

    pub(crate) async fn patch(&self, url: &str, body: Value) -> Got {
        self.send("PATCH", url, Some(body)).await
    }

    pub(crate) async fn delete(&self, url: &str) -> Got {
        self.send("DELETE", url, None).await
    }

    /// Makes a contact in the default folder and returns it.
    pub(crate) async fn contact(&self, body: Value) -> Value {
        self.post("/me/contacts", body).await.expect(201).json
    }

    /// Calls a control under `/sandbox/`.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Value) -> Got {
        let url = format!("{}/sandbox/{path}", self.sandbox.login_url());
        self.send(method, &url, Some(body)).await
    }

    /// Follows a delta from a URL to its end: every row, and the deltaLink.
    pub(crate) async fn delta(&self, url: &str) -> (Vec<Value>, String) {
        let (mut rows, mut url) = (Vec::new(), url.to_owned());
        loop {
            let page = self.get(&url).await.expect(200);
            rows.extend(page.rows().iter().cloned());
            let (next, end) = (
                page.json.get("@odata.nextLink"),
                page.json.get("@odata.deltaLink"),
            );
            assert!(
                next.is_some() != end.is_some(),
                "exactly one link: {}",
                page.json
            );
            match next {
                Some(next) => url = text(next),
                None => return (rows, text(end.unwrap())),
            }
        }
    }
}

pub(crate) async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Got> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?.to_vec();
    let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Got {
        status,
        headers,
        bytes,
        json,
    })
}

pub(crate) fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
        .to_owned()
}

pub(crate) fn path(contact: &Value) -> String {
    format!("/me/contacts/{}", text(&contact["id"]))
}

pub(crate) fn named(name: &str) -> Value {
    json!({"givenName": name})
}
