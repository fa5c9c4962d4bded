//! The streams that use cases hand to the boundary: typed, without any transport in them.

use std::io;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{mpsc, oneshot};

use crate::Result;

/// One of a container's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdStream {
    /// Standard output, and everything of a container with a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of live output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where the container wrote it.
    pub stream: StdStream,
    /// What it wrote, unchanged.
    pub bytes: Bytes,
}

/// One record of a container's log: a line with its newline, or a part of a line longer than 16 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Where the container wrote it.
    pub stream: StdStream,
    /// When, in nanoseconds since the epoch.
    pub time_ns: i64,
    /// The text.
    pub line: Bytes,
}

/// A container's log, past and (if followed) to come. Dropping it ends the reading.
#[derive(Debug)]
pub struct LogStream {
    /// The container has a terminal: records are sent raw, not multiplexed.
    pub tty: bool,
    /// The records in order; closed at the end. An error is the last item.
    pub records: mpsc::Receiver<Result<LogRecord>>,
}

/// A live connection to a container's streams. Dropping it detaches.
#[derive(Debug)]
pub struct Attachment {
    /// The container has a terminal: output is sent raw, not multiplexed.
    pub tty: bool,
    /// Output in order; closed when the container ended.
    pub output: mpsc::Receiver<Output>,
    /// Standard input, where it was asked for and the container has it open.
    pub input: Option<StdinWriter>,
    /// The end of the client's input ends the attachment, as with Docker where that end does not close the
    /// container's standard input.
    pub ends_with_input: bool,
}

/// The way into a container's standard input. Dropping it is the client's end of file.
#[derive(Debug)]
pub struct StdinWriter {
    half: Half,
}

#[derive(Debug)]
enum Half {
    /// The container has not started yet.
    Pending(oneshot::Receiver<OwnedWriteHalf>),
    Open(OwnedWriteHalf),
    Gone,
}

impl StdinWriter {
    pub(crate) fn new(half: oneshot::Receiver<OwnedWriteHalf>) -> Self {
        StdinWriter { half: Half::Pending(half) }
    }

    /// Writes all of `bytes`; waits for the container to start, and while it does not read.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Half::Pending(pending) = &mut self.half {
            self.half = pending.await.map_or(Half::Gone, Half::Open);
        }
        match &mut self.half {
            Half::Open(half) => half.write_all(bytes).await,
            Half::Pending(_) | Half::Gone => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}
