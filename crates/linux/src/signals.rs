//! Signals of a supervising process: none interrupts it, one is read as data, and what it starts gets a clean
//! slate.

use std::os::fd::{FromRawFd, OwnedFd};

use crate::error::check;
use crate::{Error, Result};

/// Blocks every signal that can be blocked. Stray SIGHUP or SIGTERM then stay pending for ever instead of
/// ending the process; only SIGKILL gets through.
pub fn block_all() -> Result<()> {
    set_mask(true)
}

/// A descriptor that is readable while a SIGCHLD is pending (`signalfd(2)`, non-blocking, close-on-exec).
/// SIGCHLD must be blocked.
pub fn child_events() -> Result<OwnedFd> {
    // SAFETY: sigset_t is plain memory, set up by sigemptyset before use.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: both calls write only to `set`; signalfd reads it and makes a descriptor.
    let fd = unsafe {
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    check(fd.into()).map_err(|error| Error::call("open signalfd", error))?;
    // SAFETY: the kernel has just made this descriptor for us, nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives every signal its default action and blocks none: what a new program expects.
pub fn reset() -> Result<()> {
    // SAFETY: sigaction is plain memory for which all zero bytes mean the default action and no flags.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    for signal in 1..=libc::SIGRTMAX() {
        // Refused for SIGKILL, SIGSTOP and the two signals the C library keeps for itself: these always have
        // their default action in a process that never installed a handler.
        // SAFETY: SIG_DFL runs no code of ours; the structure is only read.
        unsafe { libc::sigaction(signal, &raw const default, std::ptr::null_mut()) };
    }
    set_mask(false)
}

fn set_mask(block: bool) -> Result<()> {
    // SAFETY: sigset_t is plain memory, filled in before use.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the calls write only to `set`, and sigprocmask only reads it.
    let result = unsafe {
        if block {
            libc::sigfillset(&raw mut set);
        } else {
            libc::sigemptyset(&raw mut set);
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut())
    };
    check(result.into()).map(drop).map_err(|error| Error::call("set signal mask", error))
}
