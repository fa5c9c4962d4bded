//! A layer's exact tar, put together again from its tree and its sidecar.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};

use super::names;
use super::raw::{RawReader, RawWriter, Record};
use super::tree::{Buried, open_real};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::tarfmt::{Extent, RawSink};

/// A layer's uncompressed tar as a stream. The last read checks the digest of everything that was read and fails with
/// [`io::ErrorKind::InvalidData`] if the stored layer is damaged.
pub struct LayerTar {
    sidecar: RawReader,
    tree: OwnedFd,
    current: Part,
    hasher: Sha256,
    expected: Digest,
    size: u64,
    finished: bool,
}

enum Part {
    None,
    Raw { bytes: Vec<u8>, position: usize },
    File { file: File, path: Vec<u8>, extents: std::vec::IntoIter<Extent>, now: Extent },
}

impl LayerTar {
    pub(super) fn open(tree: &Path, sidecar: &Path, expected: Digest, size: u64) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let tree = rustix::fs::open(tree, flags, Mode::empty()).map_err(|e| Error::io("open", tree, e))?;
        let sidecar = RawReader::open(sidecar)
            .map_err(|e| Error::Corrupt { what: sidecar.display().to_string(), reason: e.to_string() })?;
        Ok(Self {
            sidecar,
            tree,
            current: Part::None,
            hasher: Sha256::new(),
            expected,
            size,
            finished: false,
        })
    }

    /// Length of the whole tar, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn advance(&mut self) -> io::Result<bool> {
        self.current = match self.sidecar.next()? {
            None => return Ok(false),
            Some(Record::Raw(bytes)) => Part::Raw { bytes, position: 0 },
            Some(Record::File { path, extents }) => {
                let fd = open_real(&self.tree, &path, OFlags::RDONLY)
                    .map_err(|e| damaged(&path, &e.to_string()))?;
                let file = File::from(fd);
                Part::File { file, path, extents: extents.into_iter(), now: Extent { offset: 0, len: 0 } }
            }
        };
        Ok(true)
    }

    fn read_part(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.current {
            Part::None => Ok(0),
            Part::Raw { bytes, position } => {
                let left = bytes.get(*position..).unwrap_or_default();
                let n = left.len().min(buf.len());
                if let (Some(to), Some(from)) = (buf.get_mut(..n), left.get(..n)) {
                    to.copy_from_slice(from);
                }
                *position += n;
                Ok(n)
            }
            Part::File { file, path, extents, now } => {
                while now.len == 0 {
                    match extents.next() {
                        Some(next) => *now = next,
                        None => return Ok(0),
                    }
                }
                let want = buf.len().min(usize::try_from(now.len).unwrap_or(usize::MAX));
                let n = file.read_at(buf.get_mut(..want).unwrap_or_default(), now.offset)?;
                if n == 0 {
                    return Err(damaged(path, "the file is shorter than it was"));
                }
                now.offset += n as u64;
                now.len -= n as u64;
                Ok(n)
            }
        }
    }
}

impl Read for LayerTar {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.finished {
            return Ok(0);
        }
        loop {
            let n = self.read_part(buf)?;
            if n > 0 {
                self.hasher.update(buf.get(..n).unwrap_or_default());
                return Ok(n);
            }
            if !self.advance()? {
                self.finished = true;
                let actual = Digest::from_bytes(self.hasher.finalize_reset().into());
                if actual != self.expected {
                    let reason = format!("its content has the digest {actual}");
                    return Err(damaged(format!("layer {}", self.expected).as_bytes(), &reason));
                }
                return Ok(0);
            }
        }
    }
}

fn damaged(what: &[u8], reason: &str) -> io::Error {
    let what = String::from_utf8_lossy(what).into_owned();
    io::Error::new(io::ErrorKind::InvalidData, Error::Corrupt { what, reason: reason.to_owned() })
}

/// Writes a sidecar again with the content of files that later entries of the same tar replaced: they are not in the
/// tree any more, so their bytes go into the sidecar itself.
pub(super) fn inline_buried(old: &Path, new: &Path, graveyard: &Path, buried: &[Buried]) -> Result<()> {
    let mut graves: HashMap<&[u8], Vec<&Buried>> = HashMap::new();
    for grave in buried {
        graves.entry(&grave.real).or_default().push(grave);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let graveyard =
        rustix::fs::open(graveyard, flags, Mode::empty()).map_err(|e| Error::io("open", graveyard, e))?;
    let failed = |e: io::Error| Error::io("read", old, e);
    let mut input = RawReader::open(old).map_err(failed)?;
    let mut output = RawWriter::create(new)?;
    let mut index = 0;
    while let Some(record) = input.next().map_err(failed)? {
        match record {
            Record::Raw(bytes) => output.raw(&bytes)?,
            Record::File { path, extents } => {
                match grave_of(&graves, &path, index) {
                    None => output.file(&path, &extents)?,
                    Some(inside) => {
                        let fd = open_real(&graveyard, &inside, OFlags::RDONLY)
                            .map_err(|e| Error::io("open", crate::durable::bytes_to_path(&path), e))?;
                        copy_extents(&File::from(fd), &extents, &mut output).map_err(|e| match e {
                            Ok(error) => error,
                            Err(e) => Error::io("read", crate::durable::bytes_to_path(&path), e),
                        })?;
                    }
                }
                index += 1;
            }
        }
    }
    output.finish()
}

/// Where in the graveyard the file of record `index` at `path` lies: it went with the first of its path's ancestors
/// that was replaced after the record was written.
fn grave_of(graves: &HashMap<&[u8], Vec<&Buried>>, path: &[u8], index: u64) -> Option<Vec<u8>> {
    let mut first: Option<(&Buried, &[u8])> = None;
    let mut prefix = path;
    while !prefix.is_empty() {
        let rest = path.get(prefix.len()..).unwrap_or_default();
        let after = graves.get(prefix).into_iter().flatten().find(|grave| grave.files > index);
        if let Some(grave) = after
            && first.is_none_or(|(other, _)| grave.slot < other.slot)
        {
            first = Some((grave, rest));
        }
        prefix = names::split(prefix).0;
    }
    first.map(|(grave, rest)| [grave.slot.to_string().as_bytes(), rest].concat())
}

fn copy_extents(
    file: &File,
    extents: &[Extent],
    output: &mut RawWriter,
) -> std::result::Result<(), std::result::Result<Error, io::Error>> {
    let mut buffer = vec![0; 64 << 10];
    for extent in extents {
        let (mut at, mut left) = (extent.offset, extent.len);
        while left > 0 {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let n = file.read_at(buffer.get_mut(..want).unwrap_or_default(), at).map_err(Err)?;
            if n == 0 {
                return Err(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            output.raw(buffer.get(..n).unwrap_or_default()).map_err(Ok)?;
            at += n as u64;
            left -= n as u64;
        }
    }
    Ok(())
}
