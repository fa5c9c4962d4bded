//! An executable that cannot be changed: a copy of it in sealed memory.
//!
//! A container without a user namespace runs as the host's root. Were it to reach the supervisor's executable
//! through `/proc/PID/exe`, it could overwrite the file on the host. A supervisor started from sealed memory has
//! nothing there that can be written.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags};

use crate::{Error, Result};

/// A sealed copy of the file at `path`, close-on-exec; executed as `/proc/self/fd/N`. One copy serves any number
/// of processes, which share its memory.
pub fn copy(path: impl AsRef<Path>) -> Result<OwnedFd> {
    let mut from = File::open(&path).map_err(|error| Error::path("open", &path, error))?;
    let memory = rustix::fs::memfd_create(c"berth-shim", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)
        .map_err(|error| Error::call("make memory file", error))?;
    let mut to = File::from(memory);
    io::copy(&mut from, &mut to).map_err(|error| Error::path("copy", &path, error))?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&to, seals).map_err(|error| Error::call("seal memory file", error))?;
    Ok(to.into())
}

/// Whether a descriptor is of sealed memory.
pub fn is_sealed(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(SealFlags::WRITE | SealFlags::SEAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::process::Command;

    #[test]
    fn a_copy_can_be_executed_and_not_be_changed() {
        let copy = copy("/bin/true").unwrap();
        assert!(is_sealed(&copy));
        assert!(!is_sealed(File::open("/bin/true").unwrap()));
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        assert!(Command::new(&path).status().unwrap().success());
        // Opening for writing may succeed; writing must not.
        if let Ok(mut file) = File::options().write(true).open(path) {
            assert!(file.write_all(b"x").is_err());
        }
    }
}
