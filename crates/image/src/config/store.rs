//! Image configurations on disk: `images/<hex>.json`, named by the SHA-256 of their bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ImageConfig;
use crate::digest::Digest;
use crate::durable::{self, is_absent};
use crate::error::{Error, Result};

/// The image configurations below one data root.
#[derive(Debug, Clone)]
pub struct ImageStore {
    dir: PathBuf,
}

impl ImageStore {
    /// Opens the store below `data_root`, making its directory (0700) if it is missing.
    pub fn open(data_root: &Path) -> Result<Self> {
        let dir = data_root.join("images");
        durable::create_dirs(&dir)?;
        Ok(Self { dir })
    }

    /// Stores a configuration; it is on disk when this returns. Returns the image's ID. Bytes that are no usable
    /// configuration are refused.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        ImageConfig::parse(bytes)?;
        let id = Digest::of(bytes);
        match self.read(&id) {
            Ok(_) => {}
            Err(Error::ImageNotFound(_) | Error::Corrupt { .. }) => {
                durable::write_atomic(&self.dir, &Self::name(&id), bytes)?;
            }
            Err(error) => return Err(error),
        }
        Ok(id)
    }

    /// The exact bytes of a configuration, checked against its ID.
    pub fn read(&self, id: &Digest) -> Result<Vec<u8>> {
        let path = self.path(id);
        let bytes = fs::read(&path).map_err(|e| {
            if is_absent(&e) { Error::ImageNotFound(*id) } else { Error::io("read", &path, e) }
        })?;
        let actual = Digest::of(&bytes);
        if actual != *id {
            let reason = format!("its content has the digest {actual}");
            return Err(Error::Corrupt { what: format!("image {id}"), reason });
        }
        Ok(bytes)
    }

    /// A configuration.
    pub fn get(&self, id: &Digest) -> Result<ImageConfig> {
        ImageConfig::parse(&self.read(id)?)
            .map_err(|e| Error::Corrupt { what: format!("image {id}"), reason: e.to_string() })
    }

    /// Removes a configuration; false if there was none.
    pub fn remove(&self, id: &Digest) -> Result<bool> {
        let path = self.path(id);
        match fs::remove_file(&path) {
            Ok(()) => durable::sync_dir(&self.dir).map(|()| true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(Error::io("remove", &path, error)),
        }
    }

    /// The IDs of all stored configurations, sorted.
    pub fn list(&self) -> Result<Vec<Digest>> {
        let mut ids: Vec<Digest> = self.names()?.iter().filter_map(|name| Self::id_of(name)).collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes half-written files of an interrupted run; returns how many. For start-up.
    pub fn sweep(&self) -> Result<usize> {
        let mut removed = 0;
        for name in self.names()?.iter().filter(|name| name.starts_with('.')) {
            let path = self.dir.join(name);
            fs::remove_file(&path).map_err(|e| Error::io("remove", &path, e))?;
            removed += 1;
        }
        Ok(removed)
    }

    fn names(&self) -> Result<Vec<String>> {
        let failed = |e: io::Error| Error::io("list", &self.dir, e);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    fn name(id: &Digest) -> String {
        format!("{}.json", id.hex())
    }

    fn id_of(name: &str) -> Option<Digest> {
        Digest::from_hex(name.strip_suffix(".json")?).ok()
    }

    fn path(&self, id: &Digest) -> PathBuf {
        self.dir.join(Self::name(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &[u8] = b"{ \"rootfs\" : {\"type\":\"layers\"}, \"zzz\": 1 }";

    #[test]
    fn the_bytes_are_kept_as_they_came() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        let id = store.put(CONFIG).unwrap();
        assert_eq!(id, Digest::of(CONFIG));
        assert_eq!(store.put(CONFIG).unwrap(), id);
        assert_eq!(store.read(&id).unwrap(), CONFIG);
        assert_eq!(store.list().unwrap(), vec![id]);
        assert!(dir.path().join(format!("images/{}.json", id.hex())).is_file());
        assert!(store.remove(&id).unwrap() && !store.remove(&id).unwrap());
        assert!(matches!(store.get(&id), Err(Error::ImageNotFound(_))));
    }

    #[test]
    fn damage_is_noticed_and_repaired_by_storing_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        let id = store.put(CONFIG).unwrap();
        fs::write(store.path(&id), b"{}").unwrap();
        assert!(matches!(store.get(&id), Err(Error::Corrupt { .. })));
        store.put(CONFIG).unwrap();
        store.get(&id).unwrap();
    }

    #[test]
    fn bytes_that_are_no_configuration_are_not_stored() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        assert!(store.put(b"nonsense").is_err());
        fs::write(dir.path().join("images/.half"), b"x").unwrap();
        assert_eq!(store.list().unwrap(), vec![]);
        assert_eq!(store.sweep().unwrap(), 1);
    }
}
