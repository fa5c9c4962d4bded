//! Walks a tar stream entry by entry.

use std::io::{self, BufRead, Write};

use tar::EntryType;

use super::header::{Block, Entry, Kind};
use super::pax::Pax;
use super::sparse::{self, Extent, Layout, MapInData};
use super::{BLOCK, MAX_EXTENSION};
use crate::error::{Error, Result};

/// Takes the bytes of an archive that are not file content, in order.
pub(crate) trait RawSink {
    /// The next bytes.
    fn raw(&mut self, bytes: &[u8]) -> Result<()>;
}

/// For readers that need no copy of the framing.
impl RawSink for () {
    fn raw(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Reads entries from `input` and reports every other byte to `sink`.
pub(crate) struct TarReader<R, S> {
    input: R,
    sink: S,
    /// Data of the current entry that has not been read yet.
    remaining: u64,
    /// Zeros after the current entry's data, up to the next block.
    padding: usize,
    finished: bool,
}

/// Where the data of a file goes when it is read.
#[derive(Debug)]
pub(crate) struct FileData {
    /// In archive order; they add up to what the archive holds for this file.
    pub(crate) extents: Vec<Extent>,
}

#[derive(Default)]
struct Extensions {
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl<R: BufRead, S: RawSink> TarReader<R, S> {
    pub(crate) fn new(input: R, sink: S) -> Self {
        Self { input, sink, remaining: 0, padding: 0, finished: false }
    }

    /// Gives the sink back.
    pub(crate) fn into_sink(self) -> S {
        self.sink
    }

    /// The sink; what a file's data is replaced by in the raw stream is the caller's to write there.
    pub(crate) fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// The next entry with the layout of its data, or none at the archive's end. Data of the previous entry that
    /// was not read goes to the sink.
    pub(crate) fn next(&mut self) -> Result<Option<(Entry, FileData)>> {
        self.skip_data()?;
        let mut extensions = Extensions::default();
        let mut block = [0u8; BLOCK];
        loop {
            if self.finished || !self.read_header(&mut block)? {
                return Ok(None);
            }
            let header = Block::new(&block)?;
            match header.entry_type() {
                EntryType::XHeader => extensions.pax = Some(Pax::parse(&self.read_extension(&header)?)?),
                // Global headers hold a comment in practice (a commit's ID); Docker does not apply them either.
                EntryType::XGlobalHeader => drop(self.read_extension(&header)?),
                EntryType::GNULongName => {
                    extensions.long_name = Some(cut_at_nul(self.read_extension(&header)?));
                }
                EntryType::GNULongLink => {
                    extensions.long_link = Some(cut_at_nul(self.read_extension(&header)?));
                }
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
    }

    fn entry(&mut self, header: &Block<'_>, extensions: Extensions) -> Result<(Entry, FileData)> {
        let mut pax = extensions.pax.unwrap_or_default();
        let stored = header.stored_size(&pax)?;
        self.set_remaining(stored);
        let layout = if header.type_flag() == b'S' {
            self.old_gnu_layout(header, stored)?
        } else {
            pax.sparse.layout(stored)?
        };
        let entry = header.entry(pax, extensions.long_name, extensions.long_link, stored, &layout)?;
        let extents = match layout {
            _ if entry.kind != Kind::File => Vec::new(),
            Layout::Plain => vec![Extent { offset: 0, len: stored }],
            Layout::Extents { extents, .. } => extents,
            Layout::MapInData { real_size } => self.map_in_data(real_size)?,
        };
        Ok((entry, FileData { extents }))
    }

    fn old_gnu_layout(&mut self, header: &Block<'_>, stored: u64) -> Result<Layout> {
        let (mut extents, mut more, real_size) = sparse::old_gnu_header(header.bytes())?;
        let mut block = [0u8; BLOCK];
        while more {
            self.read_raw(&mut block)?;
            more = sparse::old_gnu_extension(&block, &mut extents)?;
        }
        sparse::check(&extents, real_size, stored)?;
        Ok(Layout::Extents { real_size, extents })
    }

    fn map_in_data(&mut self, real_size: u64) -> Result<Vec<Extent>> {
        let mut map = MapInData::default();
        let mut block = [0u8; BLOCK];
        loop {
            self.remaining = self
                .remaining
                .checked_sub(BLOCK as u64)
                .ok_or_else(|| Error::InvalidTar("invalid tar header: malformed sparse map".into()))?;
            self.read_raw(&mut block)?;
            if let Some(extents) = map.block(&block)? {
                sparse::check(&extents, real_size, self.remaining)?;
                return Ok(extents);
            }
        }
    }

    /// Hands `len` bytes of the current entry's data to `write`, piece by piece.
    pub(crate) fn read_data(&mut self, len: u64, mut write: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = len.min(self.remaining);
        self.remaining -= left;
        while left > 0 {
            let chunk = fill(&mut self.input)?;
            let take = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let piece = chunk.get(..take).unwrap_or_default();
            write(piece)?;
            self.input.consume(take);
            left -= take as u64;
        }
        Ok(())
    }

    /// Reports everything after the archive's end to the sink and reads the input to its end.
    pub(crate) fn drain(&mut self) -> Result<()> {
        loop {
            let chunk = self.input.fill_buf().map_err(Error::Read)?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.sink.raw(chunk)?;
            let n = chunk.len();
            self.input.consume(n);
        }
    }

    fn set_remaining(&mut self, stored: u64) {
        self.remaining = stored;
        self.padding = (BLOCK - (stored % BLOCK as u64) as usize) % BLOCK;
    }

    fn skip_data(&mut self) -> Result<()> {
        let mut left = std::mem::take(&mut self.remaining);
        while left > 0 {
            let chunk = fill(&mut self.input)?;
            let take = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.sink.raw(chunk.get(..take).unwrap_or_default())?;
            self.input.consume(take);
            left -= take as u64;
        }
        let mut block = [0u8; BLOCK];
        let padding = std::mem::take(&mut self.padding);
        self.read_raw(block.get_mut(..padding).unwrap_or_default())
    }

    /// Reads the next header; false at the end: two zero blocks, or the stream ends where a header would start.
    fn read_header(&mut self, block: &mut [u8; BLOCK]) -> Result<bool> {
        for zeros in 0..2 {
            if self.input.fill_buf().map_err(Error::Read)?.is_empty() {
                self.finished = true;
                return Ok(false);
            }
            self.read_raw(block)?;
            if block.iter().any(|b| *b != 0) {
                if zeros > 0 {
                    return Err(Error::InvalidTar("invalid tar header".into()));
                }
                return Ok(true);
            }
        }
        self.finished = true;
        Ok(false)
    }

    fn read_extension(&mut self, header: &Block<'_>) -> Result<Vec<u8>> {
        let size = header.size()?;
        if size > MAX_EXTENSION {
            return Err(Error::InvalidTar(format!("header extension of {size} bytes is too large")));
        }
        self.set_remaining(0);
        let mut data = vec![0; usize::try_from(size).unwrap_or_default()];
        self.read_raw(&mut data)?;
        self.padding = data.len().next_multiple_of(BLOCK) - data.len();
        self.skip_data()?;
        Ok(data)
    }

    fn read_raw(&mut self, buf: &mut [u8]) -> Result<()> {
        self.input.read_exact(buf).map_err(truncated)?;
        self.sink.raw(buf)
    }
}

/// The current entry's data as a reader, for entries that are small or go to one place.
impl<R: BufRead, S: RawSink> TarReader<R, S> {
    /// Copies all of the current entry's data to `out`; returns the number of bytes.
    pub(crate) fn copy_data(
        &mut self,
        out: &mut impl Write,
        failed: impl Fn(io::Error) -> Error,
    ) -> Result<u64> {
        let len = self.remaining;
        self.read_data(len, |piece| out.write_all(piece).map_err(&failed))?;
        Ok(len)
    }
}

fn fill<R: BufRead>(input: &mut R) -> Result<&[u8]> {
    let chunk = input.fill_buf().map_err(Error::Read)?;
    if chunk.is_empty() {
        return Err(truncated(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(chunk)
}

fn truncated(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none() {
        return Error::Read(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF"));
    }
    Error::Read(error)
}

fn cut_at_nul(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(end) = name.iter().position(|b| *b == 0) {
        name.truncate(end);
    }
    name
}
