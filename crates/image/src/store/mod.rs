//! The layer store: unpacked layers, each under its DiffID, each complete or not there at all.
//!
//! ```text
//! store/tmp/<unique>/{tree,raw.zst,graveyard}      being unpacked
//!        │ verified, synced, renamed
//!        ▼
//! store/layers/<key>/                              the layer's tree, whiteouts in overlayfs' form
//! store/layers.meta/<key>.json                     what is known about it
//! store/layers.meta/<key>.raw.zst                  the rest of its tar
//! ```
//! A directory in `layers` is complete by construction: it appears by a rename, after its content has reached the
//! disk. Layers do not depend on one another, so they may be unpacked in any order and at the same time.

mod attributes;
mod extract;
mod layer;
mod names;
mod raw;
mod rebuild;
mod tree;
mod walk;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

pub use layer::{Layer, RootAttributes, key_of};
pub use rebuild::LayerTar;
pub use walk::{TreeSize, tree_size};

pub use crate::durable::remove_tree;

use self::layer::{LayerFile, Leases, is_key};
use self::raw::RawWriter;
use crate::digest::Digest;
use crate::durable::{self, TempDir, is_absent};
use crate::error::{Error, Result};
use crate::pipeline;

/// The store of unpacked layers below one data root. Cheap to clone; clones share their leases, so there must be one
/// store (and its clones) per data root.
#[derive(Debug, Clone)]
pub struct LayerStore {
    layers: PathBuf,
    meta: PathBuf,
    tmp: PathBuf,
    leases: Arc<Leases>,
}

/// All layers of a store.
#[derive(Debug, Default)]
pub struct Listing {
    /// Usable layers, sorted by key.
    pub layers: Vec<Layer>,
    /// What is wrong with the others.
    pub broken: Vec<Error>,
}

impl LayerStore {
    /// Opens the store below `data_root`, making what is missing (each directory 0700).
    pub fn open(data_root: &Path) -> Result<Self> {
        let store = data_root.join("store");
        let this = Self {
            layers: store.join("layers"),
            meta: store.join("layers.meta"),
            tmp: store.join("tmp"),
            leases: Arc::default(),
        };
        for dir in [&this.layers, &this.meta, &this.tmp] {
            durable::create_dirs(dir)?;
        }
        Ok(this)
    }

