//! Mounts as descriptors: make them detached, change them, then attach them where they belong.
//!
//! A detached mount is in no mount namespace at all, so nothing shows on the host while a container is built.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use crate::error::check;
use crate::{Error, Result};

/// Mount attributes, bits of `struct mount_attr` (`mount_setattr(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes(pub u64);

impl Attributes {
    /// No attribute.
    pub const NONE: Attributes = Attributes(0);
    /// Read-only.
    pub const READ_ONLY: Attributes = Attributes(0x1);
    /// Set-user-ID bits and file capabilities are ignored.
    pub const NO_SUID: Attributes = Attributes(0x2);
    /// Device nodes cannot be opened.
    pub const NO_DEV: Attributes = Attributes(0x4);
    /// Nothing can be executed.
    pub const NO_EXEC: Attributes = Attributes(0x8);
    /// Access times are not written. A value of the field that [`Attributes::ATIME`] masks.
    pub const NO_ATIME: Attributes = Attributes(0x10);
    /// Access times are always written. A value of the field that [`Attributes::ATIME`] masks.
    pub const STRICT_ATIME: Attributes = Attributes(0x20);
    /// The field of access time modes; all zero is `relatime`.
    pub const ATIME: Attributes = Attributes(0x70);
    /// Access times of directories are not written.
    pub const NO_DIR_ATIME: Attributes = Attributes(0x80);
    /// Symbolic links are not followed.
    pub const NO_SYMLINK_FOLLOW: Attributes = Attributes(0x20_0000);

    /// Both.
    #[must_use]
    pub const fn or(self, other: Attributes) -> Attributes {
        Attributes(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    pub const fn has(self, other: Attributes) -> bool {
        self.0 & other.0 == other.0
    }
}

const IDMAP: u64 = 0x10_0000;

/// How mount events travel between this mount and its peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// Only from the peers to here.
    Slave,
    /// Both ways.
    Shared,
}

/// What [`set_attributes`] changes.
#[derive(Debug, Default)]
pub struct Change<'a> {
    /// Attributes to set.
    pub set: Attributes,
    /// Attributes to clear first.
    pub clear: Attributes,
    /// New propagation.
    pub propagation: Option<Propagation>,
    /// Shift the owners of files by this user namespace's maps. Only on a detached mount.
    pub idmap: Option<BorrowedFd<'a>>,
}

#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Changes a mount, or with `recursive` all mounts of a tree, together or not at all.
///
/// # Errors
/// With `idmap`: `EINVAL` when the filesystem cannot be idmapped, `EPERM` when it already is.
pub fn set_attributes(mount: impl AsFd, recursive: bool, change: &Change<'_>) -> io::Result<()> {
    let mut attr = MountAttr {
        set: change.set.0,
        clear: change.clear.0,
        propagation: match change.propagation {
            None => 0,
            Some(Propagation::Private) => libc::MS_PRIVATE,
            Some(Propagation::Slave) => libc::MS_SLAVE,
            Some(Propagation::Shared) => libc::MS_SHARED,
        },
        userns: 0,
    };
    if attr.set & Attributes::ATIME.0 != 0 {
        // The access time mode is a field, not a flag: the kernel wants the whole of it cleared first.
        attr.clear |= Attributes::ATIME.0;
    }
    if let Some(userns) = change.idmap {
        attr.set |= IDMAP;
        attr.userns = userns.as_raw_fd() as u64;
    }
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let path = c"";
    // SAFETY: the path is a C string, the structure has the size that is passed, both outlive the call, and
    // the descriptors are borrowed for it.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            path.as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// A detached, private copy of the mount at `path` (seen from `dir`), with what is mounted below it when
/// `recursive`. Symbolic links in `path` are followed; with an empty `path`, `dir` itself is copied.
pub fn clone_tree(dir: impl AsFd, path: impl AsRef<Path>, recursive: bool) -> io::Result<OwnedFd> {
    let tree = clone_tree_with_peers(dir, path, recursive)?;
    set_attributes(
        &tree,
        recursive,
        &Change { propagation: Some(Propagation::Private), ..Change::default() },
    )?;
    Ok(tree)
}

/// As [`clone_tree`], but the copy stays a peer of what it was copied from: what is later mounted on one shows
/// on the other.
pub fn clone_tree_with_peers(dir: impl AsFd, path: impl AsRef<Path>, recursive: bool) -> io::Result<OwnedFd> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(dir, path.as_ref(), flags)?)
}

