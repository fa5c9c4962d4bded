//! The error of every operation here: what was attempted, on what, and the kernel's answer.

use std::io;
use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a kernel operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operation on a path failed.
    #[error("{operation} {path}: {source}")]
    Path {
        /// What was attempted, as a verb (`open`, `mount overlay on`).
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// An operation on a process failed.
    #[error("{operation} process {pid}: {source}")]
    Process {
        /// What was attempted.
        operation: &'static str,
        /// Process ID as seen by the caller.
        pid: i32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// An operation without a path or process failed.
    #[error("{operation}: {source}")]
    Call {
        /// What was attempted.
        operation: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A kernel file did not hold what its documentation says.
    #[error("{path}: unexpected content: {content}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The start of what was read.
        content: String,
    },
}

impl Error {
    /// The `errno` behind the error, 0 where there is none.
    pub fn errno(&self) -> i32 {
        match self {
            Error::Path { source, .. } | Error::Process { source, .. } | Error::Call { source, .. } => {
                source.raw_os_error().unwrap_or(0)
            }
            Error::Content { .. } => 0,
        }
    }

    /// What was attempted.
    pub fn operation(&self) -> &'static str {
        match self {
            Error::Path { operation, .. }
            | Error::Process { operation, .. }
            | Error::Call { operation, .. } => operation,
            Error::Content { .. } => "read",
        }
    }

    pub(crate) fn path(
        operation: &'static str,
        path: impl AsRef<Path>,
        source: impl Into<io::Error>,
    ) -> Error {
        Error::Path { operation, path: path.as_ref().to_path_buf(), source: source.into() }
    }

    pub(crate) fn call(operation: &'static str, source: impl Into<io::Error>) -> Error {
        Error::Call { operation, source: source.into() }
    }

    pub(crate) fn process(operation: &'static str, pid: i32, source: impl Into<io::Error>) -> Error {
        Error::Process { operation, pid, source: source.into() }
    }

    pub(crate) fn content(path: impl AsRef<Path>, content: &str) -> Error {
        let content = content.chars().take(80).collect();
        Error::Content { path: path.as_ref().to_path_buf(), content }
    }
}

/// The result of a raw system call: `-1` becomes the calling thread's `errno`.
pub(crate) fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl From<Error> for io::Error {
    /// Keeps the kind, and the words as the message.
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::Path { source, .. } | Error::Process { source, .. } | Error::Call { source, .. } => {
                source.kind()
            }
            Error::Content { .. } => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
