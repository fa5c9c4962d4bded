//! A raw HTTP/1.1 client over a unix socket, for exact statements about status, headers and body.
//!
//! It blocks: a test reads like the walk-through it checks. Each request opens its own connection unless a
//! [`Connection`] is used. Where the client carries the OpenAPI document, every JSON answer is validated
//! against it before the test sees it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::UnixStream, runtime::Runtime, time::timeout};

use crate::openapi::Document;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Knows where the daemon listens and what its answers must look like.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    document: Option<Arc<Document>>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// `METHOD /path`, for messages.
    pub request: String,
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, as it came.
    pub body: Bytes,
}

impl Client {
    /// A client that takes every answer as it comes.
    pub fn new(socket: &Path) -> Client {
        Client { socket: socket.to_owned(), document: None }
    }

    /// A client that validates JSON answers against the document.
    pub fn validating(socket: &Path, document: Arc<Document>) -> Client {
        Client { socket: socket.to_owned(), document: Some(document) }
    }

    /// Where the daemon listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `GET`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[], Bytes::new())
    }

    /// `HEAD`.
    #[track_caller]
    pub fn head(&self, path: &str) -> Response {
        self.send(Method::HEAD, path, &[], Bytes::new())
    }

    /// `DELETE`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Response {
        self.send(Method::DELETE, path, &[], Bytes::new())
    }

    /// `POST` without a body.
    #[track_caller]
    pub fn post(&self, path: &str) -> Response {
        self.send(Method::POST, path, &[], Bytes::new())
    }

    /// `POST` of a JSON document.
    #[track_caller]
    pub fn post_json(&self, path: &str, body: &Value) -> Response {
        self.send(Method::POST, path, &[("Content-Type", "application/json")], body.to_string().into())
    }

    /// `POST` of bytes with a content type.
    #[track_caller]
    pub fn post_bytes(&self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Response {
        self.send(Method::POST, path, &[("Content-Type", content_type)], body.into())
    }

    /// Any request.
    #[track_caller]
    pub fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Response {
        let response = self.connect().send(method.clone(), path, headers, body);
        if let Some(document) = &self.document
            && let Err(problem) = document.check(&method, path, &response)
        {
            let body = String::from_utf8_lossy(&response.body);
            panic!("{} → {}: {problem}\nbody: {body}", response.request, response.status);
        }
        response
    }

    /// A connection that is kept for several requests.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        match Connection::open(&self.socket) {
            Ok(connection) => connection,
            Err(error) => panic!("connecting to {}: {error}", self.socket.display()),
        }
    }

    /// True once the daemon answers `/_ping` with `OK`.
    pub fn answers(&self) -> bool {
        let Ok(mut connection) = Connection::open(&self.socket) else { return false };
        let answer = connection.try_send(Method::GET, "/_ping", &[], Bytes::new());
        answer.is_ok_and(|response| response.status == 200 && response.body.as_ref() == b"OK")
    }

    /// Sends a request and hands out its body piece by piece; for logs, events and wait.
    #[track_caller]
    pub fn stream(&self, method: Method, path: &str) -> Stream {
        let mut connection = self.connect();
        let name = format!("{method} {path}");
        let answer = connection.runtime.block_on(async {
            timeout(TIMEOUT, connection.sender.send_request(request(method, path, &[], Bytes::new()))).await
        });
        let response = answer.unwrap_or_else(|_| panic!("{name}: no headers within {TIMEOUT:?}"));
        let response = response.unwrap_or_else(|error| panic!("{name}: {error}"));
        let (parts, body) = response.into_parts();
        Stream { status: parts.status.as_u16(), headers: parts.headers, body, connection, name }
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path).header("Host", "localhost");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body)).expect("a well-formed request")
}

/// One kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    runtime: Runtime,
    sender: http1::SendRequest<Full<Bytes>>,
}

