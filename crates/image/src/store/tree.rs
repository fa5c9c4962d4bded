//! A directory tree that hostile archives may be extracted into.
//!
//! Every path is resolved by the kernel with `openat2(2)` and cannot leave the tree; what is made, is made with `*at`
//! calls by its last name in an already opened parent. Symbolic links *in the middle* of a name are followed as
//! a process living in the tree would see them (real images contain `lib -> usr/lib` followed by `lib/x`); the last
//! name is never followed.

use std::path::Path;
use std::rc::Rc;

use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::names::{self, MAX_PATH};
use crate::durable::bytes_to_path;
use crate::error::{Error, Result};

const OPAQUE: &str = "trusted.overlay.opaque";

/// How directories are opened: for reading, because attributes are set through the descriptor.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// For names that must not contain symbolic links.
const STRICT: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV);
/// For names that may: `/` and `..` stop at the tree's root.
const IN_ROOT: ResolveFlags =
    ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// An opened directory of the tree and its path from the root, free of symbolic links.
#[derive(Clone)]
pub(super) struct Directory {
    pub(super) fd: Rc<OwnedFd>,
    pub(super) real: Vec<u8>,
}

/// Something that stood in an entry's way and was moved out of the tree.
#[derive(Debug)]
pub(super) struct Buried {
    /// Where it was.
    pub(super) real: Vec<u8>,
    /// How many file records had been written by then.
    pub(super) files: u64,
    /// Its name in the graveyard.
    pub(super) slot: usize,
}

/// The tree being filled.
pub(super) struct Tree {
    root: Directory,
    /// The root's absolute path as the kernel shows it, to tell where a followed link led.
    root_path: Vec<u8>,
    graveyard: OwnedFd,
    buried: Vec<Buried>,
    /// The directory of the last entry: archives name a directory's files one after the other.
    last: Option<(Vec<u8>, Directory)>,
}

impl Tree {
    /// Fills the empty directory `root`; `graveyard` is a directory on the same file system that takes what later
    /// entries replace.
    pub(super) fn new(root: &Path, graveyard: &Path) -> Result<Self> {
        let open = |path: &Path| {
            rustix::fs::open(path, DIRECTORY, Mode::empty()).map_err(|e| Error::io("open", path, e))
        };
        let fd = open(root)?;
        let root_path = path_of(&fd).map_err(|e| Error::io("resolve", root, e))?;
        Ok(Self {
            root: Directory { fd: Rc::new(fd), real: Vec::new() },
            root_path,
            graveyard: open(graveyard)?,
            buried: Vec::new(),
            last: None,
        })
    }

    /// The tree's root.
    pub(super) fn root(&self) -> &Directory {
        &self.root
    }

    /// What was replaced, oldest first.
    pub(super) fn into_buried(self) -> Vec<Buried> {
        self.buried
    }

    /// The directory at `path` (cleaned), made with its parents if it is not there.
    pub(super) fn directory(&mut self, path: &[u8]) -> Result<Directory> {
        if let Some(found) = self.existing(path)? {
            return Ok(found);
        }
        let mut here = self.root.clone();
        for name in path.split(|b| *b == b'/') {
            here = self.enter(&here, name, path)?;
        }
        self.remember(path, &here);
        Ok(here)
    }

    /// The directory at `path` (cleaned) if it is there.
    pub(super) fn existing(&mut self, path: &[u8]) -> Result<Option<Directory>> {
        if path.is_empty() {
            return Ok(Some(self.root.clone()));
        }
        if let Some((last, directory)) = &self.last
            && last == path
        {
            return Ok(Some(directory.clone()));
        }
        let found = self.resolve(path).map_err(|e| Self::refused(path, e))?;
        if let Some(directory) = &found {
            self.remember(path, directory);
        }
        Ok(found)
    }

    /// Remembers an opened directory for the entries that follow.
    pub(super) fn remember(&mut self, path: &[u8], directory: &Directory) {
        self.last = Some((path.to_vec(), directory.clone()));
    }

