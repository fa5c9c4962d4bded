//! Taking a connection over for attach: after the response head it carries raw bytes both ways.
//!
//! Written over the bare socket, because daemons answer in two ways: `101 Switching Protocols`, which HTTP
//! libraries can upgrade, and a `200` that is hijacked all the same, which they cannot.

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::endpoint::Stream;
use super::{Client, USER_AGENT, daemon_error};
use crate::error::{CliError, Result};

/// Longest response head accepted.
const MAX_HEAD: usize = 64 * 1024;

/// A connection that now belongs to the container's streams.
pub struct Hijacked {
    /// Both directions; shutting down the write side is the container's end of input.
    pub stream: Box<dyn Stream>,
    /// Bytes that came with the response head.
    pub early: Bytes,
}

impl Client {
    /// Sends a POST that asks for an upgrade and hands over the connection.
    pub async fn hijack(&self, path: &str) -> Result<Hijacked> {
        let mut stream = self.connect().await?;
        let fail =
            |reason: String| CliError::Transport { request: format!("{} {path}", Method::POST), reason };
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: berth\r\nUser-Agent: {USER_AGENT}\r\nContent-Type: text/plain\r\n\
             Content-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.map_err(|e| fail(e.to_string()))?;
        let mut buffer = BytesMut::with_capacity(4096);
        let (status, length) = loop {
            let read = stream.read_buf(&mut buffer).await.map_err(|e| fail(e.to_string()))?;
            if let Some((status, used, length)) = parse_head(&buffer).map_err(&fail)? {
                let _ = buffer.split_to(used);
                break (status, length);
            }
            if read == 0 || buffer.len() > MAX_HEAD {
                return Err(fail("the daemon closed the connection before answering".into()));
            }
        };
        if matches!(status, StatusCode::SWITCHING_PROTOCOLS | StatusCode::OK) {
            return Ok(Hijacked { stream, early: buffer.freeze() });
        }
        while length.is_none_or(|length| buffer.len() < length) && buffer.len() < MAX_HEAD {
            if stream.read_buf(&mut buffer).await.map_err(|e| fail(e.to_string()))? == 0 {
                break;
            }
        }
        Err(daemon_error(status, &buffer))
    }
}

/// Status, length of the head and content length, once the head is complete.
fn parse_head(bytes: &[u8]) -> Result<Option<(StatusCode, usize, Option<usize>)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let used = match response.parse(bytes).map_err(|e| e.to_string())? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(used) => used,
    };
    let status = StatusCode::from_u16(response.code.unwrap_or_default()).map_err(|e| e.to_string())?;
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    Ok(Some((status, used, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_parsed_only_when_complete() {
        let text = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: x\r\nUpgrade: tcp\r\n\r\nrest";
        assert_eq!(parse_head(&text[..20]), Ok(None));
        assert_eq!(parse_head(text), Ok(Some((StatusCode::SWITCHING_PROTOCOLS, text.len() - 4, None))));
        let text = b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\n";
        assert_eq!(parse_head(text), Ok(Some((StatusCode::NOT_FOUND, text.len(), Some(5)))));
        assert!(parse_head(b"nonsense\r\n\r\n").is_err());
    }
}
