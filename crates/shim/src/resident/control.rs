//! A connection that speaks the protocol of `berth_shim_proto`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use berth_shim_proto::frame::{self, Decoder};
use berth_shim_proto::{Attach, Call, Hello, Message, Reply};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::attach::Client;

/// A daemon that takes no more messages beyond this much is given up; it can connect again.
const MAX_UNSENT: usize = 1 << 20;

/// One connection. Never blocks; the flags for that are given with each call, because the first connection's
/// file description is shared with the builder, which does block.
#[derive(Debug)]
pub struct Connection {
    fd: OwnedFd,
    first: bool,
    greeted: bool,
    closed: bool,
    decoder: Decoder,
    unsent: Vec<u8>,
}

impl Connection {
    /// A connection from the socket in the run directory.
    pub fn new(fd: OwnedFd) -> Connection {
        let decoder = Decoder::default();
        Connection { fd, first: false, greeted: false, closed: false, decoder, unsent: Vec::new() }
    }

    /// The connection of the daemon that started the shim; the builder exchanges greetings on it.
    pub fn first(fd: OwnedFd) -> Connection {
        Connection { first: true, greeted: true, ..Connection::new(fd) }
    }

    /// Whether it is the one the shim was started with.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Whether nothing more can happen on it.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// What to poll for. While the container is being built the first one is read by the builder.
    pub fn interest(&self, building: bool) -> PollFlags {
        let mut interest = PollFlags::empty();
        if !(building && self.first) {
            interest |= PollFlags::IN;
        }
        if !self.unsent.is_empty() {
            interest |= PollFlags::OUT;
        }
        interest
    }

    /// Reads and writes what can be, after a poll.
    pub fn progress(&mut self, flags: PollFlags, building: bool) {
        self.flush();
        if building && self.first {
            self.closed |= flags.intersects(PollFlags::HUP | PollFlags::ERR);
            return;
        }
        let mut buffer = [0; 4 << 10];
        match rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => self.closed = true,
            Ok((len, _)) => self.decoder.push(buffer.get(..len).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.closed = true,
        }
    }

    /// The next request that has arrived in full.
    pub fn next_call(&mut self) -> Option<Call> {
        if !self.greeted {
            match self.decoder.next_message::<Hello>() {
                Ok(Some(hello)) => {
                    self.greeted = true;
                    let agreed = Hello::OURS.agree(hello).is_some();
                    self.send_frame(&Hello::OURS);
                    self.closed |= !agreed;
                }
                Ok(None) => return None,
                Err(_) => self.closed = true,
            }
        }
        if self.closed && !self.greeted {
            return None;
        }
        match self.decoder.next_message::<Call>() {
            Ok(call) => call,
            // Not our protocol: nothing that follows can be trusted either.
            Err(error) => {
                eprintln!("control connection: {error}");
                self.closed = true;
                None
            }
        }
    }

    /// Sends a message, or keeps it until the peer takes it.
    pub fn send(&mut self, message: &Message) {
        if self.greeted {
            self.send_frame(message);
        }
    }

    fn send_frame(&mut self, message: &impl serde::Serialize) {
        match frame::encode(message) {
            Ok(bytes) => self.unsent.extend_from_slice(&bytes),
            Err(error) => eprintln!("control connection: {error}"),
        }
        self.flush();
        self.closed |= self.unsent.len() > MAX_UNSENT;
    }

    /// Sends what was kept, as far as it goes. Says whether all of it went.
    pub fn flush(&mut self) -> bool {
        while !self.unsent.is_empty() && !self.closed {
            match rustix::net::send(&self.fd, &self.unsent, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(len) => drop(self.unsent.drain(..len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Err(_) => self.closed = true,
            }
        }
        self.unsent = Vec::new();
        true
    }

    /// Leaves the protocol. Bytes that came after the request are the client's first input.
    pub fn into_client(mut self, attach: Attach) -> Client {
        let early = self.decoder.take_rest();
        Client::new(self.fd, attach, self.unsent, early)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A request that makes no sense now.
pub fn refusal(phase: &str, message: &str) -> Reply {
    Reply::Error { phase: phase.to_owned(), errno: 0, message: message.to_owned() }
}

/// A request that failed.
pub fn failed(phase: &str, error: &io::Error) -> Reply {
    Reply::Error {
        phase: phase.to_owned(),
        errno: error.raw_os_error().unwrap_or(0),
        message: crate::report::words(error),
    }
}

/// The answer for a signal: delivered, nobody there, or an error.
pub fn outcome(phase: &str, result: berth_linux::Result<bool>) -> Reply {
    match result {
        Ok(true) => Reply::Done,
        Ok(false) => failed(phase, &io::Error::from(Errno::SRCH)),
        Err(error) => {
            let errno = error.errno();
            Reply::Error { phase: phase.to_owned(), errno, message: error.to_string() }
        }
    }
}