impl Connection {
    fn open(socket: &Path) -> std::io::Result<Connection> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sender = runtime.block_on(async {
            let stream = timeout(Duration::from_secs(10), UnixStream::connect(socket)).await??;
            let (sender, connection) =
                http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Ok::<_, std::io::Error>(sender)
        })?;
        Ok(Connection { runtime, sender })
    }

    /// Sends one request and reads the whole answer; panics on a broken connection.
    #[track_caller]
    pub fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: Bytes) -> Response {
        let name = format!("{method} {path}");
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn try_send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response, Box<dyn std::error::Error>> {
        let name = format!("{method} {path}");
        let request = request(method, path, headers, body);
        let Connection { runtime, sender } = self;
        runtime.block_on(async {
            timeout(TIMEOUT, async {
                sender.ready().await?;
                let (parts, body) = sender.send_request(request).await?.into_parts();
                let body = body.collect().await?.to_bytes();
                let status = parts.status.as_u16();
                Ok(Response { request: name, status, headers: parts.headers, body })
            })
            .await?
        })
    }
}

impl Response {
    /// Panics unless the status is `status`.
    #[track_caller]
    pub fn expect(self, status: u16) -> Response {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        self
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: no JSON ({error}): {}", self.request, self.text()))
    }

    /// The JSON documents of a body that has one per line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        serde_json::Deserializer::from_slice(&self.body)
            .into_iter()
            .map(|value| value.unwrap_or_else(|error| panic!("{}: {error}: {}", self.request, self.text())))
            .collect()
    }

    /// A header as text, empty where absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// `message` of an error answer.
    #[track_caller]
    pub fn message(&self) -> String {
        let json = self.json();
        json["message"].as_str().unwrap_or_else(|| panic!("{}: no message: {json}", self.request)).to_owned()
    }

    /// Panics unless this is an error with the status and exactly the message.
    #[track_caller]
    pub fn refused(&self, status: u16, message: &str) {
        assert_eq!((self.status, self.message().as_str()), (status, message), "{}", self.request);
    }

    /// Panics unless this is an error with the status whose message contains `part`.
    #[track_caller]
    pub fn refused_with(&self, status: u16, part: &str) {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text());
        let message = self.message();
        assert!(message.contains(part), "{}: no {part:?} in {message:?}", self.request);
    }
}

impl Response {
    /// Panics unless this is an error with one of the statuses and messages. The later ones are what newer
    /// releases of Docker say; they also differ in capitals, so those are not compared.
    #[track_caller]
    pub fn refused_either(&self, accepted: &[(u16, &str)]) {
        let message = self.message();
        let fits =
            |(status, wording): &(u16, &str)| *status == self.status && message.eq_ignore_ascii_case(wording);
        assert!(
            accepted.iter().any(fits),
            "{}: {} {message:?} is none of {accepted:#?}",
            self.request,
            self.status
        );
    }
}

/// An answer whose body is still arriving.
#[derive(Debug)]
pub struct Stream {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    name: String,
    body: Incoming,
    connection: Connection,
}

impl Stream {
    /// The next piece; `None` at the end, a panic when nothing comes within ten seconds.
    #[track_caller]
    pub fn piece(&mut self) -> Option<Bytes> {
        match self.piece_within(Duration::from_secs(10)) {
            Some(piece) => piece,
            None => panic!("{}: nothing came within 10 s", self.name),
        }
    }

    /// `None` where nothing came within `time`, `Some(None)` at the end of the body.
    #[track_caller]
    pub fn piece_within(&mut self, time: Duration) -> Option<Option<Bytes>> {
        let Stream { body, connection, name, .. } = self;
        connection.runtime.block_on(async {
            loop {
                match timeout(time, body.frame()).await {
                    Err(_) => return None,
                    Ok(None) => return Some(None),
                    Ok(Some(Err(error))) => panic!("{name}: {error}"),
                    Ok(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            return Some(Some(data));
                        }
                    }
                }
            }
        })
    }

    /// Reads until `enough` says so of everything read, or the body ends.
    #[track_caller]
    pub fn read_until(&mut self, mut enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        let mut all = Vec::new();
        while !enough(&all) {
            match self.piece() {
                Some(piece) => all.extend_from_slice(&piece),
                None => break,
            }
        }
        all
    }

    /// Everything up to the end of the body.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        self.read_until(|_| false)
    }
}
