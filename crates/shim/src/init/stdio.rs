//! The program's standard streams.

use std::os::fd::{AsFd, OwnedFd};

use berth_shim_proto::Stdio;
use rustix::fs::{Mode, OFlags, Uid};

use crate::report::{Failure, Phase};

/// The container's ends of the pipes.
#[derive(Debug)]
pub struct Streams {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}

/// Puts the streams on descriptors 0 to 2 and gives them to the program's user; the group stays, a terminal's
/// is `tty`. With a terminal, makes it the session's.
pub fn connect(streams: Streams, terminal: Option<OwnedFd>, stdio: Stdio, uid: u32) -> Result<(), Failure> {
    let phase = "connect standard streams";
    let null;
    let (stdin, stdout, stderr) = match &terminal {
        Some(terminal) => {
            rustix::process::ioctl_tiocsctty(terminal).phase("make terminal controlling")?;
            (terminal, terminal, terminal)
        }
        None if stdio.open_stdin => (&streams.stdin, &streams.stdout, &streams.stderr),
        None => {
            // The container's own: a descriptor of the host's would be a way to the host's inode.
            null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
                .map_err(|error| Failure::io(phase, "/dev/null", &error.into()))?;
            (&null, &streams.stdout, &streams.stderr)
        }
    };
    for (stream, shared) in
        [(stdin, terminal.is_none() && !stdio.open_stdin), (stdout, false), (stderr, false)]
    {
        if !shared {
            rustix::fs::fchown(stream.as_fd(), Some(Uid::from_raw(uid)), None)
                .phase("give streams to the container's user")?;
        }
    }
    rustix::stdio::dup2_stdin(stdin).phase(phase)?;
    rustix::stdio::dup2_stdout(stdout).phase(phase)?;
    rustix::stdio::dup2_stderr(stderr).phase(phase)
}
