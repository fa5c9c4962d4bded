//! Compiled filters, kept.
//!
//! A filter depends on the settled profile, the native architecture and libseccomp's version; its file is named
//! by the hash of these, so files never change and are shared by daemons of any version. Files appear by
//! rename, complete or not at all. In memory, filters are found by profile and capabilities.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libseccomp::ScmpVersion;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::super::caps::CapSet;
use super::compile::INSTRUCTION;
use super::{Host, Profile, SeccompError, compile};

/// Part of every file's name: to be raised when [`compile()`] changes what it makes of the same input.
const FORMAT: u32 = 1;
/// Filters held in memory. Custom profiles come from clients, so there is a bound.
const HELD: usize = 64;
/// Files that survive a start of the daemon.
const KEPT: usize = 256;

/// A compiled filter.
#[derive(Debug)]
pub struct Filter {
    /// The program: an array of `struct sock_filter` in native byte order.
    pub path: PathBuf,
    /// `linux.seccomp` of the bundle's `config.json`.
    pub oci: Box<RawValue>,
    /// Length of the program in instructions.
    pub instructions: usize,
}

/// Filters by profile and capabilities.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    host: Host,
    version: String,
    held: Mutex<HashMap<(ProfileKey, CapSet), Slot>>,
}

/// A filter, once it is there. Locked while it is compiled: the first containers after an upgrade wait for one
/// compilation instead of each doing its own, and wait for no other profile's.
type Slot = Arc<Mutex<Option<Arc<Filter>>>>;

type ProfileKey = [u8; 32];

impl Cache {
    /// Opens the cache in `dir`, which is made (mode 0700) if it is missing.
    ///
    /// # Errors
    /// A directory that cannot be made; a host that cannot be recognised.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, SeccompError> {
        let dir = dir.into();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.and_then(|()| sweep(&dir))
            .map_err(|source| SeccompError::Cache { path: dir.clone(), source })?;
        let version = ScmpVersion::current()
            .map_err(|source| SeccompError::Library { step: "asking its version".to_owned(), source })?;
        Ok(Self { dir, host: Host::detect()?, version: version.to_string(), held: Mutex::default() })
    }

    /// The filter of a profile for a container whose bounding set is `caps`. May compile (tens of
    /// milliseconds) and wait for the disk: call it where blocking is allowed.
    ///
    /// # Errors
    /// Profiles that make no sense, and a cache directory that cannot be written.
    pub fn get(&self, profile: &Profile, caps: CapSet) -> Result<Arc<Filter>, SeccompError> {
        let key = (profile_key(profile)?, caps);
        let slot = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.len() >= HELD && !held.contains_key(&key) {
                held.clear();
            }
            Arc::clone(held.entry(key).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(filter) = slot.as_ref().filter(|filter| filter.path.exists()) {
            return Ok(Arc::clone(filter));
        }
        let filter = Arc::new(self.load(profile, caps)?);
        *slot = Some(Arc::clone(&filter));
        Ok(filter)
    }

    fn load(&self, profile: &Profile, caps: CapSet) -> Result<Filter, SeccompError> {
        let resolved = profile.resolve(&self.host, caps)?;
        let oci = serde_json::value::to_raw_value(&resolved).map_err(SeccompError::Encode)?;
        let mut hash = Sha256::new();
        hash.update(format!("{FORMAT}\n{}\n{}\n", self.version, self.host.scmp_arch));
        hash.update(oci.get());
        let path = self.dir.join(format!("{}.bpf", hex(&hash.finalize())));
        let at = |source| SeccompError::Cache { path: path.clone(), source };
        let length = match fs::metadata(&path) {
            Ok(meta) => usize::try_from(meta.len()).unwrap_or(usize::MAX),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(at(error)),
        };
        let sound = length > 0 && length.is_multiple_of(INSTRUCTION);
        let instructions = if sound {
            length / INSTRUCTION
        } else {
            let program = compile(&resolved)?;
            store(&path, &program).map_err(at)?;
            program.len() / INSTRUCTION
        };
        Ok(Filter { path, oci, instructions })
    }
}

