//! The journal of operations with side effects outside the database. A row is committed before the first side effect
//! and deleted with the change that completes the operation, so that whatever is here at boot was interrupted.

use crate::error::{Doing, Error, Result};
use crate::tx::{Access, Tx};

/// An operation to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOperation {
    /// Name of the operation in the engine's registry, such as `container-start`.
    pub kind: String,
    /// ID of the container or image it works on.
    pub subject: String,
    /// Who asked, JSON.
    pub caller: String,
    /// What finishing or undoing it needs, JSON.
    pub detail: String,
    /// When it began.
    pub started_ns: i64,
}

/// An operation under way, or interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Never used twice; rises with every operation.
    pub id: i64,
    /// Name of the operation in the engine's registry.
    pub kind: String,
    /// ID of the container or image it works on.
    pub subject: String,
    /// Who asked, JSON.
    pub caller: String,
    /// The last completed step, empty before the first.
    pub step: String,
    /// What finishing or undoing it needs, JSON.
    pub detail: String,
    /// When it began.
    pub started_ns: i64,
    /// When it last advanced.
    pub updated_ns: i64,
}

/// Writes an operation down and gives its id. The side effects may begin once this has been committed.
pub async fn begin(tx: &mut Tx, operation: &NewOperation) -> Result<i64> {
    let done = sqlx::query!(
        "INSERT INTO operations (kind, subject, caller, detail, started_ns, updated_ns)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        operation.kind,
        operation.subject,
        operation.caller,
        operation.detail,
        operation.started_ns
    )
    .execute(&mut tx.conn)
    .await
    .doing("begin operation on", &operation.subject)?;
    Ok(done.last_insert_rowid())
}

/// Records that `step` is complete, and replaces the detail if a new one is given.
pub async fn advance(tx: &mut Tx, id: i64, step: &str, detail: Option<&str>, now_ns: i64) -> Result<()> {
    let done = sqlx::query!(
        "UPDATE operations SET step = ?, detail = coalesce(?, detail), updated_ns = ? WHERE id = ?",
        step,
        detail,
        now_ns,
        id
    )
    .execute(&mut tx.conn)
    .await
    .doing("advance operation", id)?;
    if done.rows_affected() == 0 {
        return Err(Error::missing("operation", &id.to_string()));
    }
    Ok(())
}

/// Ends an operation, finished or undone. False if it had ended before.
pub async fn finish(tx: &mut Tx, id: i64) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM operations WHERE id = ?", id)
        .execute(&mut tx.conn)
        .await
        .doing("finish operation", id)?;
    Ok(done.rows_affected() > 0)
}

/// Ends whatever operation works on `subject`: there is one at a time.
pub async fn finish_of(tx: &mut Tx, subject: &str) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM operations WHERE subject = ?", subject)
        .execute(&mut tx.conn)
        .await
        .doing("finish operation on", subject)?;
    Ok(done.rows_affected() > 0)
}

/// The operations that have begun and not ended, oldest first.
pub async fn unfinished(db: &mut impl Access) -> Result<Vec<OperationRow>> {
    sqlx::query_as!(
        OperationRow,
        "SELECT id, kind, subject, caller, step, detail, started_ns, updated_ns FROM operations ORDER BY id"
    )
    .fetch_all(db.conn())
    .await
    .doing("list", "operations")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{attempt, fresh, id, write};

    fn start(n: u32) -> NewOperation {
        NewOperation {
            kind: "container-start".to_owned(),
            subject: id(n),
            caller: r#"{"uid":0}"#.to_owned(),
            detail: "{}".to_owned(),
            started_ns: 100,
        }
    }

    #[tokio::test]
    async fn what_was_begun_is_unfinished_until_it_is_finished() {
        let (_dir, store) = fresh().await;
        let (first, second) = write(&store, |tx| {
            Box::pin(async move { Ok((begin(tx, &start(1)).await?, begin(tx, &start(2)).await?)) })
        })
        .await;
        write(&store, move |tx| {
            Box::pin(async move {
                advance(tx, first, "cgroup", None, 200).await?;
                advance(tx, second, "spawn", Some(r#"{"pid":1}"#), 300).await
            })
        })
        .await;
        let row = |id_: i64, n, step: &str, detail: &str, updated_ns| OperationRow {
            id: id_,
            kind: "container-start".to_owned(),
            subject: id(n),
            caller: r#"{"uid":0}"#.to_owned(),
            step: step.to_owned(),
            detail: detail.to_owned(),
            started_ns: 100,
            updated_ns,
        };
        let left = unfinished(&mut store.read().await.unwrap()).await.unwrap();
        assert_eq!(left, [row(first, 1, "cgroup", "{}", 200), row(second, 2, "spawn", r#"{"pid":1}"#, 300)]);

        assert!(write(&store, move |tx| Box::pin(async move { finish(tx, first).await })).await);
        assert!(!write(&store, move |tx| Box::pin(async move { finish(tx, first).await })).await);
        assert_eq!(unfinished(&mut store.read().await.unwrap()).await.unwrap().len(), 1);
        let late =
            attempt(&store, move |tx| Box::pin(async move { advance(tx, first, "x", None, 1).await })).await;
        assert!(matches!(late, Err(Error::Missing { kind: "operation", .. })), "{late:?}");
    }

    #[tokio::test]
    async fn an_id_is_not_used_again_after_its_operation_ended() {
        let (_dir, store) = fresh().await;
        let (first, second) = write(&store, |tx| {
            Box::pin(async move {
                let first = begin(tx, &start(1)).await?;
                finish(tx, first).await?;
                Ok((first, begin(tx, &start(1)).await?))
            })
        })
        .await;
        assert!(second > first);
    }
}
