//! What can go wrong in a use case, and which kind of trouble it is.

use std::io;
use std::path::{Path, PathBuf};

use berth_image::ErrorKind;

use crate::spec::{BuildError, ValidateError};

/// The kinds a boundary tells apart; the server maps each to one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request itself is wrong.
    InvalidParameter,
    /// What it names does not exist.
    NotFound,
    /// It clashes with the present state.
    Conflict,
    /// The caller may not do this.
    Forbidden,
    /// This engine does not offer it.
    NotImplemented,
    /// Not now: shutting down, or a deadline passed.
    Unavailable,
    /// The engine or the host failed.
    Internal,
}

/// Result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case failed. The texts are those that Docker's clients match on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No container has this name, ID or ID prefix.
    #[error("No such container: {0}")]
    NoSuchContainer(String),
    /// An ID prefix that several containers share.
    #[error("multiple IDs found with provided prefix: {0}")]
    AmbiguousPrefix(String),
    /// No image has this reference or ID.
    #[error("No such image: {0}")]
    NoSuchImage(String),
    /// The container name is taken.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name without its slash.
        name: String,
        /// Full ID of the container that has it.
        holder: String,
    },
    /// The request is wrong; the text says how.
    #[error("{0}")]
    Invalid(String),
    /// The request clashes with the state; the text says how.
    #[error("{0}")]
    Conflict(String),
    /// The thing named is not there; the text says what.
    #[error("{0}")]
    NotFound(String),
    /// Not offered by this engine; the text says what.
    #[error("{0}")]
    NotImplemented(String),
    /// A container could not be started; the text names the cause, `code` is Docker's exit code for it.
    #[error("{message}")]
    StartFailed {
        /// Docker's sentence with the cause.
        message: String,
        /// 126 cannot be executed, 127 not found, 128 anything else.
        code: i32,
    },
    /// A step did not finish within its deadline.
    #[error("{step} of container {id} did not finish within {seconds} seconds")]
    Deadline {
        /// What was being done.
        step: &'static str,
        /// Full container ID.
        id: String,
        /// The deadline.
        seconds: u64,
    },
    /// The engine is stopping.
    #[error("the daemon is shutting down")]
    ShuttingDown,
    /// Another daemon owns this data root.
    #[error("{} is in use by another berthd{}; give this one a --data-root of its own", path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked {
        /// The data root.
        path: PathBuf,
        /// The owner, if it could be told.
        holder: Option<i32>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(berth_store::Error),
    /// The image layer failed.
    #[error(transparent)]
    Image(#[from] berth_image::Error),
    /// A file or directory of the engine could not be used.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To which path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The shim could not be started or talked to.
    #[error("{action} the shim of container {id}: {source}")]
    Shim {
        /// What was being done.
        action: &'static str,
        /// Full container ID.
        id: String,
        /// The cause.
        source: io::Error,
    },
    /// Anything else the host refused.
    #[error("{action}: {source}")]
    Host {
        /// What was being done.
        action: String,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// Which kind of trouble this is.
    pub fn kind(&self) -> Kind {
        match self {
            Error::NoSuchContainer(_) | Error::NoSuchImage(_) | Error::NotFound(_) => Kind::NotFound,
            Error::AmbiguousPrefix(_) | Error::Invalid(_) => Kind::InvalidParameter,
            Error::NameTaken { .. } | Error::Conflict(_) => Kind::Conflict,
            Error::NotImplemented(_) => Kind::NotImplemented,
            // Docker answers a program that cannot be executed as the request's fault.
            Error::StartFailed { code: 126 | 127, .. } => Kind::InvalidParameter,
            Error::ShuttingDown | Error::Deadline { .. } => Kind::Unavailable,
            Error::Image(error) => image_kind(error),
            Error::StartFailed { .. }
            | Error::Locked { .. }
            | Error::Store(_)
            | Error::File { .. }
            | Error::Shim { .. }
            | Error::Host { .. } => Kind::Internal,
        }
    }

    /// For `map_err`: the host's refusal of `action`.
    pub(crate) fn host<E: Into<io::Error>>(action: impl Into<String>) -> impl FnOnce(E) -> Error {
        move |source| Error::Host { action: action.into(), source: source.into() }
    }

    /// For `map_err`: the failure of `action` on `path`.
    pub(crate) fn file(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Error {
        let path = path.as_ref().to_owned();
        move |source| Error::File { action, path, source }
    }
}

fn image_kind(error: &berth_image::Error) -> Kind {
    match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::Read => Kind::InvalidParameter,
        ErrorKind::Unsupported => Kind::NotImplemented,
        ErrorKind::NotFound => Kind::NotFound,
        ErrorKind::InUse => Kind::Conflict,
        ErrorKind::Corrupt | ErrorKind::Io => Kind::Internal,
    }
}

impl From<berth_store::Error> for Error {
    fn from(error: berth_store::Error) -> Self {
        match error {
            berth_store::Error::NameTaken { name, holder_id } => Error::NameTaken { name, holder: holder_id },
            other => Error::Store(other),
        }
    }
}

impl From<ValidateError> for Error {
    fn from(error: ValidateError) -> Self {
        if error.is_unavailable() {
            Error::NotImplemented(error.to_string())
        } else {
            Error::Invalid(error.to_string())
        }
    }
}

impl From<BuildError> for Error {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Config(error) => error.into(),
            other => Error::StartFailed { message: other.to_string(), code: 128 },
        }
    }
}
