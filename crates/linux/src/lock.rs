//! Lock files: one owner at a time, released by the kernel when the owner ends however it ends.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::{Error, Result};

/// An exclusive `flock(2)` on a file, held until dropped. Not inherited by executed programs.
#[derive(Debug)]
pub struct LockFile {
    file: File,
}

impl LockFile {
    /// Takes the lock, making the file (mode 0600) where it is missing. `None`: somebody else holds it.
    pub fn try_acquire(path: impl AsRef<Path>) -> Result<Option<LockFile>> {
        let file = open(path.as_ref())?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(LockFile { file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(Error::path("lock", path, error)),
        }
    }

    /// Takes the lock, waiting for the present holder.
    pub fn acquire(path: impl AsRef<Path>) -> Result<LockFile> {
        let file = open(path.as_ref())?;
        loop {
            match rustix::fs::flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(LockFile { file }),
                Err(Errno::INTR) => {}
                Err(error) => return Err(Error::path("lock", path, error)),
            }
        }
    }

    /// The locked file, for instance to leave the holder's PID in it.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl AsFd for LockFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn open(path: &Path) -> Result<File> {
    // std opens with O_CLOEXEC, so a started shim never keeps the daemon's lock.
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| Error::path("open lock file", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_refused_and_free_again_after_drop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = LockFile::try_acquire(&path).unwrap().unwrap();
        assert!(LockFile::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(LockFile::try_acquire(&path).unwrap().is_some());
    }
}