    /// Makes way for a new `name` in `parent`. Whatever is there goes; it is kept in the graveyard if it has content
    /// that the original archive's bytes need. True if it was a whiteout.
    pub(super) fn clear(&mut self, parent: &Directory, name: &[u8], files: u64) -> Result<bool> {
        let real = names::join(&parent.real, name);
        let failed = |op, e: Errno| Error::io(op, bytes_to_path(&real), e);
        let stat = match rustix::fs::statat(&*parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(failed("stat", error)),
        };
        self.last = None;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => {
                let slot = self.buried.len();
                rustix::fs::renameat(&*parent.fd, name, &self.graveyard, slot.to_string())
                    .map_err(|e| failed("replace", e))?;
                self.buried.push(Buried { real, files, slot });
            }
            _ => {
                rustix::fs::unlinkat(&*parent.fd, name, AtFlags::empty()).map_err(|e| failed("replace", e))?
            }
        }
        Ok(is_whiteout(&stat))
    }

    /// Makes a directory that is only named as part of another name: 0755, owned by root.
    fn enter(&mut self, here: &Directory, name: &[u8], path: &[u8]) -> Result<Directory> {
        let real = names::join(&here.real, name);
        match self.resolve(&real) {
            Ok(Some(directory)) => return Ok(directory),
            Ok(None) => {}
            Err(error) => return Err(Self::refused(path, error)),
        }
        let mut was_whiteout = false;
        match rustix::fs::statat(&*here.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Self::refused(path, error)),
            Ok(stat) if is_whiteout(&stat) => was_whiteout = self.clear(here, name, 0)?,
            Ok(_) => {
                let reason = format!("{} is not a directory", String::from_utf8_lossy(&real));
                return Err(Error::entry(path, reason));
            }
        }
        let failed = |op, e: Errno| Error::io(op, bytes_to_path(&real), e);
        rustix::fs::mkdirat(&*here.fd, name, Mode::RWXU).map_err(|e| failed("create directory", e))?;
        let fd =
            rustix::fs::openat(&*here.fd, name, DIRECTORY, Mode::empty()).map_err(|e| failed("open", e))?;
        // The parent may hand down its group.
        rustix::fs::fchown(&fd, Some(rustix::fs::Uid::ROOT), Some(rustix::fs::Gid::ROOT))
            .map_err(|e| failed("chown", e))?;
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(0o755)).map_err(|e| failed("chmod", e))?;
        let directory = Directory { fd: Rc::new(fd), real };
        if was_whiteout {
            directory.set_opaque()?;
        }
        Ok(directory)
    }

    /// Opens a directory by a path that may contain symbolic links.
    fn resolve(&self, path: &[u8]) -> rustix::io::Result<Option<Directory>> {
        // Without NOFOLLOW, under which a link in the last place looks like any other file.
        let flags = DIRECTORY.difference(OFlags::NOFOLLOW);
        match open_below(&*self.root.fd, path, flags, STRICT) {
            Ok(fd) => return Ok(Some(Directory { fd: Rc::new(fd), real: path.to_vec() })),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(Errno::LOOP) => {}
            Err(error) => return Err(error),
        }
        match open_below(&*self.root.fd, path, flags, IN_ROOT) {
            Ok(fd) => {
                let real = self.real_path(&fd)?;
                Ok(Some(Directory { fd: Rc::new(fd), real }))
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn real_path(&self, fd: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
        let path = path_of(fd)?;
        let inside = path.strip_prefix(self.root_path.as_slice()).ok_or(Errno::XDEV)?;
        let inside = inside.strip_prefix(b"/").unwrap_or(inside);
        if inside.len() > MAX_PATH { Err(Errno::NAMETOOLONG) } else { Ok(inside.to_vec()) }
    }

    fn refused(path: &[u8], error: Errno) -> Error {
        match error {
            Errno::NAMETOOLONG => Error::entry(path, "the file name is too long"),
            Errno::LOOP | Errno::XDEV => Error::entry(path, "the name leads out of the layer"),
            error => Error::io("open", bytes_to_path(path), error),
        }
    }
}

impl Directory {
    /// Hides what the layers below have in this directory, in overlayfs' way.
    pub(super) fn set_opaque(&self) -> Result<()> {
        rustix::fs::fsetxattr(&*self.fd, OPAQUE, b"y", XattrFlags::empty())
            .map_err(|e| Error::io("set attribute on", bytes_to_path(&self.real), e))
    }

    /// Hides `name` of the layers below, in overlayfs' way. What this layer itself has under that name stays; a
    /// directory of this layer then starts empty.
    pub(super) fn whiteout(&self, name: &[u8]) -> Result<()> {
        let failed = |op, e: Errno| Error::io(op, bytes_to_path(&names::join(&self.real, name)), e);
        match rustix::fs::mknodat(&*self.fd, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => match self.open_child(name) {
                Ok(child) => child.set_opaque(),
                Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
                Err(error) => Err(failed("open", error)),
            },
            Err(Errno::NAMETOOLONG) => Err(Error::entry(name, "the file name is too long")),
            Err(error) => Err(failed("create whiteout", error)),
        }
    }

    /// Opens the directory `name` in this one; nothing is followed.
    pub(super) fn open_child(&self, name: &[u8]) -> rustix::io::Result<Self> {
        let fd = rustix::fs::openat(&*self.fd, name, DIRECTORY, Mode::empty())?;
        Ok(Self { fd: Rc::new(fd), real: names::join(&self.real, name) })
    }
}

/// Opens the file or directory at a recorded path (no symbolic links in it) below `root`.
pub(super) fn open_real(root: impl AsFd, real: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let path = if real.is_empty() { b"." } else { real };
    open_below(root, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, STRICT)
}

/// `openat2`, tried again while renames elsewhere on the host keep the kernel from being sure that a `..` in a link
/// stayed below the root.
fn open_below(
    root: impl AsFd,
    path: &[u8],
    flags: OFlags,
    resolve: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    for _ in 0..1000 {
        match rustix::fs::openat2(root.as_fd(), path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// True for overlayfs' mark of a hidden name: a character device 0/0.
pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// A path through which `name` in `directory` is reached by calls that know no `*at` form; the name itself is not
/// followed by them.
pub(super) fn proc_path(directory: &OwnedFd, name: &[u8]) -> Vec<u8> {
    [format!("/proc/self/fd/{}/", directory.as_raw_fd()).as_bytes(), name].concat()
}

fn path_of(fd: &OwnedFd) -> rustix::io::Result<Vec<u8>> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    Ok(rustix::fs::readlinkat(CWD, link, Vec::new())?.into_bytes())
}
