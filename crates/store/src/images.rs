//! Images: what lists show, and the layers they consist of. The configuration blob itself is a file.

use crate::error::{Doing, Error, Result, is_foreign_key_violation};
use crate::tx::{Access, Tx};

/// An image's own columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRow {
    /// `sha256:…` of the configuration blob.
    pub id: String,
    /// When it was built, as its configuration says.
    pub created_ns: i64,
    /// Bytes of all its layers, unpacked.
    pub size: i64,
    /// Such as `amd64`.
    pub architecture: String,
    /// Such as `v7`, empty if there is none.
    pub variant: String,
    /// Such as `linux`.
    pub os: String,
    /// Empty if unknown.
    pub author: String,
    /// Of the newest history entry, empty if there is none.
    pub comment: String,
    /// JSON object of strings.
    pub labels: String,
    /// ID of the image it was built from, if that is known.
    pub parent: Option<String>,
    /// When it came to this host.
    pub loaded_ns: i64,
}

/// An image with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its own columns.
    pub row: ImageRow,
    /// DiffIDs, lowest first.
    pub layers: Vec<String>,
    /// Normalised references, sorted.
    pub tags: Vec<String>,
}

/// A row as the statement gives it, lists still packed.
struct Joined {
    id: String,
    created_ns: i64,
    size: i64,
    architecture: String,
    variant: String,
    os: String,
    author: String,
    comment: String,
    labels: String,
    parent: Option<String>,
    loaded_ns: i64,
    layers: String,
    tags: String,
}

/// One statement for an image and its lists, so that readers see them at one moment.
macro_rules! select_joined {
    ($rest:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Joined,
            r#"SELECT id, created_ns, size, architecture, variant, os, author, comment, labels, parent, loaded_ns,
                 (SELECT json_group_array(diff_id ORDER BY position) FROM image_layers
                   WHERE image_id = images.id) AS "layers!: String",
                 (SELECT json_group_array(reference ORDER BY reference) FROM tags
                   WHERE image_id = images.id) AS "tags!: String"
               FROM images "# + $rest
            $(, $argument)*
        )
    };
}

/// Inserts an image whose layers have rows already. False if it was here before, which leaves it as it was.
///
/// # Errors
/// [`Error::Missing`] if a layer has no row.
pub async fn insert(tx: &mut Tx, row: &ImageRow, layers: &[String]) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO images (id, created_ns, size, architecture, variant, os, author, comment, labels, parent,
           loaded_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        row.id,
        row.created_ns,
        row.size,
        row.architecture,
        row.variant,
        row.os,
        row.author,
        row.comment,
        row.labels,
        row.parent,
        row.loaded_ns
    )
    .execute(&mut tx.conn)
    .await
    .doing("insert image", &row.id)?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for (position, diff_id) in (0_i64..).zip(layers) {
        let inserted = sqlx::query!(
            "INSERT INTO image_layers (image_id, position, diff_id) VALUES (?, ?, ?)",
            row.id,
            position,
            diff_id
        )
        .execute(&mut tx.conn)
        .await;
        match inserted {
            Err(source) if is_foreign_key_violation(&source) => return Err(Error::missing("layer", diff_id)),
            other => other.doing("insert layers of image", &row.id)?,
        };
    }
    Ok(true)
}

/// The image with this full ID.
pub async fn get(db: &mut impl Access, id: &str) -> Result<Option<Image>> {
    let joined =
        select_joined!("WHERE id = ?", id).fetch_optional(db.conn()).await.doing("read image", id)?;
    joined.map(unpack).transpose()
}

/// All images, newest first.
pub async fn all(db: &mut impl Access) -> Result<Vec<Image>> {
    let joined =
        select_joined!("ORDER BY created_ns DESC, id").fetch_all(db.conn()).await.doing("list", "images")?;
    joined.into_iter().map(unpack).collect()
}

/// Deletes an image with its tags. Its layers stay until [`crate::layers::delete`]. False if it was gone already.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool> {
    let done = sqlx::query!("DELETE FROM images WHERE id = ?", id)
        .execute(&mut tx.conn)
        .await
        .doing("delete image", id)?;
    Ok(done.rows_affected() > 0)
}

fn unpack(joined: Joined) -> Result<Image> {
    let list = |column, packed: &str| {
        serde_json::from_str::<Vec<String>>(packed).map_err(|source| Error::Decode {
            column,
            subject: joined.id.clone(),
            source,
        })
    };
    let layers = list("image_layers.diff_id", &joined.layers)?;
    let tags = list("tags.reference", &joined.tags)?;
    let row = ImageRow {
        id: joined.id,
        created_ns: joined.created_ns,
        size: joined.size,
        architecture: joined.architecture,
        variant: joined.variant,
        os: joined.os,
        author: joined.author,
        comment: joined.comment,
        labels: joined.labels,
        parent: joined.parent,
        loaded_ns: joined.loaded_ns,
    };
    Ok(Image { row, layers, tags })
}

#[cfg(test)]
mod tests;
