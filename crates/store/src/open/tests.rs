use std::path::PathBuf;

use super::*;
use crate::testing::{container, fresh, write};
use crate::{Store, containers, meta};

/// A directory and the path of a database in it that does not exist yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("berth.db");
    (dir, path)
}

async fn refusal(path: &Path) -> Error {
    match Store::open(path).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// A database made by this build, closed again, and changed by one statement.
async fn altered(sql: &'static str) -> (tempfile::TempDir, PathBuf) {
    let (dir, path) = place();
    Store::open(&path).await.unwrap().close().await;
    let mut conn = connect_writer(&path).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    (dir, path)
}

#[tokio::test]
async fn every_connection_has_the_settings_it_needs() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            for (pragma, expected) in [
                ("PRAGMA foreign_keys", "1"),
                ("PRAGMA journal_mode", "wal"),
                ("PRAGMA temp_store", "2"),
                ("PRAGMA cache_size", "-1024"),
                ("PRAGMA busy_timeout", "5000"),
            ] {
                assert_eq!(text(&mut tx.conn, pragma).await, expected, "{pragma}");
            }
            Ok(())
        })
    })
    .await;
    let mut reader = store.read().await.unwrap();
    assert_eq!(text(&mut reader.conn, "PRAGMA cache_size").await, "-512");
    let written = sqlx::query("DELETE FROM meta").execute(&mut *reader.conn).await;
    assert!(written.is_err(), "a reader can write");
}

async fn text(conn: &mut SqliteConnection, pragma: &'static str) -> String {
    use sqlx::Row;
    let row = sqlx::query(pragma).fetch_one(conn).await.unwrap();
    row.try_get_unchecked(0).unwrap()
}

#[tokio::test]
async fn rows_are_there_after_closing_and_opening() {
    let (dir, store) = fresh().await;
    write(&store, |tx| Box::pin(async move { containers::insert(tx, &container(1)).await })).await;
    store.close().await;
    let store = Store::open(dir.path().join("berth.db")).await.unwrap();
    assert_eq!(containers::all(&mut store.read().await.unwrap()).await.unwrap(), [container(1)]);
}

#[tokio::test]
async fn a_database_of_an_older_schema_is_migrated_with_its_rows() {
    let (_dir, path) = place();
    let mut conn = connect_writer(&path).await.unwrap();
    MIGRATOR.run_to(1, &mut conn).await.unwrap();
    sqlx::raw_sql("INSERT INTO meta VALUES ('id', 'old')").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();

    let store = Store::open(&path).await.unwrap();
    let kept = write(&store, |tx| {
        Box::pin(async move {
            containers::insert(tx, &container(1)).await?;
            meta::get(tx, "id").await
        })
    })
    .await;
    assert_eq!(kept.as_deref(), Some("old"));
}

#[tokio::test]
async fn a_database_of_a_newer_schema_is_refused_by_its_version() {
    let (_dir, path) = altered(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'from the future', 1, x'00', 0)",
    )
    .await;
    let error = refusal(&path).await;
    assert!(matches!(error, Error::NewerSchema { version: 9000, .. }), "{error:?}");
    assert!(error.to_string().contains("newer"), "{error}");
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_ran_is_noticed() {
    let (_dir, path) = altered("UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Migrate { source: MigrateError::VersionMismatch(1), .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (_dir, path) = place();
    let content = "this is a letter, not a database. ".repeat(100);
    std::fs::write(&path, &content).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, Error::NotADatabase { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    for (sql, mark) in
        [("CREATE TABLE notes (t)", 0), ("PRAGMA application_id = 7; CREATE TABLE notes (t)", 7)]
    {
        let (_dir, path) = place();
        let mut conn = connect_writer(&path).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let error = refusal(&path).await;
        assert!(
            matches!(error, Error::Foreign { application_id, .. } if application_id == mark),
            "{error:?}"
        );
        let mut conn = connect_writer(&path).await.unwrap();
        assert_eq!(text(&mut conn, "SELECT group_concat(name) FROM sqlite_schema").await, "notes");
    }
}

#[tokio::test]
async fn a_damaged_database_is_refused_wherever_the_damage_is() {
    let (dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            for n in 0..200 {
                containers::insert(tx, &container(n)).await?;
            }
            Ok(())
        })
    })
    .await;
    store.close().await;
    let path = dir.path().join("berth.db");
    let whole = std::fs::read(&path).unwrap();

    // The first page holds the schema behind the file's header, the later ones hold rows. What is overwritten is the
    // structure of the page; bytes inside a value carry no checksum, so damage there cannot be seen.
    for page in [0, whole.len() / 4096 / 2, whole.len() / 4096 - 1] {
        let mut broken = whole.clone();
        let start = if page == 0 { 100 } else { page * 4096 };
        broken[start..start + 2000].fill(0xa5);
        std::fs::write(&path, &broken).unwrap();
        let error = refusal(&path).await;
        assert!(matches!(error, Error::Damaged { .. }), "page {page}: {error:?}");
    }
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Damaged { .. }), "cut in half: {error:?}");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let (_dir, path) = place();
    std::fs::write(&path, "").unwrap();
    Store::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_first_start_that_was_interrupted_is_completed() {
    let (_dir, path) = place();
    let mut conn = connect_writer(&path).await.unwrap();
    // All that is there before the first migration commits is the table that records them.
    Migrator::with_migrations(Vec::new()).run(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    Store::open(&path).await.unwrap().close().await;
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_named_in_the_error() {
    let (dir, _) = place();
    let path = dir.path().join("missing/berth.db");
    let error = refusal(&path).await;
    assert!(matches!(error, Error::Open { .. }), "{error:?}");
    assert!(error.to_string().contains("missing/berth.db"), "{error}");
}