/// Names a profile in memory. The default one is by far the most frequent and need not be hashed.
fn profile_key(profile: &Profile) -> Result<ProfileKey, SeccompError> {
    if std::ptr::eq(profile, super::default_profile()) {
        return Ok(ProfileKey::default());
    }
    let json = serde_json::to_vec(profile).map_err(SeccompError::Encode)?;
    Ok(Sha256::digest(json).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes what an interrupted write left, and the oldest files beyond [`KEPT`].
fn sweep(dir: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "bpf") {
            files.push((entry.metadata()?.modified()?, path));
        } else {
            fs::remove_file(path)?;
        }
    }
    files.sort();
    let surplus = files.len().saturating_sub(KEPT);
    files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

/// Writes a file that is complete whenever it is there, even after a power cut.
fn store(path: &Path, content: &[u8]) -> io::Result<()> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let new = path.with_extension(format!("{}.{serial}.new", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    })();
    if written.is_err() {
        // The error that matters is the one before.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::super::default_profile;
    use super::*;

    fn files(dir: &Path) -> Vec<PathBuf> {
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_filter_is_compiled_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().join("seccomp")).unwrap();
        let first = cache.get(default_profile(), CapSet::defaults()).unwrap();
        assert!(Arc::ptr_eq(&first, &cache.get(default_profile(), CapSet::defaults()).unwrap()));
        let program = fs::read(&first.path).unwrap();
        assert_eq!(program.len(), first.instructions * 8);
        assert!(first.path.file_name().unwrap().to_str().unwrap().len() == 64 + 4);

        let again = Cache::open(dir.path().join("seccomp")).unwrap();
        let marker = fs::metadata(&first.path).unwrap().modified().unwrap();
        assert_eq!(again.get(default_profile(), CapSet::defaults()).unwrap().path, first.path);
        assert_eq!(fs::metadata(&first.path).unwrap().modified().unwrap(), marker, "it was compiled again");
        assert_eq!(files(&dir.path().join("seccomp")).len(), 1);
    }

    #[test]
    fn other_capabilities_and_other_profiles_are_other_filters() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let default = cache.get(default_profile(), CapSet::defaults()).unwrap();
        let none = cache.get(default_profile(), CapSet::EMPTY).unwrap();
        assert_ne!(default.path, none.path);
        let other = Profile::parse(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#).unwrap();
        assert_ne!(cache.get(&other, CapSet::EMPTY).unwrap().path, none.path);
    }

    #[test]
    fn a_lost_or_torn_file_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let filter = cache.get(default_profile(), CapSet::EMPTY).unwrap();
        let good = fs::read(&filter.path).unwrap();
        fs::remove_file(&filter.path).unwrap();
        cache.get(default_profile(), CapSet::EMPTY).unwrap();
        assert_eq!(fs::read(&filter.path).unwrap(), good);

        fs::write(&filter.path, b"").unwrap();
        Cache::open(dir.path()).unwrap().get(default_profile(), CapSet::EMPTY).unwrap();
        assert_eq!(fs::read(&filter.path).unwrap(), good);
    }

    #[test]
    fn leftovers_and_the_oldest_files_go_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.12.0.new"), b"torn").unwrap();
        for number in 0..KEPT + 3 {
            fs::write(dir.path().join(format!("{number}.bpf")), b"12345678").unwrap();
        }
        Cache::open(dir.path()).unwrap();
        assert_eq!(files(dir.path()).len(), KEPT);
        assert!(!dir.path().join("x.12.0.new").exists());
    }

    #[test]
    fn many_threads_get_the_same_filter() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| cache.get(default_profile(), CapSet::defaults()).unwrap());
            }
        });
        assert_eq!(files(dir.path()).len(), 1);
    }

    #[test]
    fn the_bundle_gets_the_settled_profile() {
        let dir = tempfile::tempdir().unwrap();
        let filter = Cache::open(dir.path()).unwrap().get(default_profile(), CapSet::defaults()).unwrap();
        let oci: oci_spec::runtime::LinuxSeccomp = serde_json::from_str(filter.oci.get()).unwrap();
        assert_eq!(oci.default_errno_ret(), Some(1));
        let clone3 =
            oci.syscalls().as_ref().unwrap().iter().find(|rule| rule.names()[0] == "clone3").unwrap();
        assert_eq!(clone3.errno_ret(), Some(38));
    }
}
