//! Recognising and undoing a stream's compression by its first bytes.
//!
//! Names and media types lie; the first bytes do not. An empty stream is an uncompressed one.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all (or in a way nobody knows).
    None,
    /// RFC 1952, possibly several members.
    Gzip,
    /// RFC 8878, possibly several frames.
    Zstd,
    /// bzip2.
    Bzip2,
    /// The xz container format.
    Xz,
}

/// As many bytes as [`Compression::detect`] looks at.
const MAGIC_LEN: usize = 10;

impl Compression {
    /// Looks at the first bytes of a stream (ten are enough).
    pub fn detect(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            // A frame, or a skippable frame in front of the first one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::None,
        }
    }
}

/// A stream of whatever the source holds, decompressed. Errors of the source keep their kind; damage in the
/// compressed data is [`io::ErrorKind::InvalidData`] or [`io::ErrorKind::UnexpectedEof`].
pub(crate) struct Decompressed<'a> {
    inner: Box<dyn Read + Send + 'a>,
    source_failed: Arc<AtomicBool>,
}

impl<'a> Decompressed<'a> {
    /// Reads the first bytes of `source` and picks the decoder.
    pub(crate) fn new(mut source: impl Read + Send + 'a) -> Result<Self> {
        let mut start = Vec::with_capacity(MAGIC_LEN);
        source.by_ref().take(MAGIC_LEN as u64).read_to_end(&mut start).map_err(Error::Read)?;
        let compression = Compression::detect(&start);
        let source_failed = Arc::new(AtomicBool::new(false));
        let source = Source { inner: source, failed: Arc::clone(&source_failed) };
        let source = BufReader::with_capacity(128 << 10, Cursor::new(start).chain(source));
        let inner: Box<dyn Read + Send + 'a> = match compression {
            Compression::None => Box::new(source),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::with_buffer(source).map_err(Error::Read)?)
            }
            Compression::Bzip2 => return Err(Error::UnsupportedCompression("bzip2")),
            Compression::Xz => return Err(Error::UnsupportedCompression("xz")),
        };
        Ok(Self { inner, source_failed })
    }
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|error| {
            let interrupted = error.kind() == io::ErrorKind::Interrupted;
            let truncated = error.kind() == io::ErrorKind::UnexpectedEof;
            if interrupted || truncated || self.source_failed.load(Ordering::Relaxed) {
                error
            } else {
                io::Error::new(io::ErrorKind::InvalidData, error)
            }
        })
    }
}

/// Remembers that the source itself failed, so that its errors are not taken for damaged data.
struct Source<R> {
    inner: R,
    failed: Arc<AtomicBool>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(data).unwrap();
        out.finish().unwrap()
    }

    fn undo(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decompressed::new(bytes).unwrap().read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn plain_gzip_and_zstd_are_read_whatever_their_name() {
        let data = vec![7u8; 300_000];
        let zst = zstd::encode_all(&data[..], 3).unwrap();
        assert_eq!(undo(&data).unwrap(), data);
        assert_eq!(undo(&gzip(&data)).unwrap(), data);
        assert_eq!(undo(&zst).unwrap(), data);
        assert_eq!(undo(b"").unwrap(), b"");
        assert_eq!(undo(b"x").unwrap(), b"x");
    }

    #[test]
    fn several_members_and_skippable_frames_are_one_stream() {
        assert_eq!(undo(&[gzip(b"a"), gzip(b"b")].concat()).unwrap(), b"ab");
        let frame = zstd::encode_all(&b"x"[..], 3).unwrap();
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &frame, &frame].concat();
        assert_eq!(undo(&skippable).unwrap(), b"xx");
    }

    #[test]
    fn damage_is_told_apart_from_a_failing_source() {
        let data: Vec<u8> = (0..100_000u32).map(|i| i.wrapping_mul(i) as u8).collect();
        for good in [gzip(&data), zstd::encode_all(&data[..], 3).unwrap()] {
            let cut = undo(&good[..good.len() / 2]).unwrap_err();
            assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
            let mut bad = good.clone();
            let at = good.len() - 3;
            bad[at] ^= 0xff;
            bad[at / 2] ^= 0xff;
            let error = undo(&bad).unwrap_err();
            assert!(
                matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof),
                "{error:?}"
            );
        }
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
        let start = gzip(&data);
        let mut broken = Decompressed::new((&start[..100]).chain(Broken)).unwrap();
        let error = io::copy(&mut broken, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[test]
    fn formats_that_are_not_built_in_are_named() {
        let xz = Decompressed::new(&b"\xfd7zXZ\0rest"[..]).err().unwrap();
        assert_eq!(xz.to_string(), "unsupported compression: xz");
        let bz = Decompressed::new(&b"BZh91AY&SYrest"[..]).err().unwrap();
        assert_eq!(bz.to_string(), "unsupported compression: bzip2");
    }
}
