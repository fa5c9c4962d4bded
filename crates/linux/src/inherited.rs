//! Descriptors that this process was started with: the sockets that systemd opened for a service
//! (sd_listen_fds(3)).

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use crate::{Error, Result};

/// A duplicate of an inherited descriptor, closed on exec. The original stays open.
pub fn take(fd: RawFd) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(Error::Call {
            operation: "take inherited descriptor",
            source: std::io::ErrorKind::InvalidInput.into(),
        });
    }
    // SAFETY: the borrow lasts only for the duplication; a number that is not open makes that fail with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_dupfd_cloexec(borrowed, 3)
        .map_err(|errno| Error::Call { operation: "take inherited descriptor", source: errno.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_is_not_open_is_an_error() {
        assert!(take(-1).is_err());
        assert!(take(100_000).is_err());
        assert!(take(0).is_ok());
    }
}
