//! Descriptors wholesale: what must not survive into, or out of, a process.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::error::check;
use crate::{Error, Result};

const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Marks every descriptor from 3 up close-on-exec, so that the next program has only its standard streams.
pub fn close_on_exec_above_stdio() -> Result<()> {
    // SAFETY: only descriptor flags change; nothing is closed while somebody may own it.
    check(unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, CLOSE_RANGE_CLOEXEC) })
        .map(drop)
        .map_err(|error| Error::call("mark descriptors close-on-exec", error))
}

/// Closes every descriptor from 3 up. For the first line of `main`, where whatever is open there was
/// inherited by accident and nothing in this process owns it yet.
pub fn close_inherited() -> Result<()> {
    // SAFETY: the kernel only forgets descriptors; called before anything is opened (see above) no owned
    // descriptor is among them.
    check(unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) })
        .map(drop)
        .map_err(|error| Error::call("close inherited descriptors", error))
}

/// Takes standard input away: returns what it was (close-on-exec, numbered 3 or higher) and leaves
/// `/dev/null` as standard input and output.
pub fn take_stdin() -> Result<OwnedFd> {
    let taken = rustix::io::fcntl_dupfd_cloexec(io::stdin().as_fd(), 3)
        .map_err(|error| Error::call("duplicate standard input", error))?;
    let path = "/dev/null";
    let null = rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::path("open", path, error))?;
    rustix::stdio::dup2_stdin(&null)
        .and_then(|()| rustix::stdio::dup2_stdout(&null))
        .map_err(|error| Error::call("replace standard streams", error))?;
    Ok(taken)
}
