//! A client attached to the container's streams.
//!
//! Output is framed as `berth_shim_proto::attach` says. A client that lags behind by [`MAX_PENDING`] slows the
//! container down, as a slow terminal does; one that then takes nothing at all for [`PATIENCE`] is dropped, so
//! a client that hangs cannot hang the container.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use berth_shim_proto::{Attach, attach};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::log::Stream;

/// Output kept for a client.
const MAX_PENDING: usize = 1 << 20;
/// How long a client with a full buffer may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// One client.
#[derive(Debug)]
pub struct Client {
    fd: OwnedFd,
    wants: Attach,
    pending: VecDeque<u8>,
    /// Input that came together with the request to attach.
    early: Vec<u8>,
    /// Nothing more comes from it, but it may still read.
    input_ended: bool,
    /// It has closed its end, and what it sent before is not read yet.
    hung_up: bool,
    gone: bool,
    /// When it last took something, while its buffer is full.
    full_since: Option<Instant>,
}

impl Client {
    /// A client; `pending` are bytes it has to get first.
    pub fn new(fd: OwnedFd, wants: Attach, pending: Vec<u8>, early: Vec<u8>) -> Client {
        Client {
            fd,
            wants,
            pending: pending.into(),
            early,
            input_ended: false,
            hung_up: false,
            gone: false,
            full_since: None,
        }
    }

    /// What to poll for, if it is to be polled; its input only while there is room for it.
    pub fn interest(&self, room: bool) -> Option<PollFlags> {
        if self.hung_up && !room {
            // Always ready, and nothing to be done about it: its last input has to wait.
            return None;
        }
        let mut interest = PollFlags::empty();
        if !self.input_ended && (room || !self.wants.stdin) {
            interest |= PollFlags::IN;
        }
        if !self.pending.is_empty() {
            interest |= PollFlags::OUT;
        }
        Some(interest)
    }

    /// Whether the container may go on producing output at full speed.
    pub fn keeps_up(&self) -> bool {
        self.gone || self.pending.len() < MAX_PENDING
    }

    /// When it will be dropped unless it takes something.
    pub fn gives_up_at(&self) -> Option<Instant> {
        self.full_since.map(|since| since + PATIENCE)
    }

    /// Whether it is to be forgotten.
    pub fn is_done(&self, now: Instant) -> bool {
        self.gone || self.gives_up_at().is_some_and(|at| now >= at)
    }

    /// Whether its input goes to the container.
    pub fn sends_input(&self) -> bool {
        self.wants.stdin
    }

    /// Whether the end of its input is the end of the container's.
    pub fn closes_input(&self) -> bool {
        self.wants.stdin && self.wants.close_stdin_on_eof
    }

    /// Whether it may still send input whose end would be the end of the container's.
    pub fn may_still_send(&self) -> bool {
        self.closes_input() && !self.input_ended && !self.gone
    }

    /// Whether it has everything.
    pub fn is_flushed(&self) -> bool {
        self.gone || self.pending.is_empty()
    }

    /// Queues output, if it wants that stream, and sends what it takes at once.
    pub fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let (wanted, number) = match stream {
            Stream::Out => (self.wants.stdout, attach::STDOUT),
            Stream::Err => (self.wants.stderr, attach::STDERR),
        };
        let Ok(len) = u32::try_from(bytes.len()) else { return };
        if wanted && !self.gone {
            self.pending.extend(attach::header(number, len));
            self.pending.extend(bytes);
            self.flush();
        }
    }

    /// Sends what it takes.
    pub fn flush(&mut self) {
        let mut took = false;
        while !self.gone {
            let (part, _) = self.pending.as_slices();
            if part.is_empty() {
                break;
            }
            match rustix::net::send(&self.fd, part, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(len) => {
                    took = true;
                    self.pending.drain(..len);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => self.gone = true,
            }
        }
        if self.pending.is_empty() {
            self.pending = VecDeque::new();
        }
        self.full_since = match self.keeps_up() {
            true => None,
            false if took => Some(Instant::now()),
            false => self.full_since.or_else(|| Some(Instant::now())),
        };
    }

    /// Reads input, at most `room` bytes. Says whether this was the end of it.
    pub fn read(&mut self, flags: PollFlags, input: &mut VecDeque<u8>, room: usize) -> bool {
        if self.input_ended {
            self.gone |= flags.intersects(PollFlags::HUP | PollFlags::ERR);
            return false;
        }
        if !self.early.is_empty() {
            input.extend(std::mem::take(&mut self.early));
            return false;
        }
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        // What is not wanted is thrown away, so that its end is noticed.
        let room = if self.wants.stdin { room.min(buffer.len()) } else { buffer.len() };
        if room == 0 {
            self.hung_up |= flags.intersects(PollFlags::HUP | PollFlags::ERR);
            return false;
        }
        let Some(space) = buffer.get_mut(..room) else { return false };
        match rustix::net::recv(&self.fd, &mut *space, RecvFlags::DONTWAIT) {
            Ok(((bytes, _), _)) if !bytes.is_empty() => {
                input.extend(bytes.iter());
                false
            }
            Ok(_) => {
                self.input_ended = true;
                self.gone |= flags.intersects(PollFlags::HUP | PollFlags::ERR);
                true
            }
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_) => {
                self.input_ended = true;
                self.gone = true;
                true
            }
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
