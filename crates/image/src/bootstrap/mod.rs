//! The built-in default image: `busybox:latest`, made from a statically linked busybox of the host.
//!
//! The same binary always gives the same image, on every host: names, owners and times are fixed, and the creation
//! time is the binary's.

mod elf;
mod rootfs;

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use time::OffsetDateTime;

use crate::config::{ContainerConfig, History, ImageConfig, RootFs, host_architecture, timestamp};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::store::{Layer, LayerStore};

/// Where Debian's `busybox-static` and its relatives put the binary.
pub const CANDIDATES: [&str; 4] =
    ["/usr/bin/busybox", "/bin/busybox", "/usr/bin/busybox-static", "/bin/busybox-static"];

/// The image's name.
pub const NAME: &str = "busybox:latest";

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Larger files are not a busybox.
const MAX_SIZE: u64 = 64 << 20;

/// The built-in image. Its configuration has not been stored yet.
#[derive(Debug)]
pub struct Bootstrapped {
    /// The image's ID.
    pub id: Digest,
    /// The configuration's exact bytes, for [`crate::ImageStore::put`].
    pub config_bytes: Vec<u8>,
    /// The configuration.
    pub config: ImageConfig,
    /// The one layer; keeps it from being removed for as long as it lives.
    pub layer: Layer,
    /// `busybox:latest`.
    pub tag: Reference,
    /// The binary that was used.
    pub source: PathBuf,
}

/// Builds the image from the busybox at `path`, or from the first usable of [`CANDIDATES`].
///
/// # Errors
/// [`Error::BadBusybox`] if the file is missing, not a static executable for this host, or not busybox.
pub fn bootstrap(path: Option<&Path>, layers: &LayerStore) -> Result<Bootstrapped> {
    let source = match path {
        Some(path) => path.to_path_buf(),
        None => find()?,
    };
    let binary = read(&source)?;
    elf::check(&binary).map_err(|reason| bad(&source, reason))?;
    let applets = applets(&source)?;
    let created = created(&source)?;
    let tar = rootfs::build(&binary, &applets).map_err(|e| Error::io("build image from", &source, e))?;
    let layer = layers.unpack(tar.as_slice(), None)?;
    let step = |created_by: &str, empty_layer| History {
        created: Some(created.clone()),
        created_by: created_by.into(),
        empty_layer,
        ..History::default()
    };
    let config = ImageConfig {
        architecture: host_architecture().0.into(),
        os: "linux".into(),
        created: Some(created.clone()),
        config: ContainerConfig {
            env: Some(vec![PATH.into()]),
            cmd: Some(vec!["sh".into()]),
            ..ContainerConfig::default()
        },
        rootfs: RootFs { diff_ids: vec![layer.diff_id], ..RootFs::default() },
        history: vec![
            step("busybox, statically linked, with its applets", false),
            step("CMD [\"sh\"]", true),
        ],
        ..ImageConfig::default()
    };
    let config_bytes = config.to_bytes()?;
    let tag = Reference::parse(NAME)?;
    Ok(Bootstrapped { id: Digest::of(&config_bytes), config_bytes, config, layer, tag, source })
}

fn bad(path: &Path, reason: impl Into<String>) -> Error {
    Error::BadBusybox { path: path.to_path_buf(), reason: reason.into() }
}

/// The first candidate that is static; if there are only others, the reason why the first does not do.
fn find() -> Result<PathBuf> {
    let mut reason = None;
    for candidate in CANDIDATES {
        let path = Path::new(candidate);
        if !path.exists() {
            continue;
        }
        match read(path).and_then(|binary| elf::check(&binary).map_err(|r| bad(path, r))) {
            Ok(()) => return Ok(path.to_path_buf()),
            Err(error) => reason = reason.or(Some(error)),
        }
    }
    Err(reason.unwrap_or_else(|| {
        bad(Path::new(CANDIDATES[0]), "there is no busybox on this host; install the package busybox-static")
    }))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(|e| bad(path, e.to_string()))?;
    let failed = |e: io::Error| Error::io("read", path, e);
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(bad(path, "it is not a regular file"));
    }
    let mut binary = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut binary).map_err(failed)?;
    if binary.len() as u64 > MAX_SIZE {
        return Err(bad(path, "it is too large to be busybox"));
    }
    Ok(binary)
}

/// Asks the binary for its applets, under the name that makes it answer as itself.
fn applets(path: &Path) -> Result<Vec<String>> {
    let output = Command::new(path)
        .arg0("busybox")
        .arg("--list")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(|e| bad(path, format!("it cannot be executed: {e}")))?;
    let list = String::from_utf8_lossy(&output.stdout);
    let mut applets: Vec<String> = list.lines().map(str::to_owned).collect();
    applets.sort();
    applets.dedup();
    let is_name = |a: &String| {
        !a.is_empty()
            && a.len() < 64
            && !a.starts_with('.')
            && a.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
    };
    if !output.status.success() || !applets.iter().all(is_name) || !applets.iter().any(|a| a == "sh") {
        return Err(bad(path, "it is not busybox (it does not list its applets)"));
    }
    Ok(applets)
}

fn created(path: &Path) -> Result<String> {
    let modified = fs::metadata(path).and_then(|m| m.modified()).map_err(|e| Error::io("stat", path, e))?;
    let seconds = OffsetDateTime::from(modified).unix_timestamp();
    timestamp(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn files_that_are_no_static_busybox_are_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let store = LayerStore::open(dir.path()).unwrap();
        let script = dir.path().join("script");
        fs::write(&script, "#!/bin/sh\n").unwrap();
        let cases = [
            (Path::new("/nonexistent"), "No such file"),
            (Path::new("/etc"), "not a regular file"),
            (&script, "not an ELF executable"),
            // Any dynamically linked program.
            (Path::new("/proc/self/exe"), "dynamically linked"),
        ];
        for (path, reason) in cases {
            let error = bootstrap(Some(path), &store).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