    /// Unpacks a layer from its tar, which may be compressed with gzip, zstd, bzip2 or xz.
    ///
    /// The stream is read to its end. On success the layer is on disk, or was there already; on failure nothing is
    /// left. The result keeps the layer from being removed for as long as it lives: drop it after recording who uses
    /// the layer.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`] if the uncompressed tar is not `expected_diff_id`; [`Error::Read`],
    /// [`Error::InvalidTar`] and [`Error::InvalidEntry`] for damaged or unacceptable streams; [`Error::Io`] when the
    /// host refuses.
    pub fn unpack(&self, reader: impl Read + Send, expected_diff_id: Option<&Digest>) -> Result<Layer> {
        let work = TempDir::new(&self.tmp, "unpack")?;
        let [tree, graveyard, sidecar] = ["tree", "graveyard", "raw.zst"].map(|name| work.path().join(name));
        for (dir, mode) in [(&tree, 0o755), (&graveyard, 0o700)] {
            fs::create_dir(dir)
                .and_then(|()| fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(mode)))
                .map_err(|e| Error::io("create directory", dir, e))?;
        }
        let outcome = pipeline::run(reader, |pieces| {
            let (found, writer) = extract::extract(pieces, RawWriter::create(&sidecar)?, &tree, &graveyard)?;
            writer.finish()?;
            Ok(found)
        })?;
        let diff_id = outcome.digest;
        if let Some(expected) = expected_diff_id
            && *expected != diff_id
        {
            return Err(Error::DigestMismatch { what: "layer".into(), expected: *expected, actual: diff_id });
        }
        let found = outcome.value;
        if !found.buried.is_empty() {
            let complete = work.path().join("raw.new");
            rebuild::inline_buried(&sidecar, &complete, &graveyard, &found.buried)?;
            fs::rename(&complete, &sidecar).map_err(|e| Error::io("rename", &sidecar, e))?;
        }
        let layer = Layer {
            diff_id,
            key: key_of(&diff_id),
            size: found.size,
            tar_size: outcome.size,
            max_uid: found.max_uid,
            max_gid: found.max_gid,
            entries: found.entries,
            root: found.root,
            fresh: true,
            lease: None,
        };
        self.publish(&work, layer)
    }

    /// Moves an unpacked layer from `work` to its place, or shares the one that is there.
    fn publish(&self, work: &TempDir, mut layer: Layer) -> Result<Layer> {
        let target = self.layers.join(&layer.key);
        if let Some(present) = self.lease(&layer.key)? {
            return Ok(present);
        }
        let json = work.path().join("meta.json");
        let bytes = serde_json::to_vec_pretty(&LayerFile::of(&layer))
            .map_err(|e| Error::io("write", &json, io::Error::from(e)))?;
        fs::write(&json, bytes).map_err(|e| Error::io("write", &json, e))?;
        // One flush for the whole tree instead of one per file.
        fs::File::open(work.path())
            .and_then(|dir| rustix::fs::syncfs(&dir).map_err(io::Error::from))
            .map_err(|e| Error::io("sync", work.path(), e))?;

        let mut leases = self.leases.lock();
        // First what describes the layer, then the layer: whoever finds the directory finds all of it.
        for (from, to) in [("raw.zst", self.sidecar(&layer.key)), ("meta.json", self.json(&layer.key))] {
            fs::rename(work.path().join(from), &to).map_err(|e| Error::io("rename", &to, e))?;
        }
        durable::sync_dir(&self.meta)?;
        match rustix::fs::renameat_with(CWD, work.path().join("tree"), CWD, &target, RenameFlags::NOREPLACE) {
            Ok(()) => durable::sync_dir(&self.layers)?,
            // Somebody else has just unpacked the same layer, or its description had been lost: the tree is as good.
            Err(Errno::EXIST | Errno::NOTEMPTY) => layer.fresh = false,
            Err(error) => return Err(Error::io("rename", &target, error)),
        }
        layer.lease = Some(leases.take(&layer.key));
        Ok(layer)
    }

    /// What is known about the layer `key`.
    ///
    /// # Errors
    /// [`Error::LayerNotFound`]; [`Error::Corrupt`] if the layer's description is missing or unreadable.
    pub fn get(&self, key: &str) -> Result<Layer> {
        if !is_key(key) || !self.layers.join(key).is_dir() {
            return Err(Error::LayerNotFound(key.to_owned()));
        }
        let path = self.json(key);
        let corrupt = |reason: String| Error::Corrupt { what: format!("layer {key}"), reason };
        let bytes = fs::read(&path).map_err(|e| {
            if is_absent(&e) {
                corrupt("its description is missing".into())
            } else {
                Error::io("read", &path, e)
            }
        })?;
        let file: LayerFile = serde_json::from_slice(&bytes).map_err(|e| corrupt(e.to_string()))?;
        let layer = file.into_layer().map_err(corrupt)?;
        if layer.key != key {
            return Err(corrupt("its description is another layer's".into()));
        }
        Ok(layer)
    }

    /// Like [`LayerStore::get`], and the result keeps the layer from being removed. None if the layer is not there or
    /// needs to be unpacked again because its description or sidecar is lost.
    pub fn lease(&self, key: &str) -> Result<Option<Layer>> {
        let mut leases = self.leases.lock();
        match self.get(key) {
            Ok(mut layer) if self.sidecar(key).is_file() => {
                layer.lease = Some(leases.take(key));
                Ok(Some(layer))
            }
            Ok(_) | Err(Error::LayerNotFound(_) | Error::Corrupt { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The layer's tree: what an overlay's lower directory is.
    pub fn layer_dir(&self, key: &str) -> PathBuf {
        self.layers.join(key)
    }

    /// The directory that holds all layers' trees, for mounting them as a whole.
    pub fn layers_dir(&self) -> &Path {
        &self.layers
    }

    /// The layer's uncompressed tar, exactly as it was unpacked.
    pub fn tar(&self, key: &str) -> Result<LayerTar> {
        let layer = self.get(key)?;
        LayerTar::open(&self.layer_dir(key), &self.sidecar(key), layer.diff_id, layer.tar_size)
    }

    /// Writes the layer's uncompressed tar; returns its length in bytes.
    pub fn write_tar(&self, key: &str, out: &mut impl Write) -> Result<u64> {
        let mut tar = self.tar(key)?;
        io::copy(&mut tar, out).map_err(|error| match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::io("write layer", key, error),
        })
    }

    /// Removes a layer.
    ///
    /// # Errors
    /// [`Error::LayerInUse`] while a [`Layer`] returned by [`LayerStore::unpack`] or [`LayerStore::lease`] lives;
    /// [`Error::LayerNotFound`]. Whether images or containers use the layer is the caller's to know.
    pub fn remove(&self, key: &str) -> Result<()> {
        if !is_key(key) {
            return Err(Error::LayerNotFound(key.to_owned()));
        }
        let trash = TempDir::new(&self.tmp, "remove")?;
        let from = self.layers.join(key);
        {
            let leases = self.leases.lock();
            if leases.is_held(key) {
                return Err(Error::LayerInUse(key.to_owned()));
            }
            match fs::rename(&from, trash.path().join("tree")) {
                Ok(()) => {}
                Err(error) if is_absent(&error) => return Err(Error::LayerNotFound(key.to_owned())),
                Err(error) => return Err(Error::io("remove", &from, error)),
            }
            for file in [self.json(key), self.sidecar(key)] {
                remove_file(&file)?;
            }
        }
        remove_tree(trash.path())
    }

    /// All layers.
    pub fn list(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        for name in names_in(&self.layers)? {
            match self.get(&name) {
                Ok(layer) => listing.layers.push(layer),
                Err(error) => listing.broken.push(error),
            }
        }
        listing.layers.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(listing)
    }

    /// How much the layer's tree holds on disk.
    pub fn tree_size(&self, key: &str) -> Result<TreeSize> {
        self.get(key)?;
        tree_size(&self.layer_dir(key))
    }

    /// Removes what interrupted operations left behind: everything in `tmp`, and descriptions without a layer. For
    /// start-up, before anything else uses the store. Returns how many things were removed.
    pub fn sweep_tmp(&self) -> Result<usize> {
        let mut removed = 0;
        for name in names_in(&self.tmp)? {
            remove_tree(&self.tmp.join(name))?;
            removed += 1;
        }
        for name in names_in(&self.meta)? {
            let key = name.split('.').next().unwrap_or_default();
            if !is_key(key) || !self.layers.join(key).is_dir() {
                remove_tree(&self.meta.join(&name))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Where temporary things belong: on the same file system as the layers.
    pub(crate) fn tmp(&self) -> &Path {
        &self.tmp
    }

    fn json(&self, key: &str) -> PathBuf {
        self.meta.join(format!("{key}.json"))
    }

    fn sidecar(&self, key: &str) -> PathBuf {
        self.meta.join(format!("{key}.raw.zst"))
    }
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

/// Names in a directory of ours; we make no others than UTF-8.
fn names_in(dir: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::io("list", dir, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
