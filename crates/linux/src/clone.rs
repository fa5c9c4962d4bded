//! Making processes: `fork`, `clone3` with namespaces and a cgroup, `execve`.
//!
//! A copy of a multithreaded process may find locks held for ever by threads it does not have. Both ways of
//! copying here therefore refuse to work unless the caller is the only thread of its process, which is what
//! makes them safe to call.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::error::check;
use crate::process::PidFd;
use crate::{Error, Result};

/// A new PID, IPC, … namespace for the child; the values of `linux/sched.h`.
pub mod flags {
    /// A new mount namespace.
    pub const NEWNS: u64 = 0x0002_0000;
    /// A new cgroup namespace.
    pub const NEWCGROUP: u64 = 0x0200_0000;
    /// A new UTS namespace.
    pub const NEWUTS: u64 = 0x0400_0000;
    /// A new IPC namespace.
    pub const NEWIPC: u64 = 0x0800_0000;
    /// A new user namespace, made first: it owns the others.
    pub const NEWUSER: u64 = 0x1000_0000;
    /// A new PID namespace.
    pub const NEWPID: u64 = 0x2000_0000;
    /// A new network namespace.
    pub const NEWNET: u64 = 0x4000_0000;
    /// The child's parent is the caller's parent, which also gets the child's end.
    pub const PARENT: u64 = 0x0000_8000;

    pub(super) const PIDFD: u64 = 0x0000_1000;
    // The C library's binding has 0 for this one: it does not fit its type.
    pub(super) const INTO_CGROUP: u64 = 0x2_0000_0000;
}

/// Which side of a copy this is.
#[derive(Debug)]
pub enum Side {
    /// The new process.
    Child,
    /// The caller, with the new process's ID and a handle on it.
    Parent(i32, PidFd),
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Copies the calling process, with `flags` out of [`flags`], born in the version 2 cgroup whose directory is
/// given. The child gets SIGKILL when its parent ends only if it asks for it.
///
/// # Errors
/// `EBUSY` when the caller has more than one thread; else the errors of `clone3(2)`.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    single_threaded()?;
    let mut pidfd: RawFd = -1;
    let mut args = CloneArgs {
        flags: flags | flags::PIDFD,
        pidfd: (&raw mut pidfd) as u64,
        // With PARENT the kernel takes the signal the caller itself was made with.
        exit_signal: if flags & flags::PARENT == 0 { libc::SIGCHLD as u64 } else { 0 },
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= flags::INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM and with a null stack this behaves as fork: the child has its own copy of
    // everything, and no other thread can hold a lock in it (checked above). The kernel reads the arguments
    // and writes one int to `pidfd`, which outlives the call.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) })
        .map_err(|error| Error::call("clone", error))?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: the kernel has just made this descriptor for the parent, nothing else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Side::Parent(pid as i32, PidFd::from(pidfd)))
}

/// Copies the calling process. See [`clone3`].
pub fn fork() -> Result<Side> {
    clone3(0, None)
}

fn single_threaded() -> Result<()> {
    let path = "/proc/self/task";
    let tasks = std::fs::metadata(path).map_err(|error| Error::path("look at", path, error))?;
    // One link for the directory, one for its parent, one per thread.
    if std::os::unix::fs::MetadataExt::nlink(&tasks) == 3 {
        Ok(())
    } else {
        Err(Error::call("copy a multithreaded process", io::Error::from_raw_os_error(libc::EBUSY)))
    }
}

/// Replaces the calling process's program. Returns only the reason it could not.
pub fn execve(path: &CStr, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|one| one.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end in a null pointer, and the strings they point to are borrowed for the call.
    unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends the calling process at once, without running destructors or flushing anything: what the copy of a
/// process must do instead of returning into its parent's code.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multithreaded_process_is_not_copied() {
        let (tell, wait) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || wait.recv());
        assert_eq!(fork().unwrap_err().errno(), libc::EBUSY);
        drop(tell);
        let _ = other.join().unwrap();
    }
}
