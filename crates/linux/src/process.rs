//! Processes named so that a reused PID is never mistaken for them.
//!
//! In memory a process is a [`PidFd`]; on disk it is (PID, start time, boot ID). [`Process::open`] turns the
//! second into the first.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::error::check;
use crate::{Error, Result};

/// A process as it can be written to disk. Only meaningful together with the [`boot_id`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    /// Process ID in the caller's PID namespace.
    pub pid: i32,
    /// Start time in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_time: u64,
}

impl Process {
    /// The process that has `pid` now, or `None` where there is none.
    pub fn current(pid: i32) -> Result<Option<Process>> {
        Ok(start_time(pid)?.map(|start_time| Process { pid, start_time }))
    }

    /// A handle on the process that has `pid` and was started at `start_time`; `None` where that process is
    /// gone, even if its PID was given to another.
    pub fn open(pid: i32, start_time: u64) -> Result<Option<PidFd>> {
        // The handle is taken first: if the start time then matches, no reuse can have happened in between,
        // because the process that was asked for was alive when it was looked at.
        let Some(handle) = PidFd::open(pid)? else { return Ok(None) };
        match self::start_time(pid)? {
            Some(found) if found == start_time && !handle.has_exited()? => Ok(Some(handle)),
            _ => Ok(None),
        }
    }
}

/// A handle on one process (`pidfd_open(2)`). Readable once the process has ended, so it can be polled or
/// registered with an event loop through [`AsFd`] or [`AsRawFd`].
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
}

impl PidFd {
    /// A handle on whatever process has `pid` now; `None` where there is none.
    pub fn open(pid: i32) -> Result<Option<PidFd>> {
        // SAFETY: pidfd_open takes two integers and touches no memory of ours.
        let result = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) });
        match result {
            Ok(fd) => {
                // SAFETY: the kernel has just made this descriptor for us, nothing else owns it.
                let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
                Ok(Some(PidFd { fd }))
            }
            // EINVAL: `pid` is not a thread-group leader or not positive, so no such process either.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ESRCH | libc::EINVAL)) => Ok(None),
            Err(error) => Err(Error::process("open", pid, error)),
        }
    }

    /// Sends a signal (0 only probes). `false`: the process has ended and was reaped.
    pub fn signal(&self, signal: i32) -> Result<bool> {
        let info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a null siginfo is allowed (the kernel fills in kill(2)'s), the descriptor is open.
        let result = check(unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.fd.as_raw_fd(), signal, info, 0)
        });
        match result {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            Err(error) => Err(Error::call("send signal", error)),
        }
    }

    /// Whether the process has ended (it may still wait to be reaped).
    pub fn has_exited(&self) -> Result<bool> {
        self.wait_exit(Some(std::time::Duration::ZERO))
    }

    /// Waits until the process has ended, at most for `timeout`; `false` when the time ran out.
    pub fn wait_exit(&self, timeout: Option<std::time::Duration>) -> Result<bool> {
        let deadline = timeout.map(|t| std::time::Instant::now() + t);
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(std::time::Instant::now()));
            let spec = left.map(|left| Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            });
            let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
            match rustix::event::poll(&mut fds, spec.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::call("poll process", error)),
            }
        }
    }
}

impl From<OwnedFd> for PidFd {
    /// Takes over a descriptor that is known to be a pidfd, for instance from `CLONE_PIDFD`.
    fn from(fd: OwnedFd) -> PidFd {
        PidFd { fd }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Start time of the process that has `pid` now, in clock ticks since boot; `None` where there is none.
/// A zombie still has one.
pub fn start_time(pid: i32) -> Result<Option<u64>> {
    let path = format!("/proc/{pid}/stat");
    let stat = match fs::read(&path) {
        Ok(stat) => stat,
        // ESRCH: it ended between open and read.
        Err(error)
            if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(Error::path("read", path, error)),
    };
    let stat = String::from_utf8_lossy(&stat);
    parse_start_time(&stat).map(Some).ok_or_else(|| Error::content(path, &stat))
}

/// Field 22 of a `/proc/PID/stat` line. The second field is the program's name in parentheses and may itself
/// hold spaces and parentheses, so counting starts after the last one.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

/// `/proc/sys/kernel/random/boot_id` without the newline: differs after every boot.
pub fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let id = fs::read_to_string(path).map_err(|error| Error::path("read", path, error))?;
    Ok(id.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 99 1";
        assert_eq!(parse_start_time(stat), Some(4242));
        assert_eq!(parse_start_time("7 (x"), None);
    }

    #[test]
    fn a_process_is_found_by_start_time_and_lost_once_reaped() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process::current(pid).unwrap().unwrap();
        assert!(Process::open(pid, process.start_time + 1).unwrap().is_none());
        let handle = Process::open(pid, process.start_time).unwrap().unwrap();
        assert!(!handle.has_exited().unwrap());
        assert!(handle.signal(libc::SIGKILL).unwrap());
        assert!(handle.wait_exit(Some(Duration::from_secs(5))).unwrap());
        child.wait().unwrap();
        assert!(!handle.signal(libc::SIGKILL).unwrap());
        assert!(Process::open(pid, process.start_time).unwrap().is_none());
    }

    #[test]
    fn the_boot_id_looks_like_one() {
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
