//! Files and directories that survive a power cut, and removing trees whatever they look like.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};

use crate::error::{Error, Result};

/// A name that no other call of this process or of an earlier one has used (in combination with `create_new`).
pub(crate) fn unique(prefix: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let clock = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|d| d.as_nanos())
        .unwrap_or_default();
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{clock:x}-{n}", process::id())
}

/// Creates a directory and its parents, each 0700 if it is new.
pub(crate) fn create_dirs(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io("create directory", path, e))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(|e| Error::io("sync", path, e))
}

/// Writes `dir/name` so that after a crash it is either the old file or the whole new one.
pub(crate) fn write_atomic(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = dir.join(format!(".{}", unique(name)));
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, dir.join(name))
    })();
    if let Err(error) = written {
        // The first error is the one to report; the leftover is swept at the next start if this fails too.
        let _ = fs::remove_file(&temporary);
        return Err(Error::io("write", dir.join(name), error));
    }
    sync_dir(dir)
}

/// Removes a file or a whole tree. Nothing is followed, and neither depth nor width costs descriptors or memory:
/// a directory that is not empty is first moved up beside the top, so every level is handled as the first.
/// The path being absent is not an error.
pub fn remove_tree(path: &Path) -> Result<()> {
    let failed = |e: rustix::io::Errno| Error::io("remove", path, e);
    match rustix::fs::unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => return Ok(()),
        // Linux says EISDIR, POSIX says EPERM.
        Err(rustix::io::Errno::ISDIR | rustix::io::Errno::PERM) => {}
        Err(error) => return Err(failed(error)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
    let mut moved = 0u64;
    let prefix = unique(".rm");
    loop {
        let mut clean = true;
        for entry in Dir::read_from(&top).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            clean = false;
            if entry.file_type() != FileType::Directory
                && rustix::fs::unlinkat(&top, name, AtFlags::empty()).is_ok()
            {
                continue;
            }
            empty_one_level(&top, name.to_bytes(), &prefix, &mut moved).map_err(failed)?;
        }
        if clean {
            break;
        }
    }
    rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR).map_err(failed)
}

/// Removes `top/name`, a directory, after moving its subdirectories up into `top`.
fn empty_one_level(
    top: &rustix::fd::OwnedFd,
    name: &[u8],
    prefix: &str,
    moved: &mut u64,
) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(top, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&dir)? {
        let entry = entry?;
        let child = entry.file_name();
        if matches!(child.to_bytes(), b"." | b"..") {
            continue;
        }
        if entry.file_type() != FileType::Directory
            && rustix::fs::unlinkat(&dir, child, AtFlags::empty()).is_ok()
        {
            continue;
        }
        if rustix::fs::unlinkat(&dir, child, AtFlags::REMOVEDIR).is_ok() {
            continue;
        }
        *moved += 1;
        rustix::fs::renameat(&dir, child, top, format!("{prefix}-{moved}"))?;
    }
    match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
        // Entries may be skipped while a directory shrinks under the cursor: the caller's next round takes them.
        Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// A directory under a store's `tmp` that is removed again on every path out.
#[derive(Debug)]
pub(crate) struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes a new directory, 0700, in `parent`.
    pub(crate) fn new(parent: &Path, prefix: &str) -> Result<Self> {
        let path = parent.join(unique(prefix));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|e| Error::io("create directory", &path, e))?;
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            // The sweep at the next start takes it.
            tracing::warn!(%error, "temporary directory is left behind");
        }
    }
}

/// Opens a path that was read from an archive or directory: any bytes.
pub(crate) fn bytes_to_path(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// True if the error says that something is not there.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_replaces_the_old_one_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        write_atomic(dir.path(), "f", b"one").unwrap();
        write_atomic(dir.path(), "f", b"two").unwrap();
        assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn trees_deeper_than_paths_and_descriptors_reach_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("deep");
        fs::create_dir(&top).unwrap();
        let mut here = rustix::fs::open(&top, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&here, "sub-directory", Mode::RWXU).unwrap();
            rustix::fs::symlinkat("/", &here, "link").unwrap();
            here = rustix::fs::openat(&here, "sub-directory", OFlags::RDONLY, Mode::empty()).unwrap();
        }
        drop(here);
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        remove_tree(&top).unwrap();
    }

    #[test]
    fn links_are_removed_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("f"), "kept").unwrap();
        let top = dir.path().join("top");
        fs::create_dir_all(top.join("a/b")).unwrap();
        std::os::unix::fs::symlink(&outside, top.join("a/link")).unwrap();
        std::os::unix::fs::symlink(&outside, dir.path().join("direct")).unwrap();
        remove_tree(&top).unwrap();
        remove_tree(&dir.path().join("direct")).unwrap();
        assert!(outside.join("f").exists() && !top.exists() && !dir.path().join("direct").exists());
    }
}
