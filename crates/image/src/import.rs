//! `docker import`: any tar becomes an image of one layer.

use std::io::Read;

use time::OffsetDateTime;

use crate::changes::apply_changes;
use crate::config::{ContainerConfig, History, ImageConfig, RootFs, host_architecture, timestamp};
use crate::digest::Digest;
use crate::error::Result;
use crate::store::{Layer, LayerStore};

/// What an imported image is besides its layer.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Dockerfile instructions that shape the configuration, e.g. `CMD ["sh"]`.
    pub changes: Vec<String>,
    /// The history entry's comment; `Imported from <source>` if empty.
    pub message: String,
    /// Where the tar came from; `-` for a request's body (the default if empty).
    pub source: String,
    /// Architecture of the image; the host's if empty.
    pub architecture: String,
    /// Variant of that architecture.
    pub variant: String,
    /// When the image is made; now if not given.
    pub created: Option<OffsetDateTime>,
}

/// An imported image. Its configuration has not been stored yet.
#[derive(Debug)]
pub struct Imported {
    /// The image's ID.
    pub id: Digest,
    /// The configuration's exact bytes, for [`crate::ImageStore::put`].
    pub config_bytes: Vec<u8>,
    /// The configuration.
    pub config: ImageConfig,
    /// The one layer; keeps it from being removed for as long as it lives.
    pub layer: Layer,
}

/// Makes an image from a tar (plain, gzip, zstd, bzip2 or xz). The changes are checked before the tar is read.
pub fn import(reader: impl Read + Send, layers: &LayerStore, options: &ImportOptions) -> Result<Imported> {
    let mut config = ContainerConfig::default();
    apply_changes(&mut config, &options.changes)?;
    let layer = layers.unpack(reader, None)?;
    let source = if options.source.is_empty() { "-" } else { &options.source };
    let comment =
        if options.message.is_empty() { format!("Imported from {source}") } else { options.message.clone() };
    let created = timestamp(options.created.unwrap_or_else(OffsetDateTime::now_utc))?;
    let (architecture, variant) = if options.architecture.is_empty() {
        let (architecture, _) = host_architecture();
        (architecture.to_owned(), String::new())
    } else {
        (options.architecture.clone(), options.variant.clone())
    };
    let config = ImageConfig {
        architecture,
        variant,
        os: "linux".into(),
        created: Some(created.clone()),
        comment: comment.clone(),
        config,
        rootfs: RootFs { diff_ids: vec![layer.diff_id], ..RootFs::default() },
        history: vec![History { created: Some(created), comment, ..History::default() }],
        ..ImageConfig::default()
    };
    let config_bytes = config.to_bytes()?;
    Ok(Imported { id: Digest::of(&config_bytes), config_bytes, config, layer })
}
