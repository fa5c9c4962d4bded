//! Events as clients see them, written in the transaction of the change they tell about.
//!
//! Sequence numbers rise in commit order and are never used twice, also after pruning. A change that was rolled back
//! leaves no event and no gap.

use std::sync::Arc;

use crate::error::{Doing, Result};
use crate::tx::{Access, Tx};

/// An event to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened.
    pub time_ns: i64,
    /// The API's `Type`: `container`, `image` and so on.
    pub kind: String,
    /// The API's `Action`: `start`, `die` and so on.
    pub action: String,
    /// ID or name of what it happened to.
    pub actor_id: String,
    /// The actor's attributes, a JSON object of strings.
    pub attributes: String,
    /// The API's `scope`, `local` on a single host.
    pub scope: String,
}

/// An event with its place in the order of all events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Rises with every event.
    pub seq: i64,
    /// When it happened.
    pub time_ns: i64,
    /// The API's `Type`.
    pub kind: String,
    /// The API's `Action`.
    pub action: String,
    /// ID or name of what it happened to.
    pub actor_id: String,
    /// The actor's attributes, a JSON object of strings.
    pub attributes: String,
    /// The API's `scope`.
    pub scope: String,
}

/// Which events to read. The default is all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventRange {
    /// Only events with a higher sequence number.
    pub after_seq: Option<i64>,
    /// Only events at or after this time.
    pub since_ns: Option<i64>,
    /// Only events at or before this time.
    pub until_ns: Option<i64>,
    /// At most this many, the oldest of them first. Go on from the last one's `seq`.
    pub limit: Option<u32>,
}

/// Appends an event and gives its sequence number. Subscribers hear of it after the commit.
pub async fn append(tx: &mut Tx, event: NewEvent) -> Result<i64> {
    let NewEvent { time_ns, kind, action, actor_id, attributes, scope } = event;
    let seq = sqlx::query!(
        "INSERT INTO events (time_ns, kind, action, actor_id, attributes, scope) VALUES (?, ?, ?, ?, ?, ?)",
        time_ns,
        kind,
        action,
        actor_id,
        attributes,
        scope
    )
    .execute(&mut tx.conn)
    .await
    .doing("append event of", &actor_id)?
    .last_insert_rowid();
    tx.events.push(Arc::new(EventRow { seq, time_ns, kind, action, actor_id, attributes, scope }));
    Ok(seq)
}

/// The events of a range, in order.
pub async fn range(db: &mut impl Access, range: EventRange) -> Result<Vec<EventRow>> {
    let after_seq = range.after_seq.unwrap_or(0);
    let since_ns = range.since_ns.unwrap_or(i64::MIN);
    let until_ns = range.until_ns.unwrap_or(i64::MAX);
    let limit = range.limit.map_or(i64::MAX, i64::from);
    sqlx::query_as!(
        EventRow,
        "SELECT seq, time_ns, kind, action, actor_id, attributes, scope FROM events
         WHERE seq > ? AND time_ns >= ? AND time_ns <= ? ORDER BY seq LIMIT ?",
        after_seq,
        since_ns,
        until_ns,
        limit
    )
    .fetch_all(db.conn())
    .await
    .doing("read", "events")
}

/// The highest sequence number given so far, 0 before the first event. Pruning does not lower it.
pub async fn last_seq(db: &mut impl Access) -> Result<i64> {
    let seq = sqlx::query_scalar!(
        r#"SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS "seq!: i64""#
    )
    .fetch_one(db.conn())
    .await
    .doing("read", "the last event's number")?;
    Ok(seq)
}

/// Deletes all but the newest `keep` events and gives how many went.
pub async fn prune(tx: &mut Tx, keep: u32) -> Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM events WHERE seq <= (SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?)",
        keep
    )
    .execute(&mut tx.conn)
    .await
    .doing("prune", "events")?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, fresh, write};
    use crate::{Error, Store};

    /// Events 1 to 5 at times 10 to 50.
    async fn with_five_events() -> (tempfile::TempDir, Store) {
        let (dir, store) = fresh().await;
        write(&store, |tx| {
            Box::pin(async move {
                for n in 1..=5 {
                    assert_eq!(append(tx, event(n * 10, "start")).await?, n);
                }
                Ok(())
            })
        })
        .await;
        (dir, store)
    }

    async fn seqs(store: &Store, wanted: EventRange) -> Vec<i64> {
        let rows = range(&mut store.read().await.unwrap(), wanted).await.unwrap();
        rows.into_iter().map(|row| row.seq).collect()
    }

    #[tokio::test]
    async fn ranges_are_inclusive_in_time_and_exclusive_in_sequence() {
        let (_dir, store) = with_five_events().await;
        let all = EventRange::default();
        assert_eq!(seqs(&store, all).await, [1, 2, 3, 4, 5]);
        assert_eq!(
            seqs(&store, EventRange { since_ns: Some(20), until_ns: Some(40), ..all }).await,
            [2, 3, 4]
        );
        assert_eq!(seqs(&store, EventRange { after_seq: Some(2), limit: Some(2), ..all }).await, [3, 4]);
        assert!(seqs(&store, EventRange { since_ns: Some(51), ..all }).await.is_empty());
        assert!(seqs(&store, EventRange { limit: Some(0), ..all }).await.is_empty());
    }

    #[tokio::test]
    async fn pruning_keeps_the_newest_and_never_reuses_a_number() {
        let (_dir, store) = with_five_events().await;
        assert_eq!(write(&store, |tx| Box::pin(async move { prune(tx, 9).await })).await, 0);
        assert_eq!(write(&store, |tx| Box::pin(async move { prune(tx, 2).await })).await, 3);
        assert_eq!(seqs(&store, EventRange::default()).await, [4, 5]);
        assert_eq!(write(&store, |tx| Box::pin(async move { prune(tx, 0).await })).await, 2);
        assert_eq!(last_seq(&mut store.read().await.unwrap()).await.unwrap(), 5);
        assert_eq!(write(&store, |tx| Box::pin(async move { append(tx, event(60, "die")).await })).await, 6);
    }

    #[tokio::test]
    async fn subscribers_hear_in_order_what_was_committed_and_nothing_else() {
        let (_dir, store) = fresh().await;
        assert_eq!(last_seq(&mut store.read().await.unwrap()).await.unwrap(), 0);
        let mut heard = store.subscribe();
        // Queued together, so they share a transaction.
        let jobs = ["create", "fails", "start"].map(|action| {
            store.write(crate::Durability::CrashSafe, move |tx| {
                Box::pin(async move {
                    let seq = append(tx, event(1, action)).await?;
                    if action == "fails" { Err(Error::missing("container", "x")) } else { Ok(seq) }
                })
            })
        });
        let [created, failed, started] = futures_util::future::join_all(jobs).await.try_into().unwrap();
        assert!(failed.is_err());
        let (created, started) = (created.unwrap(), started.unwrap());
        assert!(created < started);
        assert_eq!(heard.try_recv().unwrap().seq, created);
        let second = heard.try_recv().unwrap();
        assert_eq!((second.seq, second.action.as_str()), (started, "start"));
        assert!(heard.try_recv().is_err(), "the event of the failed job was told");
        let stored = range(&mut store.read().await.unwrap(), EventRange::default()).await.unwrap();
        assert_eq!(stored[1], *second);
        assert_eq!(stored.len(), 2);
    }
}
