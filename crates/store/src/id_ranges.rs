//! Leases of host user and group IDs. A container that runs in its own user namespace holds one range until it is
//! removed: its row cascades.

use crate::error::{Doing, Error, Result, is_unique_violation};
use crate::tx::{Access, Tx};

/// The lease of the IDs `[first, first + size)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdRangeRow {
    /// First host ID, at least 65536.
    pub first: u32,
    /// How many IDs.
    pub size: u32,
    /// The container that holds it.
    pub container_id: String,
}

/// Leases a range to a container whose row exists.
///
/// # Errors
/// [`Error::RangeTaken`] if it overlaps another container's, [`Error::RangeHeld`] if the container has one already.
pub async fn insert(tx: &mut Tx, range: &IdRangeRow) -> Result<()> {
    let end = i64::from(range.first) + i64::from(range.size);
    let inserted = sqlx::query!(
        "INSERT INTO id_ranges (first, size, container_id)
         SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM id_ranges WHERE first < ?4 AND first + size > ?1)",
        range.first,
        range.size,
        range.container_id,
        end
    )
    .execute(&mut tx.conn)
    .await;
    match inserted {
        Ok(done) if done.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(overlap(tx, range.first, end).await?),
        Err(source) if is_unique_violation(&source) => match of_container(tx, &range.container_id).await? {
            Some(held) => Err(Error::RangeHeld { container_id: held.container_id, first: held.first }),
            None => Err(source).doing("lease host IDs to container", &range.container_id),
        },
        Err(source) => Err(source).doing("lease host IDs to container", &range.container_id),
    }
}

async fn overlap(tx: &mut Tx, first: u32, end: i64) -> Result<Error> {
    let holder_id = sqlx::query_scalar!(
        "SELECT container_id FROM id_ranges WHERE first < ?1 AND first + size > ?2 ORDER BY first LIMIT 1",
        end,
        first
    )
    .fetch_one(&mut tx.conn)
    .await
    .doing("look up the holder of host IDs from", first)?;
    Ok(Error::RangeTaken { first, holder_id })
}

/// The range a container holds.
pub async fn of_container(db: &mut impl Access, container_id: &str) -> Result<Option<IdRangeRow>> {
    sqlx::query_as!(
        IdRangeRow,
        r#"SELECT first AS "first: u32", size AS "size: u32", container_id FROM id_ranges WHERE container_id = ?"#,
        container_id
    )
    .fetch_optional(db.conn())
    .await
    .doing("read host IDs of container", container_id)
}

/// Gives a container's range back while the container stays. False if it held none.
pub async fn release(tx: &mut Tx, container_id: &str) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM id_ranges WHERE container_id = ?", container_id)
        .execute(&mut tx.conn)
        .await
        .doing("release host IDs of container", container_id)?;
    Ok(done.rows_affected() > 0)
}

/// All leases, lowest first.
pub async fn all(db: &mut impl Access) -> Result<Vec<IdRangeRow>> {
    sqlx::query_as!(
        IdRangeRow,
        r#"SELECT first AS "first: u32", size AS "size: u32", container_id FROM id_ranges ORDER BY first"#
    )
    .fetch_all(db.conn())
    .await
    .doing("list", "host ID leases")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers;
    use crate::testing::{attempt, container, fresh, id, write};

    fn range(first: u32, size: u32, n: u32) -> IdRangeRow {
        IdRangeRow { first, size, container_id: id(n) }
    }

    async fn with_three_containers() -> (tempfile::TempDir, crate::Store) {
        let (dir, store) = fresh().await;
        write(&store, |tx| {
            Box::pin(async move {
                for n in 1..=3 {
                    containers::insert(tx, &container(n)).await?;
                }
                insert(tx, &range(200_000, 65_536, 1)).await
            })
        })
        .await;
        (dir, store)
    }

    #[tokio::test]
    async fn ranges_that_touch_are_fine_and_ranges_that_overlap_are_not() {
        let (_dir, store) = with_three_containers().await;
        for (first, size) in [(200_000, 65_536), (199_999, 2), (265_535, 1), (100_000, 900_000), (210_000, 5)]
        {
            let taken =
                attempt(&store, move |tx| Box::pin(async move { insert(tx, &range(first, size, 2)).await }))
                    .await;
            assert!(
                matches!(&taken, Err(Error::RangeTaken { first: f, holder_id }) if *f == first && *holder_id == id(1)),
                "{first}+{size}: {taken:?}"
            );
        }
        write(&store, |tx| {
            Box::pin(async move {
                insert(tx, &range(199_990, 10, 2)).await?;
                // The last IDs there are: the end does not fit 32 bits.
                insert(tx, &range(u32::MAX - 65_535, 65_536, 3)).await
            })
        })
        .await;
        let mut reader = store.read().await.unwrap();
        assert_eq!(
            all(&mut reader).await.unwrap(),
            [range(199_990, 10, 2), range(200_000, 65_536, 1), range(u32::MAX - 65_535, 65_536, 3)]
        );
    }

    #[tokio::test]
    async fn a_container_holds_one_range_and_may_release_it() {
        let (_dir, store) = with_three_containers().await;
        let second =
            attempt(&store, |tx| Box::pin(async move { insert(tx, &range(500_000, 65_536, 1)).await })).await;
        assert!(
            matches!(&second, Err(Error::RangeHeld { container_id, first: 200_000 }) if *container_id == id(1)),
            "{second:?}"
        );
        write(&store, |tx| {
            Box::pin(async move {
                assert!(release(tx, &id(1)).await?);
                assert!(!release(tx, &id(1)).await?);
                assert_eq!(of_container(tx, &id(1)).await?, None);
                insert(tx, &range(200_000, 65_536, 2)).await?;
                assert_eq!(of_container(tx, &id(2)).await?, Some(range(200_000, 65_536, 2)));
                Ok(())
            })
        })
        .await;
    }

    #[tokio::test]
    async fn a_range_needs_a_container_and_keeps_clear_of_host_users() {
        let (_dir, store) = with_three_containers().await;
        for bad in [range(300_000, 1, 99), range(65_535, 1, 2), range(300_000, 0, 2)] {
            let refused = attempt(&store, move |tx| Box::pin(async move { insert(tx, &bad).await })).await;
            assert!(matches!(refused, Err(Error::Query { .. })), "{refused:?}");
        }
    }
}
