//! Owner, mode, times and extended attributes of what is extracted.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::names;
use super::tree::{Directory, proc_path};
use crate::durable::bytes_to_path;
use crate::error::{Error, Result};
use crate::tarfmt::{Entry, Kind, Time, Xattr};

/// Attributes that mean something to the host's overlayfs or security modules and are not an image's to set.
const NOT_FOR_IMAGES: [&[u8]; 4] =
    [b"trusted.overlay.", b"security.selinux", b"security.ima", b"security.evm"];

/// Sets everything on an opened file or directory, times excepted for directories (they change while the directory
/// fills).
pub(super) fn apply_to_fd(fd: &OwnedFd, real: &[u8], entry: &Entry) -> Result<()> {
    let failed = |op, e: Errno| Error::io(op, bytes_to_path(real), e);
    // In this order: a change of owner clears setuid bits and file capabilities.
    rustix::fs::fchown(fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))
        .map_err(|e| failed("chown", e))?;
    rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode)).map_err(|e| failed("chmod", e))?;
    for xattr in wanted(&entry.xattrs) {
        let set = rustix::fs::fsetxattr(fd, xattr.name.as_slice(), &xattr.value, XattrFlags::empty());
        check_xattr(set, xattr, &entry.name, real)?;
    }
    if entry.kind == Kind::File {
        rustix::fs::futimens(fd, &times(entry.mtime, entry.atime)).map_err(|e| failed("set times of", e))?;
    }
    Ok(())
}

/// Sets everything on a link, device or fifo that was just made.
pub(super) fn apply_to_name(parent: &Directory, name: &[u8], entry: &Entry) -> Result<()> {
    let real = names::join(&parent.real, name);
    let failed = |op, e: Errno| Error::io(op, bytes_to_path(&real), e);
    let owner = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    rustix::fs::chownat(&*parent.fd, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| failed("chown", e))?;
    if entry.kind != Kind::Symlink {
        rustix::fs::chmodat(&*parent.fd, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())
            .map_err(|e| failed("chmod", e))?;
    }
    for xattr in wanted(&entry.xattrs) {
        let path = proc_path(&parent.fd, name);
        let set =
            rustix::fs::lsetxattr(path.as_slice(), xattr.name.as_slice(), &xattr.value, XattrFlags::empty());
        check_xattr(set, xattr, &entry.name, &real)?;
    }
    let times = times(entry.mtime, entry.atime);
    rustix::fs::utimensat(&*parent.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| failed("set times of", e))
}

/// Access time defaults to the modification time, so that the same archive gives the same tree.
pub(super) fn times(mtime: Time, atime: Option<Time>) -> Timestamps {
    let spec = |t: Time| Timespec { tv_sec: t.seconds, tv_nsec: i64::from(t.nanos) };
    Timestamps { last_access: spec(atime.unwrap_or(mtime)), last_modification: spec(mtime) }
}

fn wanted(xattrs: &[Xattr]) -> impl Iterator<Item = &Xattr> {
    xattrs.iter().filter(|x| !NOT_FOR_IMAGES.iter().any(|prefix| x.name.starts_with(prefix)))
}

fn check_xattr(set: rustix::io::Result<()>, xattr: &Xattr, entry: &[u8], real: &[u8]) -> Result<()> {
    let name = String::from_utf8_lossy(&xattr.name);
    match set {
        Ok(()) => Ok(()),
        // The file system does not keep such attributes, or not on this kind of file (`user.*` on links).
        Err(Errno::OPNOTSUPP | Errno::PERM) => {
            tracing::warn!(path = %bytes_to_path(real).display(), %name, "extended attribute is not kept here");
            Ok(())
        }
        Err(Errno::INVAL | Errno::RANGE | Errno::TOOBIG | Errno::NAMETOOLONG | Errno::NOSPC) => {
            Err(Error::entry(entry, format!("extended attribute {name} is not acceptable")))
        }
        Err(error) => Err(Error::io("set attribute on", bytes_to_path(real), error)),
    }
}
