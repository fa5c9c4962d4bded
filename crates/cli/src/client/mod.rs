//! The HTTP side: one short-lived connection per request to the daemon.
//!
//! Paths carry no `/v1.NN` prefix: the daemon answers with its newest version, and every document this client
//! reads has kept its shape since 1.24. A local connect costs microseconds, so nothing is pooled.

pub mod endpoint;
pub mod hijack;
pub mod lines;
pub mod query;
pub mod stream;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;

use crate::error::{CliError, Result};
use crate::json::Doc;
use endpoint::Endpoint;

/// The `User-Agent` of every request.
pub const USER_AGENT: &str = concat!("Berth-Client/", env!("CARGO_PKG_VERSION"), " (linux)");

/// A request body: empty, one JSON text, or a streamed file.
pub type Body = BoxBody<Bytes, std::io::Error>;

/// Talks to one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    host: String,
    endpoint: Endpoint,
}

impl Client {
    /// A client for the daemon at `host` (`unix://` or `tcp://`); does not connect yet.
    pub fn new(host: &str) -> Result<Self> {
        Ok(Self { host: host.to_owned(), endpoint: Endpoint::parse(host)? })
    }

    /// The address as it was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    async fn connect(&self) -> Result<Box<dyn endpoint::Stream>> {
        self.endpoint.connect().await.map_err(|source| CliError::Connect { host: self.host.clone(), source })
    }

    /// Sends one request and returns as soon as the response headers are there. Statuses of 400 and above
    /// become [`CliError::Daemon`].
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: Body,
    ) -> Result<Response<Incoming>> {
        let what = || format!("{method} {path}");
        let transport =
            |e: &dyn std::fmt::Display| CliError::Transport { request: what(), reason: e.to_string() };
        let io = TokioIo::new(self.connect().await?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(|e| transport(&e))?;
        // The connection ends with the response body; its errors reach us through the body.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::HOST, "berth")
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body).map_err(|e| transport(&e))?;
        let response = sender.send_request(request).await.map_err(|e| transport(&e))?;
        if response.status() >= StatusCode::BAD_REQUEST {
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|e| transport(&e))?.to_bytes();
            return Err(daemon_error(status, &body));
        }
        Ok(response)
    }

    /// GET, whole body as text.
    pub async fn get_text(&self, path: &str) -> Result<String> {
        let response = self.send(Method::GET, path, None, empty()).await?;
        self.text_of(response, path).await
    }

    /// GET, decoded.
    pub async fn get(&self, path: &str) -> Result<Doc> {
        parse(path, &self.get_text(path).await?)
    }

    /// GET whose body is read piece by piece.
    pub async fn get_stream(&self, path: &str) -> Result<Incoming> {
        Ok(self.send(Method::GET, path, None, empty()).await?.into_body())
    }

    /// POST with an optional JSON body; an empty answer is [`Doc::Null`].
    pub async fn post(&self, path: &str, json: Option<&serde_json::Value>) -> Result<Doc> {
        let response = match json {
            Some(json) => {
                self.send(Method::POST, path, Some("application/json"), full(json.to_string())).await?
            }
            None => self.send(Method::POST, path, None, empty()).await?,
        };
        let text = self.text_of(response, path).await?;
        if text.trim().is_empty() { Ok(Doc::Null) } else { parse(path, &text) }
    }

    /// DELETE; an empty answer is [`Doc::Null`].
    pub async fn delete(&self, path: &str) -> Result<Doc> {
        let response = self.send(Method::DELETE, path, None, empty()).await?;
        let text = self.text_of(response, path).await?;
        if text.trim().is_empty() { Ok(Doc::Null) } else { parse(path, &text) }
    }

    /// The whole body of `response` as text.
    pub async fn text_of(&self, response: Response<Incoming>, path: &str) -> Result<String> {
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|e| CliError::Transport { request: path.to_owned(), reason: e.to_string() })?
            .to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// No body.
pub fn empty() -> Body {
    full("")
}

/// A body held in memory.
pub fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed()
}

fn parse(path: &str, text: &str) -> Result<Doc> {
    Doc::parse(text).map_err(|e| CliError::Answer { request: path.to_owned(), reason: e.to_string() })
}

/// Turns an error response into the text the user sees: the document's message, or the raw body.
fn daemon_error(status: StatusCode, body: &[u8]) -> CliError {
    let text = String::from_utf8_lossy(body);
    let message = Doc::parse(&text).ok().map(|doc| doc.text("message").to_owned()).filter(|m| !m.is_empty());
    let message = message.unwrap_or_else(|| {
        let raw = text.trim();
        if raw.is_empty() {
            format!(
                "request returned {} without a message",
                status.canonical_reason().unwrap_or(status.as_str())
            )
        } else {
            raw.to_owned()
        }
    });
    CliError::Daemon { status: status.as_u16(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_documents_become_dockers_wording() {
        let error = daemon_error(StatusCode::NOT_FOUND, br#"{"message":"No such container: x"}"#);
        assert_eq!(error.to_string(), "Error response from daemon: No such container: x");
        assert_eq!(error.status(), Some(404));
        let error = daemon_error(StatusCode::NOT_FOUND, b"page not found\n");
        assert_eq!(error.to_string(), "Error response from daemon: page not found");
    }
}
