//! Docker's archive layout: `manifest.json` lists images with their configuration, layers and tags.

use serde::Deserialize;

use super::{LayerSource, Loader, digest_in_name};
use crate::error::{Error, Result};
use crate::reference::Reference;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

pub(super) fn load(loader: &mut Loader<'_>) -> Result<()> {
    let items: Vec<Item> = loader.json("manifest.json", None)?;
    if items.is_empty() {
        return Err(Error::InvalidArchive("manifest.json lists no image".into()));
    }
    for item in items {
        let config = loader.config(&item.config, digest_in_name(&item.config).as_ref())?;
        let sources: Vec<LayerSource> = item
            .layers
            .unwrap_or_default()
            .into_iter()
            .map(|name| LayerSource { digest: digest_in_name(&name), name })
            .collect();
        let mut tags = Vec::new();
        for tag in item.repo_tags.unwrap_or_default() {
            let reference = Reference::parse(&tag)
                .map_err(|e| Error::InvalidArchive(format!("invalid tag {tag:?}: {e}")))?;
            if reference.tag().is_none() {
                return Err(Error::InvalidArchive(format!("invalid tag {tag:?}")));
            }
            tags.push(reference);
        }
        loader.image(config, &sources, tags)?;
    }
    Ok(())
}
