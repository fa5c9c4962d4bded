//! Unpacked layers, and whether anything stands on them.

use crate::error::{Doing, Error, Result, is_foreign_key_violation};
use crate::tx::{Access, Tx};

/// A layer in the layer store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerRow {
    /// `sha256:…` of the uncompressed tar.
    pub diff_id: String,
    /// Its directory in the layer store.
    pub key: String,
    /// Bytes, unpacked.
    pub size: i64,
    /// The largest user ID that owns a file in it.
    pub max_uid: u32,
    /// The largest group ID that owns a file in it.
    pub max_gid: u32,
    /// When it was unpacked.
    pub created_ns: i64,
}

/// Inserts a layer. False if it was here before, which leaves it as it was.
pub async fn insert(tx: &mut Tx, row: &LayerRow) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO layers (diff_id, key, size, max_uid, max_gid, created_ns) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (diff_id) DO NOTHING",
        row.diff_id,
        row.key,
        row.size,
        row.max_uid,
        row.max_gid,
        row.created_ns
    )
    .execute(&mut tx.conn)
    .await
    .doing("insert layer", &row.diff_id)?;
    Ok(done.rows_affected() > 0)
}

/// The layer with this DiffID.
pub async fn get(db: &mut impl Access, diff_id: &str) -> Result<Option<LayerRow>> {
    sqlx::query_as!(
        LayerRow,
        r#"SELECT diff_id, key, size, max_uid AS "max_uid: u32", max_gid AS "max_gid: u32", created_ns
           FROM layers WHERE diff_id = ?"#,
        diff_id
    )
    .fetch_optional(db.conn())
    .await
    .doing("read layer", diff_id)
}

/// All layers.
pub async fn all(db: &mut impl Access) -> Result<Vec<LayerRow>> {
    sqlx::query_as!(
        LayerRow,
        r#"SELECT diff_id, key, size, max_uid AS "max_uid: u32", max_gid AS "max_gid: u32", created_ns
           FROM layers ORDER BY diff_id"#
    )
    .fetch_all(db.conn())
    .await
    .doing("list", "layers")
}

/// The layers that no image and no container stands on.
pub async fn unreferenced(db: &mut impl Access) -> Result<Vec<LayerRow>> {
    sqlx::query_as!(
        LayerRow,
        r#"SELECT diff_id, key, size, max_uid AS "max_uid: u32", max_gid AS "max_gid: u32", created_ns
           FROM layers
           WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.diff_id = layers.diff_id)
             AND NOT EXISTS (SELECT 1 FROM container_layers WHERE container_layers.diff_id = layers.diff_id)
           ORDER BY diff_id"#
    )
    .fetch_all(db.conn())
    .await
    .doing("list", "unused layers")
}

/// Deletes a layer's row. False if it was gone already.
///
/// # Errors
/// [`Error::LayerInUse`] while an image or a container stands on it.
pub async fn delete(tx: &mut Tx, diff_id: &str) -> Result<bool> {
    let deleted = sqlx::query!("DELETE FROM layers WHERE diff_id = ?", diff_id).execute(&mut tx.conn).await;
    match deleted {
        Ok(done) => Ok(done.rows_affected() > 0),
        Err(source) if is_foreign_key_violation(&source) => {
            Err(Error::LayerInUse { diff_id: diff_id.to_owned() })
        }
        Err(source) => Err(source).doing("delete layer", diff_id),
    }
}
