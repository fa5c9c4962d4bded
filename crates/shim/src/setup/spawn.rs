//! Making the container's init.
//!
//! The spawner is a process of its own where it has to change what the builder must keep: it enters the
//! version 1 cgroups (writing `0` to `tasks` for oneself costs nothing, while moving another process waits
//! for a grace period per hierarchy), and it joins other containers' namespaces. The init inherits both.

use std::os::fd::{AsFd, OwnedFd};

use berth_linux::clone::{Side, clone3, exit_now, flags};
use berth_linux::process::PidFd;
use berth_linux::{cgroup, fdpass};
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{Blueprint, Ends, cgroups, die_with_parent};
use crate::report::{Failure, Phase, Reporter};

/// The container's init, waiting to be told that its root filesystem is complete.
#[derive(Debug)]
pub struct Init {
    /// Host PID.
    pub pid: i32,
    /// Handle on it.
    pub pidfd: PidFd,
    /// A message here, with the terminal if there is one, tells it to go on; the end of it, to give up.
    pub go: OwnedFd,
}

/// Makes the init.
pub fn spawn(blueprint: &Blueprint, report: &Reporter, ends: Ends) -> Result<Init, Failure> {
    let (go, wait) = pair()?;
    let list = &blueprint.launch.cgroups;
    if list.iter().all(|one| one.v2) && blueprint.namespaces.join.is_empty() {
        cgroups::create(list)?;
        let (pid, pidfd, go) = clone_init(blueprint, ends, wait, go)?;
        return Ok(Init { pid, pidfd, go });
    }
    let (tell, told) = pair()?;
    match clone3(flags::PARENT, None).phase("fork spawner")? {
        Side::Child => {
            drop((go, told));
            let code = match spawner(blueprint, ends, wait, &tell) {
                Ok(()) => 0,
                Err(failure) => {
                    report.fail(failure);
                    1
                }
            };
            exit_now(code)
        }
        Side::Parent(..) => {
            drop((tell, wait, ends));
            let mut buffer = [0; 4];
            let received = fdpass::receive(&told, &mut buffer).phase("wait for container's init")?;
            match received.fds.into_iter().next() {
                Some(pidfd) => Ok(Init { pid: i32::from_ne_bytes(buffer), pidfd: PidFd::from(pidfd), go }),
                None => Err(Failure::new("make container's init", "the process doing it ended unexpectedly")),
            }
        }
    }
}

fn spawner(blueprint: &Blueprint, ends: Ends, wait: OwnedFd, tell: &OwnedFd) -> Result<(), Failure> {
    die_with_parent()?;
    let list = &blueprint.launch.cgroups;
    cgroups::create(list)?;
    cgroups::enter(list)?;
    for (flag, path) in &blueprint.namespaces.join {
        let namespace = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| Failure::io("open namespace", path.display(), &error.into()))?;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), None).map_err(|error| {
            Failure::io("join namespace", format!("{} ({flag:#x})", path.display()), &error.into())
        })?;
    }
    let (pid, pidfd, ()) = clone_init(blueprint, ends, wait, ())?;
    fdpass::send(tell, &pid.to_ne_bytes(), &[pidfd.as_fd()]).phase("hand over container's init")?;
    Ok(())
}

/// Clones the init as a child of the resident process. Its cgroup namespace is made later, by itself: made
/// here, its root would be where the caller is.
/// `kept` is what the init must not have: the other end of what it waits on.
fn clone_init<T>(
    blueprint: &Blueprint,
    ends: Ends,
    wait: OwnedFd,
    kept: T,
) -> Result<(i32, PidFd, T), Failure> {
    let flags = (blueprint.namespaces.new & !flags::NEWCGROUP) | flags::PARENT;
    let list = &blueprint.launch.cgroups;
    let unified = cgroups::unified(list)?;
    let mut side = clone3(flags, unified.as_ref().map(AsFd::as_fd));
    let mut late = None;
    if let (Some(_), Err(error)) = (&unified, &side)
        && matches!(
            error.errno(),
            libc_errno::EINVAL | libc_errno::ENOSYS | libc_errno::E2BIG | libc_errno::EBUSY
        )
    {
        late = list.iter().find(|one| one.v2);
        side = clone3(flags, None);
    }
    match side.phase("make namespaces")? {
        Side::Child => {
            drop(kept);
            crate::init::run(blueprint, ends, wait)
        }
        Side::Parent(pid, pidfd) => {
            if let Some(one) = late {
                cgroup::join(&one.path, pid).phase("enter cgroup")?;
            }
            Ok((pid, pidfd, kept))
        }
    }
}

fn pair() -> Result<(OwnedFd, OwnedFd), Failure> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .phase("make socket pair")
}

/// The error numbers after which a clone without a cgroup is worth trying.
mod libc_errno {
    use rustix::io::Errno;
    pub const EINVAL: i32 = Errno::INVAL.raw_os_error();
    pub const ENOSYS: i32 = Errno::NOSYS.raw_os_error();
    pub const E2BIG: i32 = Errno::TOOBIG.raw_os_error();
    pub const EBUSY: i32 = Errno::BUSY.raw_os_error();
}
