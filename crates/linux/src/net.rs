//! The network namespace a process finds itself in.

use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::error::check;
use crate::{Error, Result};

/// Brings the loopback interface of the calling process's network namespace up; the kernel then gives it
/// `127.0.0.1` and `::1` itself.
pub fn loopback_up() -> Result<()> {
    let failed = |error| Error::call("bring up the loopback interface", error);
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
        .map_err(|error| Error::call("open socket", error))?;
    // SAFETY: ifreq is a C structure of integers for which all zero bytes are a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo\0") {
        *to = *from as libc::c_char;
    }
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of the one ifreq it is given.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) }.into())
        .map_err(failed)?;
    // SAFETY: the call above has filled in the flags member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    request.ifr_ifru.ifru_flags = flags | (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads the name and the flags of the one ifreq it is given.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }.into())
        .map_err(failed)?;
    Ok(())
}
