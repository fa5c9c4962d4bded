//! Single values of the daemon itself: its short id, the engine's UUID.

use crate::error::{Doing, Result};
use crate::tx::{Access, Tx};

/// The value of `key`, if it was ever set.
pub async fn get(db: &mut impl Access, key: &str) -> Result<Option<String>> {
    sqlx::query_scalar!("SELECT value FROM meta WHERE key = ?", key)
        .fetch_optional(db.conn())
        .await
        .doing("read setting", key)
}

/// Sets `key`, replacing an earlier value.
pub async fn set(tx: &mut Tx, key: &str, value: &str) -> Result<()> {
    sqlx::query!(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value
    )
    .execute(&mut tx.conn)
    .await
    .doing("write setting", key)
    .map(drop)
}

/// The value of `key`, which is set to `initial` first if it has none: how an identity is made once and kept.
pub async fn get_or_set(tx: &mut Tx, key: &str, initial: &str) -> Result<String> {
    sqlx::query!("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", key, initial)
        .execute(&mut tx.conn)
        .await
        .doing("write setting", key)?;
    sqlx::query_scalar!("SELECT value FROM meta WHERE key = ?", key)
        .fetch_one(&mut tx.conn)
        .await
        .doing("read setting", key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{fresh, write};

    #[tokio::test]
    async fn a_value_can_be_set_and_replaced() {
        let (_dir, store) = fresh().await;
        assert_eq!(get(&mut store.read().await.unwrap(), "id").await.unwrap(), None);
        for value in ["one", "two"] {
            write(&store, move |tx| Box::pin(async move { set(tx, "id", value).await })).await;
            assert_eq!(get(&mut store.read().await.unwrap(), "id").await.unwrap().as_deref(), Some(value));
        }
    }

    #[tokio::test]
    async fn an_identity_is_made_once() {
        let (_dir, store) = fresh().await;
        for offered in ["first", "second"] {
            let kept = write(&store, move |tx| Box::pin(async move { get_or_set(tx, "id", offered).await }));
            assert_eq!(kept.await, "first");
        }
    }
}
