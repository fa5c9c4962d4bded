//! Sparse files: the old GNU form (map in the header and extension blocks) and the three PAX forms 0.0, 0.1 and 1.0.

use super::numbers::{decimal, unsigned};
use super::{BLOCK, MAX_EXTENTS};
use crate::error::{Error, Result};

/// A run of data within a sparse file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where in the file, in bytes.
    pub(crate) offset: u64,
    /// How long, in bytes.
    pub(crate) len: u64,
}

/// The `GNU.sparse.*` records of a PAX header.
#[derive(Debug, Default)]
pub(super) struct SparseKeys {
    major: Option<u64>,
    minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    real_size: Option<u64>,
    extents: Vec<Extent>,
    /// An `offset` record of form 0.0 that waits for its `numbytes`.
    pending: Option<u64>,
    has_map: bool,
}

/// How a regular file's data is laid out in the archive, as far as the headers tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// From start to end.
    Plain,
    /// These extents back to back; the file is `real_size` long.
    Extents { real_size: u64, extents: Vec<Extent> },
    /// The map stands in front of the data (PAX 1.0).
    MapInData { real_size: u64 },
}

impl SparseKeys {
    pub(super) fn apply(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            b"major" => self.major = Some(decimal(value, "sparse version")?),
            b"minor" => self.minor = Some(decimal(value, "sparse version")?),
            b"name" => {
                if value.is_empty() || value.contains(&0) {
                    return Err(bad("name"));
                }
                self.name = Some(value.to_vec());
            }
            b"size" | b"realsize" => self.real_size = Some(decimal(value, "sparse size")?),
            b"numblocks" => self.has_map = true,
            b"offset" => {
                let waiting = self.pending.replace(decimal(value, "sparse offset")?);
                if waiting.is_some() {
                    return Err(bad("map"));
                }
            }
            b"numbytes" => {
                let offset = self.pending.take().ok_or_else(|| bad("map"))?;
                push(&mut self.extents, offset, decimal(value, "sparse length")?)?;
            }
            b"map" => {
                self.has_map = true;
                self.extents.clear();
                let mut numbers = value.split(|b| *b == b',').filter(|n| !n.is_empty());
                while let Some(offset) = numbers.next() {
                    let len = numbers.next().ok_or_else(|| bad("map"))?;
                    push(
                        &mut self.extents,
                        decimal(offset, "sparse offset")?,
                        decimal(len, "sparse length")?,
                    )?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The layout these records describe for a file with `size` bytes in the archive.
    pub(super) fn layout(&mut self, size: u64) -> Result<Layout> {
        match (self.major, self.minor) {
            (Some(1), Some(0)) => {
                let real_size = self.real_size.ok_or_else(|| bad("size"))?;
                Ok(Layout::MapInData { real_size })
            }
            (None | Some(0), None | Some(0 | 1)) if self.has_map => {
                let real_size = self.real_size.ok_or_else(|| bad("size"))?;
                let extents = std::mem::take(&mut self.extents);
                if self.pending.is_some() {
                    return Err(bad("map"));
                }
                check(&extents, real_size, size)?;
                Ok(Layout::Extents { real_size, extents })
            }
            (None | Some(0), None | Some(0)) => Ok(Layout::Plain),
            _ => Err(bad("version")),
        }
    }
}

fn bad(what: &str) -> Error {
    Error::InvalidTar(format!("invalid tar header: malformed sparse {what}"))
}

fn push(extents: &mut Vec<Extent>, offset: u64, len: u64) -> Result<()> {
    if extents.len() >= MAX_EXTENTS {
        return Err(bad("map (too many extents)"));
    }
    extents.push(Extent { offset, len });
    Ok(())
}

/// Extents must go forward, must not overlap, must end within the file and add up to what the archive holds.
pub(super) fn check(extents: &[Extent], real_size: u64, stored: u64) -> Result<()> {
    let (mut end, mut total) = (0u64, 0u64);
    for extent in extents {
        let stop = extent.offset.checked_add(extent.len).filter(|stop| *stop <= real_size);
        match stop {
            Some(stop) if extent.offset >= end => end = stop,
            _ => return Err(bad("map")),
        }
        total += extent.len;
    }
    if total == stored { Ok(()) } else { Err(bad("map")) }
}

/// The part of the old GNU header that holds the start of the map: 4 entries, "more follows", real size.
pub(super) fn old_gnu_header(block: &[u8; BLOCK]) -> Result<(Vec<Extent>, bool, u64)> {
    let field = |from: usize, to: usize| block.get(from..to).unwrap_or_default();
    let mut extents = Vec::new();
    old_gnu_entries(field(386, 482), &mut extents)?;
    let more = field(482, 483) != b"\0" && field(482, 483) != b"0";
    Ok((extents, more, unsigned(field(483, 495), "sparse size")?))
}

/// An extension block of the old GNU form: 21 entries and "more follows".
pub(super) fn old_gnu_extension(block: &[u8; BLOCK], extents: &mut Vec<Extent>) -> Result<bool> {
    old_gnu_entries(block.get(..504).unwrap_or_default(), extents)?;
    let more = block.get(504).copied().unwrap_or(0);
    Ok(more != 0 && more != b'0')
}

fn old_gnu_entries(bytes: &[u8], extents: &mut Vec<Extent>) -> Result<()> {
    for entry in bytes.as_chunks::<24>().0 {
        let (offset, len) = entry.split_at(12);
        if offset.first() == Some(&0) || len.first() == Some(&0) {
            break;
        }
        push(extents, unsigned(offset, "sparse offset")?, unsigned(len, "sparse length")?)?;
    }
    Ok(())
}

/// Collects the map of the PAX 1.0 form, which precedes the data as decimal numbers on lines, in whole blocks.
#[derive(Default)]
pub(super) struct MapInData {
    line: Vec<u8>,
    count: Option<u64>,
    offset: Option<u64>,
    extents: Vec<Extent>,
}

impl MapInData {
    /// Takes one block; `Some` when the map is complete (the rest of that block is padding).
    pub(super) fn block(&mut self, block: &[u8; BLOCK]) -> Result<Option<Vec<Extent>>> {
        for byte in block {
            if *byte != b'\n' {
                if self.line.len() >= 20 {
                    return Err(bad("map"));
                }
                self.line.push(*byte);
                continue;
            }
            let number = decimal(&std::mem::take(&mut self.line), "sparse map")?;
            match (self.count, self.offset.take()) {
                (None, _) => self.count = Some(number),
                (Some(_), None) => self.offset = Some(number),
                (Some(_), Some(offset)) => push(&mut self.extents, offset, number)?,
            }
            if self.offset.is_none() && self.count == Some(self.extents.len() as u64) {
                return Ok(Some(std::mem::take(&mut self.extents)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(records: &[(&str, &str)]) -> SparseKeys {
        let mut keys = SparseKeys::default();
        for (k, v) in records {
            keys.apply(k.as_bytes(), v.as_bytes()).unwrap();
        }
        keys
    }

    #[test]
    fn the_three_pax_forms_are_told_apart() {
        let extents = vec![Extent { offset: 0, len: 3 }, Extent { offset: 10, len: 2 }];
        let want = Layout::Extents { real_size: 20, extents };
        let mut v00 = keys(&[
            ("size", "20"),
            ("numblocks", "2"),
            ("offset", "0"),
            ("numbytes", "3"),
            ("offset", "10"),
            ("numbytes", "2"),
        ]);
        assert_eq!(v00.layout(5).unwrap(), want);
        let mut v01 = keys(&[("size", "20"), ("numblocks", "2"), ("map", "0,3,10,2")]);
        assert_eq!(v01.layout(5).unwrap(), want);
        let mut v10 = keys(&[("major", "1"), ("minor", "0"), ("realsize", "20"), ("name", "x")]);
        assert_eq!(v10.layout(517).unwrap(), Layout::MapInData { real_size: 20 });
        assert_eq!(SparseKeys::default().layout(5).unwrap(), Layout::Plain);
        assert!(keys(&[("major", "2"), ("minor", "0")]).layout(0).is_err());
    }

    #[test]
    fn maps_that_overlap_or_leave_the_file_are_refused() {
        let e = |offset, len| Extent { offset, len };
        assert!(check(&[e(0, 5), e(5, 5)], 10, 10).is_ok());
        assert!(check(&[e(0, 5), e(4, 5)], 10, 10).is_err(), "overlap");
        assert!(check(&[e(0, 5), e(8, 5)], 10, 10).is_err(), "past the end");
        assert!(check(&[e(0, 5)], 10, 10).is_err(), "does not add up");
        assert!(check(&[e(u64::MAX, 2)], 10, 2).is_err(), "overflow");
    }

    #[test]
    fn a_map_in_the_data_may_span_blocks() {
        let mut text = "60\n".to_owned();
        for i in 0..60 {
            text.push_str(&format!("{}\n{}\n", i * 1_000_000, 4096));
        }
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        let mut map = MapInData::default();
        let mut done = None;
        for block in bytes.as_chunks::<BLOCK>().0 {
            assert!(done.is_none());
            done = map.block(block).unwrap();
        }
        assert_eq!(done.unwrap().len(), 60);
        assert_eq!(MapInData::default().block(&pad(b"0\n")).unwrap(), Some(vec![]));
        assert!(MapInData::default().block(&pad(b"x\n")).is_err());
        assert!(MapInData::default().block(&[b'1'; BLOCK]).is_err(), "a number without an end");
    }

    fn pad(bytes: &[u8]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        block[..bytes.len()].copy_from_slice(bytes);
        block
    }
}
