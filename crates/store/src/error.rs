//! What can go wrong here, named so that the engine can tell a conflict from a broken disk.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// Result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database file cannot be opened, created or configured.
    #[error("open database {}", path.display())]
    Open {
        /// The database file.
        path: PathBuf,
        /// SQLite's reason.
        source: sqlx::Error,
    },
    /// The file exists and is something else than a SQLite database.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// A SQLite database of another program.
    #[error("{} is another program's database (application id {application_id:#x})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The mark its owner left in it, 0 if none.
        application_id: i64,
    },
    /// The database is damaged; its rows cannot be trusted.
    #[error("database {} is damaged: {detail}", path.display())]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// The first problem SQLite found.
        detail: String,
    },
    /// The database was written by a newer Berth.
    #[error("database {} has schema version {version}, which is newer than this berthd knows", path.display())]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// The first migration in it that this build does not have.
        version: i64,
    },
    /// The schema cannot be brought up to date.
    #[error("migrate database {}", path.display())]
    Migrate {
        /// The database file.
        path: PathBuf,
        /// What failed.
        source: MigrateError,
    },
    /// A statement failed.
    #[error("{operation} {subject}")]
    Query {
        /// What was being done, such as `insert container`.
        operation: &'static str,
        /// To what: an id, a key or a reference.
        subject: String,
        /// SQLite's reason.
        source: sqlx::Error,
    },
    /// A column holds what this crate never writes.
    #[error("{column} of {subject} cannot be read")]
    Decode {
        /// Table and column.
        column: &'static str,
        /// The row's key.
        subject: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another container has this name.
    #[error("the name {name:?} is taken by container {holder_id}")]
    NameTaken {
        /// The name.
        name: String,
        /// The container that has it.
        holder_id: String,
    },
    /// The host IDs overlap a range which another container holds.
    #[error("host IDs from {first} on are leased to container {holder_id}")]
    RangeTaken {
        /// First ID of the range that was asked for.
        first: u32,
        /// The container that holds an overlapping range.
        holder_id: String,
    },
    /// The container already holds a range.
    #[error("container {container_id} already holds host IDs from {first} on")]
    RangeHeld {
        /// The container.
        container_id: String,
        /// First ID of the range it holds.
        first: u32,
    },
    /// A layer cannot go while an image or a container stands on it.
    #[error("layer {diff_id} is in use")]
    LayerInUse {
        /// The layer.
        diff_id: String,
    },
    /// The row to change is not there.
    #[error("no such {kind}: {id}")]
    Missing {
        /// What was looked for: `container`, `image`, `layer` or `operation`.
        kind: &'static str,
        /// Its key.
        id: String,
    },
    /// The transaction failed as a whole (the disk may be full): nothing this job wrote was kept.
    #[error("the database could not save the change")]
    Commit(#[source] Arc<sqlx::Error>),
    /// The job panicked; nothing it wrote was kept.
    #[error("a database job failed unexpectedly")]
    JobPanicked,
    /// The store has been closed.
    #[error("the database is closed")]
    Closed,
}

impl Error {
    /// Whether the disk (or the quota) is full, which the user can do something about.
    pub fn is_disk_full(&self) -> bool {
        const SQLITE_FULL: i32 = 13;
        let sqlite = match self {
            Error::Query { source, .. } | Error::Open { source, .. } => source,
            Error::Commit(source) => source,
            _ => return false,
        };
        primary_code(sqlite) == Some(SQLITE_FULL)
    }

    pub(crate) fn missing(kind: &'static str, id: &str) -> Self {
        Error::Missing { kind, id: id.to_owned() }
    }
}

/// SQLite's primary result code, without the extension bits.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether a UNIQUE or PRIMARY KEY constraint refused the statement.
pub(crate) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.kind() == ErrorKind::UniqueViolation)
}

/// Whether a foreign key refused the statement.
pub(crate) fn is_foreign_key_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.kind() == ErrorKind::ForeignKeyViolation)
}

/// Adds to SQLite's error what was being done to what.
pub(crate) trait Doing<T> {
    fn doing(self, operation: &'static str, subject: impl ToString) -> Result<T>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, operation: &'static str, subject: impl ToString) -> Result<T> {
        self.map_err(|source| Error::Query { operation, subject: subject.to_string(), source })
    }
}
