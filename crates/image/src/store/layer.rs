//! What is known about a stored layer, and who is using it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Version of the metadata file.
const VERSION: u32 = 1;

/// A layer in the store.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Digest of the layer's uncompressed tar.
    pub diff_id: Digest,
    /// Name of the layer's directory in the store.
    pub key: String,
    /// Sum of the lengths of its regular files, in bytes: what Docker calls the layer's size.
    pub size: u64,
    /// Length of its uncompressed tar, in bytes.
    pub tar_size: u64,
    /// Largest owner in it.
    pub max_uid: u32,
    /// Largest group in it.
    pub max_gid: u32,
    /// Number of entries in its tar.
    pub entries: u64,
    /// Mode and owner of `/`, if the layer says anything about it.
    pub root: Option<RootAttributes>,
    /// True if the call that returned this stored the layer; false if it was there already.
    pub fresh: bool,
    /// Keeps the layer from being removed for as long as this value (or a clone) lives.
    pub(super) lease: Option<Arc<Lease>>,
}

/// Mode and owner of a layer's root directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootAttributes {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// The metadata file of a layer: all that is needed to recreate its row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayerFile {
    version: u32,
    diff_id: Digest,
    size: u64,
    tar_size: u64,
    entries: u64,
    max_uid: u32,
    max_gid: u32,
    root: Option<RootAttributes>,
}

impl LayerFile {
    pub(super) fn of(layer: &Layer) -> Self {
        Self {
            version: VERSION,
            diff_id: layer.diff_id,
            size: layer.size,
            tar_size: layer.tar_size,
            entries: layer.entries,
            max_uid: layer.max_uid,
            max_gid: layer.max_gid,
            root: layer.root,
        }
    }

    /// The layer, unless the file is of a version this build does not know.
    pub(super) fn into_layer(self) -> Result<Layer, String> {
        if self.version != VERSION {
            return Err(format!("version {} is unknown", self.version));
        }
        Ok(Layer {
            diff_id: self.diff_id,
            key: key_of(&self.diff_id),
            size: self.size,
            tar_size: self.tar_size,
            max_uid: self.max_uid,
            max_gid: self.max_gid,
            entries: self.entries,
            root: self.root,
            fresh: false,
            lease: None,
        })
    }
}

/// The directory name of a layer: the first 26 characters of the DiffID in lower-case base32 (RFC 4648). Short,
/// because mounts of many layers must fit into one page; 130 bits do not collide.
pub fn key_of(diff_id: &Digest) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut key = String::with_capacity(KEY_LEN);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in diff_id.as_bytes() {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            let index = (bits >> count) & 31;
            key.push(char::from(ALPHABET.get(index as usize).copied().unwrap_or(b'a')));
        }
        bits &= (1 << count) - 1;
    }
    key.truncate(KEY_LEN);
    key
}

const KEY_LEN: usize = 26;

/// True for what [`key_of`] makes; anything else must not become part of a path.
pub(super) fn is_key(key: &str) -> bool {
    key.len() == KEY_LEN && key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
}

/// Who holds which layer. Held in memory only: leases bridge the time until the caller has recorded what it uses.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: Mutex<HashMap<String, usize>>,
}

/// Exclusive access to the leases; the store changes its directories only under it.
pub(super) struct LeaseTable<'a> {
    owner: &'a Arc<Leases>,
    held: MutexGuard<'a, HashMap<String, usize>>,
}

/// One lease.
#[derive(Debug)]
pub(super) struct Lease {
    owner: Arc<Leases>,
    key: String,
}

impl Leases {
    pub(super) fn lock(self: &Arc<Self>) -> LeaseTable<'_> {
        LeaseTable { owner: self, held: self.held.lock().unwrap_or_else(PoisonError::into_inner) }
    }
}

impl LeaseTable<'_> {
    pub(super) fn is_held(&self, key: &str) -> bool {
        self.held.contains_key(key)
    }

    pub(super) fn take(&mut self, key: &str) -> Arc<Lease> {
        *self.held.entry(key.to_owned()).or_default() += 1;
        Arc::new(Lease { owner: Arc::clone(self.owner), key: key.to_owned() })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut held = self.owner.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_start_of_rfc_4648_base32() {
        // base32 of SHA-256("") starts 4OYMIQUY7QOBJGX36TEJS35ZEQT24QPEMSNZGTFESWMRW6CSXBKQ====
        assert_eq!(key_of(&Digest::of("")), "4oymiquy7qobjgx36tejs35zeq");
        assert!(is_key("4oymiquy7qobjgx36tejs35zeq"));
        assert!(
            !is_key("../oymiquy7qobjgx36tejs35z") && !is_key("") && !is_key("4OYMIQUY7QOBJGX36TEJS35ZEQ")
        );
    }

    #[test]
    fn a_lease_lasts_until_its_last_clone_is_gone() {
        let leases = Arc::new(Leases::default());
        let first = leases.lock().take("k");
        let second = Arc::clone(&first);
        let third = leases.lock().take("k");
        drop(first);
        drop(third);
        assert!(leases.lock().is_held("k"));
        drop(second);
        assert!(!leases.lock().is_held("k"));
    }

    #[test]
    fn unknown_versions_of_the_metadata_are_refused() {
        let diff_id = Digest::of("");
        let json = format!(
            r#"{{"version":2,"diffId":"{diff_id}","size":0,"tarSize":0,"entries":0,"maxUid":0,"maxGid":0,"root":null}}"#
        );
        let file: LayerFile = serde_json::from_str(&json).unwrap();
        assert_eq!(file.into_layer().unwrap_err(), "version 2 is unknown");
    }
}
