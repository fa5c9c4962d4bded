//! Starting a shim process.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use berth_linux::sealed;
use tokio::net::UnixStream;

use super::Connection;
use crate::{Error, Result};

/// What a shim is called in lists of processes.
const NAME: &str = "berth-shim";

/// The shim's executable, copied once into sealed memory: every shim runs from that copy, so nothing in a
/// container can reach the file on the host through `/proc/self/exe` (the class of CVE-2019-5736), and an
/// upgrade that replaces the file does not disturb a daemon that still runs.
#[derive(Debug)]
pub struct ShimProgram {
    image: OwnedFd,
    path: PathBuf,
}

impl ShimProgram {
    /// Reads and seals the executable at `path`.
    pub fn load(path: &Path) -> Result<Self> {
        let image = sealed::copy(path).map_err(|e| Error::file("copying the shim", path)(e.into()))?;
        Ok(ShimProgram { image, path: path.to_owned() })
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Starts the shim of a container. It shares nothing with this process but the control connection (its
/// standard input) and its error log.
pub fn spawn(
    program: &ShimProgram,
    id: &str,
    bundle: &Path,
    run_dir: &Path,
) -> Result<(Connection, tokio::process::Child)> {
    let shim_error = |action| {
        let id = id.to_owned();
        move |source| Error::Shim { action, id, source }
    };
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(shim_error("connecting to"))?;
    ours.set_nonblocking(true).map_err(shim_error("connecting to"))?;
    let log_path = run_dir.join("shim.log");
    let log = File::options()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(Error::file("creating", &log_path))?;
    // No pre_exec: with it the standard library forks instead of using vfork semantics, which costs
    // milliseconds in a process of our size.
    let mut command = Command::new(format!("/proc/self/fd/{}", program.image.as_raw_fd()));
    std::os::unix::process::CommandExt::arg0(&mut command, NAME);
    command
        .args(["--id", id, "--bundle"])
        .arg(bundle)
        .arg("--run-dir")
        .arg(run_dir)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(log));
    let child = tokio::process::Command::from(command).spawn().map_err(shim_error("starting"))?;
    let stream = UnixStream::from_std(ours).map_err(shim_error("connecting to"))?;
    Ok((Connection::new(stream), child))
}

/// Shims that were started for this run directory and did not get as far as writing down who they are:
/// their command line tells. (PID, start time) of each.
pub fn find_unidentified(run_dir: &Path) -> Result<Vec<(i32, u64)>> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").map_err(Error::file("reading", "/proc"))?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Processes come and go: one that ended has no command line any more.
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let mut arguments = command.split(|byte| *byte == 0);
        let ours = arguments.next() == Some(NAME.as_bytes())
            && arguments.any(|argument| argument == run_dir.as_os_str().as_encoded_bytes());
        if ours && let Ok(Some(start_time)) = berth_linux::process::start_time(pid) {
            found.push((pid, start_time));
        }
    }
    Ok(found)
}
