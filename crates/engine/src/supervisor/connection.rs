//! One control connection to a shim.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use berth_shim_proto::frame::{self, Decoder, FrameError};
use berth_shim_proto::{Call, Event, Hello, Message, Request, files};
use rustix::fs::{Mode, OFlags};
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Why a conversation with a shim ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The shim closed the connection: it ended.
    #[error("the shim ended unexpectedly")]
    Closed,
    /// The socket failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The shim sent something that is no frame of this protocol.
    #[error("the shim sent a broken frame: {0}")]
    Frame(FrameError),
    /// No protocol version is common to both.
    #[error("the shim speaks protocol versions {min} to {max}, this daemon {} to {}", Hello::OURS.min, Hello::OURS.max)]
    Version {
        /// Its oldest.
        min: u32,
        /// Its newest.
        max: u32,
    },
}

/// A connection on which both sides have said `Hello`, or are about to.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    next_seq: u64,
}

impl Connection {
    /// The first connection: the socketpair whose other end is the shim's standard input.
    pub fn new(stream: UnixStream) -> Self {
        Connection { stream, decoder: Decoder::default(), next_seq: 1 }
    }

    /// Connects to the shim with this run directory and agrees on a version.
    pub async fn connect(run_dir: &Path) -> Result<Self, Failure> {
        // A socket's name has room for 107 bytes (unix(7)), which the path of a run directory may exceed.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(run_dir, flags, Mode::empty()).map_err(io::Error::from)?;
        let socket = format!("/proc/self/fd/{}/{}", directory.as_raw_fd(), files::SOCKET);
        let mut connection = Connection::new(UnixStream::connect(socket).await?);
        connection.send_hello().await?;
        connection.receive_hello().await?;
        Ok(connection)
    }

    /// Offers our versions.
    pub async fn send_hello(&mut self) -> Result<(), Failure> {
        self.send(&Hello::OURS).await
    }

    /// Waits for the shim's versions; the agreed one is returned.
    pub async fn receive_hello(&mut self) -> Result<u32, Failure> {
        let theirs: Hello = self.receive().await?;
        Hello::OURS.agree(theirs).ok_or(Failure::Version { min: theirs.min, max: theirs.max })
    }

    /// Sends a request; its sequence number is returned.
    pub async fn call(&mut self, request: Request) -> Result<u64, Failure> {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.send(&Call { seq, request }).await?;
        Ok(seq)
    }

    /// The next message. Safe to drop while it waits: nothing that arrived is lost.
    pub async fn message(&mut self) -> Result<Message, Failure> {
        self.receive().await
    }

    /// The next event; replies in between are logged and passed over.
    pub async fn event(&mut self) -> Result<Event, Failure> {
        loop {
            match self.message().await? {
                Message::Event { event } => return Ok(event),
                Message::Reply { seq, reply } => tracing::debug!(seq, ?reply, "reply nobody waited for"),
            }
        }
    }

    /// The bare stream, after a request that leaves the protocol. Fails if frames are left unread.
    pub fn into_stream(self) -> Result<UnixStream, Failure> {
        if self.decoder.is_empty() {
            Ok(self.stream)
        } else {
            Err(Failure::Io(io::Error::new(io::ErrorKind::InvalidData, "bytes before the attach stream")))
        }
    }

    async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), Failure> {
        let bytes = frame::encode(message).map_err(Failure::Frame)?;
        self.stream.write_all(&bytes).await?;
        Ok(())
    }

    async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(message) = self.decoder.next_message().map_err(Failure::Frame)? {
                return Ok(message);
            }
            let n = match self.stream.read(&mut chunk).await {
                Ok(n) => n,
                // A shim that was killed with our bytes unread resets the connection.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                Err(error) => return Err(error.into()),
            };
            if n == 0 {
                return Err(Failure::Closed);
            }
            self.decoder.push(chunk.get(..n).unwrap_or_default());
        }
    }

    /// Like [`Connection::message`], but reads not one byte beyond the message: what follows is a raw stream.
    pub async fn last_message(&mut self) -> Result<Message, Failure> {
        let mut head = [0; 4];
        self.exactly(&mut head).await?;
        let length = u32::from_le_bytes(head);
        if length > frame::MAX_FRAME {
            return Err(Failure::Frame(FrameError::TooLarge(length)));
        }
        let mut body = vec![0; length as usize];
        self.exactly(&mut body).await?;
        serde_json::from_slice(&body).map_err(|error| Failure::Frame(error.into()))
    }

    async fn exactly(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        match self.stream.read_exact(buffer).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Failure::Closed),
            Err(error) => Err(error.into()),
        }
    }
}
