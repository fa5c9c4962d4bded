//! Images made from the machine's own busybox, in every form the daemon can be given them.

use std::{fs, io::Write, process::Command};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::process;

/// One entry of a layer.
#[derive(Debug, Clone)]
pub enum Entry<'a> {
    /// A directory with a mode.
    Dir(u32),
    /// A file with a mode and content.
    File(u32, &'a [u8]),
    /// A symbolic link and where it points.
    Link(&'a str),
}

/// A tar archive of (path, owner, entry), owner being UID and GID.
pub fn archive(entries: &[(&str, u64, Entry)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, owner, entry) in entries {
        let mut header = Header::new_ustar();
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_mtime(1_700_000_000);
        let data: &[u8] = match entry {
            Entry::Dir(mode) => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                b""
            }
            Entry::File(mode, content) => {
                header.set_entry_type(EntryType::Regular);
                header.set_mode(*mode);
                content
            }
            Entry::Link(target) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                header.set_link_name(target).expect("a short link");
                b""
            }
        };
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, path, data).expect("append to an archive in memory");
    }
    builder.into_inner().expect("finish an archive in memory")
}

/// A root file system: busybox with a link per applet, a few users, and files that tests look for.
///
/// - users `root`, `app` (1000, also in group `extra`, 2000) and `nobody`
/// - `/etc/notexec`, a file that cannot be executed; `/srv/doomed`, a file to delete; `/data`, owned by `app`
pub fn busybox() -> Vec<u8> {
    let program = fs::read("/usr/bin/busybox")
        .or_else(|_| fs::read("/bin/busybox"))
        .expect("busybox-static is installed (`make deps`)");
    let applets = process::run(Command::new("busybox").arg("--list"), b"").ok();
    let paths: Vec<String> = applets.lines().map(|name| format!("bin/{name}")).collect();
    let passwd =
        b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/data:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
    let group = b"root:x:0:\napp:x:1000:\nextra:x:2000:app\nnogroup:x:65534:\n";
    let mut entries: Vec<(&str, u64, Entry)> = ["bin", "etc", "home", "root", "srv", "usr", "usr/bin", "var"]
        .into_iter()
        .map(|path| (path, 0, Entry::Dir(0o755)))
        .collect();
    entries.push(("tmp", 0, Entry::Dir(0o1777)));
    entries.push(("data", 1000, Entry::Dir(0o755)));
    entries.push(("bin/busybox", 0, Entry::File(0o755, &program)));
    let links = paths.iter().filter(|path| *path != "bin/busybox");
    entries.extend(links.map(|path| (path.as_str(), 0, Entry::Link("busybox"))));
    entries.push(("etc/passwd", 0, Entry::File(0o644, passwd)));
    entries.push(("etc/group", 0, Entry::File(0o644, group)));
    entries.push(("etc/notexec", 0, Entry::File(0o644, b"not a program\n")));
    entries.push(("srv/doomed", 0, Entry::File(0o644, b"delete me\n")));
    archive(&entries)
}

/// `sha256:…` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// An image configuration for layers given as uncompressed archives.
pub fn config(layers: &[Vec<u8>], config: Value) -> Value {
    let history: Vec<Value> = (0..layers.len())
        .map(|n| json!({"created": "2024-01-01T00:00:00Z", "created_by": format!("layer {n}")}))
        .collect();
    json!({
        "created": "2024-01-01T00:00:00Z",
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| digest(layer)).collect::<Vec<_>>()},
        "history": history,
    })
}

/// What `docker save` writes: `manifest.json`, the configuration and the layers.
pub fn docker_archive(tags: &[&str], layers: &[Vec<u8>], container: Value) -> Vec<u8> {
    let config = config(layers, container).to_string().into_bytes();
    let config_name = format!("{}.json", digest(&config).trim_start_matches("sha256:"));
    let names: Vec<String> = (0..layers.len()).map(|n| format!("layer{n}.tar")).collect();
    let manifest = json!([{"Config": config_name, "RepoTags": tags, "Layers": names}]).to_string();
    let mut entries: Vec<(&str, u64, Entry)> = vec![(config_name.as_str(), 0, Entry::File(0o644, &config))];
    entries
        .extend(names.iter().zip(layers).map(|(name, layer)| (name.as_str(), 0, Entry::File(0o644, layer))));
    entries.push(("manifest.json", 0, Entry::File(0o644, manifest.as_bytes())));
    archive(&entries)
}

/// How the layers of an OCI layout are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// `application/vnd.oci.image.layer.v1.tar`
    None,
    /// `…tar+gzip`
    Gzip,
    /// `…tar+zstd`
    Zstd,
}

/// An OCI image layout as a tar archive, with the tag in the index's annotations.
pub fn oci_layout(tag: &str, layers: &[Vec<u8>], container: Value, compression: Compression) -> Vec<u8> {
    let config = config(layers, container).to_string().into_bytes();
    let mut blobs = vec![config.clone()];
    let mut descriptors = Vec::new();
    for layer in layers {
        let (suffix, stored) = match compression {
            Compression::None => ("", layer.clone()),
            Compression::Gzip => ("+gzip", gzip(layer)),
            Compression::Zstd => ("+zstd", zstd(layer)),
        };
        descriptors.push(json!({
            "mediaType": format!("application/vnd.oci.image.layer.v1.tar{suffix}"),
            "digest": digest(&stored), "size": stored.len(),
        }));
        blobs.push(stored);
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                   "digest": digest(&config), "size": config.len()},
        "layers": descriptors,
    });
    let manifest = manifest.to_string().into_bytes();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest(&manifest), "size": manifest.len(),
        "annotations": {"io.containerd.image.name": format!("docker.io/{tag}"),
                        "org.opencontainers.image.ref.name": tag.rsplit(':').next()},
    }]});
    let index = index.to_string();
    blobs.push(manifest);
    let names: Vec<String> = blobs
        .iter()
        .map(|blob| format!("blobs/sha256/{}", digest(blob).trim_start_matches("sha256:")))
        .collect();
    let mut entries: Vec<(&str, u64, Entry)> =
        vec![("blobs", 0, Entry::Dir(0o755)), ("blobs/sha256", 0, Entry::Dir(0o755))];
    entries.extend(names.iter().zip(&blobs).map(|(name, blob)| (name.as_str(), 0, Entry::File(0o644, blob))));
    entries.push(("index.json", 0, Entry::File(0o644, index.as_bytes())));
    entries.push(("oci-layout", 0, Entry::File(0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)));
    archive(&entries)
}

/// Compresses with gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compress in memory");
    encoder.finish().expect("compress in memory")
}

/// Compresses with zstd.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("compress in memory")
}
