//! `docker load`: images from an archive, as `docker save`, `skopeo`, `podman` and builders write them.
//!
//! Two layouts are read: Docker's (`manifest.json`) and the OCI image layout (`index.json`); an archive that has both
//! is read as Docker's. The archive is first spooled to disk, because its parts come in any order; nothing in it
//! decides about a path on this host (see the `spool` module).

mod docker;
mod oci;
mod spool;

use std::io::Read;

use serde::de::DeserializeOwned;

use self::spool::Spool;
use crate::config::{ImageConfig, MAX_CONFIG_SIZE};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::store::{Layer, LayerStore, key_of};

/// Largest manifest or index that is read, in bytes.
const MAX_MANIFEST_SIZE: u64 = 8 << 20;

/// An image from an archive. Its layers are stored; its configuration has not been stored yet.
#[derive(Debug)]
pub struct LoadedImage {
    /// The image's ID.
    pub id: Digest,
    /// The configuration's exact bytes, for [`crate::ImageStore::put`].
    pub config_bytes: Vec<u8>,
    /// The configuration.
    pub config: ImageConfig,
    /// The layers, lowest first; they cannot be removed for as long as these values live.
    pub layers: Vec<Layer>,
    /// The names the archive gives the image; each has a tag.
    pub tags: Vec<Reference>,
}

/// Loads all images of an archive (plain, gzip, zstd, bzip2 or xz), in the archive's order.
///
/// # Errors
/// [`Error::InvalidArchive`] and [`Error::InvalidConfig`] say what is wrong with an archive,
/// [`Error::DigestMismatch`] which part of it is not what its name promises. On error all layers that this call
/// stored are removed again, unless somebody else has begun to use them.
pub fn load(reader: impl Read + Send, store: &LayerStore) -> Result<Vec<LoadedImage>> {
    let spool = Spool::fill(reader, store.tmp())?;
    let mut loader = Loader { spool: &spool, store, images: Vec::new() };
    let loaded = if spool.has("manifest.json") {
        docker::load(&mut loader)
    } else if spool.has("index.json") {
        oci::load(&mut loader)
    } else if spool.has("repositories") {
        Err(Error::InvalidArchive("it is in the format of Docker before 1.10, which is not supported".into()))
    } else {
        Err(Error::InvalidArchive("it has neither manifest.json nor index.json".into()))
    };
    match loaded {
        Ok(()) => Ok(loader.images),
        Err(error) => {
            loader.undo();
            Err(error)
        }
    }
}

/// The load in progress.
struct Loader<'a> {
    spool: &'a Spool,
    store: &'a LayerStore,
    images: Vec<LoadedImage>,
}

/// A layer as the archive presents it.
struct LayerSource {
    /// Name in the archive.
    name: String,
    /// Digest of those bytes, as far as the archive promises one.
    digest: Option<Digest>,
}

impl Loader<'_> {
    /// Adds one image: checks its configuration and unpacks its layers.
    fn image(&mut self, config_bytes: Vec<u8>, sources: &[LayerSource], tags: Vec<Reference>) -> Result<()> {
        let config = ImageConfig::parse(&config_bytes)?;
        if !config.os.is_empty() && config.os != "linux" {
            return Err(Error::WrongOs(config.os));
        }
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != sources.len() {
            return Err(Error::InvalidArchive(format!(
                "invalid manifest, layers length mismatch: expected {}, got {}",
                diff_ids.len(),
                sources.len()
            )));
        }
        let id = Digest::of(&config_bytes);
        if let Some(known) = self.images.iter_mut().find(|image| image.id == id) {
            known.tags.extend(tags);
            dedup(&mut known.tags);
            return Ok(());
        }
        let mut layers = Vec::with_capacity(sources.len());
        for (index, (diff_id, source)) in diff_ids.iter().zip(sources).enumerate() {
            match self.layer(index, diff_id, source) {
                Ok(layer) => layers.push(layer),
                Err(error) => {
                    self.remove_fresh(layers);
                    return Err(error);
                }
            }
        }
        let mut tags = tags;
        dedup(&mut tags);
        self.images.push(LoadedImage { id, config_bytes, config, layers, tags });
        Ok(())
    }

    fn layer(&self, index: usize, diff_id: &Digest, source: &LayerSource) -> Result<Layer> {
        if let Some(present) = self.store.lease(&key_of(diff_id))? {
            return Ok(present);
        }
        let mut file = self.spool.open(&source.name)?;
        let mut hashed = crate::digest::HashingReader::new(&mut file);
        let unpacked = self.store.unpack(&mut hashed, Some(diff_id));
        let layer = unpacked.map_err(|error| match error {
            Error::DigestMismatch { expected, actual, .. } => Error::InvalidArchive(format!(
                "invalid diffID for layer {index}: expected {:?}, got {:?}",
                expected.to_string(),
                actual.to_string()
            )),
            other => other,
        })?;
        if let Some(expected) = source.digest {
            let (actual, _) = hashed.finish().map_err(|e| Error::io("read", &source.name, e))?;
            if actual != expected {
                self.remove_fresh(vec![layer]);
                return Err(Error::DigestMismatch { what: format!("layer {index}"), expected, actual });
            }
        }
        Ok(layer)
    }

    /// A small part of the archive, checked against its digest if it has one.
    fn blob(&self, name: &str, digest: Option<&Digest>, limit: u64) -> Result<Vec<u8>> {
        let bytes = self.spool.read(name, limit)?;
        if let Some(expected) = digest {
            let actual = Digest::of(&bytes);
            if actual != *expected {
                return Err(Error::DigestMismatch { what: name.to_owned(), expected: *expected, actual });
            }
        }
        Ok(bytes)
    }

    /// A manifest or index.
    fn json<T: DeserializeOwned>(&self, name: &str, digest: Option<&Digest>) -> Result<T> {
        let bytes = self.blob(name, digest, MAX_MANIFEST_SIZE)?;
        serde_json::from_slice(&bytes).map_err(|e| Error::InvalidArchive(format!("{name}: {e}")))
    }

    /// An image configuration's bytes.
    fn config(&self, name: &str, digest: Option<&Digest>) -> Result<Vec<u8>> {
        self.blob(name, digest, MAX_CONFIG_SIZE)
    }

    fn undo(&mut self) {
        let layers = self.images.drain(..).flat_map(|image| image.layers).collect();
        self.remove_fresh(layers);
    }

    fn remove_fresh(&self, layers: Vec<Layer>) {
        let fresh: Vec<String> = layers.iter().filter(|l| l.fresh).map(|l| l.key.clone()).collect();
        // Our own leases would keep the layers.
        drop(layers);
        for key in fresh {
            match self.store.remove(&key) {
                Ok(()) | Err(Error::LayerInUse(_) | Error::LayerNotFound(_)) => {}
                Err(error) => tracing::warn!(%error, %key, "layer of a failed load is left behind"),
            }
        }
    }
}

fn dedup(tags: &mut Vec<Reference>) {
    let mut seen = std::collections::HashSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
}

/// The digest in a content-addressed name such as `blobs/sha256/<hex>`.
fn digest_in_name(name: &str) -> Option<Digest> {
    let hex = name.strip_prefix("./").unwrap_or(name).strip_prefix("blobs/sha256/")?;
    Digest::from_hex(hex).ok()
}
