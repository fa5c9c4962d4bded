//! Reading tar streams: framing, headers and extensions, without touching a file system.
//!
//! [`TarReader`] understands ustar, GNU (long names, old sparse files, base-256 numbers), PAX and old V7 archives and
//! reports every byte that is not file content to a [`RawSink`], so that an archive can be put together again
//! from those bytes and the files.

mod header;
mod numbers;
mod pax;
mod reader;
mod sparse;

pub(crate) use header::Xattr;
pub(crate) use header::{Entry, Kind, Time};
pub(crate) use reader::{FileData, RawSink, TarReader};
pub(crate) use sparse::Extent;

/// Size of a tar block.
pub(crate) const BLOCK: usize = 512;

/// Longest extension (PAX header, GNU long name, sparse map) that is read into memory, in bytes.
pub(crate) const MAX_EXTENSION: u64 = 1 << 20;

/// Most extents of one sparse file.
pub(crate) const MAX_EXTENTS: usize = 1 << 18;
