//! Building tars by hand, byte by byte, so that tests can write what no tool would.
#![allow(dead_code)]

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use berth_image::{Layer, LayerStore};

/// A data root that goes away with the test.
pub struct Root {
    pub dir: tempfile::TempDir,
    pub store: LayerStore,
}

/// A store in a new data root. Layers hold devices, other users' files and trusted attributes: only root can make
/// them, so these tests fail for anybody else.
pub fn root() -> Root {
    assert!(rustix::process::geteuid().is_root(), "these tests must run as root");
    let dir = tempfile::tempdir().unwrap();
    let store = LayerStore::open(dir.path()).unwrap();
    Root { dir, store }
}

impl Root {
    /// Nothing may be left in the temporary directory, whatever happened.
    pub fn assert_no_leftovers(&self) {
        let tmp = self.dir.path().join("store/tmp");
        let left: Vec<_> = std::fs::read_dir(&tmp).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    pub fn tree(&self, layer: &Layer) -> PathBuf {
        self.store.layer_dir(&layer.key)
    }

    pub fn unpack(&self, tar: &[u8]) -> berth_image::Result<Layer> {
        let layer = self.store.unpack(tar, None);
        self.assert_no_leftovers();
        layer
    }

    /// Unpacks, and checks that the exact tar comes out again.
    pub fn unpack_exact(&self, tar: &[u8]) -> Layer {
        let layer = self.unpack(tar).unwrap();
        self.assert_reproduces(&layer, tar);
        layer
    }

    pub fn assert_reproduces(&self, layer: &Layer, tar: &[u8]) {
        let mut again = Vec::new();
        let n = self.store.write_tar(&layer.key, &mut again).unwrap();
        assert_eq!((n, layer.tar_size), (tar.len() as u64, tar.len() as u64));
        assert!(again == tar, "the reproduced tar differs");
    }
}

/// One entry; everything that has a default.
#[derive(Clone, Debug)]
pub struct E {
    pub name: Vec<u8>,
    pub kind: u8,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub mtime: u64,
    pub link: Vec<u8>,
    pub data: Vec<u8>,
    pub device: (u32, u32),
    pub pax: Vec<(String, Vec<u8>)>,
}

pub fn entry(kind: u8, name: impl AsRef<[u8]>) -> E {
    E {
        name: name.as_ref().to_vec(),
        kind,
        mode: if kind == b'5' { 0o755 } else { 0o644 },
        uid: 0,
        gid: 0,
        mtime: 1_000_000,
        link: Vec::new(),
        data: Vec::new(),
        device: (0, 0),
        pax: Vec::new(),
    }
}

pub fn file(name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> E {
    E { data: data.as_ref().to_vec(), ..entry(b'0', name) }
}

pub fn dir(name: impl AsRef<[u8]>) -> E {
    entry(b'5', name)
}

pub fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> E {
    E { link: target.as_ref().to_vec(), ..entry(b'2', name) }
}

pub fn hardlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> E {
    E { link: target.as_ref().to_vec(), ..entry(b'1', name) }
}

pub fn device(kind: u8, name: &str, major: u32, minor: u32) -> E {
    E { device: (major, minor), ..entry(kind, name) }
}

impl E {
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    pub fn owner(self, uid: u64, gid: u64) -> Self {
        Self { uid, gid, ..self }
    }

    pub fn mtime(self, mtime: u64) -> Self {
        Self { mtime, ..self }
    }

    pub fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax.push((key.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Header, extensions and data as blocks.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.pax.is_empty() {
            let records: Vec<u8> = self.pax.iter().flat_map(|(k, v)| pax_record(k, v)).collect();
            let mut pax = entry(b'x', "pax");
            pax.data = records;
            out.extend(pax.bytes());
        }
        if self.name.len() > 100 {
            out.extend(E { data: [&self.name[..], b"\0"].concat(), ..entry(b'L', "././@LongLink") }.bytes());
        }
        if self.link.len() > 100 {
            out.extend(E { data: [&self.link[..], b"\0"].concat(), ..entry(b'K', "././@LongLink") }.bytes());
        }
        out.extend_from_slice(&self.header(self.data.len() as u64));
        out.extend_from_slice(&self.data);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }

    /// The header block alone, for a size of its own.
    pub fn header(&self, size: u64) -> [u8; 512] {
        let mut header = tar::Header::new_gnu();
        let gnu = header.as_gnu_mut().unwrap();
        let n = self.name.len().min(100);
        gnu.name[..n].copy_from_slice(&self.name[..n]);
        let n = self.link.len().min(100);
        gnu.linkname[..n].copy_from_slice(&self.link[..n]);
        header.set_entry_type(tar::EntryType::new(self.kind));
        header.set_mode(self.mode);
        header.set_uid(self.uid);
        header.set_gid(self.gid);
        header.set_mtime(self.mtime);
        header.set_size(size);
        header.set_device_major(self.device.0).unwrap();
        header.set_device_minor(self.device.1).unwrap();
        header.set_cksum();
        *header.as_bytes()
    }
}

pub fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let body = key.len() + value.len() + 3;
    let mut len = body + 1;
    while len != body + len.to_string().len() {
        len += 1;
    }
    [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
}

/// A whole archive.
pub fn tar(entries: &[E]) -> Vec<u8> {
    let mut out: Vec<u8> = entries.iter().flat_map(E::bytes).collect();
    out.extend([0; 1024]);
    out
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(data).unwrap();
    out.finish().unwrap()
}

pub fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut buffer = vec![0; 64 << 10];
    match rustix::fs::lgetxattr(&path, name, &mut buffer[..]) {
        Ok(n) => Some(buffer[..n].to_vec()),
        Err(rustix::io::Errno::NODATA) => None,
        Err(error) => panic!("{name} of {path:?}: {error}"),
    }
}

pub fn stat(path: impl AsRef<Path>) -> rustix::fs::Stat {
    let path = path.as_ref();
    rustix::fs::lstat(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn is_whiteout(path: impl AsRef<Path>) -> bool {
    let stat = stat(path);
    stat.st_mode & 0o170000 == 0o020000 && stat.st_rdev == 0
}
