//! The container's standard streams, seen from outside: three pipes or one terminal.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::Winsize;

use super::log::Stream;

/// Input kept for a container that does not read.
const MAX_INPUT: usize = 16 << 10;
/// A terminal that nobody in the container has open is looked at again after this time.
const TERMINAL_PAUSE: Duration = Duration::from_millis(100);

/// The streams.
#[derive(Debug)]
pub struct Streams {
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    terminal_closed_at: Option<Instant>,
    input: VecDeque<u8>,
    close_after_input: bool,
}

/// What a read gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Nothing at the moment.
    Nothing,
    /// The stream has just ended.
    End,
}

impl Streams {
    /// Pipes: our ends of them.
    pub fn pipes(stdin: OwnedFd, stdout: OwnedFd, stderr: OwnedFd) -> Streams {
        for fd in [&stdin, &stdout, &stderr] {
            never_block(fd);
        }
        Streams {
            stdout: Some(stdout),
            stderr: Some(stderr),
            stdin: Some(stdin),
            terminal: None,
            terminal_closed_at: None,
            input: VecDeque::new(),
            close_after_input: false,
        }
    }

    /// Puts a terminal in place of the pipes.
    pub fn use_terminal(&mut self, master: OwnedFd) {
        never_block(&master);
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
        self.terminal = Some(master);
    }

    /// Sets the terminal's size.
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        let Some(terminal) = &self.terminal else { return Err(Errno::NOTTY.into()) };
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(terminal, size)?)
    }

    /// Descriptors to watch for output.
    pub fn readable(&self, now: Instant) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        let terminal = self.terminal.as_ref().filter(|_| self.resumes_at(now).is_none());
        let out = self.stdout.as_ref().or(terminal).map(|fd| (Stream::Out, fd.as_fd()));
        let err = self.stderr.as_ref().map(|fd| (Stream::Err, fd.as_fd()));
        out.into_iter().chain(err)
    }

    /// When a closed terminal is to be looked at again.
    pub fn resumes_at(&self, now: Instant) -> Option<Instant> {
        self.terminal_closed_at.map(|at| at + TERMINAL_PAUSE).filter(|at| *at > now)
    }

    /// Reads output. The buffer is not initialised before, so a few bytes touch one page of a large buffer.
    pub fn read<'a>(&mut self, stream: Stream, buffer: &'a mut [MaybeUninit<u8>]) -> Taken<'a> {
        if let Some(terminal) = &self.terminal {
            return match rustix::io::read(terminal, buffer) {
                Ok((bytes, _)) if !bytes.is_empty() => {
                    self.terminal_closed_at = None;
                    Taken::Bytes(bytes)
                }
                Err(Errno::AGAIN | Errno::INTR) => Taken::Nothing,
                // EIO: nobody has the other end open. Somebody may open it again (`getty` does).
                _ => {
                    self.terminal_closed_at = Some(Instant::now());
                    Taken::Nothing
                }
            };
        }
        let end = if stream == Stream::Out { &mut self.stdout } else { &mut self.stderr };
        let Some(fd) = end else { return Taken::Nothing };
        match rustix::io::read(fd, buffer) {
            Ok((bytes, _)) if !bytes.is_empty() => Taken::Bytes(bytes),
            Err(Errno::AGAIN | Errno::INTR) => Taken::Nothing,
            _ => {
                *end = None;
                Taken::End
            }
        }
    }

    fn target(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref().or(self.stdin.as_ref())
    }

    /// The descriptor to watch until it takes the input that waits.
    pub fn writable(&self) -> Option<BorrowedFd<'_>> {
        self.target().filter(|_| !self.input.is_empty()).map(AsFd::as_fd)
    }

    /// How many bytes of input can be taken now.
    pub fn room(&self) -> usize {
        MAX_INPUT.saturating_sub(self.input.len())
    }

    /// Whether any input can be taken now.
    pub fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// Takes input. Without anybody to take it, it is thrown away.
    pub fn input(&mut self, bytes: VecDeque<u8>) {
        if self.target().is_some() && !self.close_after_input {
            self.input.extend(bytes);
            self.write_pending();
        }
    }

    /// Closes the container's standard input once what was taken before has been written. A terminal has no
    /// end of input to give.
    pub fn close_input(&mut self) {
        if self.terminal.is_none() {
            self.close_after_input = true;
            self.write_pending();
        }
    }

    /// Writes input as far as it goes.
    pub fn write_pending(&mut self) {
        while let Some(target) = self.terminal.as_ref().or(self.stdin.as_ref()) {
            let (part, _) = self.input.as_slices();
            if part.is_empty() {
                break;
            }
            match rustix::io::write(target, part) {
                Ok(len) => drop(self.input.drain(..len)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // The container has closed it.
                Err(_) => {
                    self.stdin = None;
                    self.input.clear();
                    return;
                }
            }
        }
        self.input = VecDeque::new();
        if self.close_after_input {
            self.stdin = None;
        }
    }

    /// Which streams can have output.
    pub fn outputs(&self) -> impl Iterator<Item = Stream> + use<> {
        let err = self.stderr.is_some().then_some(Stream::Err);
        let out = (self.stdout.is_some() || self.terminal.is_some()).then_some(Stream::Out);
        out.into_iter().chain(err)
    }
}

/// Our descriptions only: the container's ends have their own.
fn never_block(fd: &OwnedFd) {
    if let Err(error) = rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK) {
        eprintln!("stream: {error}");
    }
}
