//! Single calls on the calling process that `rustix` lacks.

use crate::error::check;
use crate::{Error, Result};

/// Sets the user and group that filesystem accesses of the calling thread are made as, then raises its
/// permitted capabilities again, which leaving user 0 lowers: what is created belongs to the new owner, and
/// nothing is refused.
pub fn set_filesystem_owner(uid: u32, gid: u32) -> Result<()> {
    // SAFETY: both calls take an integer and change only credentials of the calling thread.
    unsafe {
        libc::syscall(libc::SYS_setfsgid, gid);
        libc::syscall(libc::SYS_setfsuid, uid);
    }
    // The calls report the previous ID, never an error: asking with an invalid ID tells the present one.
    // SAFETY: as above; an ID of -1 changes nothing.
    let (now_uid, now_gid) =
        unsafe { (libc::syscall(libc::SYS_setfsuid, u32::MAX), libc::syscall(libc::SYS_setfsgid, u32::MAX)) };
    if (now_uid, now_gid) != (i64::from(uid), i64::from(gid)) {
        return Err(Error::call("set filesystem owner", std::io::Error::from_raw_os_error(libc::EPERM)));
    }
    let mut sets = crate::caps::get()?;
    sets.effective = sets.permitted;
    crate::caps::set(sets)
}

/// Sets the effective user and group of the calling thread, and with them the filesystem ones, and keeps its
/// capabilities. The real and saved IDs must be 0, so that it can go back.
pub fn set_effective_owner(uid: u32, gid: u32) -> Result<()> {
    use rustix::thread::{Gid, Uid, set_thread_res_gid, set_thread_res_uid};
    let failed = |error| Error::call("set effective owner", error);
    // Towards user 0 the user comes first, away from it last: changing groups needs a capability.
    if uid == 0 {
        set_thread_res_uid(None, Uid::from_raw(uid), None).map_err(failed)?;
        set_thread_res_gid(None, Gid::from_raw(gid), None).map_err(failed)?;
    } else {
        set_thread_res_gid(None, Gid::from_raw(gid), None).map_err(failed)?;
        set_thread_res_uid(None, Uid::from_raw(uid), None).map_err(failed)?;
    }
    let mut sets = crate::caps::get()?;
    sets.effective = sets.permitted;
    crate::caps::set(sets)
}

/// Gives the calling process a new cgroup namespace, rooted in the cgroups it is in.
pub fn unshare_cgroup_namespace() -> Result<()> {
    // SAFETY: only the process's view of cgroup paths changes.
    check(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }.into())
        .map(drop)
        .map_err(|error| Error::call("unshare cgroup namespace", error))
}

/// Gives the calling process a new, anonymous session keyring, so that it does not hold its starter's keys.
pub fn new_session_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: u32 = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring; no memory is touched.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) })
        .map(drop)
        .map_err(|error| Error::call("join session keyring", error))
}
