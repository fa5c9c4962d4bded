//! The document and the history of one image (`GET /images/{name}/json`, `…/history`).

use berth_api_types::container::GraphDriver;
use berth_api_types::image::{HistoryItem, ImageInspect, ImageMetadata, RootFs};
use berth_api_types::time::{parse_rfc3339, rfc3339_nano};

use super::view::ImageRecord;
use crate::{Caller, Engine, Result};

impl Engine {
    /// Everything about an image.
    pub async fn image_inspect(&self, _caller: &Caller, name: &str) -> Result<ImageInspect> {
        let image = self.0.images.get(name)?;
        let row = &image.image.row;
        Ok(ImageInspect {
            id: row.id.clone(),
            repo_tags: Some(image.familiar_tags()),
            repo_digests: Some(Vec::new()),
            parent: row.parent.clone().unwrap_or_default(),
            comment: row.comment.clone(),
            created: rfc3339_nano(row.created_ns),
            container: None,
            container_config: None,
            docker_version: String::new(),
            author: row.author.clone(),
            config: Some(super::add::api_config(&image.config)),
            architecture: row.architecture.clone(),
            variant: row.variant.clone(),
            os: row.os.clone(),
            os_version: String::new(),
            size: row.size,
            virtual_size: row.size,
            graph_driver: self.graph_driver(&image),
            root_fs: RootFs { r#type: "layers".into(), layers: Some(image.image.layers.clone()) },
            metadata: ImageMetadata { last_tag_time: rfc3339_nano(row.loaded_ns) },
        })
    }

    fn graph_driver(&self, image: &ImageRecord) -> GraphDriver {
        let layers = self.0.config.layer_store().join("layers");
        let mut dirs = image
            .image
            .layers
            .iter()
            .rev()
            .filter_map(|diff_id| self.0.images.layer(diff_id))
            .map(|layer| layers.join(layer.key).display().to_string());
        let mut data = std::collections::BTreeMap::new();
        if let Some(top) = dirs.next() {
            data.insert("UpperDir".to_owned(), top);
        }
        let lower = dirs.collect::<Vec<_>>().join(":");
        if !lower.is_empty() {
            data.insert("LowerDir".to_owned(), lower);
        }
        GraphDriver { data: Some(data), name: "overlay2".into() }
    }

    /// How an image came to be, newest step first.
    pub async fn image_history(&self, _caller: &Caller, name: &str) -> Result<Vec<HistoryItem>> {
        let image = self.0.images.get(name)?;
        let mut layers = image.image.layers.iter();
        let mut items = Vec::new();
        for step in &image.config.history {
            // Steps that changed no file have no layer.
            let size = if step.empty_layer {
                0
            } else {
                layers.next().and_then(|diff_id| self.0.images.layer(diff_id)).map_or(0, |layer| layer.size)
            };
            items.push(HistoryItem {
                comment: step.comment.clone(),
                created: step
                    .created
                    .as_deref()
                    .and_then(parse_rfc3339)
                    .unwrap_or(0)
                    .div_euclid(1_000_000_000),
                created_by: step.created_by.clone(),
                id: "<missing>".into(),
                size,
                tags: None,
            });
        }
        items.reverse();
        match items.first_mut() {
            Some(newest) => {
                newest.id = image.id().to_owned();
                let tags = image.familiar_tags();
                newest.tags = (!tags.is_empty()).then_some(tags);
            }
            None => tracing::debug!(id = image.id(), "an image without history"),
        }
        Ok(items)
    }
}
