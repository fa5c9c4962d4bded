//! The OCI image layout: `index.json` leads to manifests, directly or through further indexes; everything else is a
//! blob named by its digest (OCI image specification, "Image Layout").

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{LayerSource, Loader};
use crate::config::host_architecture;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::reference::Reference;

const NAME: &str = "io.containerd.image.name";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 8;
/// How many descriptors are looked at in all.
const MAX_DESCRIPTORS: usize = 10_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

/// An index or a manifest: which of the two shows in what it has.
#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
}

impl Descriptor {
    fn digest(&self) -> Result<Digest> {
        self.digest
            .parse()
            .map_err(|e| Error::InvalidArchive(format!("invalid digest {:?} in the index: {e}", self.digest)))
    }

    /// True for manifests that describe another image instead of being one.
    fn is_attestation(&self) -> bool {
        self.annotations.as_ref().is_some_and(|a| a.contains_key(REFERENCE_TYPE))
    }

    /// None if the descriptor does not say.
    fn fits_host(&self) -> Option<bool> {
        let platform = self.platform.as_ref().filter(|p| !p.os.is_empty() || !p.architecture.is_empty())?;
        Some(platform.os == "linux" && platform.architecture == host_architecture().0)
    }

    /// The full name in its annotations, if there is one. A bare word is a tag of an unknown repository.
    fn tag(&self) -> Result<Option<Reference>> {
        let annotation = |key| self.annotations.as_ref().and_then(|a| a.get(key)).filter(|v| !v.is_empty());
        let (name, certain) = match (annotation(NAME), annotation(REF_NAME)) {
            (Some(name), _) => (name, true),
            (None, Some(name)) if name.contains(['/', ':']) => (name, false),
            _ => return Ok(None),
        };
        match Reference::parse(name) {
            Ok(reference) => Ok(Some(reference.or_latest()).filter(|r| r.tag().is_some())),
            Err(e) if certain => Err(Error::InvalidArchive(format!("invalid name {name:?}: {e}"))),
            Err(_) => Ok(None),
        }
    }
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(super) fn load(loader: &mut Loader<'_>) -> Result<()> {
    let index: Document = loader.json("index.json", None)?;
    let mut walk = Walk { loader, descriptors: 0 };
    for descriptor in index.manifests.unwrap_or_default() {
        let tags = descriptor.tag()?.into_iter().collect();
        walk.descriptor(&descriptor, tags, 0)?;
    }
    if loader.images.is_empty() {
        return Err(Error::InvalidArchive(format!("it has no image for linux/{}", host_architecture().0)));
    }
    Ok(())
}

struct Walk<'a, 'b> {
    loader: &'a mut Loader<'b>,
    descriptors: usize,
}

impl Walk<'_, '_> {
    /// Loads what the descriptor leads to, unless it is for another platform.
    fn descriptor(&mut self, descriptor: &Descriptor, tags: Vec<Reference>, depth: usize) -> Result<()> {
        self.descriptors += 1;
        if depth > MAX_DEPTH || self.descriptors > MAX_DESCRIPTORS {
            return Err(Error::InvalidArchive("its indexes are nested too deeply".into()));
        }
        if descriptor.is_attestation() || descriptor.fits_host() == Some(false) {
            return Ok(());
        }
        let digest = descriptor.digest()?;
        let document: Document = self.loader.json(&blob(&digest), Some(&digest))?;
        match (document.manifests, document.config) {
            (Some(manifests), _) => self.index(&manifests, &tags, depth),
            (None, Some(config)) => self.manifest(&config, &document.layers.unwrap_or_default(), tags),
            (None, None) => {
                Err(Error::InvalidArchive(format!("{digest} is neither a manifest nor an index")))
            }
        }
    }

    /// An index is one image in several versions: the first that fits is taken, and one that does not say what it is
    /// for only if there is no better.
    fn index(&mut self, manifests: &[Descriptor], tags: &[Reference], depth: usize) -> Result<()> {
        let candidates = || manifests.iter().filter(|d| !d.is_attestation());
        let chosen = candidates()
            .find(|d| d.fits_host() == Some(true))
            .or_else(|| candidates().find(|d| d.fits_host().is_none()));
        match chosen {
            None => Ok(()),
            Some(descriptor) => {
                let mut tags = tags.to_vec();
                tags.extend(descriptor.tag()?);
                self.descriptor(descriptor, tags, depth + 1)
            }
        }
    }

    fn manifest(&mut self, config: &Descriptor, layers: &[Descriptor], tags: Vec<Reference>) -> Result<()> {
        let kind = config.media_type.as_str();
        if !matches!(
            kind,
            "" | "application/vnd.oci.image.config.v1+json"
                | "application/vnd.docker.container.image.v1+json"
        ) {
            return Err(Error::InvalidArchive(format!("it is not an image but an artifact of type {kind}")));
        }
        let digest = config.digest()?;
        let config = self.loader.config(&blob(&digest), Some(&digest))?;
        let mut sources = Vec::with_capacity(layers.len());
        for layer in layers {
            let digest = layer.digest()?;
            sources.push(LayerSource { name: blob(&digest), digest: Some(digest) });
        }
        self.loader.image(config, &sources, tags)
    }
}
