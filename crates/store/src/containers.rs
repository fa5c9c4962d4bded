//! Containers. The row is the truth about a container's state; the one task that owns a container changes it.
//!
//! ```text
//!   insert ─▶ created ─▶ running ◀─▶ paused        set_running, set_status
//!                │         │  ▲
//!                │         ▼  │
//!                │      exited / restarting        set_exited
//!                ▼         ▼
//!              removing ─▶ (deleted)  or  dead     set_status, delete
//! ```
//! Which of these moves are allowed is the engine's decision. The schema only insists that what runs has a process.

mod row;

pub use row::{ContainerRow, Desired, Exit, Running, Status};

use crate::error::{Doing, Error, Result, is_unique_violation};
use crate::tx::{Access, Tx};

/// Selects whole rows with the types of [`ContainerRow`]: the macro takes literals only, so the columns are spelt here
/// once and the rest of the statement is given.
macro_rules! select_rows {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            ContainerRow,
            r#"SELECT id, name, image_id, image_ref, created_ns, spec,
                 status AS "status: Status", desired AS "desired: Desired",
                 pid AS "pid: i32", start_time, boot_id, shim_pid AS "shim_pid: i32", shim_start_time,
                 started_ns, finished_ns, exit_code AS "exit_code: i32", error,
                 oom_killed AS "oom_killed: bool", restart_count AS "restart_count: u32",
                 manually_stopped AS "manually_stopped: bool", auto_remove AS "auto_remove: bool"
               FROM containers "# + $rest
            $(, $argument)*
        )
    };
}

/// Inserts a container, which takes its name and holds the layers of its image from then on.
///
/// # Errors
/// [`Error::NameTaken`] if another container has the name.
pub async fn insert(tx: &mut Tx, row: &ContainerRow) -> Result<()> {
    let done = sqlx::query!(
        "INSERT INTO containers (id, name, image_id, image_ref, created_ns, spec, status, desired, pid, start_time,
           boot_id, shim_pid, shim_start_time, started_ns, finished_ns, exit_code, error, oom_killed, restart_count,
           manually_stopped, auto_remove)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (name) DO NOTHING",
        row.id,
        row.name,
        row.image_id,
        row.image_ref,
        row.created_ns,
        row.spec,
        row.status,
        row.desired,
        row.pid,
        row.start_time,
        row.boot_id,
        row.shim_pid,
        row.shim_start_time,
        row.started_ns,
        row.finished_ns,
        row.exit_code,
        row.error,
        row.oom_killed,
        row.restart_count,
        row.manually_stopped,
        row.auto_remove
    )
    .execute(&mut tx.conn)
    .await
    .doing("insert container", &row.id)?;
    if done.rows_affected() == 0 {
        return Err(name_taken(tx, &row.name).await?);
    }
    Ok(())
}

/// The container with this full ID.
pub async fn get(db: &mut impl Access, id: &str) -> Result<Option<ContainerRow>> {
    select_rows!("WHERE id = ?", id).fetch_optional(db.conn()).await.doing("read container", id)
}

/// The container with this name.
pub async fn by_name(db: &mut impl Access, name: &str) -> Result<Option<ContainerRow>> {
    select_rows!("WHERE name = ?", name).fetch_optional(db.conn()).await.doing("read container", name)
}

/// All containers, newest first.
pub async fn all(db: &mut impl Access) -> Result<Vec<ContainerRow>> {
    select_rows!("ORDER BY created_ns DESC, id").fetch_all(db.conn()).await.doing("list", "containers")
}

/// The layers a container stands on, lowest first.
pub async fn layers(db: &mut impl Access, id: &str) -> Result<Vec<String>> {
    sqlx::query_scalar!("SELECT diff_id FROM container_layers WHERE container_id = ? ORDER BY position", id)
        .fetch_all(db.conn())
        .await
        .doing("read layers of container", id)
}

/// Gives a container another name, and the old one free.
///
/// # Errors
/// [`Error::NameTaken`] if another container has the name, [`Error::Missing`].
pub async fn rename(tx: &mut Tx, id: &str, name: &str) -> Result<()> {
    let updated =
        sqlx::query!("UPDATE containers SET name = ? WHERE id = ?", name, id).execute(&mut tx.conn).await;
    match updated {
        Ok(done) => found(done, id),
        Err(source) if is_unique_violation(&source) => Err(name_taken(tx, name).await?),
        Err(source) => Err(source).doing("rename container", id),
    }
}

