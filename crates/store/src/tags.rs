//! The names of images. A reference is normalised before it gets here (`docker.io/library/busybox:latest`).

use crate::error::{Doing, Error, Result, is_foreign_key_violation};
use crate::tx::{Access, Tx};

/// Points `reference` at an image and gives the image that had it before, which may be the same one.
///
/// # Errors
/// [`Error::Missing`] if there is no such image.
pub async fn set(tx: &mut Tx, reference: &str, image_id: &str) -> Result<Option<String>> {
    let previous = resolve(tx, reference).await?;
    let written = sqlx::query!(
        "INSERT INTO tags (reference, image_id) VALUES (?, ?)
         ON CONFLICT (reference) DO UPDATE SET image_id = excluded.image_id",
        reference,
        image_id
    )
    .execute(&mut tx.conn)
    .await;
    match written {
        Ok(_) => Ok(previous),
        Err(source) if is_foreign_key_violation(&source) => Err(Error::missing("image", image_id)),
        Err(source) => Err(source).doing("tag image as", reference),
    }
}

/// Removes a tag and gives the image it pointed at, if there was one.
pub async fn remove(tx: &mut Tx, reference: &str) -> Result<Option<String>> {
    let previous = resolve(tx, reference).await?;
    sqlx::query!("DELETE FROM tags WHERE reference = ?", reference)
        .execute(&mut tx.conn)
        .await
        .doing("remove tag", reference)?;
    Ok(previous)
}

/// The ID of the image a reference points at.
pub async fn resolve(db: &mut impl Access, reference: &str) -> Result<Option<String>> {
    sqlx::query_scalar!("SELECT image_id FROM tags WHERE reference = ?", reference)
        .fetch_optional(db.conn())
        .await
        .doing("resolve tag", reference)
}
