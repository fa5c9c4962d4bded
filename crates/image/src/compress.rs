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
    /// bzip2, possibly several streams.
    Bzip2,
    /// The xz container format, possibly several streams.
    Xz,
    /// A format by this name, which is not read.
    Unsupported(&'static str),
}

/// Most memory that an xz stream may ask for, in KiB; the highest standard preset needs a third of it.
const XZ_MEMORY: u32 = 192 << 10;

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
            [0x04, 0x22, 0x4d, 0x18, ..] => Self::Unsupported("lz4"),
            [b'L', b'Z', b'I', b'P', 1, ..] => Self::Unsupported("lzip"),
            [0x1f, 0x9d, ..] => Self::Unsupported("compress (.Z)"),
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
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
            Compression::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, XZ_MEMORY)),
            Compression::Unsupported(name) => return Err(Error::UnsupportedCompression(name)),
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

    /// Compresses with the system's program, so that the decoder is not tested against its own family.
    fn with_program(program: &str, args: &[&str], data: &[u8]) -> Vec<u8> {
        use std::process::{Command, Stdio};
        let mut child = Command::new(program)
            .args(args)
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{program}: {e}"));
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(data).unwrap());
            let out = child.wait_with_output().unwrap();
            assert!(out.status.success());
            out.stdout
        })
    }

    #[test]
    fn bzip2_and_xz_are_read_and_damage_in_them_is_noticed() {
        let data: Vec<u8> = (0..400_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let xz = [&["-6"][..], &["-9", "--check=sha256"], &["-1", "--check=crc32"]];
        let mut streams: Vec<Vec<u8>> = xz.iter().map(|args| with_program("xz", args, &data)).collect();
        streams.push(with_program("bzip2", &[], &data));
        for stream in streams {
            assert!(undo(&stream).unwrap() == data);
            assert!(undo(&[&stream[..], &stream].concat()).unwrap() == [&data[..], &data].concat());
            assert!(undo(&stream[..stream.len() / 2]).is_err());
            let mut bad = stream.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 0xff;
            let kind = undo(&bad).unwrap_err().kind();
            assert!(matches!(kind, io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof), "{kind:?}");
        }
    }

    #[test]
    fn an_xz_stream_that_wants_gigabytes_of_memory_is_refused() {
        let greedy = with_program("xz", &["--lzma2=dict=1GiB"], b"small");
        let error = undo(&greedy).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    }

    #[test]
    fn formats_that_are_not_read_are_named() {
        for (start, name) in [(&b"\x04\x22\x4d\x18rest"[..], "lz4"), (b"LZIP\x01rest", "lzip")] {
            let error = Decompressed::new(start).err().unwrap();
            assert_eq!(error.to_string(), format!("unsupported compression: {name}"));
        }
    }
}
