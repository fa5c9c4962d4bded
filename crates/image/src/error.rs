//! The crate's one error type.
//!
//! Variants are named for what was being done; [`Error::kind`] is what callers branch on.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the terms a caller acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input is wrong: a name, an archive, an instruction. Trying again will not help.
    InvalidInput,
    /// The thing named does not exist.
    NotFound,
    /// The thing is in use by somebody else at the moment.
    InUse,
    /// What is on our own disk is not what was written there.
    Corrupt,
    /// The input is well formed but asks for something this build cannot do.
    Unsupported,
    /// The stream that was being read broke off.
    Read,
    /// The host refused an operation (disk full, permission, ...).
    Io,
}

/// Why an image operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A reference (`repository:tag@digest`) does not parse.
    #[error(transparent)]
    Reference(#[from] crate::reference::ReferenceError),
    /// A digest does not parse.
    #[error(transparent)]
    Digest(#[from] crate::digest::DigestError),
    /// A Dockerfile instruction given as a change is wrong.
    #[error(transparent)]
    Change(#[from] crate::changes::ChangeError),
    /// An archive does not have the shape it must have.
    #[error("invalid archive: {0}")]
    InvalidArchive(String),
    /// A tar stream is malformed or asks for something unacceptable.
    #[error("archive/tar: {0}")]
    InvalidTar(String),
    /// An entry of a tar stream is unacceptable or could not be made.
    #[error("archive/tar: entry {entry:?}: {reason}")]
    InvalidEntry {
        /// Name of the entry as it stands in the archive (lossy).
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The stream could not be read or decompressed to its end.
    #[error("cannot read the archive: {0}")]
    Read(#[source] io::Error),
    /// Content is not what its digest says.
    #[error("{what}: digest mismatch: expected {expected}, got {actual}")]
    DigestMismatch {
        /// What was being checked, e.g. `layer 2`.
        what: String,
        /// The digest that was promised.
        expected: Digest,
        /// The digest of the bytes that came.
        actual: Digest,
    },
    /// The stream is compressed in a way this build does not read.
    #[error("unsupported compression: {0}")]
    UnsupportedCompression(&'static str),
    /// An image configuration does not parse or is not usable.
    #[error("invalid image JSON: {0}")]
    InvalidConfig(String),
    /// The image is for something else than this host.
    #[error("cannot load {0} image on linux")]
    WrongOs(String),
    /// There is no layer with this key.
    #[error("layer {0} does not exist")]
    LayerNotFound(String),
    /// A layer is being used by an operation that has not finished.
    #[error("layer {0} is in use")]
    LayerInUse(String),
    /// There is no image configuration with this ID.
    #[error("image {0} does not exist")]
    ImageNotFound(Digest),
    /// Something in the store is damaged.
    #[error("{what} is damaged: {reason}")]
    Corrupt {
        /// Which file or object.
        what: String,
        /// How it shows.
        reason: String,
    },
    /// The binary for the built-in image cannot be used.
    #[error("{path}: {reason}")]
    BadBusybox {
        /// The file that was looked at.
        path: PathBuf,
        /// Why it does not do.
        reason: String,
    },
    /// A system call on a path failed.
    #[error("{op} {path}: {source}")]
    Io {
        /// What was being done, e.g. `create`.
        op: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The class of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Reference(_)
            | Self::Digest(_)
            | Self::Change(_)
            | Self::InvalidArchive(_)
            | Self::InvalidTar(_)
            | Self::InvalidEntry { .. }
            | Self::DigestMismatch { .. }
            | Self::InvalidConfig(_)
            | Self::WrongOs(_) => ErrorKind::InvalidInput,
            Self::UnsupportedCompression(_) | Self::BadBusybox { .. } => ErrorKind::Unsupported,
            Self::LayerNotFound(_) | Self::ImageNotFound(_) => ErrorKind::NotFound,
            Self::LayerInUse(_) => ErrorKind::InUse,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Read(source) => match source.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                    ErrorKind::InvalidInput
                }
                _ => ErrorKind::Read,
            },
            Self::Io { .. } => ErrorKind::Io,
        }
    }

    /// Wraps a failed system call.
    pub(crate) fn io(op: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Self::Io { op, path: path.as_ref().to_path_buf(), source: source.into() }
    }

    /// An entry that is refused.
    pub(crate) fn entry(name: &[u8], reason: impl Into<String>) -> Self {
        Self::InvalidEntry { entry: String::from_utf8_lossy(name).into_owned(), reason: reason.into() }
    }
}
