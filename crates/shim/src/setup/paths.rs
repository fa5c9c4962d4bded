//! Paths inside a root filesystem that somebody else made.
//!
//! An image can hold any symbolic link anywhere. Every look-up here goes through `openat2(2)` with
//! `RESOLVE_IN_ROOT` and without magic links, so the worst a link can do is to point elsewhere in the image.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// A container's root directory.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

/// What a path should lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// Anything that is not a directory; made as an empty regular file.
    File,
}

/// Bound on links to things that do not exist yet.
const MAX_LINKS: u32 = 32;

impl Root {
    /// Takes over a descriptor of the directory.
    pub fn new(fd: OwnedFd) -> Root {
        Root { fd }
    }

    /// Opens a path, following links inside the root.
    pub fn open(&self, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
        self.resolve(path.as_ref(), flags, ResolveFlags::empty())
    }

    /// As [`Root::open`], but a link anywhere in the path is `ELOOP`.
    pub fn open_without_links(&self, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
        self.resolve(path.as_ref(), flags, ResolveFlags::NO_SYMLINKS)
    }

    fn resolve(&self, path: &Path, flags: OFlags, more: ResolveFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | more;
        // The name of nothing is the root itself.
        let path = if path.as_os_str().is_empty() { Path::new("/") } else { path };
        loop {
            match rustix::fs::openat2(&self.fd, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // The kernel could not rule out that a concurrent rename led outside.
                Err(Errno::AGAIN) | Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    /// Opens a path (`O_PATH`), making it and missing directories above it (mode 0755). Links are followed,
    /// also those to things that do not exist yet.
    ///
    /// # Errors
    /// `ENOTDIR` or `EISDIR` when something of the other kind is there.
    pub fn ensure(&self, path: impl AsRef<Path>, kind: Kind) -> io::Result<OwnedFd> {
        let found = self.ensure_within(path.as_ref(), kind, MAX_LINKS)?;
        let is_directory = is_directory(&found)?;
        match kind {
            Kind::Directory if !is_directory => Err(Errno::NOTDIR.into()),
            Kind::File if is_directory => Err(Errno::ISDIR.into()),
            _ => Ok(found),
        }
    }

    fn ensure_within(&self, path: &Path, kind: Kind, links: u32) -> io::Result<OwnedFd> {
        match self.open(path, OFlags::PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let links = links.checked_sub(1).ok_or(Errno::LOOP)?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        let directory = self.ensure_within(parent, Kind::Directory, links)?;
        let Some(Component::Normal(name)) = path.components().next_back() else {
            // `..` after directories that were just made.
            return self.open(path, OFlags::PATH);
        };
        let made = match kind {
            Kind::Directory => rustix::fs::mkdirat(&directory, name, Mode::from_raw_mode(0o755)),
            Kind::File => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(0o755)).map(drop)
            }
        };
        match made {
            Ok(()) => Ok(open_name(&directory, name)?),
            Err(Errno::EXIST) => {
                let target = rustix::fs::readlinkat(&directory, name, Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.to_bytes()));
                self.ensure_within(&parent.join(target), kind, links)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A path below `/` with `.`, repeated and trailing slashes removed; `None` for one that is not absolute
    /// or has `..` in it.
    pub fn plain(path: &Path) -> Option<PathBuf> {
        if !path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        Some(path.components().collect())
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens an entry of a directory itself (`O_PATH`), not what it may link to.
pub fn open_name(directory: impl AsFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Whether a descriptor is of a directory.
pub fn is_directory(fd: impl AsFd) -> io::Result<bool> {
    let stat = rustix::fs::statat(fd, "", AtFlags::EMPTY_PATH)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn root() -> (tempfile::TempDir, Root) {
        let outer = tempfile::tempdir().unwrap();
        fs::create_dir(outer.path().join("root")).unwrap();
        let fd = fs::File::open(outer.path().join("root")).unwrap();
        (outer, Root::new(fd.into()))
    }

    #[test]
    fn missing_directories_and_files_are_made() {
        let (outer, root) = root();
        root.ensure("/a/b/c", Kind::File).unwrap();
        root.ensure("/a/b", Kind::Directory).unwrap();
        assert!(outer.path().join("root/a/b/c").is_file());
        let error = root.ensure("/a/b/c", Kind::Directory).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::NOTDIR.raw_os_error()));
        assert!(root.ensure("/a/b", Kind::File).is_err());
    }

    #[test]
    fn links_that_point_outside_end_inside() {
        let (outer, root) = root();
        let base = outer.path().join("root");
        symlink("/../../../victim", base.join("absolute")).unwrap();
        symlink("../../../../victim2", base.join("relative")).unwrap();
        symlink("/nowhere/yet", base.join("dangling")).unwrap();
        root.ensure("/absolute/x", Kind::Directory).unwrap();
        root.ensure("/relative/x", Kind::Directory).unwrap();
        root.ensure("/dangling", Kind::File).unwrap();
        assert!(base.join("victim/x").is_dir() && base.join("victim2/x").is_dir());
        assert!(base.join("nowhere/yet").is_file());
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_circle_of_links_ends_in_an_error() {
        let (outer, root) = root();
        symlink("b", outer.path().join("root/a")).unwrap();
        symlink("a", outer.path().join("root/b")).unwrap();
        assert!(root.ensure("/a", Kind::File).is_err());
        assert!(root.ensure("/a/x", Kind::Directory).is_err());
    }

    #[test]
    fn a_link_is_noticed_where_none_may_be() {
        let (outer, root) = root();
        symlink("/etc", outer.path().join("root/proc")).unwrap();
        let error = root.open_without_links("/proc", OFlags::PATH).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
    }

    #[test]
    fn plain_paths_have_no_surprises() {
        assert_eq!(Root::plain(Path::new("//dev/./shm/")), Some(PathBuf::from("/dev/shm")));
        assert_eq!(Root::plain(Path::new("/a/../b")), None);
        assert_eq!(Root::plain(Path::new("a")), None);
    }
}
