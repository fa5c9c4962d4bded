//! Opening the database file: settings, what to refuse, schema migrations.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use crate::error::{Error, Result, primary_code};

/// The schema's history, from `migrations/` at the root of the repository.
pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// `BRTH`, set by the first migration.
const APPLICATION_ID: i64 = 0x4252_5448;
/// Connections in the read pool. Reads take tenths of a millisecond; hot ones are answered from memory.
const READERS: u32 = 2;
/// Another process that only looks at the file (the `sqlite3` command) may hold a lock for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_NOTADB: i32 = 26;

/// What all connections share. Caches are small, since the daemon's resident size is promised; the operating system's
/// page cache holds the file anyway.
fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// A connection for the writer.
pub(crate) async fn connect_writer(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .pragma("cache_size", "-1024")
        // The writer checkpoints when it is idle; under lasting load SQLite does, inside a commit, at so many pages.
        .pragma("wal_autocheckpoint", "2000")
        // A log that grew in a burst shrinks to this (bytes) after a checkpoint.
        .pragma("journal_size_limit", "8388608")
        .statement_cache_capacity(64)
        .thread_name(|_| "store-writer".to_owned())
        .connect()
        .await
}

/// Opens the file, refuses what is not a healthy database of ours, and migrates it.
pub(crate) async fn prepare(path: &Path) -> Result<SqliteConnection> {
    let mut conn = connect_writer(path).await.map_err(|source| name_damage(path, source))?;
    examine(path, &mut conn).await?;
    MIGRATOR.run(&mut conn).await.map_err(|source| match source {
        MigrateError::VersionMissing(version) => Error::NewerSchema { path: path.to_owned(), version },
        source => Error::Migrate { path: path.to_owned(), source },
    })?;
    Ok(conn)
}

/// The pool of readers, with one connection made already.
pub(crate) async fn read_pool(path: &Path) -> Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        // The database is a file of ours: a connection cannot go stale, and asking costs a round trip.
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(
            options(path)
                .read_only(true)
                .pragma("cache_size", "-512")
                .statement_cache_capacity(32)
                .thread_name(|id| format!("store-read-{id}")),
        )
        .await
        .map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// Looks at an existing file before anything is written to it.
async fn examine(path: &Path, conn: &mut SqliteConnection) -> Result<()> {
    let described = |source| name_damage(path, source);
    let application_id: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *conn).await.map_err(described)?;
    let objects: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *conn)
        .await
        .map_err(described)?;
    // An empty file, or one whose first migration never committed, holds nothing or only the migrations' own table.
    let empty = objects == 0;
    if application_id != APPLICATION_ID && !empty && !only_migrations_table(conn).await.map_err(described)? {
        return Err(Error::Foreign { path: path.to_owned(), application_id });
    }
    let verdict: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *conn).await.map_err(described)?;
    if verdict != "ok" {
        return Err(Error::Damaged { path: path.to_owned(), detail: verdict });
    }
    Ok(())
}

async fn only_migrations_table(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let others: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'")
            .fetch_one(&mut *conn)
            .await?;
    if others > 0 {
        return Ok(false);
    }
    let applied: i64 =
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&mut *conn).await?;
    Ok(applied == 0)
}

/// Tells a file that is no database, and a damaged one, from one that cannot be reached.
fn name_damage(path: &Path, source: sqlx::Error) -> Error {
    let path = path.to_owned();
    match primary_code(&source) {
        Some(SQLITE_NOTADB) => Error::NotADatabase { path },
        Some(SQLITE_CORRUPT) => Error::Damaged { path, detail: source.to_string() },
        _ => Error::Open { path, source },
    }
}

/// Ends the writer's connection: statistics for the planner, an empty log.
pub(crate) async fn finish(mut conn: SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("PRAGMA optimize; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await?;
    conn.close().await
}

#[cfg(test)]
mod tests;
