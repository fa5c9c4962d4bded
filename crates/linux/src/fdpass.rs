//! Sending and receiving file descriptors over Unix sockets (`SCM_RIGHTS`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

use crate::{Error, Result};

/// Descriptors that may travel with one message.
pub const MAX_FDS: usize = 8;

/// Sends `bytes` and `fds` as one message; returns how many bytes were taken. Never raises SIGPIPE.
///
/// `bytes` must not be empty on stream sockets: descriptors travel with data.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Error::call("send descriptors", io::Error::from_raw_os_error(libc::E2BIG)));
    }
    loop {
        match rustix::net::sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Ok(sent) => return Ok(sent),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Error::call("send message", error)),
        }
    }
}

/// What [`receive`] got.
#[derive(Debug)]
pub struct Received {
    /// Bytes put at the start of the buffer; 0 means that the peer has closed.
    pub len: usize,
    /// Descriptors that came along, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// The message was longer than the buffer (only on datagram and seqpacket sockets).
    pub truncated: bool,
}

/// The length of the next message of a datagram or seqpacket socket, which stays there; waiting for it unless
/// the socket is non-blocking (then `WouldBlock`). 0: the peer has closed.
pub fn next_len(socket: impl AsFd) -> io::Result<usize> {
    loop {
        match rustix::net::recv(&socket, &mut [0; 1][..], RecvFlags::PEEK | RecvFlags::TRUNC) {
            Ok((_, len)) => return Ok(len),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Receives one message, waiting for it unless the socket is non-blocking (then `WouldBlock`).
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        let mut slices = [IoSliceMut::new(buffer)];
        match rustix::net::recvmsg(&socket, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) => break message,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let mut fds = Vec::new();
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(list) = item {
            fds.extend(list);
        }
    }
    let truncated = message.flags.contains(rustix::net::ReturnFlags::TRUNC);
    Ok(Received { len: message.bytes, fds, truncated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_arrives_usable_and_close_on_exec() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut reader, mut writer) = io::pipe().unwrap();
        send(&a, b"x", &[reader.as_fd()]).unwrap();
        let mut buffer = [0; 8];
        let got = receive(&b, &mut buffer).unwrap();
        assert_eq!((got.len, got.fds.len(), got.truncated), (1, 1, false));
        let flags = rustix::io::fcntl_getfd(&got.fds[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        let mut received = std::fs::File::from(got.fds.into_iter().next().unwrap());
        writer.write_all(b"hello").unwrap();
        drop(writer);
        let mut text = String::new();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }

    #[test]
    fn the_length_of_a_message_is_known_before_it_is_taken() {
        use rustix::net::{AddressFamily, SocketFlags, SocketType};
        let (a, b) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        send(&a, &[7; 1234], &[]).unwrap();
        assert_eq!(next_len(&b).unwrap(), 1234);
        assert_eq!(receive(&b, &mut [0; 2000]).unwrap().len, 1234);
        drop(a);
        assert_eq!(next_len(&b).unwrap(), 0);
    }

    #[test]
    fn a_closed_peer_reads_as_zero_bytes() {
        let (a, b) = UnixStream::pair().unwrap();
        drop(a);
        assert_eq!(receive(&b, &mut [0; 8]).unwrap().len, 0);
    }
}
