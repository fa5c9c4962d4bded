//! The sidecar: what a layer's tar consists of besides its files' content.
//!
//! A zstd stream of records. Copying raw records and putting in files' content where file records stand gives the
//! original tar, byte for byte.
//!
//! ```text
//! "berth-raw-1\n"
//! 0  length u32, bytes                                  raw bytes
//! 1  length u16, path, count u32, {offset u64, length u64}  content of a file of the tree
//! 2                                                     the end
//! ```
//! Numbers are little endian; paths are relative to the layer's directory and contain no symbolic links.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crate::error::{Error, Result};
use crate::tarfmt::{Extent, RawSink};

const MAGIC: &[u8] = b"berth-raw-1\n";
const RAW: u8 = 0;
const FILE: u8 = 1;
const END: u8 = 2;
const BUFFER: usize = 64 << 10;
const LEVEL: i32 = 3;

/// Writes a sidecar.
pub(super) struct RawWriter {
    out: zstd::stream::write::Encoder<'static, BufWriter<File>>,
    buffer: Vec<u8>,
    files: u64,
}

impl RawWriter {
    /// Starts a new sidecar at `path`.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let start = || {
            let file = File::options().write(true).create_new(true).open(path)?;
            let mut out = zstd::stream::write::Encoder::new(BufWriter::new(file), LEVEL)?;
            out.include_checksum(true)?;
            out.write_all(MAGIC)?;
            Ok(out)
        };
        let out = start().map_err(|e: io::Error| Error::io("create", path, e))?;
        Ok(Self { out, buffer: Vec::with_capacity(BUFFER), files: 0 })
    }

    /// How many file records have been written.
    pub(super) fn files(&self) -> u64 {
        self.files
    }

    /// The next bytes of the tar are these parts of the file at `path`.
    pub(super) fn file(&mut self, path: &[u8], extents: &[Extent]) -> Result<()> {
        self.flush_raw()?;
        self.files += 1;
        let length = u16::try_from(path.len()).map_err(|_| Error::entry(path, "the name is too long"))?;
        let mut record = vec![FILE];
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(path);
        record.extend_from_slice(&(extents.len() as u32).to_le_bytes());
        for extent in extents {
            record.extend_from_slice(&extent.offset.to_le_bytes());
            record.extend_from_slice(&extent.len.to_le_bytes());
        }
        self.write(&record)
    }

    /// Completes the sidecar. The bytes are in the page cache then, not yet on disk.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush_raw()?;
        self.write(&[END])?;
        self.out.finish().and_then(|mut out| out.flush()).map_err(Self::failed)
    }

    fn flush_raw(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut record = vec![RAW];
        record.extend_from_slice(&(self.buffer.len() as u32).to_le_bytes());
        self.write(&record)?;
        let bytes = std::mem::take(&mut self.buffer);
        self.write(&bytes)?;
        self.buffer = bytes;
        self.buffer.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(Self::failed)
    }

    fn failed(error: io::Error) -> Error {
        Error::io("write", "layer sidecar", error)
    }
}

impl RawSink for RawWriter {
    fn raw(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            if self.buffer.len() >= BUFFER {
                self.flush_raw()?;
            }
            bytes = later;
        }
        Ok(())
    }
}

/// One record of a sidecar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    Raw(Vec<u8>),
    File { path: Vec<u8>, extents: Vec<Extent> },
}

/// Reads a sidecar.
pub(super) struct RawReader {
    input: zstd::stream::read::Decoder<'static, BufReader<File>>,
}

impl RawReader {
    /// Opens the sidecar at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut input = zstd::stream::read::Decoder::new(File::open(path)?)?;
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a layer sidecar"));
        }
        Ok(Self { input })
    }

    /// The next record; none after the last. A sidecar that breaks off is an error.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        let invalid = |what: &'static str| io::Error::new(io::ErrorKind::InvalidData, what);
        match self.byte()? {
            RAW => {
                let len = u32::from_le_bytes(self.array()?) as usize;
                if len > BUFFER {
                    return Err(invalid("record is too long"));
                }
                Ok(Some(Record::Raw(self.bytes(len)?)))
            }
            FILE => {
                let len = u16::from_le_bytes(self.array()?);
                let path = self.bytes(usize::from(len))?;
                let count = u32::from_le_bytes(self.array()?);
                if count as usize > crate::tarfmt::MAX_EXTENTS {
                    return Err(invalid("record is too long"));
                }
                let mut extents = Vec::new();
                for _ in 0..count {
                    let offset = u64::from_le_bytes(self.array()?);
                    extents.push(Extent { offset, len: u64::from_le_bytes(self.array()?) });
                }
                Ok(Some(Record::File { path, extents }))
            }
            END => Ok(None),
            _ => Err(invalid("unknown record")),
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.input.read_exact(&mut array)?;
        Ok(array)
    }

    fn bytes(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("raw");
        let long = vec![5u8; BUFFER + 10];
        let extents = vec![Extent { offset: 0, len: 7 }, Extent { offset: 100, len: 1 }];
        let mut writer = RawWriter::create(&path).unwrap();
        writer.raw(b"ab").unwrap();
        writer.raw(b"c").unwrap();
        writer.file(b"dir/\xff", &extents).unwrap();
        writer.raw(&long).unwrap();
        assert_eq!(writer.files(), 1);
        writer.finish().unwrap();

        let mut reader = RawReader::open(&path).unwrap();
        let mut records = Vec::new();
        while let Some(record) = reader.next().unwrap() {
            records.push(record);
        }
        assert_eq!(
            records,
            vec![
                Record::Raw(b"abc".to_vec()),
                Record::File { path: b"dir/\xff".to_vec(), extents },
                Record::Raw(long[..BUFFER].to_vec()),
                Record::Raw(long[..10].to_vec()),
            ]
        );
    }

    #[test]
    fn a_sidecar_that_breaks_off_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("raw");
        let mut writer = RawWriter::create(&path).unwrap();
        writer.raw(b"abc").unwrap();
        writer.flush_raw().unwrap();
        // Neither end record nor checksum.
        drop(writer.out.finish().unwrap());
        let mut reader = RawReader::open(&path).unwrap();
        assert_eq!(reader.next().unwrap(), Some(Record::Raw(b"abc".to_vec())));
        assert!(reader.next().is_err());
    }
}