/// Records that the container's process runs, as wanted. Clears the last exit code, error and OOM mark; keeps `finished_ns`.
pub async fn set_running(tx: &mut Tx, id: &str, running: &Running) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE containers SET status = 'running', desired = 'running', manually_stopped = 0, pid = ?, start_time = ?, boot_id = ?, shim_pid = ?,
           shim_start_time = ?, started_ns = ?, exit_code = 0, error = '', oom_killed = 0 WHERE id = ?",
        running.pid,
        running.start_time,
        running.boot_id,
        running.shim_pid,
        running.shim_start_time,
        running.started_ns,
        id
    )
    .execute(&mut tx.conn)
    .await
    .doing("record start of container", id)?;
    found(done, id)
}

/// Records that the container's process is gone, and forgets its identity.
pub async fn set_exited(tx: &mut Tx, id: &str, exit: &Exit) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE containers SET status = ?, pid = NULL, start_time = NULL, boot_id = NULL, shim_pid = NULL,
           shim_start_time = NULL, finished_ns = ?, exit_code = ?, error = ?, oom_killed = ? WHERE id = ?",
        exit.status,
        exit.finished_ns,
        exit.exit_code,
        exit.error,
        exit.oom_killed,
        id
    )
    .execute(&mut tx.conn)
    .await
    .doing("record exit of container", id)?;
    found(done, id)
}

/// Changes the status alone. `running` and `paused` need a process that [`set_running`] has recorded.
pub async fn set_status(tx: &mut Tx, id: &str, status: Status) -> Result<()> {
    let done = sqlx::query!("UPDATE containers SET status = ? WHERE id = ?", status, id)
        .execute(&mut tx.conn)
        .await
        .doing("change status of container", id)?;
    found(done, id)
}

/// Records what the user wants: `manually_stopped` tells a stop on request from an exit that the restart policy may
/// answer.
pub async fn set_desired(tx: &mut Tx, id: &str, desired: Desired, manually_stopped: bool) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE containers SET desired = ?, manually_stopped = ? WHERE id = ?",
        desired,
        manually_stopped,
        id
    )
    .execute(&mut tx.conn)
    .await
    .doing("change desired state of container", id)?;
    found(done, id)
}

/// Records how often the restart policy has started the container.
pub async fn set_restart_count(tx: &mut Tx, id: &str, count: u32) -> Result<()> {
    let done = sqlx::query!("UPDATE containers SET restart_count = ? WHERE id = ?", count, id)
        .execute(&mut tx.conn)
        .await
        .doing("count restart of container", id)?;
    found(done, id)
}

/// Replaces the engine's document.
pub async fn set_spec(tx: &mut Tx, id: &str, spec: &str) -> Result<()> {
    let done = sqlx::query!("UPDATE containers SET spec = ? WHERE id = ?", spec, id)
        .execute(&mut tx.conn)
        .await
        .doing("change settings of container", id)?;
    found(done, id)
}

/// Records a start that failed: the status stays what it was, inspect shows the error and the exit code.
pub async fn set_error(tx: &mut Tx, id: &str, exit_code: i32, error: &str) -> Result<()> {
    let done =
        sqlx::query!("UPDATE containers SET exit_code = ?, error = ? WHERE id = ?", exit_code, error, id)
            .execute(&mut tx.conn)
            .await
            .doing("record error of container", id)?;
    found(done, id)
}

/// Deletes a container; its name, ID range and layers are free with it. False if it was gone already.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM containers WHERE id = ?", id)
        .execute(&mut tx.conn)
        .await
        .doing("delete container", id)?;
    Ok(done.rows_affected() > 0)
}

/// Turns "no row changed" into an error.
fn found(done: sqlx::sqlite::SqliteQueryResult, id: &str) -> Result<()> {
    if done.rows_affected() == 0 { Err(Error::missing("container", id)) } else { Ok(()) }
}

async fn name_taken(tx: &mut Tx, name: &str) -> Result<Error> {
    let holder_id = sqlx::query_scalar!("SELECT id FROM containers WHERE name = ?", name)
        .fetch_one(&mut tx.conn)
        .await
        .doing("look up the holder of the name", name)?;
    Ok(Error::NameTaken { name: name.to_owned(), holder_id })
}

#[cfg(test)]
mod tests;
