//! Decompression, hashing and extraction of one stream at the same time, each on its own thread.
//!
//! ```text
//! source ─▶ decompress ─┬─▶ SHA-256
//!                       └─▶ the caller (extraction)
//! ```
//! Pieces are shared, not copied; the channels are short, so memory stays bounded and the slowest stage sets the pace.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::compress::Decompressed;
use crate::digest::Digest;
use crate::error::{Error, Result};

const PIECE: usize = 256 << 10;
const DEPTH: usize = 4;

type Piece = Arc<Vec<u8>>;

/// What came of a stream.
pub(crate) struct Outcome<T> {
    /// What the consumer returned.
    pub(crate) value: T,
    /// Digest of the decompressed bytes.
    pub(crate) digest: Digest,
    /// How many decompressed bytes there were.
    pub(crate) size: u64,
}

/// Feeds `consume` the decompressed bytes of `source`, hashing them meanwhile. What the consumer leaves unread
/// is read to the end, so that the digest is always of everything.
pub(crate) fn run<R, T>(source: R, consume: impl FnOnce(&mut Pieces) -> Result<T>) -> Result<Outcome<T>>
where
    R: Read + Send,
{
    let (to_hash, hash_in) = sync_channel(DEPTH);
    let (to_consumer, consumer_in) = sync_channel(DEPTH);
    thread::scope(|scope| {
        let spawn_failed = |e| Error::io("start thread", "unpack", e);
        let hasher = thread::Builder::new()
            .name("layer-hash".into())
            .spawn_scoped(scope, move || hash(&hash_in))
            .map_err(spawn_failed)?;
        let producer = thread::Builder::new()
            .name("layer-read".into())
            .spawn_scoped(scope, move || produce(source, &to_hash, &to_consumer))
            .map_err(spawn_failed)?;
        let mut pieces = Pieces { input: consumer_in, current: None, position: 0, failed: None };
        let value = consume(&mut pieces).and_then(|value| {
            io::copy(&mut pieces, &mut io::sink()).map_err(|e| pieces.failure(e))?;
            Ok(value)
        });
        // A reader that is closed before its end stops the producer, and that one's end stops the hasher.
        let value = value.map_err(|e| pieces.prefer_failure(e));
        drop(pieces);
        let produced = producer.join();
        let hashed = hasher.join();
        let (Ok(()), Ok((digest, size))) = (produced, hashed) else {
            return Err(Error::Read(io::Error::other("a stage of the unpacking pipeline failed")));
        };
        Ok(Outcome { value: value?, digest, size })
    })
}

fn hash(input: &Receiver<Piece>) -> (Digest, u64) {
    let mut hasher = Sha256::new();
    let mut size = 0;
    for piece in input {
        hasher.update(piece.as_slice());
        size += piece.len() as u64;
    }
    (Digest::from_bytes(hasher.finalize().into()), size)
}

fn produce(source: impl Read + Send, hash: &SyncSender<Piece>, consumer: &SyncSender<Result<Piece>>) {
    let mut source = match Decompressed::new(source) {
        Ok(source) => source,
        Err(error) => {
            // Nobody left to tell: then the consumer has already failed for a reason of its own.
            let _ = consumer.send(Err(error));
            return;
        }
    };
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        match source.by_ref().take(PIECE as u64).read_to_end(&mut piece) {
            Ok(0) => return,
            Ok(_) => {
                let piece = Arc::new(piece);
                let hashing = hash.send(Arc::clone(&piece)).is_ok();
                if !hashing || consumer.send(Ok(piece)).is_err() {
                    return;
                }
            }
            Err(error) => {
                let _ = consumer.send(Err(Error::Read(error)));
                return;
            }
        }
    }
}

/// The decompressed bytes, piece by piece.
pub(crate) struct Pieces {
    input: Receiver<Result<Piece>>,
    current: Option<Piece>,
    position: usize,
    /// The producer's own error; readers only see an [`io::Error`] standing for it.
    failed: Option<Error>,
}

impl Pieces {
    /// The producer's error if there was one: it says more than what a reader made of it.
    fn prefer_failure(&mut self, error: Error) -> Error {
        match (error, self.failed.take()) {
            (Error::Read(_), Some(failed)) => failed,
            (error, _) => error,
        }
    }

    fn failure(&mut self, error: io::Error) -> Error {
        self.prefer_failure(Error::Read(error))
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let used_up = self.current.as_ref().is_none_or(|c| self.position >= c.len());
        if used_up {
            self.current = None;
            self.position = 0;
            match self.input.recv() {
                Ok(Ok(piece)) => self.current = Some(piece),
                Ok(Err(error)) => {
                    let stand_in = io::Error::other(error.to_string());
                    self.failed = Some(error);
                    return Err(stand_in);
                }
                // The producer has ended: so has the stream.
                Err(_) => {}
            }
        }
        let bytes = self.current.as_ref().map(|c| c.as_slice()).unwrap_or_default();
        Ok(bytes.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, n: usize) {
        self.position += n;
    }
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), available.get(..n)) {
            to.copy_from_slice(from);
        }
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_digest_covers_what_the_consumer_leaves_unread() {
        let data = vec![1u8; 3 * PIECE + 17];
        let outcome = run(&data[..], |pieces| {
            let mut first = [0; 5];
            pieces.read_exact(&mut first).unwrap();
            Ok(first)
        })
        .unwrap();
        assert_eq!(outcome.value, [1; 5]);
        assert_eq!((outcome.digest, outcome.size), (Digest::of(&data), data.len() as u64));
    }

    #[test]
    fn a_consumer_that_gives_up_ends_all_threads() {
        let endless = io::repeat(0);
        let error = run(endless, |_| Err::<(), _>(Error::InvalidTar("enough".into()))).err().unwrap();
        assert_eq!(error.to_string(), "archive/tar: enough");
    }

    #[test]
    fn errors_of_the_source_arrive_with_their_kind() {
        let error = run(&b"\x04\x22\x4d\x18"[..], |_| Ok(())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let mut gz = flate2::read::GzEncoder::new(&[9u8; 1000][..], flate2::Compression::fast());
        let mut bytes = Vec::new();
        gz.read_to_end(&mut bytes).unwrap();
        bytes.truncate(bytes.len() - 9);
        let error = run(&bytes[..], |_| Ok(())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}
