//! All images in memory: what lists, look-ups and container creation read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use berth_image::{AnyReference, Digest, ImageConfig};
use berth_store::images::{self, Image};
use berth_store::layers::{self, LayerRow};
use tokio::sync::Mutex;

use crate::blocking::blocking;
use crate::engine::Inner;
use crate::{Error, Result};

/// An image: its row and its configuration.
#[derive(Debug)]
pub struct ImageRecord {
    /// The row with layers (DiffIDs, lowest first) and names.
    pub image: Image,
    /// The decoded configuration blob.
    pub config: Arc<ImageConfig>,
}

impl ImageRecord {
    /// `sha256:…` of the configuration.
    pub fn id(&self) -> &str {
        &self.image.row.id
    }

    /// First twelve digits of the ID.
    pub fn short_id(&self) -> &str {
        self.id().strip_prefix("sha256:").and_then(|hex| hex.get(..12)).unwrap_or_default()
    }

    /// Its labels.
    pub fn labels(&self) -> BTreeMap<String, String> {
        serde_json::from_str(&self.image.row.labels).unwrap_or_default()
    }

    /// The attributes of its events: labels and the name it was called by.
    pub fn event_attributes(&self, name: &str) -> BTreeMap<String, String> {
        let mut attributes = self.labels();
        attributes.insert("name".into(), name.to_owned());
        attributes
    }

    /// Its names as people write them: `busybox:latest`.
    pub fn familiar_tags(&self) -> Vec<String> {
        self.image.tags.iter().map(|tag| familiar(tag)).collect()
    }
}

/// A normalised reference as people write it.
pub fn familiar(reference: &str) -> String {
    berth_image::Reference::parse(reference).map_or_else(|_| reference.to_owned(), |parsed| parsed.familiar())
}

#[derive(Debug, Default)]
struct Snapshot {
    by_id: BTreeMap<String, Arc<ImageRecord>>,
    by_tag: HashMap<String, String>,
    layers: HashMap<String, LayerRow>,
}

/// The images as of the last change.
#[derive(Debug, Default)]
pub struct ImageView {
    snapshot: RwLock<Arc<Snapshot>>,
    /// Two reloads at once could leave the older result in place.
    reloading: Mutex<()>,
}

impl ImageView {
    /// Reads the tables again, after every change to them.
    pub(crate) async fn reload(&self, engine: &Inner) -> Result<()> {
        let _one_at_a_time = self.reloading.lock().await;
        let mut reader = engine.store.read().await?;
        let rows = images::all(&mut reader).await?;
        let layers = layers::all(&mut reader).await?;
        drop(reader);
        let old = self.snapshot();
        let mut new = Snapshot::default();
        for image in rows {
            let known = old.by_id.get(&image.row.id).map(|record| record.config.clone());
            let config = match known {
                Some(config) => config,
                None => match read_config(engine, &image.row.id).await {
                    Ok(config) => Arc::new(config),
                    Err(error) => {
                        tracing::error!(id = image.row.id, %error, "an image is left out: its configuration cannot be read");
                        continue;
                    }
                },
            };
            for tag in &image.tags {
                new.by_tag.insert(tag.clone(), image.row.id.clone());
            }
            new.by_id.insert(image.row.id.clone(), Arc::new(ImageRecord { image, config }));
        }
        new.layers = layers.into_iter().map(|layer| (layer.diff_id.clone(), layer)).collect();
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The image that `name` means: an ID, a reference, or a unique ID prefix, in this order.
    pub fn resolve(&self, name: &str) -> Option<Arc<ImageRecord>> {
        let snapshot = self.snapshot();
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        if let Some(image) = snapshot.by_id.get(&format!("sha256:{hex}")) {
            return Some(image.clone());
        }
        if let Ok(AnyReference::Name(reference)) = AnyReference::parse(name) {
            let wanted = reference.or_latest().to_string();
            if let Some(image) = snapshot.by_tag.get(&wanted).and_then(|id| snapshot.by_id.get(id)) {
                return Some(image.clone());
            }
        }
        if hex.is_empty() || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let prefix = format!("sha256:{hex}");
        let mut matches =
            snapshot.by_id.range(prefix.clone()..).take_while(|(id, _)| id.starts_with(&prefix));
        match (matches.next(), matches.next()) {
            (Some((_, image)), None) => Some(image.clone()),
            _ => None,
        }
    }

    /// Like [`ImageView::resolve`], with Docker's error.
    pub fn get(&self, name: &str) -> Result<Arc<ImageRecord>> {
        if let Some(image) = self.resolve(name) {
            return Ok(image);
        }
        match AnyReference::parse(name).map_err(berth_image::Error::from)? {
            AnyReference::Name(reference) => Err(Error::NoSuchImage(reference.or_latest().familiar())),
            AnyReference::Id(_) => Err(Error::NoSuchImage(name.to_owned())),
        }
    }

    /// All images, newest first.
    pub fn newest_first(&self) -> Vec<Arc<ImageRecord>> {
        let mut all: Vec<_> = self.snapshot().by_id.values().cloned().collect();
        all.sort_by(|a, b| {
            b.image.row.created_ns.cmp(&a.image.row.created_ns).then_with(|| a.id().cmp(b.id()))
        });
        all
    }

    /// How many images there are.
    pub fn count(&self) -> usize {
        self.snapshot().by_id.len()
    }

    /// Bytes of an image's layers, 0 if it is gone.
    pub fn size_of(&self, id: &str) -> i64 {
        self.snapshot().by_id.get(id).map_or(0, |image| image.image.row.size)
    }

    /// A layer by its DiffID.
    pub fn layer(&self, diff_id: &str) -> Option<LayerRow> {
        self.snapshot().layers.get(diff_id).cloned()
    }

    /// A layer by its directory's name.
    pub fn layer_with_key(&self, key: &str) -> Option<LayerRow> {
        self.snapshot().layers.values().find(|layer| layer.key == key).cloned()
    }

    /// Whether `image` is `ancestor` or stands on all of its layers.
    pub fn descends(&self, image: &str, ancestor: &str) -> bool {
        if image == ancestor {
            return true;
        }
        let snapshot = self.snapshot();
        match (snapshot.by_id.get(image), snapshot.by_id.get(ancestor)) {
            (Some(image), Some(ancestor)) => {
                !ancestor.image.layers.is_empty() && image.image.layers.starts_with(&ancestor.image.layers)
            }
            _ => false,
        }
    }
}

async fn read_config(engine: &Inner, id: &str) -> Result<ImageConfig> {
    let digest: Digest = id.parse().map_err(berth_image::Error::from)?;
    let blobs = engine.image_blobs.clone();
    blocking("reading an image", move || blobs.get(&digest)).await
}
