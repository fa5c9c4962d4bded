//! How much a tree holds.

use std::collections::HashSet;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// What a tree holds. Directories count as entries, not as bytes; a file with several names counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeSize {
    /// Sum of the lengths of regular files and symbolic links, in bytes.
    pub bytes: u64,
    /// Number of names below the root.
    pub entries: u64,
}

/// A level of the walk: directories still to be entered, and which directory this is.
struct Level {
    pending: Vec<std::ffi::CString>,
    identity: (u64, u64),
}

/// Measures the tree at `root`. Nothing is followed; what vanishes meanwhile is not counted. Any depth is walked with
/// one open directory: the way back is `..`, checked to be where the walk came from.
pub fn tree_size(root: &Path) -> Result<TreeSize> {
    let failed = |e: Errno| Error::io("measure", root, e);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut size = TreeSize::default();
    let mut linked = HashSet::new();
    let mut here = rustix::fs::open(root, flags, Mode::empty()).map_err(failed)?;
    let mut levels = vec![read_level(&here, &mut size, &mut linked).map_err(failed)?];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.pending.pop() else {
            levels.pop();
            let Some(parent) = levels.last() else { break };
            here = rustix::fs::openat(&here, "..", flags, Mode::empty()).map_err(failed)?;
            if identity(&here).map_err(failed)? != parent.identity {
                return Err(failed(Errno::STALE));
            }
            continue;
        };
        match rustix::fs::openat(&here, name.as_c_str(), flags, Mode::empty()) {
            Ok(child) => {
                here = child;
                levels.push(read_level(&here, &mut size, &mut linked).map_err(failed)?);
            }
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(size)
}

fn identity(dir: &OwnedFd) -> rustix::io::Result<(u64, u64)> {
    rustix::fs::fstat(dir).map(|stat| (stat.st_dev, stat.st_ino))
}

fn read_level(
    dir: &OwnedFd,
    size: &mut TreeSize,
    linked: &mut HashSet<(u64, u64)>,
) -> rustix::io::Result<Level> {
    let mut pending = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(error),
        };
        size.entries += 1;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => pending.push(name.to_owned()),
            FileType::RegularFile | FileType::Symlink
                if stat.st_nlink < 2 || linked.insert((stat.st_dev, stat.st_ino)) =>
            {
                size.bytes += u64::try_from(stat.st_size).unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(Level { pending, identity: identity(dir)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_count_once_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |p: &str| dir.path().join(p);
        std::fs::create_dir_all(path("a/b/c")).unwrap();
        std::fs::write(path("a/f"), [0; 100]).unwrap();
        std::fs::hard_link(path("a/f"), path("a/b/g")).unwrap();
        std::fs::write(path("a/b/c/h"), [0; 7]).unwrap();
        std::os::unix::fs::symlink("/usr", path("l")).unwrap();
        assert_eq!(tree_size(dir.path()).unwrap(), TreeSize { bytes: 111, entries: 7 });
        assert!(tree_size(&path("none")).is_err());
    }
}