/// Attaches a detached mount at `path` seen from `dir`; with an empty `path`, on `dir` itself (any descriptor
/// of the mount point, `O_PATH` included).
pub fn attach(mount: impl AsFd, dir: impl AsFd, path: impl AsRef<Path>) -> io::Result<()> {
    let mut flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    if path.as_ref().as_os_str().is_empty() {
        flags |= MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    }
    Ok(rustix::mount::move_mount(mount, "", dir, path.as_ref(), flags)?)
}

/// A new filesystem instance, as a detached mount. Options are `key` or `key=value` as `mount(8)` has them.
///
/// # Errors
/// Where the kernel says more than an errno, its words are the error's.
pub fn new_filesystem(
    kind: &str,
    source: Option<&str>,
    options: &[String],
    attributes: Attributes,
) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    let said = |error: rustix::io::Errno| with_words(&context, error);
    if let Some(source) = source {
        rustix::mount::fsconfig_set_string(&context, "source", source).map_err(said)?;
    }
    for option in options {
        match option.split_once('=') {
            Some((key, value)) => rustix::mount::fsconfig_set_string(&context, key, value),
            None => rustix::mount::fsconfig_set_flag(&context, option.as_str()),
        }
        .map_err(said)?;
    }
    rustix::mount::fsconfig_create(&context).map_err(said)?;
    let attributes = MountAttrFlags::from_bits_retain(attributes.0 as u32);
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(said)
}

/// The errno, with what the kernel wrote to the filesystem context's log where it did.
fn with_words(context: impl AsFd, errno: rustix::io::Errno) -> io::Error {
    let mut words = Vec::new();
    let mut buffer = [0; 512];
    while let Ok(len) = rustix::io::read(&context, &mut buffer) {
        // Each read gives one message, such as "e overlay: No changes allowed in reconfigure".
        let Some(message) = buffer.get(..len).filter(|message| !message.is_empty()) else { break };
        let message = String::from_utf8_lossy(message);
        words.push(message.trim_start_matches(['e', 'w', 'i']).trim().to_owned());
    }
    let plain = io::Error::from(errno);
    if words.is_empty() { plain } else { Worded { plain, words: words.join("; ") }.into() }
}

/// An errno with the kernel's explanation; [`errno_of`] finds the number again.
#[derive(Debug, thiserror::Error)]
#[error("{plain}: {words}")]
struct Worded {
    plain: io::Error,
    words: String,
}

impl From<Worded> for io::Error {
    fn from(worded: Worded) -> io::Error {
        io::Error::other(worded)
    }
}

/// The errno of an error of this module, 0 where there is none.
pub fn errno_of(error: &io::Error) -> i32 {
    let inner = || error.get_ref()?.downcast_ref::<Worded>()?.plain.raw_os_error();
    error.raw_os_error().or_else(inner).unwrap_or(0)
}

/// Makes every mount of the calling process's mount namespace private, so that nothing mounted from here on
/// shows anywhere else, nor the other way round.
pub fn make_all_private() -> Result<()> {
    use rustix::mount::MountPropagationFlags as Flags;
    rustix::mount::mount_change("/", Flags::PRIVATE | Flags::REC)
        .map_err(|error| Error::path("make private", "/", error))
}

/// Makes the mount whose root `root` is the calling process's root directory, and of every process in the
/// mount namespace that had the old one, and detaches the old root with all below it.
pub fn pivot(root: impl AsFd) -> Result<()> {
    use rustix::fs::{Mode, OFlags};
    let old = rustix::fs::open("/", OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::path("open", "/", error))?;
    rustix::process::fchdir(root).map_err(|error| Error::call("enter the new root", error))?;
    // New and old root on the same place: needs no directory for the old one inside a container's image.
    rustix::process::pivot_root(".", ".").map_err(|error| Error::call("pivot_root", error))?;
    rustix::process::fchdir(&old).map_err(|error| Error::call("enter the old root", error))?;
    rustix::mount::unmount(".", rustix::mount::UnmountFlags::DETACH)
        .map_err(|error| Error::call("detach the old root", error))?;
    rustix::process::chdir("/").map_err(|error| Error::path("enter", "/", error))
}
