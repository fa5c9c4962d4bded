//! Answers that are a sequence of JSON documents, one after another: events, import, load, pull.

use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::error::{CliError, Result};
use crate::json::Doc;

/// Reads documents from a response body as they arrive.
#[derive(Debug)]
pub struct Documents {
    body: Incoming,
    buffer: Vec<u8>,
    ended: bool,
    request: &'static str,
}

impl Documents {
    /// `request` names the request in errors.
    pub fn new(body: Incoming, request: &'static str) -> Self {
        Self { body, buffer: Vec::new(), ended: false, request }
    }

    /// The next document, or `None` when the daemon closed the stream.
    pub async fn next(&mut self) -> Result<Option<Doc>> {
        loop {
            if let Some(doc) = self.take()? {
                return Ok(Some(doc));
            }
            if self.ended {
                return Ok(None);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
                Some(Err(e)) => {
                    return Err(CliError::Transport { request: self.request.into(), reason: e.to_string() });
                }
                None => self.ended = true,
            }
        }
    }

    /// Decodes one document from the buffer if a complete one is there.
    fn take(&mut self) -> Result<Option<Doc>> {
        let bad = |reason: String| CliError::Answer { request: self.request.into(), reason };
        let mut documents = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Doc>();
        match documents.next() {
            Some(Ok(doc)) => {
                let used = documents.byte_offset();
                self.buffer.drain(..used);
                Ok(Some(doc))
            }
            Some(Err(e)) if e.is_eof() && !self.ended => Ok(None),
            Some(Err(e)) => Err(bad(e.to_string())),
            None => {
                self.buffer.clear();
                Ok(None)
            }
        }
    }
}
