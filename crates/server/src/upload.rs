//! Request bodies that are archives: read as a file, and read to their end even when the archive was refused.
//!
//! A client that still sends while the server closes sees a reset instead of the answer, so what remains is drained.

use std::io;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::io::AsyncRead;
use tokio::sync::Mutex;
use tokio_util::io::StreamReader;

/// How much of a refused archive is still read, in bytes; beyond that the client has to cope.
const DRAIN: usize = 256 << 20;

/// An archive on its way in.
pub(crate) struct Upload {
    body: Arc<Mutex<BodyDataStream>>,
}

impl Upload {
    /// Takes over a request body.
    pub(crate) fn new(body: Body) -> Self {
        Upload { body: Arc::new(Mutex::new(body.into_data_stream())) }
    }

    /// The archive as a file. Whoever drops it before the end leaves the rest to [`Upload::finish`].
    pub(crate) fn reader(&self) -> Box<dyn AsyncRead + Send + Unpin> {
        Box::new(StreamReader::new(Box::pin(pieces(Arc::clone(&self.body)))))
    }

    /// Reads what nobody read.
    pub(crate) async fn finish(self) {
        let mut body = self.body.lock().await;
        let mut left = DRAIN;
        while left > 0
            && let Some(Ok(piece)) = body.next().await
        {
            left = left.saturating_sub(piece.len());
        }
    }
}

/// The pieces of a body, as a file's.
fn pieces(body: Arc<Mutex<BodyDataStream>>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::unfold(body, |body| async move {
        let piece = body.lock().await.next().await?;
        Some((piece.map_err(io::Error::other), body))
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn the_rest_is_read_after_a_refusal() {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
        let body = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|piece| (Ok::<_, io::Error>(piece), receiver))
        });
        let upload = Upload::new(Body::from_stream(body));
        let client = tokio::spawn(async move {
            for _ in 0..10 {
                sender.send(Bytes::from_static(b"abc")).await.unwrap();
            }
        });
        let mut start = [0; 4];
        upload.reader().read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"abca");
        upload.finish().await;
        client.await.unwrap();
    }
}
